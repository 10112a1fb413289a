import { expect, test } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { type Rows, unseenBy } from './unseen.ts'

const database = await freshDatabase()
let asked = 0
const ask = unseenBy(async (sql): Promise<Rows> => {
  asked++
  const rows = await database.query(`set search_path to pg_catalog; ${sql}`)
  return rows.map(row => Object.values(row).map(String))
})

/** True if the whole was read, and not its version alone. */
async function reads(): Promise<boolean> {
  asked = 0
  await ask()
  return asked > 1
}

test('is read again after whatever could make or hide a suspect, and else kept', async () => {
  expect([await reads(), await reads()]).toEqual([true, false])
  for (const change of [
    `create function f() returns int language sql as 'select 1'`,
    `create or replace function f() returns int language sql as 'select 2'`,
    'create table t (a int)',
    'alter table t rename to u',
    'alter table u add b int default f()',
    'alter table u alter b set default 1',
    'alter table u add check (f() > 0)',
    'create view v as select * from u',
    'create or replace view v as select a + f() as a, b from u',
    'create domain d as int check (value > 0)',
    'drop view v',
    'alter table u alter b drop default, alter b type d',
    `create function g() returns trigger language plpgsql as 'begin return new; end'`,
    'create trigger g before insert on u for each row execute function g()',
    'create table parent (a int, b d)',
    'alter table u inherit parent',
    'create policy p on u using (f() > 0)',
    'create operator ==> (leftarg = int, rightarg = int, function = int4pl)',
    'create aggregate total (int) (sfunc = int4pl, stype = int)',
    'drop table u cascade',
  ]) {
    await database.query(change)
    expect([change, await reads(), await reads()]).toEqual([change, true, false])
  }
})

test('is not read again for what is no code, nor for temporary tables', async () => {
  await database.query('create table plain (a int)')
  await ask()
  for (const other of [
    'insert into plain values (1); analyze plain',
    `create temp table mine (id serial primary key, a text default 'x', check (a <> '')); drop table mine`,
    'create temp table kept (id serial primary key); select pg_sleep(0)',
    `comment on table plain is 'a table'`,
  ]) {
    await database.query(other)
    expect([other, await reads()]).toEqual([other, false])
  }
})
