/**
 * However a client writes, it and everybody else behind the gateway hear of it at once, from an answer that was kept
 * before: no stream tells, so nothing but the gateway's own knowledge of what was written ends the answer.
 */
import { bind, copyData, copyDone, execute, FunctionCall, flush, parse, query, sync } from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
/** A role, and what "$user" in its search_path stands for. */
const keeper = `keeper_${database.name}`
await database.query(`
  create role ${keeper};
  create schema authorization ${keeper} create table t (id int primary key, v int not null);
  create table t (id int primary key, v int not null);
  create view doubled as select id, v * 2 as w from t;
  create function adds() returns int language plpgsql as 'begin update t set v = v + 1; return 1; end';
  create function adds_sql() returns int language sql as 'update t set v = v + 1; select 1';
  create procedure add_up() language plpgsql as 'begin update t set v = v + 1; commit; end';
  create function on_insert() returns trigger language plpgsql as 'begin update t set v = v + 1; return null; end';
  create table triggers (x int);
  create trigger adds after insert on triggers for each row execute function on_insert();
  create table defers (x int);
  create constraint trigger adds after insert on defers deferrable initially deferred
    for each row execute function on_insert();
  create table rules (x int);
  create rule adds as on insert to rules do also update t set v = v + 1;
  create table defaults (x int default adds());
  create table parents (id int primary key);
  create table children (id int primary key, parent int references parents on delete cascade)`)
const [{ oid }] = await database.query(`select 'adds()'::regprocedure::oid::int as oid`)

const reads = ['select v from t where id = 1', 'select sum(v) from t', 'select w / 2 from doubled']
const kept = [`select sum(v) from ${keeper}.t`, `select v from ${keeper}.t where id = 1`]
const write = 'update t set v = v + 1 where id = 1'

let gateway: TestGateway
let a: RawClient
let b: RawClient
beforeAll(async () => {
  gateway = await startCachingGateway(database.url, byAge, { shutdownTimeoutMs: 100 })
  ;[a, b] = (await Promise.all([rawClient(gateway.url), rawClient(gateway.url)])) as [RawClient, RawClient]
})
afterAll(async () => {
  for (const client of [a, b]) client.destroy()
  await gateway.stop()
  await database.query(`drop owned by ${keeper} cascade; drop role ${keeper}`)
})

beforeEach(async () => {
  await a.query('rollback')
  await a.query('truncate t; insert into t values (1, 0)')
  for (const read of reads) await expect.poll(() => isKept(read), { timeout: 10_000 }).toBe(true)
})

async function isKept(read: string): Promise<boolean> {
  await b.query(read)
  const [, status] = await b.query('show sluice.cache_status')
  return status!.startsWith('D(hit')
}

async function everybodyHears(v: number): Promise<void> {
  for (const read of reads)
    for (const client of [a, b, a]) expect(await client.query(read), read).toContain(`D(${v})`)
}

test.each([
  ['a Query', write],
  ['several statements in one', `select 1; ${write}; select 2`],
  ['several statements of which a later one fails', `begin; ${write}; commit; select 1/0`],
  ['a text of which only the beginning is read', `select 1${' '.repeat(300_000)}; ${write}`],
  ['a function', 'select adds()'],
  ['a function in SQL', 'select adds_sql()'],
  ['a procedure that commits', 'call add_up()'],
  ['code', `do $$ begin ${write}; end $$`],
  ['code that is put together', `do $$ begin execute 'update ' || 't set v = v + 1'; end $$`],
  ['a trigger', 'insert into triggers values (1)'],
  ['a trigger at the commit', 'begin; insert into defers values (1); commit'],
  ['a rule', 'insert into rules values (1)'],
  ['a default', 'insert into defaults default values'],
  ['a view', 'update doubled set id = 1; update t set v = v + 1'],
  ['MERGE', 'merge into t using (values (1)) s(i) on i = id when matched then update set v = v + 1'],
  ['ON CONFLICT', 'insert into t values (1, 0) on conflict (id) do update set v = t.v + 1'],
  ['WITH', `with written as (${write} returning id) select * from written`],
  ['EXPLAIN ANALYZE', `explain analyze ${write}`],
  ['EXECUTE', `prepare q as ${write}; execute q; deallocate q`],
  ['EXPLAIN ANALYZE of EXECUTE', `prepare q as ${write}; explain analyze execute q; deallocate q`],
  ['CREATE TABLE AS', 'create table made as select adds(); drop table made'],
  ['a cursor', 'begin; declare c cursor for select adds(); fetch all from c; commit'],
  [
    'a row under a cursor',
    `begin; declare c cursor for select * from t for update; fetch c; 
    update t set v = v + 1 where current of c; commit`,
  ],
  ['TRUNCATE', 'truncate t; insert into t values (1, 1)'],
  ['DDL in a transaction', `begin; alter table t add w int; alter table t drop w; ${write}; commit`],
  ['a transaction before COMMIT AND CHAIN', `begin; ${write}; commit and chain; rollback`],
  [
    'a transaction with a savepoint that was given up',
    `begin; ${write}; savepoint s; delete from t; rollback to s; commit`,
  ],
])('%s', async (_, sql) => {
  await a.query(sql)
  await everybodyHears(1)
})

test('statements one by one, as far as they are committed', async () => {
  await a.query('begin')
  await a.query(write)
  await a.query('savepoint s')
  await a.query(write)
  expect(await b.query(reads[0]!)).toContain('D(0)')
  await a.query('rollback to s')
  await a.query('commit')
  await everybodyHears(1)
})

test('statements that are sent together, each when it is committed', async () => {
  await using holder = await rawClient(database.url)
  await holder.query('select pg_advisory_lock(1)')
  a.send(query(write), query(`select pg_advisory_xact_lock(1); ${write}`))
  await a.ready()
  for (const read of reads) await expect.poll(() => isKept(read)).toBe(true)
  await holder.query('select pg_advisory_unlock(1)')
  await a.ready()
  await everybodyHears(2)
})

test.each([
  ['a search_path', `set local search_path = ${keeper}`],
  ['a search_path by a function', `select set_config('search_path', '${keeper}', true)`],
  ['a role', `set local role ${keeper}`],
])('what is written in the names of %s that holds for the transaction', async (_, sets) => {
  await a.query(`truncate ${keeper}.t; insert into ${keeper}.t values (1, 0)`)
  for (const read of kept) await expect.poll(() => isKept(read)).toBe(true)
  for (const sql of ['begin', sets, write, 'commit']) await a.query(sql)
  for (const read of kept) for (const client of [a, b]) expect(await client.query(read)).toContain('D(1)')
})

test('what a trigger does at the commit of statements one by one', async () => {
  await a.query('begin')
  await a.query('insert into defers values (1)')
  await everybodyHears(0)
  await a.query('commit')
  await everybodyHears(1)
})

test('a cascade', async () => {
  const read = 'select count(*) from children'
  await a.query('insert into parents values (1), (2); insert into children values (1, 1), (2, 2)')
  await expect.poll(() => isKept(read)).toBe(true)
  await a.query('delete from parents where id = 1')
  for (const client of [a, b]) expect(await client.query(read)).toContain('D(1)')
})

describe('code that commits and goes on', () => {
  test('when it says so', async () => {
    await using holder = await rawClient(database.url)
    await holder.query('select pg_advisory_lock(1)')
    a.send(
      query(`do $$ begin ${write}; commit; raise notice 'done'; perform pg_advisory_xact_lock(1); end $$`),
    )
    await a.until(() => a.notices.includes('done'))
    for (const read of reads) expect(await b.query(read), read).toContain('D(1)')
    await holder.query('select pg_advisory_unlock(1)')
    await a.ready()
  })

  test('when it fails', async () => {
    const code = `do $$ begin ${write}; commit; raise exception 'later'; end $$`
    a.send(parse('', code), bind('', ''), execute(), flush())
    expect(await a.take(3)).toEqual(['1', '2', 'E P0001'])
    for (const read of reads) expect(await b.query(read), read).toContain('D(1)')
    a.send(sync())
    await a.ready()
  })
})

test('a prepared transaction, when somebody commits it', async () => {
  await a.query(`begin; ${write}; prepare transaction 'p'`)
  await everybodyHears(0)
  await b.query(`commit prepared 'p'`)
  await everybodyHears(1)
})

test('a statement that SQL has prepared, each time it is executed', async () => {
  await a.query(`prepare q as ${write}`)
  for (const v of [1, 2]) {
    await a.query('execute q')
    await everybodyHears(v)
  }
  await a.query('deallocate q')
})

test('a statement that SQL has prepared and Bind runs', async () => {
  await a.query(`prepare q as ${write}`)
  a.send(bind('', 'q'), execute(), sync())
  await a.ready()
  await everybodyHears(1)
  await a.query('deallocate q')
})

test('a statement that Parse has prepared, each time it is executed', async () => {
  a.send(parse('s', write), sync())
  await a.ready()
  for (const v of [1, 2]) {
    a.send(bind('', 's'), execute(), sync())
    await a.ready()
    await everybodyHears(v)
  }
})

test('COPY', async () => {
  await a.query('delete from t')
  a.send(query('copy t from stdin'))
  await a.take(1)
  a.send(copyData(Buffer.from('1\t1\n')), copyDone())
  await a.ready()
  await everybodyHears(1)
})

test('a function that is called by its oid', async () => {
  const call = Buffer.alloc(15)
  call[0] = FunctionCall
  call.writeInt32BE(14, 1)
  call.writeInt32BE(oid, 5)
  a.send(call)
  await a.ready()
  await everybodyHears(1)
})

test('a cursor that is held, when it is declared', async () => {
  await a.query('declare c cursor with hold for select adds()')
  await everybodyHears(1)
  await a.query('close c')
})

test('another table of the name', async () => {
  await a.query(`begin; create table newer (like t including all); insert into newer values (1, 1);
    create or replace view doubled as select id, v * 2 as w from newer;
    alter table t rename to older; alter table newer rename to t; commit`)
  await everybodyHears(1)
})
