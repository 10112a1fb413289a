/** What is said of an origin's cache, by what a real PostgreSQL answers. */
import { beforeEach, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { ddlTriggerSql } from '../invalidation/ddl.ts'
import { systemClock } from '../transport/clock.ts'
import { nodeTransport } from '../transport/node.ts'
import { examine } from './examine.ts'
import type { CacheFacts } from './examine-cache.ts'
import { type Cached, judgeCache } from './judge-cache.ts'
import type { Line } from './line.ts'
import { caching, invalidation } from './test/cached.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase()
  return () => database.drop()
})

async function factsFor(user?: string): Promise<CacheFacts & { is: 'examined' }> {
  const { hostname, port, username, password } = new URL(database.url)
  const address = { host: hostname, port: Number(port) }
  const examined = await examine(
    {
      origin: { addresses: [address], sslmode: 'disable' },
      ...{ user: user ?? username, password: user ? 'pw' : password, database: database.name },
      ...{ connectTimeoutMs: 5_000, roles: 'none', users: [], caching, invalidation },
    },
    address,
    { transport: nodeTransport, clock: systemClock },
  )
  const cache = examined.is === 'reached' ? examined.facts.cache : undefined
  if (cache?.is !== 'examined') throw new Error(JSON.stringify(examined))
  return cache
}

const judged = async (of: Partial<Cached> = {}, user?: string) =>
  judgeCache({ user: 'app', database: 'shop', caching, invalidation, ...of }, await factsFor(user))
const created: Partial<Cached> = { invalidation: { ...invalidation, mayChange: true } }
const said = (lines: readonly Line[]) => lines.map(({ verdict, what }) => `${verdict}: ${what}`)
const one = (lines: readonly Line[], what: string) => {
  const found = lines.filter(line => line.what.includes(what))
  expect(found, said(lines).join('\n')).toHaveLength(1)
  return found[0]!
}

test('a publication and event triggers: all is well', async () => {
  await database.query(
    `create table t (id int primary key); create materialized view m as select 1;
     create publication sluice for table t; ${ddlTriggerSql}`,
  )
  expect(said(await judged())).toEqual([
    'ok: publication "sluice" tells of changes in 2 tables',
    'ok: DDL by others is told by event triggers',
  ])
})

describe('without a publication', () => {
  test('it says what is done meanwhile, the statement and its risk, and the statement will do', async () => {
    await database.query('create table t (id int primary key)')
    const line = one(await judged(), 'there is no publication')
    expect(line).toMatchObject({
      verdict: 'warning',
      what: expect.stringContaining(
        'Answers are cached by age alone: max_age 60 s, stale_while_revalidate 15 s',
      ),
      cure: expect.stringContaining('dropped refuses UPDATE and DELETE'),
    })
    await database.query(line.sql!)
    expect(said(await judged())).toContain('ok: publication "sluice" tells of changes in 1 table')
  })

  test('nothing is cached if without_stream says so', async () => {
    const off = { caching: { ...caching, withoutStream: 'off' } as const }
    expect(one(await judged(off), 'there is no publication').what).toMatch(/\. Nothing is cached$/)
  })

  test('the gateway makes it where it shall and may', async () => {
    expect(said(await judged(created))).toContain(
      'ok: publication "sluice" is not there, and the gateway will make it',
    )
  })
})

test('a role without rights: it can open no stream, and make no publication and no event trigger', async () => {
  const role = `plain_${database.name}`
  await database.query(`create role ${role} login password 'pw'`)
  try {
    const lines = await judged(created, role)
    expect(one(lines, 'permission denied to start WAL sender')).toMatchObject({
      verdict: 'warning',
      cure: expect.stringContaining('REPLICATION'),
    })
    expect(one(lines, 'may not make one').cure).toContain('GRANT CREATE ON DATABASE "shop" TO "app"')
    await database.query(
      `alter role ${role} replication; grant create on database ${database.name} to ${role}`,
    )
    expect(said(await judged(created, role))).toEqual([
      'ok: publication "sluice" is not there, and the gateway will make it',
      'ok: DDL by others is noticed within 1 s (catalog_refresh)',
    ])
  } finally {
    await database.query(`revoke create on database ${database.name} from ${role}; drop role ${role}`)
  }
})

test('a role that owns some of the tables, or none', async () => {
  const role = `owner_${database.name}`
  await database.query(`create role ${role} login replication password 'pw';
    grant create on database ${database.name} to ${role}; create table t (id int primary key)`)
  try {
    expect(one(await judged(created, role), 'may not make one').cure).toContain(`GRANT their owner's role`)
    await database.query(`create table own (id int primary key); alter table own owner to ${role}`)
    const lines = said(await judged(created, role))
    expect(lines).toContain('ok: publication "sluice" is not there, and the gateway will make it')
    expect(lines.join()).toContain('publication "sluice" will lack tables that "app" does not own')
    await database.query('create publication sluice for table own')
    expect(one(await judged(created, role), 'will lack tables').verdict).toBe('advice')
  } finally {
    await database.query(`drop publication if exists sluice; drop owned by ${role}; drop role ${role}`)
  }
})

test('a wal_level that tells nothing, and what else is missing', async () => {
  const facts = await factsFor()
  const examined = { ...facts.examined, walLevel: 'replica' }
  const lines = judgeCache({ user: 'app', database: 'shop', caching, invalidation }, { ...facts, examined })
  expect(lines).toMatchObject([
    {
      verdict: 'warning',
      what: expect.stringContaining('wal_level is replica. Answers are cached by age alone'),
      cure: expect.stringContaining('ALTER SYSTEM SET wal_level = logical'),
    },
    { verdict: 'warning', what: `changes by others can't be told: there is no publication "sluice"` },
  ])
})

test('a publication that will not do is refused, with the reason', async () => {
  await database.query(
    `create table t (id int primary key); create publication sluice for table t where (id > 5)`,
  )
  expect(await judged()).toMatchObject([
    {
      verdict: 'warning',
      what: expect.stringContaining('publication "sluice" filters the rows of public.t'),
      cure: expect.stringContaining('DROP TABLE "public"."t", and ADD TABLE it whole'),
    },
  ])
})

test('tables whose changes are not told are named, by reason', async () => {
  await database.query(`
    create table loose (v int); create table heap (v int); create unlogged table quick (id int primary key);
    create publication sluice`)
  const lines = await judged()
  expect(one(lines, 'public.heap, public.loose')).toMatchObject({
    verdict: 'advice',
    what: expect.stringContaining('what reads any of them is not cached'),
    cure: expect.stringContaining('no primary key'),
  })
  expect(one(lines, 'public.quick').cure).toBe('It is unlogged: its changes are not in the WAL.')
  const byAge = { caching: { ...caching, maxAgeUntoldMs: 5_000 } }
  expect(one(await judged(byAge), 'public.quick').what).toMatch(/is cached by age alone, for 5 s$/)
})

test('a table that could be published, and is not', async () => {
  await database.query('create table t (id int primary key); create publication sluice')
  const line = one(await judged(), 'lacks tables that it could have')
  expect(line).toMatchObject({ verdict: 'advice', cure: expect.stringContaining('The risk') })
  expect(said(await judged(created)).join()).not.toContain('lacks')
  await database.query(line.sql!)
  expect(said(await judged())).toContain('ok: publication "sluice" tells of changes in 1 table')
})

describe('a publication that harms writes', () => {
  test('by a table that has lost its key', async () => {
    await database.query(`
      create table t (id int primary key); create publication sluice for table t;
      alter table t drop constraint t_pkey`)
    const line = one(await judged(), 'UPDATE and DELETE fail on public.t')
    expect(line.verdict).toBe('warning')
    await database.query(line.sql!)
    await database.query('update t set id = 1')
  })

  test('by taking in all tables', async () => {
    await database.query('create table loose (v int); create publication sluice for all tables')
    expect(one(await judged(), 'UPDATE and DELETE fail on public.loose')).toMatchObject({
      verdict: 'warning',
      cure: expect.stringContaining('A publication that lists its tables'),
    })
  })
})

test('who may make event triggers is offered them, and they will do', async () => {
  await database.query('create publication sluice')
  const { sql, verdict } = one(await judged(), 'event triggers would tell it at once')
  expect(verdict).toBe('advice')
  await database.query(sql!)
  expect(said(await judged())).toContain('ok: DDL by others is told by event triggers')
})
