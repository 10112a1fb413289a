/** The same text is another question for another user, role or setting: each hears what PostgreSQL says to it. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
const role = (name: string) => `${name}_${database.name}`

beforeAll(async () => {
  await database.query(
    `create role ${role('reader')} login password 'pw'; create role ${role('other')} login password 'pw'`,
  )
  await database.query(`
    create table things (id int primary key, at timestamptz, day date, spent interval, bytes bytea, ratio float8, price money,
      words text, name text);
    insert into things values (1, '2026-01-02 03:04:05.6+00', '2026-01-02', '1 day 02:03', '\\x00ff', 0.1::float4, 1234.5,
      'The cats of Zürich', 'ü');
    create table notes (id int primary key, tenant text, owner text);
    alter table notes enable row level security;
    create policy own on notes using (tenant = current_setting('app.tenant', true) or owner = current_user);
    insert into notes values (1, 'x', '-'), (2, 'y', '-'), (3, '-', '${role('reader')}'), (4, '-', '${role('other')}');
    create schema mine; create table mine.things (id int primary key, day date); insert into mine.things values (7);
    grant usage on schema mine to public; grant select on all tables in schema public, mine to public`)
})
afterAll(() =>
  database.query(
    ['reader', 'other'].map(name => `drop owned by ${role(name)}; drop role ${role(name)}`).join('; '),
  ),
)

let line: CachingLine
let plain: RawClient
let other: RawClient
/** Asks PostgreSQL itself. */
let directly: RawClient
beforeAll(async () => {
  line = await CachingLine.start(database.url, byAge)
  const as = (name: string) => line.gateway.urlOf(role(name), 'pw')
  ;[plain, other] = [await line.connect(as('reader')), await line.connect(as('reader'))]
  const url = new URL(database.url)
  ;[url.username, url.password] = [role('reader'), 'pw']
  directly = await rawClient(url.href)
  await line.untilKept(plain, 'select id from things')
})
beforeEach(async () => {
  for (const client of [other, directly]) await client.query('reset all')
})
afterAll(async () => {
  directly.destroy()
  await line[Symbol.asyncDispose]()
})

test.each([
  ['time zone', "timezone = 'Asia/Tokyo'", 'select at from things'],
  ['time zone, for what it decides', "timezone = 'America/New_York'", 'select at::date from things'],
  ['style of dates', "datestyle = 'German'", 'select day from things'],
  ['style of intervals', "intervalstyle = 'iso_8601'", 'select spent from things'],
  ['form of bytes', "bytea_output = 'escape'", 'select bytes from things'],
  ['number of digits', 'extra_float_digits = 0', 'select ratio from things'],
  [
    'configuration of text search',
    "default_text_search_config = 'simple'",
    'select to_tsvector(words) from things',
  ],
  ['search path', 'search_path = mine, public', 'select id from things'],
  ['reading of NULL in arrays', 'array_nulls = off', `select '{null}'::text[] from things`],
  ['reading of = NULL', 'transform_null_equals = on', 'select words = null as same from things'],
  ['parameter that a policy reads', "app.tenant = 'x'", 'select id from notes order by id'],
])('another %s', async (_, setting, read) => {
  const said = async (client: RawClient) => {
    await client.query(`set ${setting}`)
    return client.query(read)
  }
  const before = await plain.query(read)
  const after = await said(directly)
  expect(after).not.toEqual(before)
  expect(await said(other)).toEqual(after)
  // Whoever comes in a context of its own for the first time may have written anything.
  await line.untilKept(other, read)
  await line.untilKept(plain, read)
  await line.untilKept(other, read)
  expect(await plain.query(read)).toEqual(before)
  expect(await other.query(read)).toEqual(after)
  await other.query('reset all')
  expect(await other.query(read)).toEqual(before)
})

test.each([
  ['an encoding', "client_encoding = 'latin1'", 'select name from things'],
  [
    'a reading of strings',
    'standard_conforming_strings = off',
    String.raw`select id, '\t' as tab from things`,
  ],
])('with %s that is another one nothing is kept', async (_, setting, read) => {
  await line.untilKept(plain, read)
  for (const client of [directly, other]) await client.query(`set ${setting}`)
  const answer = await directly.query(read)
  expect(answer).not.toEqual(await plain.query(read))
  expect(await line.keeps(other, read)).toBe(false)
  expect(await other.query(read)).toEqual(answer)
})

const own = 'select id from notes order by id'
const ids = (...ids: number[]) => ['T(id)', ...ids.map(id => `D(${id})`), `C(SELECT ${ids.length})`, 'Z I']

test('two tenants of one user see their own rows, and so does one that becomes another', async () => {
  const x = await line.connect(line.gateway.urlOf(role('reader'), 'pw'))
  await x.query("set app.tenant = 'x'")
  await other.query("select set_config('app.tenant', 'y', false)")
  for (const client of [x, other]) await line.untilKept(client, own)
  for (const client of [x, other]) await line.untilKept(client, own)
  expect([await x.query(own), await other.query(own)]).toEqual([ids(1, 3), ids(2, 3)])
  await x.query("set app.tenant = 'y'")
  expect(await x.query(own)).toEqual(ids(2, 3))
  await x.query('reset app.tenant')
  expect(await x.query(own)).toEqual(ids(3))
})

test('two users, and two roles of one, see their own rows', async () => {
  const [stranger, owner] = [
    await line.connect(line.gateway.urlOf(role('other'), 'pw')),
    await line.connect(),
  ]
  for (const client of [plain, stranger, owner]) await line.untilKept(client, own)
  const seen = () => Promise.all([plain, stranger, owner].map(client => client.query(own)))
  expect(await seen()).toEqual([ids(3), ids(4), ids(1, 2, 3, 4)])
  await owner.query(`set role ${role('other')}`)
  expect(await seen()).toEqual([ids(3), ids(4), ids(4)])
  await owner.query(`set session authorization ${role('reader')}`)
  expect(await seen()).toEqual([ids(3), ids(4), ids(3)])
  await owner.query('reset session authorization')
  expect(await seen()).toEqual([ids(3), ids(4), ids(1, 2, 3, 4)])
})
