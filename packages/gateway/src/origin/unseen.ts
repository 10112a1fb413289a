/**
 * What in a database runs code that may change the session of who uses it, although no statement's text shows it.
 *
 *     its body says set_config, EXECUTE, CREATE TEMP …        ──▶ a function ┐
 *     its expression calls set_config, or locks for a session ──▶ a rule, a default, a check … ┤
 *                                                                                         suspects ◀─┐
 *         what uses one: a trigger, a view, an operator, a domain, a table with such a column ──┤    │
 *         what one is a part of: a trigger's table, a rule's view, a check's domain ────────────┤    │
 *         the parent of one: by a foreign key that cascades, by partition or inheritance ───────┤    │
 *         a function whose body has the name of one among its words ────────────────────────────┴────┘
 *
 * PostgreSQL records in pg_depend what uses what (deptype n) and what is a part of what (a, i), but for two things: the
 * bodies of functions, which are text, and uses of its own functions, which are looked for in the stored trees.
 *
 * It errs on one side: what has a suspect's name among its words need not use it. Casts, operator classes, and operators
 * that are spelled like one of PostgreSQL's are used without being written (IN means =), but only on values of their
 * types: a suspect makes such a type one. If all its types are PostgreSQL's, every statement is suspect.
 *
 * Not found: what code in C does. Not looked for: event triggers, for all DDL is taken for suspect.
 * Source: PostgreSQL documentation, System Catalogs, pg_depend.
 */
import { functionEffects, runsSql } from '../sql/function-effects.ts'
import { Touches } from '../sql/plan.ts'
import { quoteLiteral } from '../sql/quote.ts'

const { raw } = String

export type Rows = readonly (readonly (string | null)[])[]

/** Functions that come with PostgreSQL, or with its extensions, and change the session or run SQL from a value. */
const changing = [
  ...['set_config', 'set_limit', ...runsSql],
  ...[...functionEffects]
    .filter(([, { touches = 0 }]) => touches & Touches.advisoryLock)
    .map(([name]) => name),
]

/** Words of a body that changes the session or runs dynamic SQL. */
const words = [
  raw`\m(${changing.join('|')}|dblink\w*|prepare|execute|deallocate|discard|reset|load|(un)?listen)\M`,
  raw`\m(temp|temporary|pg_temp\w*|pg_settings)\M|with\s+hold`,
  // Where a statement begins: an UPDATE has one, too.
  raw`(^|;|>>|\*/|--[^\n]*\n|\m(begin|then|else|loop)\M)\s*set\M(?!\s+(local|constraints|transaction)\M)`,
  // Of Perl, Tcl and R, Python, JavaScript.
  raw`\m(spi_|spi\.|plpy\M|plv8\M)`,
].join('|')

/** Behind set_config, or SET in a text that is executed. */
const parameters = raw`(?:set_config\s*\(\s*e?'+|\mset\s+(?:session\s+)?)([a-z_][a-z0-9_$]*(?:\.[a-z_][a-z0-9_$]*)+)`

/** Where PostgreSQL stores trees: the catalogue, the columns, and the tree as SQL. */
const trees = [
  ['pg_rewrite', 'ev_qual, ev_action', 'pg_get_ruledef(oid)'],
  ['pg_attrdef', 'adbin', 'pg_get_expr(adbin, adrelid)'],
  ['pg_constraint', 'conbin', 'pg_get_constraintdef(oid)'],
  ['pg_trigger', 'tgqual', 'pg_get_triggerdef(oid)'],
  [
    ...['pg_policy', 'polqual, polwithcheck'],
    'concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))',
  ],
  ['pg_proc', 'proargdefaults', 'pg_get_function_arguments(oid)'],
  ['pg_type', 'typdefaultbin', 'pg_get_expr(typdefaultbin, 0)'],
]

/** What may be suspect. Others depend on a table, too, but run nothing: a publication, statistics. */
const kinds =
  `pg_proc pg_class pg_type pg_rewrite pg_trigger pg_attrdef pg_constraint pg_policy pg_operator pg_cast
  pg_opclass pg_opfamily pg_amop pg_amproc`
    .split(/\s+/)
    .join(',')

/** Smaller numbers are those of objects that come with PostgreSQL. */
const first = 16_384

/**
 * Rows of a kind, a name, and whether it is suspect: each `function`; a `relation`, `type` or `operator` that is suspect;
 * `everything`, see above; and each `parameter` with a dot in its name that these may set.
 *
 * For a connection whose search_path is pg_catalog alone. A merge join would sort all again for each step; the SET ends
 * with the text.
 */
const unseenSql = `SET LOCAL enable_mergejoin = off;
WITH RECURSIVE changing AS (SELECT oid FROM pg_proc WHERE proname = ANY ('{${changing}}')),
call AS (SELECT ':(funcid|opfuncid|aggfnoid|winfnoid) (' || string_agg(oid::text, '|') || ') ' AS pattern FROM changing),
body AS MATERIALIZED (
  SELECT p.oid, CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_get_function_sqlbody(p.oid) END AS text
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.oid >= ${first} AND l.lanname <> ALL ('{internal,c}')),
seed (classid, objid, text) AS MATERIALIZED (
  SELECT 'pg_proc'::regclass::oid, oid, text FROM body WHERE text ~* ${quoteLiteral(words)}
  UNION ALL SELECT 'pg_proc'::regclass, oid, NULL FROM changing WHERE oid >= ${first}
  UNION ALL SELECT 'pg_proc'::regclass, aggfnoid, NULL FROM pg_aggregate
    WHERE aggtransfn IN (SELECT oid FROM changing) OR aggfinalfn IN (SELECT oid FROM changing)
  UNION ALL SELECT 'pg_operator'::regclass, oid, NULL FROM pg_operator WHERE oprcode IN (SELECT oid FROM changing)
  ${trees
    .map(
      ([
        catalogue,
        columns,
        text,
      ]) => `UNION ALL SELECT '${catalogue}'::regclass, oid, ${text} FROM ${catalogue}, call
    WHERE oid >= ${first} AND concat(${columns}) ~ pattern`,
    )
    .join('\n  ')}),
named (classid, objid, kind, name) AS MATERIALIZED (
  SELECT 'pg_proc'::regclass::oid, oid, 'function', proname FROM pg_proc WHERE oid >= ${first}
  UNION ALL SELECT 'pg_class'::regclass, oid, 'relation', relname FROM pg_class
    WHERE oid >= ${first} AND relkind <> ALL ('{i,I,t}')
  UNION ALL SELECT 'pg_type'::regclass, oid, 'type', typname FROM pg_type
    WHERE oid >= ${first} AND typrelid = 0 AND typelem = 0
  UNION ALL SELECT 'pg_operator'::regclass, oid, 'operator', oprname FROM pg_operator WHERE oid >= ${first}),
word AS MATERIALIZED (SELECT oid, regexp_split_to_table(lower(text), ${quoteLiteral(raw`[^\w$]+`)}) AS name FROM body),
-- An operator, or a name in quotes.
odd AS MATERIALIZED (SELECT * FROM named WHERE name ~ ${quoteLiteral(raw`[^\w$]`)}),
-- The first may run the second. Of no interest if nothing is suspect.
runs (classid, objid, refclassid, refobjid) AS MATERIALIZED (SELECT * FROM (
  SELECT d.classid, d.objid, d.refclassid, d.refobjid FROM pg_depend d
    WHERE deptype IN ('n', 'a', 'i') AND refobjid >= ${first}
    AND NOT (classid = 'pg_constraint'::regclass AND objid IN (SELECT oid FROM pg_constraint WHERE contype = 'f'))
    AND NOT (refclassid = 'pg_type'::regclass
      AND classid = ANY ('{pg_cast,pg_operator,pg_opclass}'::regclass[]::oid[]))
  UNION ALL SELECT refclassid, refobjid, classid, objid FROM pg_depend
    WHERE deptype IN ('a', 'i') AND refobjid >= ${first}
  UNION ALL SELECT 'pg_class'::regclass, confrelid, 'pg_class'::regclass, conrelid FROM pg_constraint
    WHERE contype = 'f' AND (confupdtype IN ('c', 'n', 'd') OR confdeltype IN ('c', 'n', 'd'))
  UNION ALL SELECT 'pg_class'::regclass, inhparent, 'pg_class'::regclass, inhrelid FROM pg_inherits
  -- A function of a row may be written like a column: of the table, or of what is read from it.
  UNION ALL SELECT 'pg_class'::regclass, typrelid, 'pg_proc'::regclass, p.oid FROM pg_proc p
    JOIN pg_type t ON t.oid = ANY (p.proargtypes::oid[]) WHERE p.oid >= ${first} AND typrelid <> 0
  -- What is used without being written.
  UNION ALL SELECT 'pg_type'::regclass, CASE WHEN castsource >= ${first} THEN castsource ELSE casttarget END,
    'pg_cast'::regclass, oid FROM pg_cast
  UNION ALL SELECT 'pg_type'::regclass, CASE WHEN oprleft >= ${first} THEN oprleft ELSE oprright END,
    'pg_operator'::regclass, oid FROM pg_operator
  UNION ALL SELECT 'pg_type'::regclass, opcintype, 'pg_opclass'::regclass, oid FROM pg_opclass
  UNION ALL SELECT 'pg_proc'::regclass, w.oid, n.classid, n.objid FROM word w JOIN named n ON lower(n.name) = w.name
  UNION ALL SELECT 'pg_proc'::regclass, b.oid, o.classid, o.objid FROM body b
    JOIN odd o ON strpos(lower(b.text), lower(o.name)) > 0
  ) run WHERE EXISTS (SELECT FROM seed)),
suspect (classid, objid) AS (
  SELECT classid, objid FROM seed
  UNION SELECT r.classid, r.objid FROM suspect s JOIN runs r ON r.refclassid = s.classid AND r.refobjid = s.objid
    WHERE r.classid = ANY ('{${kinds}}'::regclass[]::oid[]))
SELECT 'function', proname, bool_or(oid IN (SELECT objid FROM suspect WHERE classid = 'pg_proc'::regclass))
  FROM pg_proc GROUP BY proname
UNION ALL SELECT DISTINCT kind, name, true FROM named NATURAL JOIN suspect WHERE kind <> 'function'
UNION ALL SELECT 'everything', NULL, true WHERE EXISTS (
    SELECT FROM suspect JOIN pg_cast ON classid = 'pg_cast'::regclass AND objid = oid
    WHERE castsource < ${first} AND casttarget < ${first})
  OR EXISTS (
    SELECT FROM suspect JOIN pg_operator o ON classid = 'pg_operator'::regclass AND objid = o.oid
    WHERE oprleft < ${first} AND oprright < ${first}
    AND oprname IN (SELECT oprname FROM pg_operator WHERE oid < ${first}))
UNION ALL SELECT DISTINCT 'parameter', lower(m[1]), true
  FROM (SELECT text FROM body UNION ALL SELECT text FROM seed) code,
    regexp_matches(text, ${quoteLiteral(parameters)}, 'gi') m WHERE EXISTS (SELECT FROM seed)`

const versions = (catalogue: string, id: string, but: string = '') =>
  `SELECT count(*), sum(hashint8extended(xmin::text::bigint, ${id}::bigint)) FROM ${catalogue}
  WHERE ${id} >= ${first} ${but}`

/** Temporary tables come and go all the time, and who has one is pinned. */
const lasts = (relation: string) => `AND ${relation} NOT IN (TABLE passing)`

/**
 * Other rows when any has come, gone or changed that is read above: DDL gives each a new version, with the xmin of its
 * transaction.
 */
const versionSql = `WITH passing AS (SELECT oid FROM pg_class WHERE relpersistence = 't')
${[
  ...['pg_proc', 'pg_language', 'pg_operator', 'pg_cast', 'pg_policy'].map(each => versions(each, 'oid')),
  ...['pg_opclass', 'pg_opfamily', 'pg_amop', 'pg_amproc'].map(each => versions(each, 'oid')),
  versions('pg_class', 'oid', lasts('oid')),
  versions('pg_attribute', 'attrelid', lasts('attrelid')),
  versions('pg_inherits', 'inhrelid', lasts('inhrelid')),
  versions('pg_rewrite', 'oid', lasts('ev_class')),
  versions('pg_trigger', 'oid', lasts('tgrelid')),
  versions('pg_attrdef', 'oid', lasts('adrelid')),
  versions('pg_constraint', 'oid', lasts('conrelid')),
  // Arrays are not read.
  versions('pg_type', 'oid', `AND typelem = 0 ${lasts('typrelid')}`),
].join('\nUNION ALL ')}`

/** Reads them: all if anything has changed, which takes its time in a large schema, else what was read before. */
export function unseenBy(query: (sql: string) => Promise<Rows>): () => Promise<Rows> {
  let version: string | null = null
  let rows: Rows = []
  return async () => {
    // Before the rows: what changes in between makes another version.
    const now = JSON.stringify(await query(versionSql))
    if (now === version) return rows
    rows = await query(unseenSql)
    version = now
    return rows
  }
}
