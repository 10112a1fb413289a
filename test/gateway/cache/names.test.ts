/**
 * Whatever a client's names mean, and for how long: what it writes ends what it changes, and nothing else. Without a stream
 * what a commit ends of which nobody can tell what it changed is not served again.
 */
import { bind, execute, parse, Query, query, Sync, sync } from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'
import type { RawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
const tenants = ['tenant_7', 'Tenant "8"', 'public'] as const
const [reader, writer, seven] = ['reads', 'writes', 'tenant_7'].map(name => `${name}_${database.name}`)
const roles = [reader, writer, seven]

type Tenant = (typeof tenants)[number]
const quoted = (tenant: string) => `"${tenant.replaceAll('"', '""')}"`
const rowOf = (tenant: Tenant) => `select v from ${quoted(tenant)}.t where id = 1`
const sumOf = (tenant: Tenant) => `select sum(v) from ${quoted(tenant)}.t`
const readsOf = (tenant: Tenant) => [rowOf(tenant), sumOf(tenant)]
const write = 'update t set v = v + 1 where id = 1'
/** Is not kept. */
const read = 'select count(*) from t, pg_advisory_xact_lock(1)'

const tables = tenants.map(
  tenant =>
    `create schema if not exists ${quoted(tenant)}; create table ${quoted(tenant)}.t (id int primary key, v int not null);`,
)
await database.query(`
  ${roles.map(role => `create role ${role}; grant pg_read_all_data, pg_write_all_data to ${role};`).join('')}
  ${tables.join('')}
  create schema authorization ${seven} create table t (id int primary key, v int not null);
  create function adds() returns int language plpgsql as 'begin ${write}; return 1; end';
  create function looks() returns int immutable language sql return 1;
  create function tenant_7.looks() returns int language plpgsql as 'begin ${write}; return 1; end';
  create function on_insert() returns trigger language plpgsql as 'begin ${write}; return null; end';
  create table defers (x int);
  create constraint trigger adds after insert on defers deferrable initially deferred
    for each row execute function on_insert()`)
afterAll(() =>
  database.query(roles.map(role => `drop owned by ${role} cascade; drop role ${role}`).join('; ')),
)

describe.each([
  ['by age', byAge],
  ['with a stream', {}],
])('%s', (way, options) => {
  let line: CachingLine
  let a: RawClient
  let b: RawClient
  let opaque: string[]
  beforeAll(async () => {
    line = await CachingLine.start(database.url, options)
    ;[a, b] = [await line.connect(), await line.connect()]
  })
  afterAll(() => line[Symbol.asyncDispose]())
  beforeEach(async () => {
    await a.query('rollback')
    await a.query('reset all; reset role')
    for (const tenant of tenants)
      await a.query(`truncate ${quoted(tenant)}.t; insert into ${quoted(tenant)}.t values (1, 0), (2, 0)`)
    await line.untilKept(b, ...tenants.flatMap(readsOf))
    opaque = await opaqueCommits()
  })

  /** Sent at once. */
  async function answered(...messages: readonly Uint8Array[]): Promise<void> {
    a.send(...messages)
    for (const [type] of messages) if (type === Query || type === Sync) await a.ready()
  }

  /** Those whose answers from before are served no more. */
  async function ended(): Promise<string[]> {
    const gone: string[] = []
    for (const read of tenants.flatMap(readsOf)) {
      const before = line.origin.count(read)
      await b.query(read)
      if (line.origin.count(read) > before) gone.push(read)
    }
    return gone
  }

  /** Why, and how many. */
  async function opaqueCommits(): Promise<string[]> {
    const rows = (await b.query('show sluice.opaque_commits')).filter(message => message.startsWith('D'))
    return rows.map(row => row.replace(/,\d+,[tf]\)$/, ''))
  }

  /** A stream may tell late of what was written before. */
  async function endsNothingBut(reads: readonly string[]): Promise<void> {
    expect(await ended()).toEqual(way === 'by age' ? reads : expect.arrayContaining([...reads]))
    expect(await opaqueCommits()).toEqual(opaque)
  }

  describe('the first statement in names that nobody came by before', () => {
    test('ends nothing if it reads', async () => {
      await a.query(`set role ${reader}`)
      expect(await a.query(read)).toContain('D(2)')
      await a.query('set search_path = "Tenant ""8""", tenant_7')
      expect(await a.query(read)).toContain('D(2)')
      await endsNothingBut([])
    })

    test('ends what it writes', async () => {
      await a.query(`set role ${writer}`)
      await a.query('insert into t values (3, 1)')
      await endsNothingBut([sumOf('public')])
      await a.query('set search_path = nowhere, tenant_7')
      await a.query(write)
      await endsNothingBut(readsOf('tenant_7'))
    })
  })

  /** As a series without Sync. */
  const run = (sql: string, ...values: (string | null)[]) => [
    ...[parse('', sql), bind('', '', ...values), execute()],
  ]

  const sets: [by: string, sets: Uint8Array, tenant: Tenant][] = [
    ['SET LOCAL', query('set local search_path = tenant_7'), 'tenant_7'],
    ['a literal', query(`set local search_path to 'tenant_7'`), 'tenant_7'],
    ['another literal', query(`set local search_path to 'Tenant "8"'`), 'Tenant "8"'],
    ['a list', query('set local search_path = nowhere, "Tenant ""8"""'), 'Tenant "8"'],
    ['set_config', query(`select set_config('search_path', 'tenant_7', true)`), 'tenant_7'],
    ['another value', query(`select set_config('search_path', '"Tenant ""8"""', true)`), 'Tenant "8"'],
    ['a string with escapes', query(`select set_config('search_path', E'tenant\\x5f7', true)`), 'tenant_7'],
    ['the last of several', query('set local role none; set local search_path = tenant_7'), 'tenant_7'],
    [
      'parameters',
      Buffer.concat([
        ...run(
          `select set_config('search_path', $1, true), set_config('role', $2, true),
            set_config('request.jwt.claims', $3, true)`,
          ...['tenant_7, nowhere', writer!, '{}'],
        ),
        sync(),
      ]),
      'tenant_7',
    ],
    [
      'a parameter that says which',
      Buffer.concat([...run('select set_config($1, $2::text, true)', 'search_path', 'tenant_7'), sync()]),
      'tenant_7',
    ],
  ]

  describe.each(sets)('in names that %s sets for the transaction', (_, sets, tenant) => {
    test('what is written ends what it changes', async () => {
      await a.query('begin')
      a.send(sets)
      await a.ready()
      await a.query(write)
      await a.query('commit')
      expect(await a.query(rowOf(tenant))).toContain('D(1)')
      await endsNothingBut([sumOf(tenant)])
    })

    test('what is read ends nothing', async () => {
      await a.query('begin')
      a.send(sets)
      await a.ready()
      expect(await a.query(read)).toContain('D(2)')
      await a.query('commit')
      await endsNothingBut([])
    })
  })

  test.each([
    ['with BEGIN', [query('begin; set local search_path = tenant_7'), query(write), query('commit')]],
    [
      'behind BEGIN',
      [query('begin'), query('set local search_path = tenant_7'), query(write), query('commit')],
    ],
    ['in a series', [...run('set local search_path = tenant_7'), ...run(write), sync()]],
  ])('names that are set %s, sent at once, end what is written in them', async (_, messages) => {
    await answered(...messages)
    expect(await ended()).toEqual(expect.arrayContaining(readsOf('tenant_7')))
  })

  test('what is sent at once within a transaction ends what it changes', async () => {
    await a.query('begin')
    await answered(query('set local search_path = tenant_7'), query(write), query('commit'))
    await endsNothingBut(readsOf('tenant_7'))
  })

  test('the role decides what "$user" stands for', async () => {
    const own = `select max(v) from ${seven}.t`
    await line.untilKept(b, own)
    for (const v of [1, 2]) {
      await a.query('begin')
      await a.query(`set local role ${seven}`)
      await a.query(`insert into t values (${v}, ${v})`)
      await a.query('commit')
      expect(await b.query(own)).toContain(`D(${v})`)
    }
    expect(await opaqueCommits()).toEqual(opaque)
    await a.query(`truncate ${seven}.t`)
  })

  const to8 = `set local search_path = "Tenant ""8"""`

  test.each<[what: string, tenant: Tenant, statements: readonly (string | readonly Uint8Array[])[]]>([
    ['are taken back', 'public', ['begin', 'savepoint s', to8, 'rollback to s', write, 'commit']],
    ['were set before', 'Tenant "8"', ['begin', to8, 'savepoint s', 'rollback to s', write, 'commit']],
    ['ended in the same text', 'public', ['begin', to8, `commit; begin; ${write}; commit`]],
    ['ended with a transaction', 'public', ['begin', to8, 'commit and chain', write, 'commit']],
    ['end at once', 'public', ['begin', to8, [query('commit'), query(write)]]],
    ['are bound only', 'public', ['begin', [parse('', to8), bind('', ''), sync()], write, 'commit']],
    [
      'are run later',
      'public',
      ['begin', [parse('', to8), bind('p', ''), ...run(write), execute('p'), sync()], 'commit'],
    ],
    [
      'are not set, for nothing is run',
      'public',
      ['begin', `select set_config('search_path', 'tenant_7', true) where false`, write, 'commit'],
    ],
    [
      'go back to their start',
      'public',
      ['begin', to8, [...run(`select set_config('search_path', $1, true)`, null), sync()], write, 'commit'],
    ],
    ['are set by code', 'Tenant "8"', ['begin', `do $$ begin ${to8}; end $$`, write, 'commit']],
    ['are set for the session', 'Tenant "8"', ['begin', to8.replace('local ', ''), write, 'commit']],
    ['hold for nothing', 'public', [to8, write]],
    ['hold for nothing, sent at once', 'public', [[query(to8), query(write)]]],
    [
      'are on their way',
      'tenant_7',
      [[query('begin'), query('set local search_path = tenant_7'), query('select looks()')], 'commit'],
    ],
    [
      'are on their way in one text',
      'tenant_7',
      [[query('begin; set local search_path = tenant_7'), ...run('select looks()'), sync()], 'commit'],
    ],
    ['are met by what is deferred', 'Tenant "8"', ['begin', 'insert into defers values (1)', to8, 'commit']],
    [
      'are met by a cursor',
      'Tenant "8"',
      ['begin', 'declare c cursor for select adds()', to8, 'fetch all from c', 'commit'],
    ],
    [
      'are met by a portal',
      'Tenant "8"',
      ['begin', [parse('', 'select adds()'), bind('p', ''), ...run(to8), execute('p'), sync()], 'commit'],
    ],
    [
      'are met by code beside it',
      'Tenant "8"',
      [`select set_config('search_path', '"Tenant ""8"""', true), adds()`],
    ],
  ])('names that %s are not taken for what they were', async (_, tenant, statements) => {
    for (const statement of statements)
      await answered(...(typeof statement === 'string' ? [query(statement)] : statement))
    expect(await a.query(rowOf(tenant))).toContain('D(1)')
    expect(await ended()).toContain(sumOf(tenant))
  })
})
