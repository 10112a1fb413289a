/** What a statement does to its session by code that its text does not show: no other client meets it. */
import { bind, execute, parse, sync } from '@sluice/wire'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
const other = await freshDatabase()
const role = `role_${database.name}`

/** Functions that set work_mem to 9 MB. */
const functions = `
  create table plain (x int);
  create function sets() returns boolean language plpgsql as $$
    begin perform set_config('work_mem', '9MB', false); return true; end $$;
  create function sets(x int) returns int immutable language sql as 'select case when public.sets() then x end';
  create function sets(x int, y int) returns boolean language sql as 'select public.sets()';
  create function sum_sets(x int, y int) returns int language sql as 'select public.sets(y)';
  create function on_change() returns trigger language plpgsql as
    $$ begin set work_mem = '9MB'; return coalesce(new, old); end $$`

/** What there is, and a statement that uses it. */
const kinds: readonly (readonly [kind: string, made: string, used: string])[] = [
  [
    'a trigger',
    'create table t1 (x int); create trigger t before insert on t1 for each row execute function on_change()',
    'insert into t1 values (1)',
  ],
  [
    'a trigger of a table that a foreign key leads to',
    `create table t2 (id int primary key); insert into t2 values (1);
    create table t2_child (id int references t2 on delete cascade); insert into t2_child values (1);
    create trigger t after delete on t2_child for each row execute function on_change()`,
    'delete from t2',
  ],
  [
    'a trigger of a partition',
    `create table t3 (x int) partition by list (x); create table t3_one partition of t3 for values in (1);
    create trigger t after insert on t3_one for each row execute function on_change()`,
    'insert into t3 values (1)',
  ],
  [
    'a trigger that is deferred',
    `create table t4 (x int);
    create constraint trigger t after insert on t4 initially deferred for each row execute function on_change()`,
    'begin; insert into t4 values (1); commit',
  ],
  [
    'a trigger that writes to a table with a trigger',
    `create table t5 (x int);
    create function passes_on() returns trigger language plpgsql as
      $$ begin insert into t1 values (new.x); return new; end $$;
    create trigger t before insert on t5 for each row execute function passes_on()`,
    'insert into t5 values (1)',
  ],
  ['a view', 'create view v1 as select sets()', 'select * from v1'],
  ['a view of a view', 'create view v2 as select * from v1', 'table v2'],
  [
    'a view that calls set_config',
    `create view v3 as select set_config('work_mem', '9MB', false)`,
    'select * from v3',
  ],
  [
    'a rule',
    'create table r1 (x int); create rule r as on insert to r1 do also select sets()',
    'insert into r1 values (1)',
  ],
  ['a default', 'create table d1 (x int, y bool default sets())', 'insert into d1 values (1)'],
  [
    'a default that calls set_config',
    `create table d2 (x int, y text default set_config('work_mem', '9MB', false))`,
    'insert into d2 values (1)',
  ],
  [
    'a generated column',
    'create table d3 (x int, y int generated always as (sets(x)) stored)',
    'insert into d3 values (1)',
  ],
  ['an index', 'create table i1 (x int); create index on i1 (sets(x))', 'insert into i1 values (1)'],
  ['a check', 'create table c1 (x int check (sets()))', 'insert into c1 values (1)'],
  ['a domain', 'create domain d4 as int check (sets())', 'select 1::d4'],
  ['a domain of a column', 'create table c2 (x d4)', 'insert into c2 values (1)'],
  ['a domain of an array', 'create table c3 (x d4[])', `insert into c3 values ('{1}')`],
  ['a domain of a composite type', 'create type c4 as (x d4)', 'select row(1)::c4'],
  [
    'a domain of a function’s result',
    `create function d5() returns d4 language sql as 'select 1'`,
    'select d5()',
  ],
  [
    'a policy',
    `create table p1 (x int); insert into p1 values (1); alter table p1 enable row level security;
    create policy p on p1 using (sets()); grant select on p1 to ${role}`,
    `begin; set local role ${role}; select * from p1; commit`,
  ],
  ['an operator', 'create operator === (function = sets, leftarg = int, rightarg = int)', 'select 1 === 1'],
  ['an operator before a list', '', 'select 1 === any (array[1])'],
  [
    'an aggregate',
    'create aggregate agg (int) (sfunc = sum_sets, stype = int)',
    'select agg(x) from (values (1), (2)) v (x)',
  ],
  [
    'a function that only calls another',
    `create function f1() returns boolean language sql as 'select sets()'`,
    'select f1()',
  ],
  [
    'a function of PL/pgSQL that reads a view',
    'create function f2() returns bigint language plpgsql as $$ begin return (select count(*) from v2 where sets); end $$',
    'select f2()',
  ],
  [
    'a function whose argument has a default',
    `create function f3(x boolean default sets()) returns boolean language sql as 'select x'`,
    'select f3()',
  ],
  [
    'a function with a body in SQL',
    'create function f4() returns boolean begin atomic select * from v1; end',
    'select f4()',
  ],
  [
    'a function that uses an operator',
    `create function f5() returns int language sql as 'select (1===1)::int'`,
    'select f5()',
  ],
  [
    'a function that is written like a column',
    `create table f6 (x int); insert into f6 values (1); create function y(f6) returns boolean language sql as 'select sets()'`,
    'select f6.y from f6',
  ],
  ['a name in quotes', 'create view "A view" as select sets()', 'select * from "A view"'],
]

/** The same, of what is used without being written: these make all statements suspect. */
const unwritten: typeof kinds = [
  [
    'an operator that is meant by a word',
    `create type o1 as (x int); create function same(a o1, b o1) returns boolean language sql as 'select sets()';
    create operator = (function = same, leftarg = o1, rightarg = o1)`,
    'select v in (v) from (select row(1)::o1) s (v)',
  ],
  [
    'a cast',
    `create type k1 as (x int); create function to_k1(text) returns k1 language sql as 'select row(sets(1))::k1';
    create cast (text as k1) with function to_k1(text) as assignment; create table k2 (x k1)`,
    `insert into k2 select 'a'::text`,
  ],
]

/** Two clients of a pool of one connection, to a database that has been read: until then everything is suspect. */
async function pair(database: TestDatabase) {
  const gateway = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 2_000 })
  const [a, b] = await Promise.all([rawClient(gateway.url), rawClient(gateway.url)])
  // The one connection is free only when the database has been asked what else is to be asked for.
  await a.query('table plain')
  await b.query('table plain')
  return {
    ...{ a, b, url: gateway.url },
    async [Symbol.asyncDispose]() {
      a.destroy()
      b.destroy()
      await gateway.stop()
    },
  }
}

const value = async (client: RawClient, sql: string) => {
  const heard = await client.query(sql)
  return heard.find(word => word.startsWith('D('))?.slice(2, -1) ?? heard[0]
}

beforeAll(async () => {
  await database.query(`create role ${role}`)
  await database.query([functions, ...kinds.map(([, made]) => made)].join(';\n'))
  await other.query([functions, ...unwritten.map(([, made]) => made)].join(';\n'))
})
afterAll(() => database.query(`drop owned by ${role}; drop role ${role}`))

/** What one client does leaves the other as it was, and is there for the first again. */
async function expectApart({ a, b }: { a: RawClient; b: RawClient }): Promise<void> {
  expect(await value(b, 'show work_mem')).toBe('4MB')
  expect(await value(a, 'show work_mem')).toBe('9MB')
}

describe('a parameter is its client’s alone that is set by', () => {
  test.each([
    ...kinds.map(([kind, , used]) => [kind, used, database] as const),
    ...unwritten.map(([kind, , used]) => [kind, used, other] as const),
  ])('%s', async (_kind, used, where) => {
    await using clients = await pair(where)
    expect(await clients.a.query(used)).not.toContainEqual(expect.stringMatching(/^E /))
    await expectApart(clients)
  })

  test('an event trigger', async () => {
    await using clients = await pair(other)
    await other.query(`create function on_command() returns event_trigger language plpgsql as
      $$ begin perform sets(); end $$; create event trigger e on ddl_command_end execute function on_command()`)
    await clients.a.query('comment on table plain is null')
    await other.query('drop event trigger e')
    await expectApart(clients)
  })

  test('a trigger that the same transaction made, and that others meet after it', async () => {
    await using clients = await pair(database)
    const { a, b, url } = clients
    await a.query('begin')
    await a.query('create table late (x int)')
    await a.query('create trigger t before insert on late for each row execute function on_change()')
    await a.query('insert into late values (1)')
    await a.query('commit')
    await expectApart(clients)
    await using c = await rawClient(url)
    await c.query('insert into late values (1)')
    await expectApart({ a: c, b })
  })

  test('a view, in each run of a prepared statement', async () => {
    await using clients = await pair(database)
    const { a } = clients
    a.send(parse('s', 'select * from v1'), bind('', 's'), execute(), sync())
    await a.ready()
    await expectApart(clients)
    await a.query('reset work_mem')
    a.send(bind('', 's'), execute(), sync())
    await a.ready()
    await expectApart(clients)
  })

  test('a trigger, if the text is too long to be parsed', async () => {
    await using clients = await pair(database)
    const rows = Array.from({ length: 5_000 }, (_, n) => (n % 2 === 0 ? '(1)' : '(1 + 1)'))
    await clients.a.query(`insert into t1 values ${rows}`)
    await expectApart(clients)
  })
})

test.each([
  ['a trigger', 'locks', 'insert into locks values (1)'],
  ['a default', 'locking', 'insert into locking default values'],
])('a lock that %s takes is its client’s alone', async (_what, table, used) => {
  await database.query(
    `create table ${table} (x int ${table === 'locking' ? 'default (pg_try_advisory_lock(9)::int)' : ''})`,
  )
  if (table === 'locks')
    await database.query(`create function locks() returns trigger language plpgsql as
      $$ begin perform pg_advisory_lock(9); return new; end $$;
      create trigger t before insert on locks for each row execute function locks()`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query(used)
  const waiting = b.query(
    `select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`,
  )
  expect(await value(a, 'select pg_advisory_unlock(9)')).toBe('t')
  expect(await waiting).toContain('D(0)')
})

test('a temporary table that a view’s function makes is its client’s alone', async () => {
  await database.query(`create function makes() returns int language plpgsql as
    $$ begin create temp table made (x int); return 1; end $$; create view making as select makes()`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query('select * from making')
  const waiting = b.query('select count(*) from made')
  expect(await value(a, 'select count(*) from made')).toBe('0')
  await a.end()
  expect(await waiting).toEqual(['E 42P01', 'Z I'])
})

test('so are parameters of an application’s own, whose names no text of the client’s tells', async () => {
  await database.query(`create function names() returns trigger language plpgsql as
      $$ begin perform set_config('app.by_trigger', 'a', false); return new; end $$;
    create table naming (x int, y text default set_config('app.by_default', 'a', false));
    create trigger t before insert on naming for each row execute function names();
    create view named as select set_config('app.by_view', 'a', false)`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query('insert into naming values (1); select * from named')
  for (const name of ['app.by_trigger', 'app.by_default', 'app.by_view']) {
    expect(await value(b, `select current_setting('${name}', true)`)).toBe('')
    expect(await value(a, `select current_setting('${name}', true)`)).toBe('a')
  }
})

test('lastval is not what a trigger of another client’s DELETE took of a sequence', async () => {
  await database.query(`create table removed (id serial, x int); create table removing as select 1 as x;
    create function keeps() returns trigger language plpgsql as
      $$ begin insert into removed (x) values (old.x); return old; end $$;
    create trigger t after delete on removing for each row execute function keeps()`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query('delete from removing')
  expect(await b.query('select lastval()')).toContain('E 55000')
})
