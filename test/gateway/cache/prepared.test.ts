/** Who has prepared a statement knows what its columns are: no answer is given to it that has others. */
import { bind, describe as describes, execute, parse, query, sync } from '@sluice/wire'
import { beforeEach, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
const read = 'select * from t where id = 7'

/** The machine may be busy. */
const patience = { timeout: 10_000 }

let early: RawClient
let late: RawClient
beforeEach(async () => {
  await database.query(`
    drop schema if exists other cascade; drop table if exists t;
    create table t (id int primary key, v text); insert into t values (7, 'seven');
    create schema other create table t (id int primary key, v int); insert into other.t values (7, 7)`)
  const gateway = await startCachingGateway(database.url, byAge, { shutdownTimeoutMs: 100 })
  ;[early, late] = (await Promise.all([rawClient(gateway.url), rawClient(gateway.url)])) as [
    RawClient,
    RawClient,
  ]
  await expect.poll(isKept, patience).toBe(true)
  return async () => {
    for (const client of [early, late]) client.destroy()
    await gateway[Symbol.asyncDispose]()
  }
})

/** The answer to a client that prepares what it asks. */
async function isKept(): Promise<boolean> {
  late.send(parse('', read), bind('', ''), execute(), sync())
  await late.ready()
  return (await late.query('show sluice.cache_status'))[1]!.startsWith('D(hit')
}

async function runs(client: RawClient, name = 's'): Promise<string[]> {
  client.send(bind('', name), execute(), sync())
  return client.ready()
}

test.each([
  ['told', 's', [parse('s', read), describes('S', 's'), sync()]],
  ['prepared', 's', [parse('s', read), sync()]],
  ['told, without a name,', '', [parse('', read), describes('S', ''), sync()]],
])(
  'a statement that was %s before its table got another column is refused, as by PostgreSQL',
  async (_, name, prepares) => {
    early.send(...prepares)
    await early.ready()
    expect(await runs(early, name)).toEqual(['2', 'D(7,seven)', 'C(SELECT 1)', 'Z I'])
    await late.query('alter table t add w int')
    await expect.poll(isKept, patience).toBe(true)
    expect(await runs(early, name)).toEqual(['E 0A000', 'Z I'])
  },
)

test.each(['set local search_path = third', 'alter table t add w int'])(
  'what a statement means behind "begin; %s" that is on its way is said to nobody else',
  async change => {
    await database.query(
      'create schema if not exists third; create table if not exists third.t (id int, w int)',
    )
    early.send(
      query('begin'),
      query(change),
      parse('s', read),
      describes('S', 's'),
      sync(),
      query('rollback'),
    )
    for (let ready = 0; ready < 4; ready++) await early.ready()
    for (const client of [late, early]) {
      client.send(parse('', read), describes('S', ''), sync())
      expect(await client.ready()).toEqual(['1', 't', 'T(id,v)', 'Z I'])
    }
    await database.query('drop schema third cascade')
  },
)

test('a statement that was prepared on another search_path is refused, if it means other columns', async () => {
  early.send(parse('s', read), describes('S', 's'), sync())
  await early.ready()
  for (const client of [early, late]) await client.query('set search_path = other')
  await expect.poll(isKept, patience).toBe(true)
  expect(await runs(early)).toEqual(['E 0A000', 'Z I'])
})

test('what one client has prepared is answered by what another one has that knows it alike', async () => {
  for (const client of [early, late]) {
    client.send(parse('s', read), describes('S', 's'), sync())
    await client.ready()
  }
  await runs(early)
  await runs(late)
  expect((await late.query('show sluice.cache_status'))[1]).toMatch('D(hit')
})
