/**
 * What a statement sets, until its transaction is over, of what decides what names mean: the search_path and the role.
 *
 *     SET LOCAL search_path = tenant_7, "B"                 two schemas
 *     SET LOCAL ROLE editor
 *     SELECT set_config('search_path', $1, true),           a list as PostgreSQL reads it: tenant_7, "B"
 *            set_config('role', $2, true)
 *
 * What can't be told for sure (another function of the name, a value that is computed, a call that may not run) is
 * `unknown`.
 * Source: PostgreSQL's src/backend/utils/misc/guc_funcs.c, flatten_set_variable_args and set_config_by_name.
 */
import type { FuncCall, Node, SelectStmt, VariableSetStmt } from 'libpg-query'
import { firstUserOid } from '../../catalogue/index.ts'
import { quoteIdentifier } from '../quote.ts'
import { stringsOf } from '../reading/nodes.ts'
import * as is from '../reading/oids.ts'
import type { NameSetting, NamesMoved, Said } from '../writing.ts'
import type { Findings, Path } from './findings.ts'
import { routinesOf } from './names.ts'
import { type Places, withoutCast } from './rows.ts'
import type { WrittenValues } from './written.ts'

/** A parameter's value for the rest of the transaction. */
export type Setting = readonly [name: string, value: string]

const moving = /^(?:search_path|role|session_authorization)$/i

/** @returns null if it leaves what names mean as it is */
export function movedBySet(
  { args = [], is_local: isLocal, kind, name = '' }: VariableSetStmt,
  places: Places,
): NamesMoved | null {
  if (kind !== 'VAR_RESET_ALL' && !moving.test(name)) return null
  const said = args.map(node => saidBy(node, places))
  const isTold = kind === 'VAR_SET_VALUE' && isLocal && said.every(part => part !== null)
  return isTold ? [{ name: { constant: name }, value: said, isList: name === 'search_path' }] : 'unknown'
}

/**
 * A call of set_config.
 *
 * @param once it is run, exactly once
 */
export function movedByCall(
  { catalogue }: Findings,
  { args = [], funcname = [] }: FuncCall,
  path: Path,
  places: Places,
  once: boolean,
): NamesMoved | null {
  const [name, value, isLocal] = args.map(node => withoutCast({ catalogue, path }, node))
  const named = name && texts.has(name.cast) ? nameBy(name.value) : null
  if (named && 'constant' in named && !moving.test(named.constant)) return null
  const isTold = args.length === 3 && once && isLocal && isTrue(isLocal.value)
  const isBuiltin = routinesOf(catalogue, path, stringsOf(funcname), 3).every(({ oid }) => oid < firstUserOid)
  if (!named || !isTold || !isBuiltin) return 'unknown'
  const said = value && texts.has(value.cast) ? saidBy(value.value, places) : null
  return [{ name: named, value: said && [said], isList: false }]
}

/** Calls of set_config that are all that a SELECT does: each is run once, and in their order. */
export function callsRunOnce({
  targetList = [],
  limitOption,
  op,
  ...others
}: SelectStmt): ReadonlySet<object> {
  const isPlain = op === 'SETOP_NONE' && limitOption === 'LIMIT_OPTION_DEFAULT'
  if (!isPlain || Object.keys(others).length > 0) return none
  const calls = targetList.map(target => ('ResTarget' in target ? target.ResTarget.val : undefined))
  const areCalls = calls.every(
    call => call && 'FuncCall' in call && stringsOf(call.FuncCall.funcname ?? []).at(-1) === 'set_config',
  )
  return areCalls ? new Set(calls.map(call => (call as { FuncCall: FuncCall }).FuncCall)) : none
}

/** What it comes to for the values of one statement. */
export function settingsOf(
  settings: readonly NameSetting[],
  values: WrittenValues,
): readonly Setting[] | 'unknown' {
  const set: Setting[] = []
  for (const { isList, name: named, value } of settings) {
    const name = textOf(named, values)?.toLowerCase()
    if (name !== undefined && !moving.test(name)) continue
    const parts = value?.map(said => textOf(said, values)) ?? [null]
    // What else a session authorization does to the role is left to the server.
    if ((name !== 'search_path' && name !== 'role') || !parts.every(part => part !== null)) return 'unknown'
    set.push([name, isList ? parts.map(quoteIdentifier).join(', ') : parts.join('')])
  }
  return set
}

/** A literal is the plan's: with another one it is another plan. */
function nameBy(node: Node): Exclude<Said, { literal: number }> | null {
  if ('ParamRef' in node) return { parameter: node.ParamRef.number ?? 0 }
  return 'A_Const' in node && node.A_Const.sval ? { constant: node.A_Const.sval.sval ?? '' } : null
}

function saidBy(node: Node, places: Places): Said | null {
  if ('ParamRef' in node) return { parameter: node.ParamRef.number ?? 0 }
  if (!('A_Const' in node) || node.A_Const.sval === undefined) return null
  const { location = 0, sval } = node.A_Const
  const literal = places.literalAt(location)
  if (literal !== undefined) return { literal }
  return places.isText ? { constant: sval.sval ?? '' } : null
}

function textOf(said: Said, values: WrittenValues): string | null {
  if ('constant' in said) return said.constant
  if ('literal' in said) return values.literal(said.literal)
  const given = values.parameter(said.parameter)
  if (given === null || !texts.has(values.parameterType(said.parameter))) return null
  return typeof given === 'string' ? given : Buffer.from(given).toString()
}

/** Types whose values, and casts to which, leave a text as it is; 0: there is none, or PostgreSQL finds it. */
const texts: ReadonlySet<number> = new Set([0, is.unknown, is.text, is.varchar])
const none: ReadonlySet<object> = new Set()

const isTrue = (node: Node): boolean => 'A_Const' in node && node.A_Const.boolval?.boolval === true
