/** Ways to run code that the text of a statement does not show: it sets work_mem to 9 MB. */

/** Functions that set work_mem to 9 MB. */
export const functions = `
  create table plain (x int);
  create function sets() returns boolean language plpgsql as $$
    begin perform set_config('work_mem', '9MB', false); return true; end $$;
  create function sets(x int) returns int immutable language sql as 'select case when public.sets() then x end';
  create function sets(x int, y int) returns boolean language sql as 'select public.sets()';
  create function sum_sets(x int, y int) returns int language sql as 'select public.sets(y)';
  create function on_change() returns trigger language plpgsql as
    $$ begin set work_mem = '9MB'; return coalesce(new, old); end $$`

/** What there is, and a statement that uses it. */
export const kinds: readonly (readonly [kind: string, made: string, used: string])[] = [
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
    create policy p on p1 using (sets()); grant select on p1 to pg_monitor`,
    `begin; set local role pg_monitor; select * from p1; commit`,
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

/** The same, of what can be used by a text that mentions nothing of it: it makes all statements suspect. */
export const unwritten: typeof kinds = [
  [
    'a cast between types of PostgreSQL’s',
    `create function to_uuid(int) returns uuid language sql as
      $$ select case when public.sets() then gen_random_uuid() end $$;
    create cast (int as uuid) with function to_uuid(int)`,
    'select 1::uuid',
  ],
  [
    'an operator that is meant by a word, on types of PostgreSQL’s',
    `create function at_least(int, uuid) returns boolean language sql as 'select public.sets()';
    create operator >= (function = at_least, leftarg = int, rightarg = uuid);
    create operator <= (function = at_least, leftarg = int, rightarg = uuid)`,
    'select 1 between gen_random_uuid() and gen_random_uuid()',
  ],
]
