import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { type Catalogue, readCatalogue, readFingerprint, whyUnseen } from './index.ts'

const database = await freshDatabase()
const role = `one_${database.name}`
let client: pg.Client
let catalogue: Catalogue

beforeAll(async () => {
  client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
  await client.connect()
  await client.query(`
    create role ${role} bypassrls;
    create type mood as enum ('sad', 'ok');
    create type pair as (a int, b text[]);
    create domain positive as int check (value > 0);
    create collation whatever (provider = icu, locale = 'und', deterministic = false);
    create table users (id int, gone int, "a b" text collate whatever, name varchar(10) not null, mood mood,
      twice int generated always as (id * 2) stored, primary key (name, id));
    alter table users drop gone;
    create table posts (id int primary key deferrable, user_id int, user_name varchar(10),
      foreign key (user_name, user_id) references users on delete cascade on update set null);
    create table logs (at timestamptz not null, id int) partition by range (at);
    create table logs_2026 partition of logs for values from ('2026-01-01') to ('2027-01-01');
    create unlogged table quick (id int primary key);
    create table loose (id int);
    create table named (id int primary key, other int not null unique);
    alter table named replica identity using index named_other_key;
    create view sad with (security_invoker) as select * from users where mood = 'sad';
    create materialized view totals as select count(*) from users;
    alter table users enable row level security;
    create policy own on users for select to ${role} using (name = current_user);
    create function touch() returns trigger language plpgsql as 'begin new.id = 1; return new; end';
    create trigger touched before insert or update on loose for each row execute function touch();
    create constraint trigger later after delete on loose deferrable initially deferred for each row execute function touch();
    create rule silent as on delete to loose do instead nothing;
    create function f(int, b text, out c int, out d text, variadic e int[] default '{}') stable language sql as 'select 1, $2';
    create operator ### (rightarg = int, function = int4um);
    create cast (mood as int) with inout as assignment;
    create temp table fleeting (id int);
  `)
  catalogue = await readCatalogue(query)
})
afterAll(async () => {
  await client.query(`drop owned by ${role}; drop role ${role}`)
  await client.end()
})

async function query(sql: string): Promise<(string | null)[][]> {
  const results = await client.query({ text: sql, rowMode: 'array' })
  return [results].flat().flatMap(({ rows }) => rows as (string | null)[][])
}

const relation = (name: string) => catalogue.relationNamed('public', name)!
const names = (oids: Iterable<number>) => [...oids].map(oid => catalogue.relation(oid)?.name)

describe('relations', () => {
  test('have their columns as they are now, and their key in its own order', () => {
    expect(relation('users')).toMatchObject({
      kind: 'r',
      primaryKey: ['name', 'id'],
      identity: ['name', 'id'],
    })
    expect(relation('users').columns).toMatchObject([
      { name: 'id', number: 1, type: 23, notNull: true, generated: null },
      { name: 'a b', number: 3 },
      { name: 'name', type: 1043, typmod: 14 },
      { name: 'mood' },
      { name: 'twice', generated: 'stored' },
    ])
    expect(relation('users').columns.map(({ collation }) => catalogue.isDeterministic(collation))).toEqual([
      true,
      false,
      true,
      true,
      true,
    ])
  })
  test('are named by the stream by their key, an index, all or nothing', () => {
    expect(relation('posts')).toMatchObject({ primaryKey: ['id'], identity: null })
    expect(relation('named')).toMatchObject({ replicaIdentity: 'i', identity: ['other'] })
    expect(relation('loose').identity).toBe(null)
  })
  test('know what they are parts of', () => {
    expect(names(catalogue.ancestors(relation('logs_2026').oid))).toEqual(['logs'])
    expect(names(catalogue.descendants(relation('logs').oid))).toEqual(['logs_2026'])
  })
  test('that are views say what of, with all names qualified', () => {
    expect(relation('sad').view).toMatchObject({
      definition: expect.stringContaining('FROM public.users'),
      securityInvoker: true,
    })
  })
  test('have policies, triggers, rules and foreign keys', () => {
    expect(relation('users').policies).toMatchObject([
      { name: 'own', command: 'r', using: '((name)::text = CURRENT_USER)' },
    ])
    expect(relation('users').policies[0]!.roles).toContain(catalogue.role(role)!.oid)
    const [later, touched] = [...relation('loose').triggers].sort((a, b) => (a.name < b.name ? -1 : 1))
    expect(later).toMatchObject({ constraint: true, deferrable: true })
    expect(catalogue.routine(touched!.function)).toMatchObject({
      name: 'touch',
      language: 'plpgsql',
      definition: expect.stringContaining('new.id = 1'),
    })
    expect(relation('loose').rules).toEqual([{ name: 'silent', event: '4' }])
    expect(relation('posts').triggers).toEqual([])
    expect(catalogue.foreignKeys).toMatchObject([
      { from: relation('posts').oid, to: relation('users').oid, onDelete: 'c', onUpdate: 'n' },
    ])
  })
  test("that are a session's own are not here", () => {
    expect([...catalogue.relations.values()].map(({ name }) => name)).not.toContain('fleeting')
  })
  test('say why no stream tells of all their changes', () => {
    const why = (name: string) => whyUnseen(catalogue, relation(name).oid)
    expect([why('users'), why('named')]).toEqual([null, null])
    expect(why('quick')).toMatch(/unlogged/)
    expect(why('loose')).toMatch(/no primary key/)
    expect(why('logs')).toMatch(/logs_2026 has no primary key/)
    expect(why('totals')).toMatch(/REFRESH/)
  })
})

describe('names in expressions', () => {
  test('functions have what goes in and what comes out', () => {
    expect(catalogue.routinesNamed('f')).toMatchObject([
      {
        arguments: [23, 25, 1007],
        argumentNames: ['', 'b', 'e'],
        variadic: 23,
        defaults: 1,
        returns: 2249,
        volatility: 's',
        outputs: [
          { name: 'c', type: 23 },
          { name: 'd', type: 25 },
        ],
      },
    ])
    expect(catalogue.routinesNamed('now')).toMatchObject([{ schema: 'pg_catalog', volatility: 's' }])
    expect(catalogue.aggregate(catalogue.routinesNamed('count')[0]!.oid)?.functions.length).toBeGreaterThan(0)
  })
  test('operators, casts and types are there', () => {
    const mood = catalogue.typeNamed('public', 'mood')!
    expect(catalogue.operatorsNamed('###')).toMatchObject([{ left: 0, right: 23, result: 23 }])
    expect(catalogue.cast(mood.oid, 23)).toMatchObject({ method: 'i', context: 'a' })
    expect(mood).toMatchObject({ kind: 'e' })
    expect(catalogue.type(mood.array)).toMatchObject({ element: mood.oid })
    expect(catalogue.typeNamed('public', 'positive')).toMatchObject({
      kind: 'd',
      base: 23,
      checks: ['(VALUE > 0)'],
    })
    expect(catalogue.typeNamed('public', 'pair')?.fields.map(({ name }) => name)).toEqual(['a', 'b'])
    expect(catalogue.typeNamed('pg_catalog', 'int4range')).toMatchObject({ kind: 'r', subtype: 23 })
    expect(catalogue.typeNamed('pg_catalog', 'point')?.element).toBe(0)
    expect(catalogue.role(role)).toMatchObject({ superuser: false, bypassesRowSecurity: true })
  })
})

describe('the fingerprint', () => {
  test.each([
    'create table more (id int)',
    'drop table quick',
    'alter table posts alter user_id type bigint',
    'alter table posts rename column user_id to author',
    'alter table users alter twice set expression as (id * 3)',
    `alter type mood add value 'happy'`,
    'alter domain positive add check (value < 9)',
    'alter table logs detach partition logs_2026',
    'alter table users disable row level security',
    `alter policy own on users using (true)`,
    `grant select on users to ${role}`,
    `grant select (name) on users to ${role}`,
    `grant usage on schema public to ${role}`,
    `grant pg_read_all_data to ${role}`,
    `alter role ${role} set search_path = nowhere`,
    `alter role ${role} nobypassrls`,
    'create or replace view sad as select id, "a b", name, mood, twice from users',
    'alter view sad reset (security_invoker)',
    'alter function touch() stable',
    `create or replace function touch() returns trigger language plpgsql as 'begin return null; end'`,
    'alter table loose disable trigger touched',
    'drop rule silent on loose',
    'alter table loose replica identity full',
    'alter table quick set logged',
    'drop cast (mood as int)',
    'drop operator ### (none, int)',
    'refresh materialized view totals',
    'alter text search configuration english drop mapping for word',
    'create schema other',
    'alter schema public rename to private',
    'alter role current_user set extra_float_digits = 0',
    `do $$ begin execute format('alter database %I set bytea_output = ''escape''', current_database()); end $$`,
  ])('changes by %s', async ddl => {
    await client.query('begin')
    try {
      const before = await readFingerprint(query)
      // What was asked in this transaction has set it for itself.
      await client.query('set local search_path = public')
      await client.query(ddl)
      expect(await readFingerprint(query)).not.toEqual(before)
    } finally {
      await client.query('rollback')
    }
  })
  test.each([
    `insert into loose values (1); update loose set id = 2; delete from loose`,
    'analyze users',
    'truncate loose',
    'create temp table another (id int primary key, t text default 1); drop table another',
    'create index on users (mood)',
    `set app.tenant = 'x'`,
  ])('stays by %s', async sql => {
    const before = await readFingerprint(query)
    await client.query(sql)
    expect(await readFingerprint(query)).toEqual(before)
  })
  test('is that of the catalogue that was read', async () => {
    expect((await readCatalogue(query)).fingerprint).toEqual(await readFingerprint(query))
  })
})
