/**
 * Whatever a client's names mean, and for how long: what it writes ends what it changes, and nothing else. No stream tells
 * of changes here, so that what a commit of which nobody can tell what it changed would end is not served again.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'
import type { RawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
const tenants = ['tenant_7', 'tenant_8', 'public'] as const
const newcomers = ['reads', 'writes'].map(name => `${name}_${database.name}`)
await database.query(`
  create schema tenant_7; create schema tenant_8;
  ${newcomers.map(role => `create role ${role}; grant pg_read_all_data, pg_write_all_data to ${role};`).join('')}
  ${tenants.map(schema => `create table ${schema}.t (id int primary key, v int not null);`).join('')}
`)

let line: CachingLine
let a: RawClient
let b: RawClient
beforeAll(async () => {
  line = await CachingLine.start(database.url, byAge)
  ;[a, b] = [await line.connect(), await line.connect()]
})
afterAll(async () => {
  await line[Symbol.asyncDispose]()
  await database.query(newcomers.map(role => `drop owned by ${role}; drop role ${role}`).join('; '))
})

type Tenant = (typeof tenants)[number]
const rowOf = (tenant: Tenant) => `select v from ${tenant}.t where id = 1`
const sumOf = (tenant: Tenant) => `select sum(v) from ${tenant}.t`
const readsOf = (tenant: Tenant) => [rowOf(tenant), sumOf(tenant)]
const write = 'update t set v = v + 1 where id = 1'

beforeEach(async () => {
  await a.query('rollback')
  await a.query('reset all; reset role')
  for (const tenant of tenants)
    await a.query(`truncate ${tenant}.t; insert into ${tenant}.t values (1, 0), (2, 0)`)
  await line.untilKept(b, ...tenants.flatMap(readsOf))
})

/** Those whose answers from before have ended. */
async function ended(): Promise<string[]> {
  const gone: string[] = []
  for (const read of tenants.flatMap(readsOf)) {
    const before = line.origin.count(read)
    await b.query(read)
    if (line.origin.count(read) > before) gone.push(read)
  }
  return gone
}

/** Why commits were opaque, and how many there were. */
async function opaqueCommits(): Promise<string[]> {
  return (await b.query('show sluice.opaque_commits')).filter(message => message.startsWith('D'))
}

describe('the first statement in a name that nobody came by before', () => {
  test('ends nothing if it reads', async () => {
    const before = await opaqueCommits()
    await a.query(`set role ${newcomers[0]}`)
    expect(await a.query('select count(*) from t, pg_advisory_xact_lock(1)')).toContain('D(2)')
    await a.query('set search_path = tenant_8, tenant_7')
    expect(await a.query('select count(*) from t, pg_advisory_xact_lock(1)')).toContain('D(2)')
    expect(await ended()).toEqual([])
    expect(await opaqueCommits()).toEqual(before)
  })

  test('ends what it writes', async () => {
    const before = await opaqueCommits()
    await a.query(`set role ${newcomers[1]}`)
    await a.query('insert into t values (3, 1)')
    expect(await ended()).toEqual([sumOf('public')])
    await a.query('set search_path = nowhere, tenant_8, tenant_7')
    await a.query(write)
    expect(await ended()).toEqual(expect.arrayContaining(readsOf('tenant_8')))
    expect(await opaqueCommits()).toEqual(before)
  })
})
