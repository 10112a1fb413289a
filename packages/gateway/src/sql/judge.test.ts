import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, test } from 'vitest'
import { judge } from './judge.ts'
import { Needs, type StatementPlan, Touches } from './plan.ts'

beforeAll(() => loadModule())

const planOf = (sql: string): StatementPlan => judge(parseSync(sql).stmts ?? [])

/** `settings reset`: the bits by name, in the order of the table. */
const words = (bits: number, table: Readonly<Record<string, number>>): string =>
  Object.entries(table)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name)
    .join(' ')

const touched = (sql: string) => words(planOf(sql).touches, Touches)
const needed = (sql: string) => words(planOf(sql).needs, Needs)

describe('what a statement touches', () => {
  test.each([
    // Reads and plain writes
    ['', 'SELECT abalance FROM pgbench_accounts WHERE aid = 12345'],
    ['', "SELECT count(*), now(), pg_catalog.lower('A'), coalesce(a, 1), extract(year from b) FROM t"],
    ['', 'SELECT \'pg_advisory_lock(1)\', "set_config" FROM listen'],
    ['', 'VALUES (1), (2)'],
    ['', 'TABLE t'],
    ['', 'BEGIN ISOLATION LEVEL SERIALIZABLE'],
    ['', 'SAVEPOINT a'],
    ['', 'ROLLBACK TO a'],
    ['', 'SHOW search_path'],
    ['', 'LOCK t'],
    ['', 'EXPLAIN ANALYZE SELECT 1'],
    ['', 'COPY t TO STDOUT'],
    ['', "NOTIFY c, 'payload'"],
    ['', 'FETCH ALL FROM c'],
    ['', 'DECLARE c CURSOR FOR SELECT 1'],
    ['', 'VACUUM t'],
    ['', 'COMMENT ON TABLE t IS NULL'],

    // Parameters
    ['settings', "SET search_path TO 'a', b"],
    ['settings', "SET SESSION work_mem = '9MB'"],
    ['settings', 'SET ROLE r'],
    ['settings', 'SET ROLE NONE'],
    ['settings', 'SET SESSION AUTHORIZATION r'],
    ['settings reset', 'SET SESSION AUTHORIZATION DEFAULT'],
    ['settings', "SET TIME ZONE 'UTC'"],
    ['settings reset', 'SET TIME ZONE LOCAL'],
    ['settings', "SET NAMES 'UTF8'"],
    ['settings', 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY'],
    ['settings', 'SET sluice.pool_mode = session'],
    ['settings reset', 'SET x TO DEFAULT'],
    ['settings reset', 'RESET x'],
    ['settings reset', 'RESET ALL'],
    ['settings reset', 'RESET ROLE'],
    ['', "SET LOCAL search_path = 'a'"],
    ['', 'SET LOCAL ROLE r'],
    ['', 'SET TRANSACTION READ ONLY'],
    ['', "SET TRANSACTION SNAPSHOT 'a'"],
    ['', 'SET CONSTRAINTS ALL DEFERRED'],
    ['', "ALTER ROLE r SET search_path = 'a'"],
    ['', "ALTER DATABASE d SET app.x = 'a'"],
    ['', 'ALTER SYSTEM SET work_mem = 1'],
    ['settings', "SELECT set_config('a', 'b', false)"],
    ['settings', "SELECT Pg_Catalog.SET_CONFIG('a', 'b', false)"],
    ['settings', "SELECT \"set_config\"('a', 'b', false)"],
    ['settings', "SELECT U&\"set\\005fconfig\"('a', 'b', false)"],
    ['settings reset', "SELECT set_config('a', NULL, false)"],
    ['settings reset', "SELECT set_config('a', $1, false)"],
    ['settings', "SELECT set_config('a', 'b', $1)"],
    ['', "SELECT set_config('a', $1, true)"],
    [
      'settings',
      "SELECT 1; WITH w AS (SELECT 1 FROM (SELECT set_config('a', 'b', false)) s) SELECT * FROM w",
    ],
    ['settings sequences', "UPDATE t SET a = 1 WHERE b = set_config('a', 'b', false)"],
    ['settings', "/* */ SELECT -- \n set_config('a', 'b', false)"],
    ['settings reset sequences', "UPDATE pg_settings SET setting = 'on' WHERE name = 'jit'"],

    // Locks of the session
    ['advisoryLock', 'SELECT pg_advisory_lock(1)'],
    ['advisoryLock', 'SELECT pg_try_advisory_lock_shared($1, $2)'],
    ['advisoryLock', 'select "pg_advisory_lock"(1)'],
    ['advisoryLock', 'SELECT pg_catalog.PG_ADVISORY_UNLOCK(1)'],
    ['advisoryLock', 'SELECT * FROM pg_advisory_unlock_all()'],
    ['', 'SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)'],

    // Temporary things
    ['temporary', 'CREATE TEMP TABLE t (a int)'],
    ['temporary', 'CREATE LOCAL TEMPORARY TABLE t (a int) ON COMMIT DROP'],
    ['temporary', 'CREATE TEMP SEQUENCE s'],
    ['temporary', 'CREATE TEMP VIEW v AS SELECT 1'],
    ['temporary', 'CREATE TEMP TABLE t AS SELECT 1'],
    ['temporary', 'SELECT 1 INTO TEMP t'],
    ['temporary', 'SELECT 1 INTO t'],
    ['temporary', 'CREATE TABLE pg_temp.t (a int)'],
    ['temporary', 'CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$'],
    ['temporary', 'CREATE TABLE t (a int)'],
    ['temporary', 'DROP TABLE t'],
    ['temporary', 'DISCARD TEMP'],

    // Cursors, statements, libraries
    ['holdCursor', 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'],
    ['holdCursor', 'DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1'],
    ['holdCursor', 'CLOSE c'],
    ['holdCursor', 'CLOSE ALL'],
    ['sqlPrepare', 'PREPARE p AS SELECT $1'],
    ['advisoryLock sqlPrepare', 'PREPARE p AS SELECT pg_advisory_lock($1)'],
    ['sqlPrepare deallocate', 'DEALLOCATE p'],
    ['sqlPrepare deallocate', 'DEALLOCATE PREPARE ALL'],
    ['lasting', "LOAD 'auto_explain'"],
    ['lasting', 'SELECT setseed($1)'],
    ['settings lasting', 'SET seed = 0.5'],
    ['lasting', "SELECT pg_create_logical_replication_slot('s', 'pgoutput', true)"],
    ['lasting', "SELECT pg_replication_origin_session_setup('o')"],
    ['lasting sequences', "SELECT public.dblink_connect('c', 'host=elsewhere')"],
    ['settings sequences', 'SELECT set_limit(0.9)'],

    // Channels
    ['listen', 'LISTEN a'],
    ['unlisten', 'UNLISTEN a'],
    ['unlisten', 'UNLISTEN *'],

    // Sequences
    ['sequences', 'INSERT INTO t VALUES (1)'],
    ['sequences', 'WITH w AS (INSERT INTO t DEFAULT VALUES RETURNING *) SELECT * FROM w'],
    ['sequences', 'MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DO NOTHING'],
    ['sequences', "UPDATE t SET a = 1, set_config = 'x' WHERE b = $1"],
    ['sequences', 'DELETE FROM t USING u WHERE t.a = u.a RETURNING *'],
    ['sequences', 'TRUNCATE t RESTART IDENTITY'],
    ['sequences', 'COPY t FROM STDIN'],
    ['sequences', "COPY t FROM '/file'"],
    ['sequences', "SELECT nextval('s')"],
    ['sequences', "SELECT setval('s', 1)"],
    ['sequences', 'SELECT my_function()'],
    ['sequences', 'ALTER TABLE t ADD COLUMN id serial'],
    ['sequences', 'DISCARD SEQUENCES'],
    ['', 'DISCARD PLANS'],
    [
      'settings advisoryLock temporary holdCursor sqlPrepare unlisten reset deallocate sequences',
      'DISCARD ALL',
    ],
  ])('%s ← %s', (bits, sql) => {
    expect(touched(sql)).toBe(bits)
  })

  test.each([
    'DO $$ BEGIN END $$',
    'CALL p()',
    'EXECUTE p(1)',
    'CREATE TABLE t AS EXECUTE p',
    'EXPLAIN EXECUTE p',
  ])('anything but a library ← %s', sql => {
    expect(touched(sql)).toBe(
      'settings advisoryLock temporary holdCursor sqlPrepare listen unlisten reset deallocate sequences',
    )
    expect(planOf(sql).unknownSettings).toBe(true)
  })
})

describe('what a statement needs', () => {
  test.each([
    ['', "SELECT 1, 'currval(1)', nextval('s')"],
    ['sequences', "SELECT currval('s')"],
    ['sequences', 'INSERT INTO t SELECT a FROM (SELECT LASTVAL() a) s'],
    ['statementNames', 'SELECT * FROM pg_prepared_statements'],
    ['statementNames', 'SELECT * FROM pg_catalog.pg_prepared_statements p'],
    ['statementNames', 'SELECT * FROM t WHERE EXISTS (TABLE "pg_prepared_statements")'],
    ['statementNames', 'SELECT pg_prepared_statement()'],
    ['statementNames', 'COPY pg_prepared_statements TO STDOUT'],
    ['backendSignal', 'SELECT pg_cancel_backend(123)'],
    ['backendSignal', 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity'],
  ])('%s ← %s', (bits, sql) => {
    expect(needed(sql)).toBe(bits)
  })
})

describe('custom parameters', () => {
  test.each([
    ["SET app.tenant = 'x'", ['app.tenant']],
    ['SET App.Tenant = \'x\'; RESET "Other".y', ['app.tenant', 'other.y']],
    ["SELECT set_config('App.Tenant', $1, false)", ['app.tenant']],
    ["SELECT set_config('app.tenant', $1, true)", []],
    ["SET LOCAL app.tenant = 'x'", []],
    ['SET work_mem = 1', []],
  ])('%s names %j', (sql, names) => {
    const plan = planOf(sql)
    expect(plan.customSettings).toEqual(names)
    expect(plan.unknownSettings).toBe(false)
  })

  test.each([
    "SELECT set_config($1, 'x', false)",
    "SELECT set_config('a' || 'b', 'x', false)",
    "SELECT set_config(setting_name => 'a', new_value => 'b', is_local => true)",
    "SELECT set_config('a\\x', 'x', false)",
    "UPDATE pg_settings SET setting = 'on' WHERE name = $1",
  ])('the name can not be told: %s', sql => {
    expect(planOf(sql).unknownSettings).toBe(true)
  })
})

test.each([
  ['SELECT a.f(1), "F"(2), lower(f(3)), a."B".c(), count(*)', ['a.f', 'F', 'f', 'a.B.c']],
  ["SELECT query_to_xml('select 1', true, true, '')", ['query_to_xml']],
  ['SELECT lower(f()), pg_listening_channels()', ['f', 'pg_listening_channels']],
  ['SELECT now(), pg_catalog.now(), my.now()', ['my.now']],
  ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT g(); END', []],
])('the functions of %s that the text can not judge are %j', (sql, functions) => {
  expect(planOf(sql).functions).toEqual(functions)
})

test.each([
  ['no', 'SELECT 1'],
  ['no', 'CREATE TEMP TABLE t (a int)'],
  ['no', 'SELECT 1 INTO TEMP t'],
  ['no', 'CREATE TEMP VIEW v AS SELECT 1; DROP TABLE t; GRANT SELECT ON t TO r; COMMENT ON TABLE t IS NULL'],
  ['perhaps', 'CALL p(); DROP TABLE t'],
  ['perhaps', 'DO $$ $$'],
  ['yes', 'DO $$ $$; CREATE TABLE t (a d); CALL p()'],
  ['yes', 'SELECT 1::d INTO t'],
  ['yes', 'CREATE TRIGGER t BEFORE INSERT ON u EXECUTE FUNCTION f()'],
  ['yes', 'ALTER TABLE t ADD CHECK (f(a))'],
])('%s code that others run without saying so is made by %s', (makesCode, sql) => {
  expect(planOf(sql).makesCode).toBe(makesCode)
})

test.each([
  ['SELECT 1, now()', []],
  ['SELECT a FROM t JOIN s."T 2" u USING (a), pg_catalog.pg_class', ['t', 'T 2']],
  ['WITH w AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM w', ['u', 'w', 't']],
  ['COPY t FROM STDIN', ['t']],
  ["SELECT 1::d, CAST('x' AS s.e[]), 1::int, '1'::text", ['d', 'e', 'text']],
  ['SELECT a === b, a OPERATOR(s.@@) ANY (c), a IN (1) ORDER BY a USING >>>', ['===', '@@', '=', '>>>']],
])('%s mentions %j', (sql, names) => {
  expect([...(planOf(sql).mentions ?? [])].sort()).toEqual([...names].sort())
})

test.each([
  ['DEALLOCATE p', ['deallocate p']],
  ['DEALLOCATE PREPARE "P q"; EXECUTE r(1)', ['deallocate P q', 'execute r']],
  ['DEALLOCATE ALL', []],
  ['EXPLAIN EXECUTE p; CREATE TABLE t AS EXECUTE q', ['execute p', 'execute q']],
  ['PREPARE p AS SELECT 1', ['prepare p']],
  ['SELECT 1', []],
])('of prepared statements %s says %j', (sql, what) => {
  expect(planOf(sql).named.map(({ does, name }) => `${does} ${name}`)).toEqual(what)
})

test('channels are told in their order', () => {
  expect(planOf('LISTEN a; UNLISTEN "B"; UNLISTEN *; LISTEN C').channels).toEqual([
    { does: 'listen', channel: 'a' },
    { does: 'unlisten', channel: 'B' },
    { does: 'unlisten', channel: '*' },
    { does: 'listen', channel: 'c' },
  ])
})

test.each([
  ['COPY t FROM STDIN', true],
  ['SELECT 1; COPY t (a, b) FROM STDIN WITH (FORMAT binary)', true],
  ["COPY t FROM '/file'", false],
  ["COPY t FROM PROGRAM 'cat'", false],
  ['COPY t TO STDOUT', false],
])('%s: data follows: %s', (sql, copies) => {
  expect(planOf(sql).copiesIn).toBe(copies)
})

test.each([
  ['CREATE INDEX i ON t (a)', true],
  ['ALTER TABLE t RENAME TO u', true],
  ['DROP FUNCTION f', true],
  ['SELECT 1 INTO t', true],
  ['BEGIN; CREATE VIEW v AS SELECT 1', true],
  ['GRANT SELECT ON t TO r', true],
  ['DO $$ $$', true],
  ['INSERT INTO t SELECT 1', false],
  ['SET search_path = a', false],
  ['PREPARE p AS SELECT 1', false],
  ['EXECUTE p', false],
  ['TRUNCATE t', false],
])('%s may change what statements mean: %s', (sql, changes) => {
  expect(planOf(sql).changesSchema).toBe(changes)
})

test.each([
  ['-- nothing', 0],
  [';;', 0],
  ['SELECT 1;', 1],
  ['BEGIN; SELECT 1; COMMIT', 3],
])('%s has %i statements', (sql, statements) => {
  expect(planOf(sql).statements).toBe(statements)
})
