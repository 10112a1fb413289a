/**
 * What others define anew ends the answers that it touches: told by the event trigger where there is one, and else found
 * when the catalogue is looked at again.
 */
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { ddlTriggerSql } from '../../../packages/gateway/src/invalidation/ddl.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { createDatabase, type TestDatabase } from '../../support/postgres.ts'
import type { RawClient } from '../../support/raw-client.ts'

const schema = (role: string) => `
  create schema before_public;
  create table columns (id int primary key, a int, b int); insert into columns values (1, 2, 3);
  create table parts (id int primary key) partition by range (id);
  create table parts_1 partition of parts for values from (0) to (10); insert into parts values (1);
  create table parts_2 (id int primary key); insert into parts_2 values (11);
  create table above (id int primary key); create table below (id int primary key); insert into below values (1);
  create table base (id int primary key); insert into base values (1);
  create view seen as select id from base;
  create view over_seen as select id from seen;
  create function twice(int) returns int immutable language sql return $1 * 2;
  create type mood as enum ('sad', 'ok'); create table moods (id int primary key, mood mood); insert into moods values (1, 'ok');
  create table replaced (id int primary key); insert into replaced values (1);
  create table renamed (id int primary key); insert into renamed values (1);
  create table hidden (id int primary key); insert into hidden values (1);
  create table secured (id int primary key); insert into secured values (1), (2);
  create table policed (id int primary key); insert into policed values (1), (2); alter table policed enable row level security;
  create policy one on policed using (id = 1);
  create table granted (id int primary key); insert into granted values (1);
  create table computed (id int primary key, twice int generated always as (id * 2) stored); insert into computed (id) values (1);
  grant select on all tables in schema public to ${role};
  create table mirrored (id int primary key); insert into mirrored values (1);
  create materialized view mirror as select count(*) as c from mirrored; create unique index on mirror (c);
  grant select on mirror to ${role};
  grant usage on schema before_public to public;
  alter default privileges grant select on tables to ${role}`

/** What, a question, the definition, and the rows or the error that are the answer from then on. */
const definitions: readonly (readonly [what: string, read: string, ddl: string, ...then: string[]])[] = [
  ['a column that comes', 'select * from columns', 'alter table columns add c int default 4', 'D(1,2,3,4)'],
  ['a column that goes', 'select * from columns', 'alter table columns drop b', 'D(1,2,4)'],
  [
    'a column that takes another name',
    'select a from columns',
    'alter table columns rename a to d',
    'E 42703',
  ],
  [
    'a partition that is attached',
    'select count(*) from parts',
    'alter table parts attach partition parts_2 for values from (10) to (20)',
    'D(2)',
  ],
  [
    'a partition that is detached',
    'select count(*) from parts',
    'alter table parts detach partition parts_2',
    'D(1)',
  ],
  ['a table that inherits', 'select * from above', 'alter table below inherit above', 'D(1)'],
  [
    'a view, for who reads it by another one',
    'select * from over_seen',
    'create or replace view seen as select id + 1 as id from base',
    'D(2)',
  ],
  [
    'a function',
    'select twice(id) from base',
    'create or replace function twice(int) returns int immutable language sql return $1 * 3',
    'D(3)',
  ],
  [
    'a function before the other one of its name',
    'select twice(2)',
    'create function before_public.twice(int) returns int immutable language sql return $1 * 5',
    'D(10)',
  ],
  ['a name of an enum', 'select mood from moods', `alter type mood rename value 'ok' to 'fine'`, 'D(fine)'],
  [
    'a table that is dropped and made anew',
    'select count(*) from replaced',
    'drop table replaced; create table replaced (id int primary key)',
    'D(0)',
  ],
  [
    'a table that takes the name of another one',
    'select * from renamed',
    'alter table renamed rename to old; create table renamed (name text primary key)',
  ],
  [
    'a table before the other one of its name in search_path',
    'select * from hidden',
    'create table before_public.hidden (id int primary key)',
  ],
  [
    'an expression of a column',
    'select twice from computed',
    'alter table computed alter twice set expression as (id * 5)',
    'D(5)',
  ],
  [
    'row level security',
    'select count(*) from secured',
    'alter table secured enable row level security',
    'D(0)',
  ],
  ['a policy', 'select id from policed', 'alter policy one on policed using (id = 2)', 'D(2)'],
  [
    'a right that is taken away',
    'select * from granted',
    'revoke select on granted from public, %',
    'E 42501',
  ],
]

describe.each([
  ['with the event trigger', ddlTriggerSql],
  ['without it', null],
])('%s', (_, ddl) => {
  let database: TestDatabase
  let role: string
  let line: CachingLine
  let client: RawClient
  beforeAll(async () => {
    database = await createDatabase()
    role = `reader_${database.name}`
    await database.query(`create role ${role} login password 'pw'; ${ddl ?? ''}`)
    await database.query(schema(role))
    line = await CachingLine.start(database.url, {
      invalidation: {
        ...{ publication: 'sluice', mayChange: true, refreshMs: ddl ? 600_000 : 200 },
        ...{ heartbeatMs: 200, silenceMs: 10_000, idleMs: 0 },
      },
    })
    client = await line.connect(line.gateway.urlOf(role, 'pw'))
    await client.query('set search_path = before_public, public')
  })
  afterAll(async () => {
    await line[Symbol.asyncDispose]()
    await database.query(`drop owned by ${role}; drop role ${role}`)
    await database.drop()
  })

  /** Rows, or the error. */
  const answerTo = async (sql: string) =>
    (await client.query(sql)).filter(word => word.startsWith('D(') || word.startsWith('E '))

  test.each(definitions)('%s', async (_, read, definition, ...then) => {
    await line.untilKept(client, read)
    expect(await answerTo(read)).not.toEqual(then)
    await database.query(definition.replaceAll('%', role))
    await vi.waitFor(async () => expect(await answerTo(read)).toEqual(then), 20_000)
    if (then[0]?.startsWith('E ')) return
    // It may have been asked of the origin while the catalogue was in doubt: what is kept is the same.
    await line.untilKept(client, read)
    expect(await answerTo(read)).toEqual(then)
  })

  test('a type of a column, for who has the statement described, too', async () => {
    const read = 'select v from typed'
    const sql = postgres(line.gateway.url, { max: 1, fetch_types: false })
    const typesOf = async () => (await sql.unsafe(read).describe()).columns.map(({ type }) => type)
    const rowsOf = async () => {
      const { fields, rows } = await asked.query({ text: read, rowMode: 'array' })
      return [fields[0]!.dataTypeID, rows]
    }
    const asked = new pg.Client(line.gateway.url)
    await asked.connect()
    const { INT4, INT8 } = pg.types.builtins
    await database.query('create table typed (id int primary key, v int); insert into typed values (1, 10)')
    await line.untilKept(client, read)
    expect([await typesOf(), await rowsOf()]).toEqual([[INT4], [INT4, [[10]]]])
    await database.query('alter table typed alter v type bigint using v * 2')
    await vi.waitFor(async () => expect(await rowsOf()).toEqual([INT8, [['20']]]), 20_000)
    expect(await typesOf()).toEqual([INT8])
    await asked.end()
    await sql.end()
  })

  test('a materialized view that is refreshed, if its answers are kept at all', async () => {
    const read = 'select c from mirror'
    if (ddl) await line.untilKept(client, read)
    else expect(await line.keeps(client, read)).toBe(false)
    expect(await answerTo(read)).toEqual(['D(1)'])
    await database.query('insert into mirrored values (2)')
    await database.query('refresh materialized view concurrently mirror')
    await vi.waitFor(async () => expect(await answerTo(read)).toEqual(['D(2)']), 20_000)
  })
})
