/** Statements for property tests, and how to write one statement in many ways. */
import fc from 'fast-check'

/**
 * Statements in which `#` stands for a number, `?` for a string, `#*` and `?*` for lists of them, `^` for rows of both
 * and a space for white space; none of them stands in a statement otherwise.
 */
const patterns = [
  'select a from t where b = # and c = ?',
  'select a, # as b from t where c in ( #* ) or not ( d in ( ?* ) ) limit #',
  'select array[ #* ] , array [ ?* ] , f( # , ? ) , interval ? , ? :: date',
  'insert into t ( a , b ) values ^ on conflict do nothing returning a',
  'with w as ( insert into t values ^ returning * ) select * from w where a > #',
  'update t set a = # , b = default where c between ? and ?',
  'delete from t using u where t.a = u.a and u.b like ?',
  'merge into t using ( values ^ ) v ( a , b ) on t.a = v.a when matched then update set b = ?',
  'select set_config( $1 , ? , true ) , count(*) filter ( where a = # ) from t',
  'select pg_advisory_lock( # ) ; select nextval( ? ) ; listen c',
  'select a from t where b = $1 and c = any( $2 ) union all select # order by # offset #',
  'set app.x = ?',
  'explain ( analyze , costs off ) select # + # from "T a"',
  'prepare p as select currval( ? ) , lastval()',
  'create temp table t as select # :: numeric( # , # ) as a',
  'copy t ( a ) from stdin with ( delimiter ? )',
  'select case when a = ? then # else - # end from pg_catalog.pg_prepared_statements',
  'declare c cursor with hold for select ? || ?',
  'do ?',
  'select a from t where (a, b) in ( ^ )',
  'select f( (a, b) in ( ^ ) , ( # , ? ) , ( # , ? ) ) , ( # , ? ) from t where ( # ) = any( values ( # ) , ( # ) )',
]

export const statements = fc.constantFrom(...patterns)

const plainText = fc.string({ unit: fc.constantFrom(...`ab'";-$/*(), \nä`), maxLength: 8 })
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`
const strings = fc.oneof(
  plainText.map(quoted),
  plainText.map(text => `E'${text.replaceAll("'", "\\'")}\\\\'`),
  plainText.map(text => `$q$${text}$q$`),
  fc.tuple(plainText, plainText).map(([a, b]) => `${quoted(a)} \f\n ${quoted(b)}`),
)
/** Of one kind in the grammar, and small enough where PostgreSQL's grammar wants an integer. */
const numbers = fc.oneof(fc.nat(9).map(String), fc.constantFrom('0x1F', '1_0', '007'))
const gaps = fc.oneof(
  fc.constantFrom(' ', '\n', '\t \r\n', '/**/', ' /* \' " ; /* */ $$ */ ', " -- it's \n", '\f\v'),
  fc.constant(' '),
)
const caps = fc.func(fc.boolean())

/** A way to write a statement. */
export const dressed: fc.Arbitrary<(pattern: string) => string> = fc
  .record({
    strings: fc.array(strings, { minLength: 3, maxLength: 6 }),
    numbers: fc.array(numbers, { minLength: 3, maxLength: 6 }),
    gaps: fc.array(gaps, { minLength: 3, maxLength: 6 }),
    items: fc.integer({ min: 2, max: 4 }),
    caps,
  })
  .map(choices => (pattern: string) => {
    let at = 0
    const one = (of: readonly string[]) => of[at++ % of.length]!
    const list = (item: () => string) =>
      Array.from({ length: choices.items }, item).join(` ${one(choices.gaps)},`)
    const number = () => one(choices.numbers)
    const string = () => one(choices.strings)
    return pattern
      .split(/(#\*|\?\*|[#?^ ]|"[^"]*"|\w+)/)
      .map(part => {
        if (part === ' ') return one(choices.gaps)
        if (part === '#') return number()
        if (part === '?') return string()
        if (part === '#*') return list(number)
        if (part === '?*') return list(string)
        if (part === '^') return list(() => `(${number()}, ${string()})`)
        return /^[a-z]/.test(part) && choices.caps(part, at++) ? part.toUpperCase() : part
      })
      .join('')
  })

/** Texts made of pieces that belong together now and then: most are no SQL, and many that are share a shape. */
export const undressed: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('select ', 'SELECT\n', 'values ', 'select a in ', 'insert into t values ', 'select 1,'),
      fc.array(
        fc.constantFrom(
          ...[
            ' ',
            ',',
            '(',
            ')',
            '(1)',
            '(2)',
            "('a')",
            '1',
            '2.5',
            "'a'",
            "'b'",
            "E'\\''",
            "b'1'",
            "n'a'",
            '$1',
          ],
          ...[
            '$$a$$',
            ';',
            'a',
            'b',
            'in',
            'in(1,2)',
            'in(1)',
            'array[1]',
            'array[1,2,3]',
            '[1]',
            '::int',
            '-',
            '+',
          ],
          ...[
            '--\n',
            '/**/',
            '\n',
            'values(1),(2)',
            'values(3)',
            'select',
            'from t',
            'not',
            '"a"',
            '.',
            'u&',
            '..',
          ],
          ...[
            "set_config('a.b',",
            "set_config('c.d',",
            "set_config(('a.b'),",
            "'x',true)",
            'x',
            'e',
            '0x',
            '_1',
          ],
        ),
        { minLength: 1, maxLength: 5 },
      ),
    )
    .map(([head, parts]) => head + parts.join('')),
  fc.tuple(statements, dressed).map(([statement, dress]) => dress(statement)),
)

/** Statements of all kinds, for comparing one judge with another. */
export const examples: readonly string[] = [
  'select 1',
  'table pg_catalog . pg_prepared_statements',
  `select a, "pg_advisory_lock"(1), pg_catalog . pg_try_advisory_lock_shared(2) from t`,
  `select pg_advisory_unlock_all(), my . now(), "My"."F""(x" (1), "a;b"(1), é(2)`,
  `with w as (select set_config('a.b', 'c', false)) select * from w`,
  `select set_config(('a.b'), 'c', false)`,
  `select set_config($1, $2, true), SET_CONFIG('work_mem', $1, false)`,
  `select u&"set\\005fconfig"('a', 'b', false)`,
  `select query_to_xml('select 1', true, true, '')`,
  `select currval('s'), lastval(), nextval('s'), setval('s', 1), pg_cancel_backend(1)`,
  `select 1 into temp x from t`,
  `select 1 as into_x, 2 into x from t`,
  `with w as (insert into t default values returning *) select * from w`,
  `insert into pg_temp.t (a, b) select f(1), now() on conflict (a) do update set b = g(2)`,
  `update pg_settings set setting = 'x' where name = 'y'`,
  `update t set a = default`,
  `merge into t using u on t.a = u.a when matched then update set b = 1`,
  `delete from t where a in (select f())`,
  `copy t from stdin`,
  `copy t (a, b) from stdin with (format csv)`,
  `copy pg_prepared_statements to stdout`,
  `copy (select nextval('s')) to stdout`,
  `explain analyze create temp table x as select 1`,
  `explain execute p`,
  `explain (analyze) select my_function(1)`,
  'begin; savepoint a; rollback to a; commit',
  'set a.b = 1',
  'set local a.b = 1',
  'reset all; reset role',
  'discard all',
  'create temp table t (a serial)',
  'create function f() returns int begin atomic select set_config(1, 2, 3); end',
  "alter table t add column b int default nextval('s')",
  'drop table t',
  'declare c cursor with hold for select 1; close c',
  'prepare p as select currval($1); execute p(1); deallocate p',
  `load 'x'`,
  `select 1; load 'x'`,
  'listen a; unlisten *; notify b',
  'do $$ begin end $$',
  'call p(1)',
  `(select f(1)) union (values (2))`,
  `select a from t where b like 'x' escape '\\'`,
]
