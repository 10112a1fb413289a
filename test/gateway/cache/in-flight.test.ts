/**
 * What an answer has seen is what was committed when its statement began, not when it came: while one is on its way,
 * whoever asks after a change hears of the change.
 */
import { bind, describe, execute, flush, parse, query, sync } from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
await database.query(`
  create table t (id int primary key, v int not null);
  create table other (id int primary key);
  create function slow(int) returns int immutable language plpgsql as $$
    begin perform pg_advisory_lock_shared(1); perform pg_advisory_unlock_shared(1); return $1; end $$`)
/** Its transactions have one snapshot, that of their first statement; and so has a series without Sync. */
const role = `repeats_${database.name}`
beforeAll(() =>
  database.query(`create role ${role} login password 'pw'; grant select on t, other to ${role};
    alter role ${role} set default_transaction_isolation = 'repeatable read'`),
)
afterAll(() => database.query(`drop owned by ${role}; drop role ${role}`))

/** Has its snapshot, and ends when nobody holds the lock. */
const slow = 'select sum(slow(v)) as sum from t'
const read = 'select v from t where id = 1'
const answer = (name: string, value: number) => [`T(${name})`, `D(${value})`, 'C(SELECT 1)', 'Z I']

let line: CachingLine
let a: RawClient
let b: RawClient
beforeEach(async () => {
  await database.query('truncate t; insert into t values (1, 1)')
  line = await CachingLine.start(database.url, byAge)
  ;[a, b] = [await line.connect(), await line.connect()]
  await line.untilKept(a, 'select * from other')
  return () => line[Symbol.asyncDispose]()
})

async function waiting(): Promise<number> {
  const [row] = await database.query(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`,
  )
  return row.n
}

test('who has written asks for itself what another is being told without the write', async () => {
  await using holder = await rawClient(database.url)
  await holder.query('select pg_advisory_lock(1)')
  a.send(query(slow))
  await expect.poll(waiting).toBe(1)
  await b.query('update t set v = 2')
  b.send(query(slow))
  // Whoever has waited for another's answer for a second asks by itself, too: so it must not take that long.
  await holder.query('select pg_advisory_unlock(1)')
  expect(await a.ready()).toEqual(answer('sum', 1))
  expect(await b.ready()).toEqual(answer('sum', 2))
  // Whichever came last: the older one is not what is kept.
  for (const client of [a, b]) expect(await client.query(slow)).toEqual(answer('sum', 2))
  expect(line.origin.count(slow)).toBe(2)
})

test('an answer from the snapshot of an earlier statement is for its own client', async () => {
  for (const client of [a, b]) client.destroy()
  const url = line.gateway.urlOf(role, 'pw')
  ;[a, b] = [await line.connect(url), await line.connect(url)]
  await line.untilKept(a, 'select * from other')
  a.send(parse('', 'select count(*) from t'), bind('', ''), execute(), flush())
  await a.take(4)
  await database.query('update t set v = 2')
  const series = [parse('', read), bind('', ''), describe('P', ''), execute(), sync()]
  a.send(...series)
  expect(await a.ready()).toEqual(['1', '2', ...answer('v', 1)])
  b.send(...series)
  expect(await b.ready()).toEqual(['1', '2', ...answer('v', 2)])
  for (const client of [a, b]) expect(await client.query(read)).toEqual(answer('v', 2))
  await line.untilKept(b, read)
})
