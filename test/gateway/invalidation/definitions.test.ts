/** DDL, told by the event trigger, and a publication that changes. */
import { describe, expect, test } from 'vitest'
import { ddlTriggerSql } from '../../../packages/gateway/src/invalidation/ddl.ts'
import { type InvalidationLab, labOf } from '../../support/invalidation-lab.ts'

/** Tags of what was told of the schema, once each. */
async function tags(lab: InvalidationLab): Promise<string[]> {
  await lab.told()
  const objects = lab.schema.splice(0).flat()
  return [...new Set(objects.map(object => (typeof object === 'string' ? object : object.tag)))].sort()
}

const schema = `create table t (id int primary key, v int); create view w as select v from t;
  create materialized view mv as select count(*) as c from t; create unique index on mv (c)`

describe('with the event trigger', () => {
  test.each<[string, string]>([
    ['drop view w; alter table t alter v type bigint using v * 2', 'ALTER TABLE'],
    ['alter table t rename v to u', 'ALTER TABLE'],
    ['create or replace view w as select v + 1 as v from t', 'CREATE VIEW'],
    ['drop view w', 'DROP VIEW'],
    [`create function f() returns int language sql as 'select 1'`, 'CREATE FUNCTION'],
    ['create policy p on t using (true)', 'CREATE POLICY'],
    ['grant select on t to public', 'GRANT'],
    [`create type mood as enum ('sad')`, 'CREATE TYPE'],
    ['create schema other', 'CREATE SCHEMA'],
    ['create table x as select 1', 'CREATE TABLE AS'],
    ['select 1 as one into y', 'SELECT INTO'],
  ])('%s is told', async (command, tag) => {
    await using at = await labOf(`${schema}; ${ddlTriggerSql}`, { refreshMs: 60_000 })
    await at.lab.covers('t')
    await tags(at.lab)
    await at.query(command)
    expect(await tags(at.lab)).toContain(tag)
    expect(await at.lab.running()).toMatchObject({ ddl: 'told' })
  })

  test('the objects are told, twice as any change is', async () => {
    await using at = await labOf(`${schema}; ${ddlTriggerSql}`)
    await at.lab.covers('t')
    await tags(at.lab)
    await at.query('alter table t add w int')
    await at.lab.told()
    await at.lab.running(({ unsettled }) => unsettled === 0)
    expect(at.lab.schema[0]).toEqual([{ tag: 'ALTER TABLE', classId: 1259, objectId: at.lab.oidOf('t') }])
  })

  test('REFRESH is a change of the view, and temporary tables are nobody’s concern', async () => {
    await using at = await labOf(`${schema}; ${ddlTriggerSql}`)
    await at.lab.covers('t', 'mv')
    await tags(at.lab)
    await at.query('insert into t values (1, 1); refresh materialized view concurrently mv')
    expect(await at.lab.told()).toEqual(['mv any', 't 1'])
    await at.query('create temp table fleeting (id serial primary key); drop table fleeting')
    expect(await tags(at.lab)).toEqual([])
  })

  test('making it anew is harmless; a role without rights may still change what is its own', async () => {
    await using at = await labOf(`${schema}; ${ddlTriggerSql}; ${ddlTriggerSql}`)
    await at.lab.covers('t')
    await at.query(`create role ${at.name}; create schema own authorization ${at.name}`)
    await tags(at.lab)
    await at.query(`set role ${at.name}; create table own.a (id int); drop table own.a`)
    expect(await tags(at.lab)).toEqual(['CREATE TABLE', 'DROP TABLE'])
    await at.query(`drop schema own; drop role ${at.name}`)
  })

  test('a role of the name sluice makes its tables where it did before', async () => {
    await using at = await labOf(`${schema}; ${ddlTriggerSql}; create table made (id int)`)
    expect(
      await at.query(`select current_user, relnamespace::regnamespace::text as made_in from pg_class
      where relname = 'made'`),
    ).toEqual([{ current_user: 'sluice', made_in: 'public' }])
  })
})

test('without it a materialized view is not covered, and that DDL is only looked for is said', async () => {
  await using at = await labOf(schema)
  await at.lab.covers('t')
  expect(await at.lab.running()).toMatchObject({ ddl: 'polled', covered: 1 })
})

describe('tables of the publication', () => {
  test('a new table is published and covered', async () => {
    await using at = await labOf(schema)
    await at.lab.covers('t')
    await at.query('create table later (id int primary key)')
    await at.lab.covers('later')
    await at.query('insert into later values (5)')
    expect(await at.lab.told()).toEqual(['later 5'])
  })

  test('a table that loses its key can still be updated, and is not covered', async () => {
    await using at = await labOf(`${schema}; ${ddlTriggerSql}`)
    await at.lab.covers('t')
    await at.query('alter table t drop constraint t_pkey')
    await at.lab.until(() => !at.lab.covered.has(at.lab.oidOf('t')))
    await at.lab.until(() => at.lab.invalidation.publication?.changes.length === 0)
    await at.query('update t set v = 1')
  })

  test('a table that somebody takes out is covered no longer, and was bumped', async () => {
    await using at = await labOf(`${schema}; create publication given for table t`, {
      ...{ publication: 'given', mayChange: false },
    })
    await at.lab.covers('t')
    await at.query('alter publication given drop table t')
    await at.lab.until(() => at.lab.covered.size === 0)
    expect(await at.lab.told()).toContain('t any')
  })

  test('while the publication changes nothing is covered, as the event trigger tells', async () => {
    await using at = await labOf(
      `${schema}; ${ddlTriggerSql}; create table u (id int primary key);
      create publication given for table t`,
      {
        ...{ publication: 'given', mayChange: false, refreshMs: 60_000 },
      },
    )
    await at.lab.covers('t')
    await at.query('alter publication given add table u')
    await at.lab.until(() => at.lab.covered.size === 0)
    await at.lab.covers('t', 'u')
  })
})
