/** Expressions at random: most mean nothing, some are what PostgreSQL accepts. */
import fc from 'fast-check'

/** Overloads of users', and a schema that stands before PostgreSQL's own. */
export const overloads = `
  create function f(int, int default 1) returns int immutable language sql return 1;
  create function f(text) returns text immutable language sql return 'a';
  create function f(date, variadic text[]) returns date stable language sql return $1;
  create function g(anycompatible, anycompatiblearray) returns anycompatible immutable language sql as 'select $1';
  create function h(anyelement, anyarray) returns anyarray immutable language sql as 'select $2';
  create function k(anycompatiblemultirange, anycompatiblerange) returns anycompatible immutable language sql as 'select lower($2)';
  create function h(text, text) returns bool immutable language sql return true;
  create schema shadow;
  create function shadow.lower(text) returns text volatile language sql return $1;
  create function shadow.abs(int8) returns text volatile language sql return 'a';
  create function shadow.equal(int4, int4) returns bool language sql volatile return true;
  create function shadow.join(text, text) returns int language sql volatile return 1;
  create function shadow.less(anyelement, anyelement) returns bool language sql volatile as 'select true';
  create operator shadow.= (leftarg = int4, rightarg = int4, function = shadow.equal);
  create operator shadow.|| (leftarg = text, rightarg = text, function = shadow.join);
  create operator shadow.< (leftarg = anyelement, rightarg = anyelement, function = shadow.less);
  create function shadow.of_mood(mood) returns int language sql immutable return 1;
  create cast (mood as int) with function shadow.of_mood(mood) as implicit`

/** A column of each common type. */
export const everyType = `create table every (i2 int2, i4 int4 primary key, i8 int8, n numeric, f4 float4, f8 float8, t text,
  v varchar(10), c char(5), nm name, b bool, d date, tm time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid,
  j json, jb jsonb, by bytea, o oid, m money, ip inet, bt bit(4), ai int[], at text[], av varchar[], ad date[], r int4range,
  tr tstzrange, mr int4multirange, md mood, dm positive, xm xml, tv tsvector, tq tsquery, pt point)`
export const itsTypes = `create type mood as enum ('sad', 'ok'); create type pair as (c char(3), n int8); create domain positive as int check (value > 0)`

const columns =
  `i2 i4 i8 n f4 f8 t v c nm b d tm tz ts tstz iv u j jb by o m ip bt ai at av ad r tr mr md dm xm tv tq pt`.split(
    ' ',
  )
const literals = `'a' '1' '2026-01-01' '{}' '[1,2)' '1 day' 'ok' 1 -2 7000000000 1.5 true null`.split(' ')
const operators = `= <> < >= + - * / % || ~~ ~~* ~ @> <@ && -> ->> #> ? @@ & | << ^ -|-`.split(' ')
const prefixes = ['-', '@', '~', 'not', '!!']
const functions =
  `lower upper length abs round trunc ceil sqrt mod coalesce concat substr left lpad replace md5 encode
  to_char to_date to_timestamp date_trunc date_part age extract now date text int4 numeric timestamp timestamptz interval
  array_length array_append array_cat array_position array_to_string cardinality unnest generate_series string_to_array
  json_build_object jsonb_build_array to_jsonb row_to_json jsonb_set jsonb_array_length json_typeof jsonb_path_query
  to_tsvector to_tsquery plainto_tsquery setweight ts_rank lower_inc isempty range_merge int4range tstzrange
  greatest least nullif enum_first enum_range format quote_literal reverse starts_with split_part regexp_replace
  random setseed pg_typeof timezone make_date overlaps width_bucket power log sign gcd bit_length convert_to
  count sum avg min max bool_and array_agg string_agg json_agg jsonb_object_agg stddev f g h`.split(/\s+/)
const types =
  `int2 int4 int8 numeric float8 text varchar varchar(3) char(2) date timestamp timestamptz interval bool uuid jsonb
  int[] text[] date[] int4range mood positive money inet bytea regclass numeric(4,1) name`.split(/\s+/)

const one = (from: readonly string[]) => fc.constantFrom(...from)

const { deeper } = fc.letrec<{ expression: string; leaf: string; deeper: string }>(tie => ({
  expression: fc.oneof({ maxDepth: 3, withCrossShrink: true }, tie('leaf'), tie('deeper')),
  leaf: fc.oneof(
    { arbitrary: one(columns), weight: 6 },
    { arbitrary: one(literals), weight: 3 },
    { arbitrary: one(['$1', '$2']), weight: 1 },
  ),
  deeper: fc.oneof(
    {
      arbitrary: fc
        .tuple(tie('expression'), one(operators), tie('expression'))
        .map(([a, o, b]) => `(${a} ${o} ${b})`),
      weight: 8,
    },
    {
      arbitrary: fc
        .tuple(one(functions), fc.array(tie('expression'), { minLength: 1, maxLength: 3 }))
        .map(([f, a]) => `${f}(${a.join(', ')})`),
      weight: 8,
    },
    { arbitrary: fc.tuple(tie('expression'), one(types)).map(([a, t]) => `${a}::${t}`), weight: 3 },
    fc.tuple(one(prefixes), tie('expression')).map(([p, a]) => `(${p} ${a})`),
    fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map(a => `array[${a.join(', ')}]`),
    fc
      .tuple(tie('expression'), fc.array(tie('expression'), { minLength: 1, maxLength: 3 }))
      .map(([a, b]) => `(${a} in (${b.join(', ')}))`),
    fc
      .tuple(tie('expression'), one(['=', '<', '~~']), tie('expression'))
      .map(([a, o, b]) => `(${a} ${o} any (${b}))`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]) => `case when ${a} is null then ${b} else ${c} end`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]) => `case ${a} when ${b} then ${c} end`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]) => `(${a} between ${b} and ${c})`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a})[${b}]`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `(${a} is distinct from ${b})`),
    fc.tuple(one(['ilike', 'like', 'similar to']), tie('expression')).map(([o, a]) => `(t ${o} ${a})`),
    fc.tuple(tie('expression'), one(["'UTC'", 'iv', 't'])).map(([a, z]) => `(${a} at time zone ${z})`),
  ),
}))

export const expressions = (): fc.Arbitrary<string> => deeper
