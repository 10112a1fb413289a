import { beforeEach, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../../../../test/support/postgres.ts'
import { examineSql, type Fit, type Judged, judge, readExamined } from './publication.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createDatabase()
  return () => database.drop()
})

async function examined() {
  const rows = await database.query(
    `select to_json(t)->>'json_build_object' as row from (${examineSql('it"s', 'none')}) t`,
  )
  return readExamined(rows.map(({ row }) => [row]))
}

const judged = async (): Promise<Judged> => judge(`it"s`, await examined())

/** Makes the tables, runs the statement that is offered, and says what is covered then. */
async function made(schema: string): Promise<Fit> {
  await database.query(schema)
  const missing = await judged()
  if (missing.is !== 'missing') throw new Error(`there is one: ${missing.is}`)
  await database.query(missing.statement)
  return fit()
}

async function fit(): Promise<Fit> {
  const found = await judged()
  if (found.is !== 'fit') throw new Error(JSON.stringify(found))
  return found
}

async function namesOf({ covered }: Fit): Promise<string[]> {
  const rows = await database.query('select relname from pg_class where oid = any ($1) order by relname', [
    [...covered.keys()],
  ])
  return rows.map(({ relname }) => relname)
}

describe('the publication that is offered', () => {
  test('has the tables whose rows can be named, and the others are told with the reason', async () => {
    const first = await made(`
      create schema "a ""schema""";
      create table "a ""schema"""."a ""table""" (id int primary key);
      create table whole (v int); alter table whole replica identity full;
      create table by_index (v int not null unique); alter table by_index replica identity using index by_index_v_key;
      create table loose (v int);
      create table nothing (id int primary key); alter table nothing replica identity nothing;
      create table later (id int primary key deferrable);
      create unlogged table quick (id int primary key);
      create table full_of (v int, w int generated always as (v) stored); alter table full_of replica identity full;
      create materialized view totals as select 1;
      create foreign data wrapper none; create server elsewhere foreign data wrapper none;
      create foreign table far (id int) server elsewhere;
      create temp table fleeting (id int primary key)`)
    expect(await namesOf(first)).toEqual(['a "table"', 'by_index', 'whole'])
    expect(first.leftOut.map(({ table, why }) => `${table}: ${why.split(':')[0]}`)).toEqual([
      'public.far: it is a foreign table',
      'public.full_of: its REPLICA IDENTITY FULL takes in a generated column, which is not published',
      'public.later: it has no primary key that names its rows',
      'public.loose: it has no primary key that names its rows',
      'public.nothing: it has REPLICA IDENTITY NOTHING',
      'public.quick: it is unlogged',
      'public.totals: it is a materialized view',
    ])
    expect(first.changes).toEqual([])
    // What is published can still be updated.
    await database.query(
      'update "a ""schema"""."a ""table""" set id = 1; update whole set v = 1; update by_index set v = 1',
    )
  })

  test('has a partitioned table by its root, so that later partitions are in it', async () => {
    const first = await made(`
      create table pr (id int primary key) partition by range (id);
      create table pr1 partition of pr for values from (0) to (10)`)
    expect(await namesOf(first)).toEqual(['pr1'])
    await database.query('create table pr2 partition of pr for values from (10) to (20)')
    expect(await namesOf(await fit())).toEqual(['pr1', 'pr2'])
  })

  test('has partitions one by one, where the root has no key', async () => {
    const first = await made(`
      create table pr (id int) partition by range (id);
      create table pr1 partition of pr for values from (0) to (10);
      create table pr2 partition of pr for values from (10) to (20);
      alter table pr1 add primary key (id)`)
    expect(await namesOf(first)).toEqual(['pr1'])
  })

  test('is empty where no table can be named', async () => {
    expect(await namesOf(await made('create table loose (id int)'))).toEqual([])
  })
})

describe('a publication that is there', () => {
  test('is to be changed when a table has come, or one can not be updated any more', async () => {
    await made('create table a (id int primary key); create table b (id int primary key)')
    await database.query('create table c (id int primary key); alter table a drop constraint a_pkey')
    const { changes } = await fit()
    expect(changes).toEqual([
      'ALTER PUBLICATION "it""s" DROP TABLE ONLY "public"."a"',
      'ALTER PUBLICATION "it""s" ADD TABLE ONLY "public"."c"',
    ])
    for (const change of changes) await database.query(change)
    expect(await namesOf(await fit())).toEqual(['b', 'c'])
    expect((await fit()).changes).toEqual([])
  })

  test('says of each table since when it has it, by whatever way it was out', async () => {
    await made(`create table a (id int primary key); create table b (id int primary key);
      create table pr (id int primary key) partition by range (id);
      create table pr1 partition of pr for values from (0) to (10)`)
    const since = async () => [...(await fit()).covered.values()]
    const [a, b, pr1] = await since()
    expect(await since()).toEqual([a, b, pr1])
    await database.query('truncate a; analyze a; alter table a add v int')
    expect(await since()).toEqual([a, b, pr1])
    await database.query('alter publication "it""s" drop table a; alter publication "it""s" add table a')
    const [again, ...others] = await since()
    expect([again === a, others]).toEqual([false, [b, pr1]])
    await database.query(
      'alter table pr detach partition pr1; alter table pr attach partition pr1 for values from (0) to (10)',
    )
    expect((await since())[2]).not.toBe(pr1)
    await database.query(
      `alter publication "it""s" set (publish = 'insert'); alter publication "it""s" set (publish = 'insert, update, delete, truncate')`,
    )
    expect((await since())[1]).not.toBe(b)
  })

  test('may be of all tables: those that can be named are covered', async () => {
    await database.query(`create table a (id int primary key); create table b (v int);
      create publication "it""s" for all tables`)
    expect(await namesOf(await fit())).toEqual(['a'])
    expect((await fit()).changes).toEqual([])
  })

  test.each([
    ['for table a where (id > 1)', 'filters the rows of public.a'],
    ['for table a (v)', 'lists columns of public.a without its key'],
    [`for table a with (publish = 'insert, update')`, 'does not publish delete, truncate'],
    ['for table a with (publish_via_partition_root)', 'publishes via partition roots'],
  ])('%s is refused', async (how, why) => {
    await database.query(`create table a (id int primary key, v int); create publication "it""s" ${how}`)
    const found = await judged()
    expect(found.is === 'unfit' && found.failure.cause).toContain(`publication "it"s" ${why}`)
    expect(found.is === 'unfit' && found.failure.possible).toBe(false)
  })

  test('may list columns that include the key', async () => {
    await database.query(
      `create table a (id int primary key, v int); create publication "it""s" for table a (id)`,
    )
    expect(await namesOf(await fit())).toEqual(['a'])
  })
})

test('what an origin can not do is said', async () => {
  const now = await examined()
  const causes = [{ version: 130_010 }, { standby: true }, { walLevel: 'replica' }].map(other => {
    const found = judge('p', { ...now, ...other })
    return found.is === 'unfit' ? found.failure.cause : found.is
  })
  expect(causes).toEqual([
    'PostgreSQL 13 has no messages in its replication stream',
    'the origin is a standby: when a transaction becomes visible can only be asked of a primary',
    'wal_level is replica',
  ])
})
