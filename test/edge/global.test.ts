/** Handles made at module level, used too early. */
import { afterAll, expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { runWorker } from '../support/worker.ts'

const database = await freshDatabase()
const worker = await runWorker(new URL('../workers/global.ts', import.meta.url), {
  hyperdrives: { HYPERDRIVE: database.url },
  bindings: { DATABASE_URL: database.url },
})

afterAll(() => worker.stop())

test('a query in global scope is refused with an error that says where it belongs, and the handle works after that', async () => {
  const { told, row } = await worker.json('/')
  const refusal = {
    name: 'DatabaseError',
    reason: 'global-scope',
    code: '55000',
    message: 'a query was started in global scope, where Workers allow no I/O',
    hint: expect.stringContaining('inside fetch, scheduled, queue, or a Durable Object'),
  }
  expect(told).toEqual([refusal, refusal, refusal, refusal])
  expect(row).toEqual({ one: 1 })
})
