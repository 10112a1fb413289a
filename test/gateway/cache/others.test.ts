/** What others write is told by the stream: whoever writes it, and however. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'
import type { RawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
await database.query(`
  create table t (id int primary key, v int not null);
  create table child (id int primary key, parent int references t on delete cascade);
  create table log (id int generated always as identity primary key, what int);
  create function logs() returns trigger language plpgsql as 'begin insert into log (what) values (new.v); return new; end';
  create trigger logs after insert or update on t for each row execute function logs();
  create table parted (id int, v int, primary key (id)) partition by range (id);
  create table parted_1 partition of parted for values from (0) to (100);
  create view doubled as select id, v * 2 as w from t;
  create table loose (v int);
  insert into t values (1, 1), (2, 2); insert into child values (1, 1); insert into parted values (1, 1)`)

let line: CachingLine
let client: RawClient
beforeAll(async () => {
  line = await CachingLine.start(database.url)
  client = await line.connect()
  // Published, and nothing is open that was before.
  await line.untilKept(client, ...['t', 'child', 'log', 'parted'].map(table => `select * from ${table}`))
})
afterAll(() => line[Symbol.asyncDispose]())

const keeps = (sql: string) => line.keeps(client, sql)

test.each([
  ['an update', 'select v from t where id = 1', 'update t set v = v + 1 where id = 1'],
  ['a row that comes', 'select v from t where id = 77', 'insert into t values (77, 1)'],
  ['a row that goes', 'select v from t where id = 77', 'delete from t where id = 77'],
  ['a key that changes', 'select v from t where id = 78', 'update t set id = 78 where id = 2'],
  ['an aggregate', 'select sum(v) from t', 'update t set v = v + 1 where id = 1'],
  ['a join', 'select * from child join t on t.id = parent', 'update t set v = v + 1 where id = 1'],
  ['a view', 'select * from doubled', 'update t set v = v + 1 where id = 1'],
  ["a trigger's write", 'select count(*) from log', 'update t set v = v + 1 where id = 1'],
  ['a partition', 'select * from parted', 'update parted_1 set v = v + 1'],
  ['a partition that is emptied', 'select * from parted', 'truncate parted_1'],
  ['a cascade', 'select * from child', 'delete from t where id = 1'],
])('%s', async (_, read, write) => {
  // What the last test wrote may be told once more in between.
  await line.untilKept(client, read)
  const before = await client.query(read)
  await database.query(write)
  await expect.poll(() => client.query(read), { timeout: 20_000 }).not.toEqual(before)
  await line.untilKept(client, read)
})

test('a key that was asked for in vain, and is given to another row', async () => {
  await database.query('insert into t values (90, 1)')
  const [there, absent] = ['select v from t where id = 90', 'select v from t where id = 91']
  await line.untilKept(client, there, absent)
  await database.query('update t set id = 91 where id = 90')
  await expect.poll(() => client.query(absent), { timeout: 20_000 }).toContain('D(1)')
  await expect.poll(() => client.query(there), { timeout: 20_000 }).toContain('C(SELECT 0)')
})

test('a table whose changes nobody tells is asked for each time', async () => {
  expect(await keeps('select * from loose')).toBe(false)
})

test('DDL by others counts within catalog_refresh', async () => {
  await line.untilKept(client, 'select * from child')
  await database.query('alter table child add w int')
  await expect
    .poll(async () => (await client.query('select * from child'))[0], { timeout: 20_000 })
    .toBe('T(id,parent,w)')
})

test('a reload that switches caching off ends the stream, and one that switches it on begins another', async () => {
  const streams = async () =>
    (await database.query('select from pg_replication_slots where database = current_database()')).length
  const { gateway, reads } = line
  const { caching } = gateway.gateway.backends[0]!.options
  gateway.reload({ caching: { ...caching, disabled: true } })
  expect(reads.status.phase.at).toBe('resting')
  await vi.waitFor(async () => expect(await streams()).toBe(0), 20_000)
  expect(await keeps('select * from t')).toBe(false)
  gateway.reload({ caching })
  await line.untilKept(client, 'select * from t')
  expect(await streams()).toBe(1)
})
