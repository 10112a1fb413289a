/** The part of a Catalogue by which names in expressions are resolved: functions, operators, casts, types. */
import type { Cast, Column, Oid, Operator, Routine, Type } from './catalogue.ts'
import type { Query, Row } from './query.ts'
import { grouped, isTrue, number, numbers, text, userOids } from './rows.ts'

const routinesSql = `SELECT p.oid, n.nspname, p.proname, p.prokind, p.proargtypes, p.provariadic, p.pronargdefaults,
    p.prorettype, p.proretset, p.provolatile, l.lanname, p.prosecdef, array_to_string(p.proallargtypes, ' '),
    array_to_string(p.proargmodes, ''), array_to_json(p.proargnames),
    CASE WHEN p.oid >= ${userOids} AND l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f'
      AND (p.provolatile = 'v' OR p.prorettype = 'trigger'::regtype) THEN pg_get_functiondef(p.oid) END,
    CASE WHEN p.oid >= ${userOids} AND p.pronargdefaults > 0 THEN (SELECT string_agg(d.refobjid::text, ' ')
      FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.refclassid = 'pg_proc'::regclass AND d.refobjid >= ${userOids}) END,
    (SELECT substr(setting, 13) FROM unnest(p.proconfig) setting WHERE starts_with(setting, 'search_path=')),
    pg_get_expr(p.proargdefaults, 0)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
  WHERE NOT starts_with(n.nspname, 'pg_temp_')`

export const readRoutines = async (ask: Query): Promise<Routine[]> => (await ask(routinesSql)).map(routineOf)

const routineOf = (row: Row): Routine => ({
  oid: number(row[0]),
  schema: text(row[1]),
  name: text(row[2]),
  kind: text(row[3]),
  arguments: numbers(row[4]),
  variadic: number(row[5]),
  defaults: number(row[6]),
  returns: number(row[7]),
  returnsSet: isTrue(row[8]),
  volatility: text(row[9]),
  language: text(row[10]),
  securityDefiner: isTrue(row[11]),
  argumentNames: argumentNamesOf(row),
  outputs: outputsOf(row),
  definition: row[15] ?? null,
  defaultsCall: numbers(row[16]),
  searchPath: row[17] ?? null,
  defaultValues: row[18] ?? null,
})

const namesOf = (row: Row): readonly string[] => (row[14] ? (JSON.parse(row[14]) as string[]) : [])

/** The modes are empty if all arguments go in. */
function argumentNamesOf(row: Row): readonly string[] {
  const modes = text(row[13])
  return modes === '' ? namesOf(row) : namesOf(row).filter((_, at) => 'ibv'.includes(modes[at]!))
}

function outputsOf(row: Row): Routine['outputs'] {
  const modes = text(row[13])
  if (modes === '') return []
  const types = numbers(row[12])
  const names = namesOf(row)
  return types.flatMap((type, at) => ('obt'.includes(modes[at]!) ? [{ name: names[at] ?? '', type }] : []))
}

const operatorsSql = `SELECT o.oid, n.nspname, o.oprname, o.oprleft, o.oprright, o.oprresult, o.oprcode::oid
  FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oprcode <> 0`

export const readOperators = async (ask: Query): Promise<Operator[]> =>
  (await ask(operatorsSql)).map(row => ({
    oid: number(row[0]),
    schema: text(row[1]),
    name: text(row[2]),
    left: number(row[3]),
    right: number(row[4]),
    result: number(row[5]),
    function: number(row[6]),
  }))

const castsSql = 'SELECT castsource, casttarget, castfunc, castcontext, castmethod FROM pg_cast'

export const readCasts = async (ask: Query): Promise<Cast[]> =>
  (await ask(castsSql)).map(row => ({
    source: number(row[0]),
    target: number(row[1]),
    function: number(row[2]),
    context: text(row[3]),
    method: text(row[4]),
  }))

/** Only what is subscripted like an array is one: name, point and box have elements, too. */
const typesSql = `SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typispreferred,
    CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN t.typelem ELSE 0 END, t.typarray, t.typbasetype,
    t.typrelid, t.typinput::oid, t.typoutput::oid, t.typcollation
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE NOT starts_with(n.nspname, 'pg_temp_') AND NOT starts_with(n.nspname, 'pg_toast')`

const rangesSql = `SELECT rngtypid, rngsubtype, rngmultitypid FROM pg_range
  UNION ALL SELECT rngmultitypid, rngsubtype, rngtypid FROM pg_range`

const checksSql = `SELECT contypid, pg_get_expr(conbin, 0) FROM pg_constraint WHERE contypid <> 0 AND contype = 'c'`

export async function readTypes(ask: Query, fields: ReadonlyMap<Oid, readonly Column[]>): Promise<Type[]> {
  const ranges = grouped(await ask(rangesSql), row => ({
    subtype: number(row[1]),
    counterpart: number(row[2]),
  }))
  const checks = grouped(await ask(checksSql), row => text(row[1]))
  return (await ask(typesSql)).map(row => {
    const oid = number(row[0])
    const range = ranges.get(oid)?.[0]
    return {
      oid,
      schema: text(row[1]),
      name: text(row[2]),
      kind: text(row[3]),
      category: text(row[4]),
      preferred: isTrue(row[5]),
      element: number(row[6]),
      array: number(row[7]),
      base: number(row[8]),
      relation: number(row[9]),
      input: number(row[10]),
      output: number(row[11]),
      collation: number(row[12]),
      subtype: range?.subtype ?? 0,
      counterpart: range?.counterpart ?? 0,
      checks: checks.get(oid) ?? [],
      fields: fields.get(number(row[9])) ?? [],
    }
  })
}
