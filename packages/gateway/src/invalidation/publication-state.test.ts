import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { ddlTriggerSql } from './ddl.ts'
import { publicationStateSql } from './publication-state.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
  await database.query(`create table a (id int primary key, v int not null unique); create table b (id int primary key);
    create table pr (id int primary key) partition by range (id); create table pr1 (id int primary key);
    create schema s; create publication p for table a, tables in schema s`)
})
afterAll(() => database.drop())

const state = async (): Promise<string> =>
  (await database.query(`select ${publicationStateSql('p')} as state`))[0].state

test.each([
  'create table c (id int primary key)',
  'alter publication p add table b',
  'alter publication p drop table b; alter publication p add table b',
  `alter publication p set (publish = 'insert')`,
  'create table s.d (id int primary key)',
  'alter publication p drop tables in schema s',
  'alter table a replica identity full',
  'alter table a replica identity using index a_v_key',
  'alter table b drop constraint b_pkey',
  'alter table c set unlogged',
  'alter table b add column g int generated always as (id) stored',
  'alter table pr attach partition pr1 for values from (0) to (10)',
  'create materialized view mv as select 1',
  'drop table c',
  'the event trigger',
  'alter event trigger sluice_ddl disable',
  'drop publication p',
])('%s makes it another one', async change => {
  const before = await state()
  await database.query(change === 'the event trigger' ? ddlTriggerSql : change)
  expect(await state()).not.toBe(before)
})

test.each([
  'insert into a values (1, 1); update a set v = 2; truncate a',
  'analyze a',
  'create index on a (v)',
  'cluster a using a_pkey',
  'create temp table fleeting (id int primary key)',
])('%s does not', async change => {
  const before = await state()
  await database.query(change)
  expect(await state()).toBe(before)
})
