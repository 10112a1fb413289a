/**
 * What is said of a write, beside what a real PostgreSQL changes when it runs it: no table may change that is not named.
 */
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../../../test/support/postgres.ts'
import { type Catalogue, type Query, readCatalogue } from '../../catalogue/index.ts'
import { Parser } from '../parser.ts'
import type { Writes, Written } from '../writing.ts'
import { judgeWrites } from './judge.ts'
import { writtenBy } from './written.ts'

const database = await freshDatabase()
let client: pg.Client
let catalogue: Catalogue
let parser: Parser

/** Rows as text, of all statements of one query. */
const queryOf =
  (client: pg.Client): Query =>
  async sql => {
    const types = { getTypeParser: () => (value: string) => value }
    const result = (await client.query({ text: sql, rowMode: 'array', types })) as unknown as
      | pg.QueryArrayResult<(string | null)[]>
      | pg.QueryArrayResult<(string | null)[]>[]
    return [result].flat().flatMap(({ rows }) => rows ?? [])
  }

beforeAll(async () => {
  parser = await Parser.load()
  client = new pg.Client(database.url)
  await client.connect()
  await client.query(await readFile(new URL('test/schema.sql', import.meta.url), 'utf8'))
  catalogue = await readCatalogue(queryOf(client))
  await client.query('create temp table scratch (a int)')
})
afterAll(() => client.end())

interface Setting {
  readonly searchPath?: readonly string[]
}

function writesOf(sql: string, { searchPath = ['pg_catalog', 'public'] }: Setting = {}): Writes {
  const statements = parser.parse(sql)
  if (!statements) throw new Error(`not understood: ${sql}`)
  // Literals by their order, as all texts here are read once.
  return judgeWrites(statements, { catalogue, searchPath }, parser, location => location)
}

const nameOf = (oid: number): string => {
  const { schema, name } = catalogue.relation(oid)!
  return schema === 'public' ? name : `${schema}.${name}`
}

/** `users posts[$1] +log opaque ddl commits`: any rows, one row by key, rows added, and what else is said. */
function told(sql: string, setting?: Setting): string {
  const { tables, rows, inserts, opaque, ddl, commits } = writesOf(sql, setting)
  const key = (value: object, text: string) =>
    'parameter' in value ? `$${value.parameter}` : /^'[^']*'|^\w+/.exec(text)?.[0]
  return [
    ...tables.map(nameOf).sort(),
    ...rows.map(
      row =>
        `${nameOf(row.relation)}[${row.key.map(({ value }) => key(value, 'literal' in value ? sql.slice(value.literal) : '')).join(' ')}]`,
    ),
    ...inserts.map(oid => `+${nameOf(oid)}`).sort(),
    ...(opaque === null ? [] : ['opaque']),
    ...(ddl ? ['ddl'] : []),
    ...(commits ? ['commits'] : []),
  ].join(' ')
}

/** What is another in a table that was changed: counts of rows, and after TRUNCATE or REFRESH its file. */
const stateSql = `select c.oid, concat_ws(' ', pg_relation_filenode(c.oid), s.n_tup_ins, s.n_tup_upd, s.n_tup_del) as state
  from pg_class c left join pg_stat_xact_user_tables s on s.relid = c.oid
  where c.oid >= 16384 and c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't'`

async function states(): Promise<Map<number, string>> {
  const { rows } = await client.query<{ oid: number; state: string }>(stateSql)
  return new Map(rows.map(({ oid, state }) => [oid, state]))
}

/** What is in a table, by its primary key. */
async function contentsOf(oid: number): Promise<Map<string, string>> {
  const { schema, name, primaryKey } = catalogue.relation(oid)!
  const key = (primaryKey ?? []).map(column => `t.${pg.escapeIdentifier(column)}::text`)
  const table = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`
  const sql = `select array[${key.join(', ')}]::text[]::text as key, t::text as row from ${table} t`
  const { rows } = await client.query<{ key: string; row: string }>(sql)
  return new Map(primaryKey === null ? [] : rows.map(({ key, row }) => [key, row]))
}

interface Changes {
  /** Tables in which rows changed, by name. */
  readonly tables: readonly string[]
  /** Of those that were asked for: keys of rows that are new, and of rows that are gone or others than before. */
  readonly keys: ReadonlyMap<
    number,
    { readonly added: readonly string[]; readonly changed: readonly string[] }
  >
}

/** What it changes, when it is run and what was deferred is done; all is rolled back. */
async function changesOf(
  sql: string,
  { searchPath = ['public'] }: Setting = {},
  watched: readonly number[] = [],
): Promise<Changes> {
  const contents = async () => {
    const all = new Map<number, Map<string, string>>()
    for (const oid of watched) all.set(oid, await contentsOf(oid))
    return all
  }
  await client.query('begin')
  try {
    await client.query(`set local search_path = ${searchPath.map(schema => `"${schema}"`).join(', ')}`)
    const [before, rowsBefore] = [await states(), await contents()]
    await client.query(sql)
    await client.query('set constraints all immediate')
    const [after, rowsAfter] = [await states(), await contents()]
    const tables = [...before].flatMap(([oid, state]) => (after.get(oid) === state ? [] : nameOf(oid)))
    const keys = new Map(
      [...rowsBefore].map(([oid, old]) => {
        const rows = rowsAfter.get(oid)!
        const added = [...rows.keys()].filter(key => !old.has(key))
        const changed = [...old].flatMap(([key, row]) => (rows.get(key) === row ? [] : key))
        return [oid, { added, changed }] as const
      }),
    )
    return { tables: tables.sort(), keys }
  } finally {
    await client.query('rollback')
  }
}

/** What it comes to: a literal stands where its place says, and a parameter has its own number for a value. */
const writtenIn = (sql: string, writes: Writes): Written =>
  writtenBy(writes, {
    literal: place => /^(?:'(.*?)'|(\w+))/.exec(sql.slice(place))?.slice(1).find(Boolean) ?? null,
    parameter: number => String(number),
    parameterType: () => 0,
  })

/** All that changes is said to. */
async function covers(sql: string, setting?: Setting): Promise<void> {
  const writes = writesOf(sql, setting)
  const { tables, rows, inserts } = writtenIn(sql, writes)
  const byRow = [...inserts, ...rows.map(({ relation }) => relation)]
  const changes = await changesOf(sql.replaceAll(/\$(\d+)/g, '$1'), setting, byRow)
  if (writes.ddl || writes.opaque !== null) return
  const named = [...tables, ...byRow].map(nameOf)
  expect({ sql, more: changes.tables.filter(name => !named.includes(name)) }).toEqual({ sql, more: [] })
  for (const [oid, { added, changed }] of changes.keys) {
    const told = rows.filter(({ relation }) => relation === oid).map(({ key }) => `{${key.join(',')}}`)
    const more = inserts.includes(oid) ? changed : [...added, ...changed].filter(key => !told.includes(key))
    expect({ sql, table: nameOf(oid), more }).toEqual({ sql, table: nameOf(oid), more: [] })
  }
}

/** Statement, and what is said of it. */
type Case = readonly [sql: string, expected: string, setting?: Setting]

function holds(cases: readonly Case[]): void {
  for (const [sql, expected, setting] of cases)
    test(`${sql} → ${expected || 'nothing'}`, async () => {
      expect(told(sql, setting)).toBe(expected)
      await covers(sql, setting)
    })
}

describe('a statement that writes nothing', () => {
  holds([
    ['select * from users where id = 1', ''],
    ['select * from users for update', ''],
    ['select u.name from users u join posts p on p.user_id = u.id for no key update of u skip locked', ''],
    ['lock table users in exclusive mode', ''],
    ['select now(), random(), clock_timestamp(), gen_random_uuid(), uuid_generate_v4()', ''],
    ["select nextval('posts_id_seq'), currval('posts_id_seq'), setval('posts_id_seq', 100)", ''],
    ["select pg_advisory_xact_lock(1), set_config('app.x', 'y', true), pg_sleep(0)", ''],
    ["select pg_notify('c', 'p'); notify c", ''],
    ["select 'insert into users', slugify('x y') -- delete from users", ''],
    ['select looks(3), joined(name) from users', ''],
    ['explain delete from users', ''],
    ['explain (analyze) select * from titles', ''],
    ['prepare p as delete from keyless', ''],
    ['declare c cursor for select * from users', ''],
    ['copy users to stdout', ''],
    ['set local work_mem = 100', ''],
    ['savepoint a', ''],
    ['create temp table mine as select * from users', ''],
    ['select id into temp mine from users', ''],
    ['comment on table users is null', ''],
    ['create index on keyless (a)', ''],
    ['analyze keyless', ''],
    ['with log as (select 1) select * from log', ''],
    ['drop table if exists nowhere', ''],
    ['set local search_path = app', ''],
    ["select set_config('search_path', 'app', true)", ''],
    ["set local app.tenant = 'x'; select set_config('app.tenant', 'y', true)", ''],
    ['insert into scratch values (1)', '', { searchPath: ['pg_temp', 'pg_catalog', 'public'] }],
    ["update pg_settings set setting = '100' where name = 'work_mem'", ''],
  ])
})

describe('a statement that says what it writes', () => {
  holds([
    // Rows by their keys, and rows added
    ["insert into users values (100, 'x')", 'users[100]'],
    ["insert into users (name, id) values ('x', $105) returning id", 'users[$105]'],
    ["insert into users (id, name) values (101, 'x'), (102, 'y')", 'users[101] users[102]'],
    ['insert into users (id) values ($108), ($109)', 'users[$108] users[$109]'],
    ['insert into posts (title) values (null) returning *', '+posts'],
    ["insert into posts (user_id, title) select id, 'new' from users", '+posts'],
    ['insert into invoices (user_id) values (1)', '+invoices'],
    ['insert into invoices (id, user_id) overriding user value values (9, 1)', '+invoices'],
    ['insert into comments (post_id, body) values (1, null)', '+comments'],
    [
      "insert into comments values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1)",
      "comments['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']",
    ],
    ['insert into keyless default values', '+keyless'],
    ["insert into users values (1, 'again') on conflict do nothing", 'users[1]'],
    ["insert into users values (1, 'again') on conflict (id) do update set name = excluded.name", 'users[1]'],
    ["insert into users (id, name) values ($1, 'x') on conflict (id) do update set id = 200", 'posts users'],
    [
      "insert into users values (1, 'x') on conflict on constraint users_pkey do update set name = 'x'",
      'users',
    ],
    ["insert into short values ('ab ', 2)", '+short'],
    ['update users set name = upper(name)', 'users'],
    ["update users set name = 'x' where id = 7", 'users[7]'],
    ["update users set name = 'x' where $1 = id and name <> 'y'", 'users[$1]'],
    ["update users as u set name = 'x' where u.id = $1 and (u.name = 'a' or true)", 'users[$1]'],
    ["update users set name = 'x' where users.id operator(pg_catalog.=) 7", 'users[7]'],
    ["update users set name = 'x' where id = 7 or name = 'user 8'", 'users'],
    ["update users set name = 'x' where id in (7, 8)", 'users'],
    ["update users set name = 'x' where id = 3 + 4", 'users'],
    ["update users set name = 'x' where id = id", 'users'],
    ["update users set name = 'x' where id = $7::int", 'users[$7]'],
    ["update users set name = 'x' where id = 7::text::int", 'users'],
    ["update users set name = 'x' from posts p where p.user_id = users.id and users.id = $1", 'users[$1]'],
    ["update users set name = 'x' from posts p where p.id = $1 and p.user_id = users.id", 'users'],
    ["update posts set title = 'x' where id = 20", 'posts[20]'],
    ['update tags set weight = 3 where post_id = 20', 'tags'],
    ["update tags set weight = 3 where post_id = 20 and name = 'a'", "tags[20 'a']"],
    ["update settings set value = 'null' where key = 'theme'", "settings['theme']"],
    ["update loose set n = 2 where code = 'ABC'", 'loose'],
    ["update short set n = 2 where code = 'abc'", "short['abc']"],
    [`update "Odd ""Names" set "user" = 'y' where "Id" = 1`, 'Odd "Names[1]'],
    ['delete from "Odd ""Names"', 'Odd "Names'],
    ['delete from tags', 'tags'],

    // Foreign keys: checks write nothing, actions do
    ['update users set id = id + 1000 where id = 1', 'posts users'],
    ['update users set (name, id) = (name, 999) where id = 77', 'posts users'],
    ['delete from users where id = 77', 'comments posts users[77]'],
    ['delete from users where id < 5', 'comments posts users'],
    ['delete from comments using posts where posts.id = comments.post_id', 'comments'],
    ['delete from posts where id = 1', 'comments posts[1]'],
    ['delete from staff where id = 1', 'staff'],
    ['update staff set boss = null where id = 2', 'staff[2]'],
    ['truncate tags', 'tags'],
    ['truncate users, app.users cascade', 'app.users comments invoices posts tags users'],

    // Several in one
    [
      'with gone as (delete from tags returning post_id) insert into log (what) select post_id from gone',
      'tags +log',
    ],
    ["with log as (select 1) insert into log (what) values ('x')", '+log'],
    ['with u as (update users set name = name returning id) select * from u', 'users'],
    ['merge into users u using posts p on u.id = p.id when matched then update set name = p.title', 'users'],
    [
      'merge into tags t using posts p on t.post_id = p.id when not matched then insert values (p.id, $$c$$)',
      '+tags',
    ],
    [
      'merge into posts p using users u on p.user_id = u.id and u.id < 3 when matched then delete',
      'comments posts',
    ],
    ['delete from tags; update users set name = name', 'tags users'],
    ['explain (analyze, costs off) delete from tags', 'tags'],
    ['declare c cursor for select again(1)', '+log'],
    [`copy keyless from program 'printf "7\\tx\\n"'`, '+keyless'],
    ['refresh materialized view totals', 'totals'],

    // Names
    ["update app.users set name = 'x'", 'app.users'],
    ["update users set name = 'x'", 'app.users', { searchPath: ['app', 'pg_catalog', 'public'] }],
    ["update public.users set name = 'x' where id = 1", 'users[1]', { searchPath: ['app', 'pg_catalog'] }],
    ["update users set name = 'x' where id = 1", 'users', { searchPath: ['evil', 'pg_catalog', 'public'] }],

    // Triggers, defaults and policies
    ["update touched set name = 'b' where id = 1", 'touched[1]'],
    ["insert into touched values (2, 'b')", 'touched[2]'],
    ["insert into touched values (1, 'b') on conflict (id) do update set name = 'c'", 'touched[1]'],
    ["update audited set name = 'b' where id = 1", 'audited[1] +log'],
    ["insert into deferred values (1, 'x')", 'deferred[1] +log'],
    ["update counted set name = 'x'", 'counted +log'],
    ["insert into disabled values (1, 'x')", 'disabled[1]'],
    ["insert into renumbered values (2, 'b')", '+renumbered'],
    ["insert into shifted values (1, 'x') on conflict (id) do update set name = 'y'", 'shifted'],
    ["update renumbered set name = 'b' where id = 101", 'renumbered renumbered_parts'],
    ['insert into defaulted (id) values (1)', 'defaulted[1] +log'],
    ['select count(*) from secured', '+log'],
    ['update secured set owner = $1 where id = 1', 'secured[1] +log'],

    // Functions and views
    ['select add_tag(1, $$x$$)', '+tags'],
    ['select by_default()', '+log'],
    ['select public.atomically(20)', 'tags'],
    ['select nested(2)', '+tags'],
    ['select again(2)', '+log'],
    ['select 1 where plus_log(1, 2) = 3', '+log'],
    ['select u.title_of from users u where id = 1', 'users'],
    ['select (u).title_of from users u where id = 1', 'users'],
    ['select in_app()', '+app.users'],
    ['select * from logging', '+log'],
    ["update adults set name = 'x' where id = 20", 'posts users'],
    ["insert into adults values (200, 'x')", '+users'],
    ['delete from adults where id = 30 and false', 'comments posts users'],
    ['insert into numbered (id) values (200)', '+log +users'],
    ["insert into instead values (9, 'x')", '+audited +log'],

    // Partitions and inheritance
    ["insert into events values (9, 3, 'x')", '+events +events_1 +events_2 +events_2a +events_2b'],
    ["insert into events_2a values (9, 13, 'x')", '+events +events_2 +events_2a'],
    [
      'update events set day = 17 where id = 1 and day = 1',
      'events events_1 events_2 events_2a events_2b +log',
    ],
    ["update events_2 set what = 'x'", 'events events_2 events_2a events_2b'],
    ['delete from events_1', 'events events_1 +log'],
    ['truncate events_2', 'events events_2 events_2a events_2b'],
    ["insert into places values (3, 'x')", 'places[3]'],
    ["insert into capitals values (3, 'x', 'y')", '+capitals +places'],
    ["update places set name = 'x' where id = 2", 'capitals places'],
    ["update only places set name = 'x' where id = 2", 'places[2]'],
    ['delete from capitals', 'capitals places'],
    ['insert into unlogged values (1)', 'unlogged[1]'],
  ])
})

describe('whatever is written, and however', () => {
  const forms = [
    'insert into # default values',
    'insert into # select * from # limit 1',
    'update # set @ = @',
    'update # set @ = null',
    'update # set @ = @ where @ = $1',
    'update # set @ = $900 where @ = $1',
    'update # set name = name where @ = $101',
    'delete from # where @ = $2',
    'insert into # (@) values ($901) on conflict (@) do nothing',
    "insert into # (@, name) values ($1, 'x') on conflict (@) do update set name = 'y'",
    'delete from #',
    'truncate #',
    'truncate # cascade',
    'with gone as (delete from # returning *) select count(*) from gone',
    'merge into # using (select 1) s on true when matched then delete',
    'select * from #',
  ]

  test('no table changes that is not named', async () => {
    let ran = 0
    for (const { schema, name, kind, columns } of catalogue.relations.values()) {
      if (!['r', 'p', 'v', 'm'].includes(kind)) continue
      const written = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`
      for (const form of forms)
        for (const column of form.includes('@') ? columns.map(column => column.name) : ['']) {
          const sql = form.replaceAll('#', written).replaceAll('@', pg.escapeIdentifier(column))
          const runs = await covers(sql).then(
            () => true,
            // A constraint, a column that is generated: nothing was changed.
            error => {
              if (error instanceof pg.DatabaseError) return false
              throw error
            },
          )
          if (runs) ran++
        }
    }
    expect(ran).toBeGreaterThan(300)
  })
})

describe('a statement of which more is to be feared', () => {
  test.each([
    ['do $$ begin delete from tags; end $$', 'DO runs code that is not looked into'],
    ['call proceed()', 'CALL runs a procedure that is not looked into'],
    ['execute p', 'EXECUTE runs a statement that is known by its name only'],
    ['explain analyze execute p(1)', 'EXECUTE runs a statement that is known by its name only'],
    ["commit prepared 'x'", 'COMMIT PREPARED does not tell what the transaction has written'],
    ["select anything('delete from tags')", 'what "anything" changes by EXECUTE can\'t be told'],
    ["insert into dynamically values (1, 'x')", 'what "dynamic" changes by EXECUTE can\'t be told'],
    ['delete from audited where id = 1', 'what "dynamic" changes by EXECUTE can\'t be told'],
    ['delete from ruled', 'a rule of "ruled" may make something else of the statement'],
    [
      "select dblink_exec('', 'delete from tags')",
      '"dblink_exec" is volatile, and what it does can\'t be read',
    ],
    [
      "select query_to_xml('select 1', true, true, '')",
      '"query_to_xml" is volatile, and what it does can\'t be read',
    ],
    [
      "select table_to_xml('users', true, true, '')",
      '"table_to_xml" is volatile, and what it does can\'t be read',
    ],
    [
      "insert into foreign_rows values ('x')",
      '"foreign_rows" is a foreign table: what its server changes can\'t be told',
    ],
    ['delete from partly', '"partly_there" is a foreign table: what its server changes can\'t be told'],
    ['update titles set title = null', 'what a change of the view "titles" changes can\'t be told'],
    ['select whose_path()', 'the search_path of "whose_path" depends on who calls it'],
    ['delete from nowhere', '"nowhere" is not known'],
    ['select * from nowhere', '"nowhere" is not known'],
    ['select nothing()', 'the function "nothing" is not known'],
    [
      'set local search_path = app; delete from users',
      'one of the statements may set the search_path of those behind it',
    ],
    [
      "select set_config('Search_Path', 'app', true); delete from users",
      'one of the statements may set the search_path of those behind it',
    ],
    ['discard all; delete from users', 'one of the statements may set the search_path of those behind it'],
    ['select elsewhere()', 'a function that it calls sets the search_path on its way'],
  ])('%s: %s', (sql, why) => {
    expect(writesOf(sql).opaque).toBe(why)
  })

  test('what is known of it is said all the same', () => {
    expect(told("insert into dynamically values (1, 'x')")).toBe('dynamically[1] opaque')
  })
})

describe('a statement that changes what others mean', () => {
  holds([
    ['create table fresh (a int)', 'ddl'],
    ['create table fresh as select again(1)', '+log ddl'],
    ['select * into fresh from users', 'ddl'],
    ['select 1 as a into fresh union select 2', 'ddl'],
    ['create materialized view fresh as select 1 as a', 'ddl'],
    ['create view fresh as select 1 as a', 'ddl'],
    ['alter table users add column more int default 3', 'ddl'],
    ['alter table keyless replica identity full', 'ddl'],
    ['drop table unlogged', 'ddl'],
    ['drop view if exists adults, nowhere', 'ddl'],
    ['drop function anything', 'ddl'],
    ['drop index keyless_a', 'ddl'],
    ['create schema fresh', 'ddl'],
    ["create type mood as enum ('good')", 'ddl'],
    ["create function fresh() returns int language sql as 'select 1'", 'ddl'],
    ['create or replace view adults as select id, name from users where id >= 21', 'ddl'],
    ['create policy more on secured for select using (true)', 'ddl'],
    ['alter table dynamically disable trigger all', 'ddl'],
    ['create rule nothing as on insert to keyless do instead nothing', 'ddl'],
    ['grant select on users to public', 'ddl'],
    ['revoke all on users from public', 'ddl'],
    ["alter role current_user set work_mem = '8MB'", 'ddl'],
    ['create sequence fresh', 'ddl'],
    ["update pg_class set reltuples = 0 where relname = 'users'", 'ddl'],
    ['create temp table mine (a int)', ''],
    ['create temp view mine as select 1 as a', ''],
    ['create table pg_temp.mine (a int)', ''],
    ["create function pg_temp.mine() returns int language sql as 'select 1'", ''],
    ['drop function if exists pg_temp.mine(int)', ''],
    ['drop table if exists pg_temp.mine', ''],
    ['create unique index on keyless (a)', ''],
    ['reindex table keyless', ''],
  ])
})

describe('a statement within which a transaction may end', () => {
  test.each([
    ['begin; delete from tags; commit', 'tags commits'],
    ['commit and chain', 'commits'],
    ["prepare transaction 'x'", 'commits'],
    ['do $$ begin commit; end $$', 'opaque commits'],
    ['call proceed()', 'opaque commits'],
    ['rollback', ''],
    ['begin', ''],
  ])('%s → %s', (sql, expected) => {
    expect(told(sql)).toBe(expected)
  })
})
