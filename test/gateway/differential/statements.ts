/**
 * The texts that the programs are made of, by what they do to a session. They are combined without any thought, so most
 * of what comes of them are errors, failed transactions and settings that nobody expects: that is what they are for.
 *
 * The first of each list is the simplest: what is shrunk ends there.
 */

export const reads = [
  'select 1',
  'select generate_series(1, 5) as n',
  'select * from c@.t order by id',
  'select count(*), max(v) from c@.t',
  'select id, v, null::int as nothing from c@.t where id > 1 order by id',
  'select t from c@.t order by id limit 2',
  'select * from c@.t for update',
  'select * from t',
  'select * from c@.view',
  `select current_user, session_user, current_setting('search_path')`,
  `select repeat('x', 100000) as wide`,
  `select n, repeat('y', 100) from generate_series(1, 2000) n`,
  'table c@.u',
  'values (1, $$a$$), (2, null)',
  'select c@.noisy(1)',
  'select c@.double(21)',
  `select '2020-02-03'::date, '2020-02-03 04:05:06+00'::timestamptz, '1 day 2 hours'::interval, 0.1::float8, '\\x41'::bytea`,
]

export const writes = [
  `insert into c@.t values (1, 'one')`,
  `insert into c@.t values (10, 'ten')`,
  `insert into c@.t values (11, 'eleven') on conflict do nothing returning *`,
  `update c@.t set v = v || '!' where id < 3`,
  `update c@.t set v = 'same' returning id`,
  'delete from c@.t where id = 2',
  'insert into c@.late values (1), (1)',
  'insert into c@.late values (7)',
  'delete from c@.late',
  `insert into c@.audited values (3)`,
  'truncate c@.t',
  `merge into c@.t using (values (1), (20)) s(id) on t.id = s.id when matched then update set v = 'merged' when not matched then insert values (s.id, 'new')`,
  'insert into t values (5)',
  `select nextval('c@.s')`,
  'lock table c@.t',
]

/** A sequence's values are a transaction's: see docs/pooling.md. */
export const sequences = [
  `begin; select nextval('c@.s'); select currval('c@.s'), lastval(); commit`,
  `select nextval('c@.s'); select lastval()`,
  `insert into c@.numbered default values; select currval('c@.numbered_n_seq')`,
  `select setval('c@.s', 50); select currval('c@.s')`,
  `begin; discard sequences; select lastval()`,
]

/** Longer than what is waited for, or read to its end, in one piece. */
export const large = [
  `select length('${'l'.repeat(300_000)}')`,
  `insert into c@.t values (60, '${'m'.repeat(300_000)}') returning id`,
  `select 1 /* ${'n'.repeat(70_000)} */; set work_mem = '6MB'`,
  `set application_name = 'before'; select length('${'o'.repeat(300_000)}'); begin`,
  `select ${Array.from({ length: 2_000 }, (_, n) => `${n} as column_${n}`)}`,
]

export const errors = [
  'select 1/0',
  'selec 1',
  'select * from missing',
  'select nothing from c@.t',
  `select 'x'::int`,
  'insert into c@.t values (1); select 1/0',
  'select c@.fails()',
  `select "unclosed`,
  'select 1/(3 - n) from generate_series(1, 5) n',
  `do $$ begin raise exception 'own' using errcode = 'P1234', hint = 'a hint', detail = 'a detail'; end $$`,
]

export const transactions = [
  'begin',
  'commit',
  'rollback',
  'commit and chain',
  'rollback and chain',
  'start transaction read only',
  'begin isolation level serializable',
  'begin isolation level repeatable read, read only, deferrable',
  'end',
  'abort',
  'savepoint a',
  'savepoint b',
  'rollback to a',
  'rollback to savepoint b',
  'release a',
  'release savepoint b',
  'set transaction isolation level serializable',
  'set transaction read only',
  'set constraints all immediate',
]

export const settings = [
  `set work_mem = '5MB'`,
  `set application_name = 'mine'`,
  `set search_path to c@`,
  `set search_path to c@, "$user", public`,
  'set search_path to nowhere',
  `set datestyle = 'German'`,
  `set timezone = 'Asia/Tokyo'`,
  `set time zone interval '-02:30' hour to minute`,
  'set intervalstyle = iso_8601',
  `set client_min_messages = 'debug1'`,
  `set client_min_messages to error`,
  'set standard_conforming_strings = off',
  `set client_encoding = 'LATIN1'`,
  `set names 'UTF8'`,
  'set bytea_output = escape',
  'set extra_float_digits = 0',
  'set default_transaction_read_only = on',
  'set default_transaction_isolation to serializable',
  'set session characteristics as transaction read only',
  'set session characteristics as transaction isolation level repeatable read',
  `set statement_timeout = '77s'`,
  'set work_mem to default',
  `set app.own@ = 'x y'`,
  'set local work_mem = 7168',
  `set local application_name = 'for now'`,
  `set local search_path = c@`,
  `set local app.own@ = 'local'`,
  `select set_config('application_name', 'by function', false)`,
  `select set_config('work_mem', '9MB', true)`,
  `select set_config('search_path', 'c@, public', false)`,
  `select set_config('app.own@', 'by function', false)`,
  `select set_config(name, '3MB', false) from (values ('work_mem')) s(name)`,
  `update pg_settings set setting = 'by update' where name = 'application_name'`,
  `do $$ begin set application_name = 'by code'; end $$`,
  `do $$ begin perform set_config('timezone', 'UTC', false); raise notice 'done'; end $$`,
  'set work_mem = nonsense',
  'set no_such_parameter = 1',
  'set server_version = 1',
  'reset work_mem',
  'reset application_name',
  'reset search_path',
  'reset all',
  'reset timezone',
  'reset session authorization',
  'show work_mem',
  'show application_name',
  'show search_path',
  'show datestyle',
  'show timezone',
  'show transaction_isolation',
  'show transaction_read_only',
  'show client_encoding',
  'show client_min_messages',
  `select coalesce(current_setting('app.own@', true), '')`,
  'set sluice.pool_mode = session',
  'set sluice.pool_mode = transaction',
]

export const roles = [
  'set role differential_reader',
  'set local role differential_reader',
  'set role none',
  'reset role',
  'set session authorization differential_reader',
  'set session authorization differential_stranger',
  'set session authorization default',
  'set role differential_stranger',
  'set role nobody_at_all',
  'select current_user, session_user',
  `select set_config('role', 'differential_reader', false)`,
]

export const cursors = [
  'declare c cursor for select generate_series(1, 10)',
  'declare c scroll cursor with hold for select * from c@.t order by id',
  'declare c cursor with hold for select 1/(2 - n) from generate_series(1, 3) n',
  'fetch 1 from c',
  'fetch 3 from c',
  'fetch all from c',
  'fetch backward 1 from c',
  'move 2 in c',
  'close c',
  'close all',
  'fetch 1 from p0',
  'select name, is_holdable, is_scrollable from pg_cursors order by name',
]

export const prepared = [
  'prepare q as select 1 as prepared',
  'prepare q (int) as select $1 + 1',
  'execute q',
  'execute q(1)',
  'deallocate q',
  'deallocate all',
  'discard plans',
  'discard all',
  'discard sequences',
]

/** As single statements of a Query only, as docs/pooling.md says: elsewhere they see the gateway's names. */
export const listings = [
  `select name || ':' || statement || parameter_types::text || from_sql as prepared from pg_prepared_statements order by name`,
  'select count(*) from pg_prepared_statements',
]

/** In a Query only, for the same reason: what speaks by name of statements that were made by Parse, perhaps. */
export const named = [
  'deallocate s0',
  'deallocate prepare s1',
  'deallocate "s2"',
  'execute s0',
  'execute s1(1)',
  'prepare s0 as select 5',
  'prepare s1 (int) as select $1 + 2',
  'explain (costs off) execute s2',
]

export const pins = [
  'select pg_advisory_lock(@, 1)',
  'select pg_try_advisory_lock_shared(@, 2)',
  'select pg_advisory_unlock(@, 1)',
  'select pg_advisory_unlock_all()',
  'select pg_advisory_xact_lock(@, 3)',
  'create temp table w (x int)',
  'create temp table w (x int) on commit drop',
  'create temp table w on commit delete rows as select 1 as x',
  'select * into temp w from c@.t',
  'insert into w values (1)',
  'select * from w',
  'drop table w',
  'discard temp',
  'create temp view z as select 1',
  `select count(*) from pg_locks where locktype = 'advisory' and classid = @ and pid = pg_backend_pid()`,
]

export const definitions = [
  'create table c@.made (a int)',
  'drop table c@.made',
  'drop table if exists c@.made',
  'alter table c@.t add column w int default 5',
  'alter table c@.t drop column w',
  'alter table c@.t alter column v type varchar(50)',
  'create or replace view c@.view as select id from c@.t',
  'create or replace function c@.double(n int) returns int language sql as $$ select n * 3 $$',
  'create index on c@.t (v)',
  'analyze c@.t',
  'vacuum c@.t',
  'drop table c@.t',
  'call c@.commits()',
  'comment on table c@.t is null',
  `create type c@.mood as enum ('sad', 'ok')`,
  `select 'ok'::c@.mood`,
  'explain (costs off) select * from c@.t where id = 1',
]

export const notifying = [
  'listen ch@',
  `notify ch@, 'hello'`,
  `select pg_notify('ch@', 'by function')`,
  'unlisten ch@',
  'unlisten *',
]

export const empty = ['', ';', ' -- nothing', '/* nothing */;;']

export const copiesIn = [
  'copy c@.t from stdin',
  'copy c@.t (id) from stdin',
  'copy c@.t from stdin csv header',
  'copy missing from stdin',
  'copy c@.t from stdin with (on_error ignore, log_verbosity verbose)',
]

/** By a Query only: COPY among other statements, and twice. */
export const copiesAmong = [
  'select 1; copy c@.t from stdin; select count(*) from c@.t',
  'begin; copy c@.t (id) from stdin; commit',
  'copy c@.t from stdin; copy c@.u from stdin; select 3',
  'copy c@.t to stdout; copy c@.t from stdin; copy c@.t to stdout',
  `set application_name = 'copying'; copy missing from stdin; select 3`,
]

export const copiesOut = [
  'copy c@.t to stdout',
  'copy (select n, n * 2 from generate_series(1, 4) n) to stdout csv',
  'copy (select 1/(3 - n) from generate_series(1, 5) n) to stdout',
  'copy c@.t to stdout binary',
]

/** What may be sent as COPY data: lines, parts of lines, and what is none. */
export const data = [
  '30\tthirty\n',
  '31\tx\n32\ty\n',
  '33\tha',
  'lf\n',
  '1\tagain\n',
  'x\ty\n',
  '',
  '\\.\n',
  'id,v\n',
  '34,comma\n',
  `35\t${'z'.repeat(70_000)}\n`,
]

/** With parameters: the text, and values that mostly fit. */
export const parameterised: readonly {
  sql: string
  values: readonly (string | null)[]
  types?: readonly number[]
}[] = [
  { sql: 'select $1::int + 1', values: ['41'] },
  { sql: 'select $1', values: ['text'] },
  { sql: 'select $1', values: ['7'], types: [23] },
  { sql: 'select $1', values: ['7'], types: [20] },
  { sql: 'select $1', values: ['seven'], types: [23] },
  { sql: 'select 10 / $1::int', values: ['0'] },
  { sql: 'select * from generate_series(1, $1::int) n', values: ['6'] },
  { sql: 'select * from c@.t where id = $1', values: ['1'] },
  { sql: 'select * from c@.t where id = $1', values: [null] },
  { sql: 'insert into c@.t values ($1, $2)', values: ['40', 'forty'] },
  { sql: 'insert into c@.t values ($1, $2) returning *', values: ['1', 'again'] },
  { sql: 'update c@.t set v = $1 where id = $2', values: ['bound', '3'] },
  { sql: 'select set_config($1, $2, false)', values: ['application_name', 'bound'] },
  { sql: 'select set_config($1, $2, true)', values: ['work_mem', '11MB'] },
  { sql: 'select length($1)', values: ['w'.repeat(300_000)] },
  { sql: 'select pg_advisory_lock(@, $1)', values: ['4'] },
  { sql: 'select * from t where $1', values: ['true'] },
]

export interface Asked {
  readonly sql: string
  /** Of its parameters, each time others. */
  readonly values?: readonly (readonly (string | null)[])[]
}

/**
 * What is asked again and again, so that a cache may answer it, and what it is asked of: a client's own tables, and
 * those that nobody changes, which all clients have in common.
 */
export const asked: readonly Asked[] = [
  { sql: 'select v from c@.t where id = 1' },
  { sql: 'select * from c@.t order by id' },
  { sql: 'select count(*), max(v) from c@.t' },
  { sql: 'select * from c@.view order by id' },
  { sql: 'select x from c@.u order by x' },
  { sql: 'select count(*) from c@.audited' },
  { sql: 'select id from t order by id' },
  { sql: 'select x from w order by x' },
  { sql: 'select * from common.fixed order by id' },
  { sql: 'select * from fixed order by id' },
  { sql: 'select * from common.guarded order by id' },
  { sql: 'select * from common.kinds' },
  { sql: `select id, common.twice(id) from common.fixed where id < 3 and word <> 'it''s' order by id` },
  { sql: 'select 10 / (id - 2) from common.fixed order by id' },
  { sql: 'select v from c@.t where id = $1', values: [['1'], ['2'], ['01'], [null], ['x'], []] },
  {
    sql: 'select id, v || $1 from c@.t where id < $2 order by id',
    values: [
      ['!', '3'],
      ['?', '9'],
    ],
  },
  { sql: 'select word from common.fixed where id = $1', values: [['1'], ['2'], ['1']] },
  { sql: 'select $1 from common.fixed', values: [['text'], ['7']] },
]

/** What makes answers others than they were. */
export const changing = [
  `update c@.t set v = v || '+' where id = 1`,
  `insert into c@.t select max(id) + 1, 'more' from c@.t`,
  'delete from c@.t where id > 2',
  'update c@.t set id = id + 10 where id = 3',
  'insert into c@.u values (1)',
  'insert into c@.audited values (3)',
  'truncate c@.u',
  'call c@.commits()',
  `do $$ begin update c@.t set v = 'done' where id = 1; end $$`,
  `with w as (update c@.t set v = 'with' where id = 1 returning id) select * from w`,
  `merge into c@.t using (values (1)) s(id) on t.id = s.id when matched then update set v = t.v || 'm'`,
  `begin; update c@.t set v = 'kept' where id = 1; savepoint a; delete from c@.t; rollback to a; commit`,
  'begin; delete from c@.t; rollback',
  `copy c@.u from program 'echo 5'`,
  'set search_path to c@, common',
  'set search_path to common',
  `set datestyle = 'German'`,
  `set timezone = 'Asia/Tokyo'`,
  'set bytea_output = escape',
  'set extra_float_digits = 0',
  'set intervalstyle = iso_8601',
  `set app.tenant = 'a'`,
  `select set_config('app.tenant', 'b', false)`,
  `select set_config('search_path', 'c@', false)`,
  'set role differential_reader',
  'set session authorization differential_reader',
  'set role differential_stranger',
  'reset role',
  'reset all',
]

/** The same, and for longer: the schema, rights, what pins. */
export const upsetting = [
  'alter table c@.t add column w int default 5',
  'alter table c@.t rename v to u; alter table c@.t rename u to v',
  'create or replace view c@.view as select id from c@.t where id > 1',
  'revoke select on c@.t from differential_reader',
  'grant select on c@.t to differential_reader',
  'prepare q as update c@.t set v = v || $$p$$',
  'execute q',
  'create temp table w (x int)',
  'insert into w values (1)',
  'discard all',
  `set client_encoding = 'LATIN1'`,
  'set sluice.cache = off',
]
