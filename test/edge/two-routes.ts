/**
 * A Worker with both routes to one database, and a proxy on each that fails on demand.
 *
 *     Worker ──HYPERDRIVE──▶ hyperdrive ──▶ PostgreSQL
 *        └────DATABASE_URL──▶ direct ─────▶     "
 */
import { afterAll } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { runWorker, type TestWorker, type TestWorkerOptions } from '../support/worker.ts'

export interface TwoRoutes {
  database: TestDatabase
  hyperdrive: FaultProxy
  direct: FaultProxy
  worker: TestWorker
}

/**
 * For one test file, gone when the file is done.
 *
 * @param name of the Worker's module in test/workers
 * @param bindings beside DATABASE_URL
 */
export async function twoRoutes(
  name: string,
  bindings: TestWorkerOptions['bindings'] = {},
): Promise<TwoRoutes> {
  const database = await freshDatabase()
  const hyperdrive = await FaultProxy.start(database.url)
  const direct = await FaultProxy.start(database.url)
  const worker = await runWorker(new URL(`../workers/${name}.ts`, import.meta.url), {
    hyperdrives: { HYPERDRIVE: hyperdrive.url },
    bindings: { DATABASE_URL: direct.url, ...bindings },
  })
  afterAll(async () => {
    await worker.stop()
    await hyperdrive.stop()
    await direct.stop()
  })
  return { database, hyperdrive, direct, worker }
}
