/** One manager and its module-level handles in every kind of event; nothing stays connected when all is idle. */
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { inParallel } from '../support/parallel.ts'
import { freshDatabase } from '../support/postgres.ts'
import { runWorker } from '../support/worker.ts'

const database = await freshDatabase()
const hyperdrive = await FaultProxy.start(database.url)
const worker = await runWorker(new URL('../workers/events.ts', import.meta.url), {
  hyperdrives: { HYPERDRIVE: hyperdrive.url },
  bindings: { DATABASE_URL: database.url },
  durableObjects: { OBJECT: 'NotingObject' },
  queues: ['JOBS'],
})

afterAll(async () => {
  await worker.stop()
  await hyperdrive.stop()
})
beforeEach(() => database.query('drop table if exists notes; create table notes (text text)'))
afterEach(() => database.connectionsFallTo(0))

const notes = async () =>
  (await database.query('select text from notes order by text')).map(({ text }) => text)
const both = (...events: string[]) => events.flatMap(event => [`${event} by drizzle`, `${event} by sql`])

test('fetch', async () => {
  await worker.json('/')
  await worker.json('/run')
  expect(await notes()).toEqual(both('fetch', 'fetch under run'))
})

test('scheduled', async () => {
  expect(await worker.scheduled()).toMatchObject({ outcome: 'ok' })
  expect(await notes()).toEqual(both('scheduled', 'scheduled under run'))
})

test('queue', async () => {
  expect(await worker.queue('JOBS', ['a', 'b'])).toMatchObject({ outcome: 'ok' })
  expect(await notes()).toEqual(both('queue a', 'queue b', 'queue under run'))
})

test('the fetch of a Durable Object', async () => {
  await worker.json('/object')
  expect(await notes()).toEqual(both('object fetch', 'object fetch under run'))
})

test('the alarm of a Durable Object', async () => {
  await worker.json('/object/alarm')
  await vi.waitFor(async () => expect(await notes()).toEqual(both('alarm', 'alarm under run')), 5_000)
})

test('all of them at once, again and again, on the same object too', async () => {
  const before = hyperdrive.accepted
  await inParallel(100, 20, async n => {
    if (n % 4 === 0) await worker.scheduled()
    else await worker.json(n % 4 === 1 ? '/object' : n % 4 === 2 ? '/run' : '/')
  })
  expect(hyperdrive.accepted).toBeGreaterThan(before)
  expect(await notes()).toHaveLength(25 * (4 + 4 + 2 + 2))
})

test('two events of one Durable Object whose work overlaps both close what they opened', async () => {
  await worker.json('/object/later?name=first')
  await worker.json('/object/later?name=second')
  await worker.json('/object/open?gate=first')
  await vi.waitFor(async () => expect(await notes()).toEqual(both('later first')), 5_000)
  await hyperdrive.until(({ open }) => open === 1)
  await worker.json('/object/open?gate=second')
  await vi.waitFor(async () => expect(await notes()).toEqual(both('later first', 'later second')), 5_000)
  await hyperdrive.until(({ open }) => open === 0)
})

test('two events of one Durable Object that begin together both close what they opened', async () => {
  await Promise.all([worker.json('/object/later?name=first'), worker.json('/object/later?name=second')])
  await worker.json('/object/open?gate=second')
  await vi.waitFor(async () => expect(await notes()).toEqual(both('later second')), 5_000)
  await hyperdrive.until(({ open }) => open === 1)
  await worker.json('/object/open?gate=first')
  await hyperdrive.until(({ open }) => open === 0)
})
