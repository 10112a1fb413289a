/** One question is asked once of the origin, and who waits for its answer waits for nobody's misfortune. */
import { query } from '@sluice/wire'
import { beforeEach, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
await database.query(
  'create table t (id int primary key); insert into t values (1); create table probe (n int)',
)

const count = 'select count(*) as n from t'
const answer = ['T(n)', 'D(1)', 'C(SELECT 1)', 'Z I']

let clients: RawClient[]
/** Has the table for itself: whoever reads it waits. */
let holder: RawClient
beforeEach(async () => {
  const gateway = await startCachingGateway(database.url, byAge, { shutdownTimeoutMs: 100 })
  clients = await Promise.all([1, 2, 3].map(() => rawClient(gateway.url)))
  holder = await rawClient(database.url)
  // The catalogue is read when the first one asks: until then nothing is kept.
  const probe = () => clients[0]!.query('select count(*) as n from probe')
  await expect
    .poll(async () => {
      const before = await probe()
      await database.query('insert into probe values (1)')
      return (await probe()).join() === before.join()
    })
    .toBe(true)
  await holder.query('begin; lock table t')
  return async () => {
    for (const client of [...clients, holder]) client.destroy()
    await gateway[Symbol.asyncDispose]()
  }
})

async function waiting(): Promise<number> {
  const [row] = await database.query(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return row.n
}

test('whoever waits long asks by itself, and the others wait for that one', async () => {
  const [first, second, third] = clients as [RawClient, RawClient, RawClient]
  for (const client of [first, second, third]) client.send(query(count))
  // The second, when its patience ends, and then the third.
  for (const many of [1, 2, 3]) await expect.poll(waiting, { timeout: 10_000 }).toBe(many)
  await holder.query('commit')
  for (const client of [first, second, third]) expect(await client.ready()).toEqual(answer)
})

test('an error is that of the client whose statement it was', async () => {
  const [first, second] = clients as [RawClient, RawClient]
  await first.query("set statement_timeout = '300ms'")
  first.send(query(count))
  await expect.poll(waiting).toBe(1)
  second.send(query(count))
  expect(await first.ready()).toEqual(['E 57014', 'Z I'])
  await expect.poll(waiting).toBe(1)
  await holder.query('commit')
  expect(await second.ready()).toEqual(answer)
})

test('a client that leaves while it waits hurts nobody', async () => {
  const [first, second, third] = clients as [RawClient, RawClient, RawClient]
  for (const client of [first, second, third]) client.send(query(count))
  await expect.poll(waiting).toBe(1)
  second.destroy()
  await holder.query('commit')
  for (const client of [first, third]) expect(await client.ready()).toEqual(answer)
})

test('who has waited for a connection, and is answered without, does not keep it', async () => {
  await using gateway = await startCachingGateway(database.url, { ...byAge, connectionLimit: 1 })
  const [first, second, third] = (await Promise.all([1, 2, 3].map(() => rawClient(gateway.url)))) as [
    RawClient,
    RawClient,
    RawClient,
  ]
  await expect
    .poll(async () => {
      await first.query('select * from probe')
      return (await first.query('show sluice.cache_status'))[1]
    })
    .toMatch('D(hit')
  first.send(query('select from t limit 1 for share'))
  await expect.poll(waiting).toBe(1)
  // Nothing is kept or on its way yet: both wait for the connection.
  for (const client of [second, third]) client.send(query(count))
  const pools = () => gateway.gateway.backends.flatMap(backend => backend.pools)
  await expect.poll(() => pools().reduce((sum, pool) => sum + pool.waiting, 0)).toBe(2)
  await holder.query('commit')
  for (const client of [second, third]) expect(await client.ready()).toEqual(answer)
  expect(await first.ready()).toContain('Z I')
  expect(await first.query('select from t limit 1 for share')).toContain('Z I')
  for (const client of [first, second, third]) client.destroy()
})
