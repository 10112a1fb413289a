/**
 * A database may be had by several bindings of one gateway, and not all of them need cache: whatever way a client writes,
 * nobody reads an answer from before. No stream tells, so that nothing but the gateway's own knowledge ends an answer.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
await database.query(`
  create table t (id int primary key, v int not null);
  create table u (id int primary key, v int not null);
  create view seen as select v from t;
  insert into u values (1, 100);
  create function adds() returns int language plpgsql as 'begin update t set v = v + 1; return 1; end'`)

const caching = {
  ...{ disabled: false, maxAgeMs: 60_000, staleWhileRevalidateMs: 15_000, maxAgeUntoldMs: 0 },
  ...{ stable: false, withoutStream: null },
}
const off = { ...caching, disabled: true }
const read = 'select v from t where id = 1'

let gateway: TestGateway
let cached: RawClient
let uncached: RawClient
let other: RawClient
beforeAll(async () => {
  gateway = await startCachingGateway(database.url, byAge, {
    shutdownTimeoutMs: 100,
    others: [
      { names: ['UNCACHED'], caching: off, ...byAge },
      { names: ['OTHER'], caching: { ...caching, maxAgeMs: 30_000 }, ...byAge },
    ],
  })
  cached = await rawClient(gateway.url)
  uncached = await rawClient(gateway.urlBy('UNCACHED'))
  other = await rawClient(gateway.urlBy('OTHER'))
})
afterAll(async () => {
  for (const client of [cached, uncached, other]) client.destroy()
  await gateway.stop()
})

beforeEach(async () => {
  await uncached.query('rollback')
  await uncached.query('create or replace view seen as select v from t')
  await uncached.query('truncate t; insert into t values (1, 0)')
  await isKept(read)
})

const isKept = (sql: string, client = cached) =>
  expect
    .poll(async () => {
      await client.query(sql)
      return (await client.query('show sluice.cache_status'))[1]
    })
    .toMatch(/^D\(hit/)

test.each([
  ['a statement', 'update t set v = v + 1 where id = 1'],
  ['a function', 'select adds()'],
  ['a transaction', 'begin; update t set v = v + 1; commit'],
])('what %s has written by a binding that does not cache is read by one that does', async (_, write) => {
  await uncached.query(write)
  expect(await cached.query(read)).toContain('D(1)')
})

test('a binding that does not cache says so', async () => {
  await uncached.query(read)
  expect(await uncached.query('show sluice.cache_status')).toContain('D(disabled: caching is off)')
})

test('who is notified by a binding that does not cache reads what was written before', async () => {
  await uncached.query('listen changed')
  await database.query('update t set v = 5')
  await database.query('notify changed')
  await uncached.until(() => uncached.notifications.length > 0)
  expect(await cached.query(read)).toContain('D(5)')
  await uncached.query('unlisten changed')
})

test('a view that was replaced by one binding is another one for all', async () => {
  await isKept('select v from seen')
  await isKept('select v from seen', other)
  await other.query('create or replace view seen as select v from u')
  expect(await cached.query('select v from seen')).toContain('D(100)')
  // Kept at once or not, it is known that it now depends on another table.
  await other.query('update u set v = v + 1')
  expect(await cached.query('select v from seen')).toContain('D(101)')
  await other.query('update u set v = 100')
  expect(await cached.query('select v from seen')).toContain('D(100)')
})

test('what is in a transaction that began before anybody cached is read once it is committed', async () => {
  await using fresh = await startCachingGateway(database.url, byAge, {
    shutdownTimeoutMs: 100,
    others: [{ names: ['UNCACHED'], caching: off, ...byAge }],
  })
  await using writer = await rawClient(fresh.urlBy('UNCACHED'))
  await writer.query('begin; update t set v = 7')
  await using reader = await rawClient(fresh.url)
  await isKept(read, reader)
  await writer.query('commit')
  expect(await reader.query(read)).toContain('D(7)')
})

test('what is in a transaction within which caching was switched on is read once it is committed', async () => {
  await using fresh = await startCachingGateway(
    database.url,
    { ...byAge, caching: off },
    { shutdownTimeoutMs: 100 },
  )
  await using writer = await rawClient(fresh.url)
  await writer.query('begin; update t set v = 9')
  fresh.reload({ caching })
  await using reader = await rawClient(fresh.url)
  await isKept(read, reader)
  await writer.query('commit')
  expect(await reader.query(read)).toContain('D(9)')
})
