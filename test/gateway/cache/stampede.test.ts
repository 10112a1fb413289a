/** A thousand clients with one question that nobody has asked before are one question to the origin. */
import { query } from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { VirtualClock } from '../../support/memory-transport.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const clients = 1_000
const connectionLimit = 20

const database = await freshDatabase()
await database.query(`
  create table t (id int primary key); insert into t values (1);
  create function slow(int) returns int immutable language plpgsql as $$
    begin perform pg_advisory_lock_shared(1); perform pg_advisory_unlock_shared(1); return $1; end $$`)

/** Whose time stands still: who waits for long asks by itself, and nobody has waited for long. */
const clock = new VirtualClock()
let line: CachingLine
let crowd: RawClient[]
/** Ends no question before it gives the lock back. */
let holder: RawClient
let spare: RawClient
let questions = 0
let cold: string
beforeAll(async () => {
  line = await CachingLine.start(database.url, { ...byAge, connectionLimit }, { clock })
  crowd = []
  while (crowd.length < clients)
    crowd.push(...(await Promise.all(Array.from({ length: 50 }, () => line.connect()))))
  holder = await rawClient(database.url)
  spare = await line.connect()
  await line.untilKept(crowd[0]!, 'select id from t')
}, 60_000)
afterAll(async () => {
  holder.destroy()
  await line[Symbol.asyncDispose]()
})
beforeEach(async () => {
  cold = `select slow(id) + ${++questions} as n from t`
  await holder.query('select pg_advisory_lock(1)')
})

const answer = () => ['T(n)', `D(${1 + questions})`, 'C(SELECT 1)', 'Z I']
const release = () => holder.query('select pg_advisory_unlock(1)')

/** All ask: one of them, and when the origin has that one's question the others. */
async function askAll(first: RawClient, others: readonly RawClient[]): Promise<void> {
  first.send(query(cold))
  await line.origin.saw(cold)
  for (const other of others) other.send(query(cold))
  // They were read when this is answered, most of them at least; who comes later asks for what is there.
  await spare.query('select 1')
}

test('a thousand clients with one question ask the origin once', async () => {
  const [first, ...others] = crowd
  await askAll(first!, others)
  await release()
  for (const client of crowd) expect(await client.ready()).toEqual(answer())
  expect(line.origin.count(cold)).toBe(1)
})

test('if that question fails nobody else hears of it, and only as many ask again as there are server connections', async () => {
  const [first, ...others] = crowd
  await askAll(first!, others)
  await database.query(`select pg_cancel_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event = 'advisory'`)
  expect(await first!.ready()).toEqual(['T(n)', 'E 57014', 'Z I'])
  await release()
  for (const client of others) expect(await client.ready()).toEqual(answer())
  expect(line.origin.count(cold)).toBeGreaterThan(1)
  expect(line.origin.count(cold)).toBeLessThanOrEqual(1 + connectionLimit)
})

test('they ask once, too, if the client whose question it was leaves in the middle', async () => {
  const [first, ...others] = crowd
  await askAll(first!, others)
  first!.destroy()
  await spare.query('select 1')
  await release()
  for (const client of others) expect(await client.ready()).toEqual(answer())
  expect(line.origin.count(cold)).toBe(1)
})
