/** More requests than the direct route may carry: bounded, told clearly, and other applications still get in. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { inParallel } from '../support/parallel.ts'
import { freshDatabase } from '../support/postgres.ts'
import { runWorker } from '../support/worker.ts'
import type { Written } from '../workers/writes.ts'

const connectDeadlineMs = 2_500
const maxConnections = 12

const database = await freshDatabase()
// Limits don't hold for superusers.
const role = `app_${randomUUID().slice(0, 8)}`
await database.query(`
  create table writes (id int, part int, active int);
  create role ${role} login password 'secret';
  grant all on writes to ${role}`)
const asRole = (url: string) => Object.assign(new URL(url), { username: role, password: 'secret' }).href
const hyperdrive = await FaultProxy.start(database.url)
const direct = await FaultProxy.start(asRole(database.url))
const worker = await runWorker(new URL('../workers/writes.ts', import.meta.url), {
  hyperdrives: { HYPERDRIVE: hyperdrive.url },
  bindings: { DATABASE_URL: direct.url, OPTIONS: { connectDeadlineMs, maxConnections } },
})
hyperdrive.fault = {
  is: 'refuseFirstStatement',
  error: { code: '58000', message: 'Failed to acquire a connection from the pool' },
  then: 'ReadyForQuery',
}

afterAll(async () => {
  await worker.stop()
  await hyperdrive.stop()
  await direct.stop()
  await database.query(`drop owned by ${role}; drop role ${role}`)
})

let manager = ''
beforeEach(async () => {
  manager = randomUUID()
  await database.query('truncate writes')
})

/** `most`: how many of these statements the origin saw at a time. */
async function crowd(
  count: number,
): Promise<{ ok: number; failed: Written[]; most: number; slowest: number }> {
  const all = await inParallel<Written>(count, count, id => worker.json(`/slow?id=${id}&manager=${manager}`))
  await database.connectionsFallTo(0)
  const [counted] = await database.query(
    'select count(*)::int as rows, count(distinct id)::int as ids, max(active)::int as most from writes',
  )
  const failed = all.filter(({ parts }) => parts[1] !== 'ok')
  const ok = count - failed.length
  expect(counted).toMatchObject({ rows: ok, ids: ok })
  return { ok, failed, most: counted.most, slowest: Math.max(...all.map(({ ms }) => ms)) }
}

test('500 requests that fall back at once: never more connections than allowed, the excess told at its deadline', async () => {
  const { ok, failed, most, slowest } = await crowd(500)
  expect(most).toBeGreaterThan(maxConnections / 2)
  expect(most).toBeLessThanOrEqual(maxConnections)
  expect(ok).toBeGreaterThan(maxConnections)
  for (const { parts } of failed) {
    expect(parts[1]).toMatchObject({ code: '53300', reason: 'pool-exhausted', sent: 'no', retryable: true })
  }
  expect(slowest).toBeLessThan(connectDeadlineMs + 5_000)
})

test('a database with less room than that: refused connections back off, and another application gets in', async () => {
  await database.query(`alter role ${role} connection limit 4`)
  const before = direct.accepted
  const crowding = crowd(60)
  await direct.until(() => direct.accepted > before + 4)
  const other = new pg.Client(database.url)
  await other.connect()
  await other.end()
  const { ok, failed } = await crowding
  expect(ok).toBeGreaterThanOrEqual(4)
  for (const { parts } of failed)
    expect(parts[1]).toMatchObject({ code: '53300', sent: 'no', retryable: true })
  // No storm: at most a dozen at a time try, each some ten times in its deadline.
  expect(direct.accepted - before).toBeLessThan(60 * 10)
  await database.query(`alter role ${role} connection limit -1`)
})
