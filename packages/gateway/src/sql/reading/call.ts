/** Function calls: aggregates and windows among them, and casts that are written like calls. */
import type { FuncCall, NamedArgExpr, Node, SortBy, WindowDef } from 'libpg-query'
import type { Oid, Routine } from '../../catalogue/index.ts'
import { firstUserOid } from '../../catalogue/index.ts'
import type { Analysis } from './analysis.ts'
import { tellsOfKey } from './effects.ts'
import { kindOf, stringsOf } from './nodes.ts'
import * as is from './oids.ts'
import { notUnderstood, unresolved, volatileFunction } from './refused.ts'
import type { Call } from './resolve.ts'
import type { Scope } from './scope.ts'
import { sortBy } from './sorting.ts'
import type { Value } from './values.ts'

export function evaluateCall(analysis: Analysis, node: FuncCall, scope: Scope): Value {
  const { call } = resolveCall(analysis, node, scope)
  if ('cast' in call) return call.cast
  const { callee, result } = call
  if (result !== is.record || callee.outputs.length === 0) return { type: result }
  const fields = callee.outputs.map(({ name, type }) => ({ name, value: { type } }))
  return { type: result, fields }
}

/** Which function it is; all that it depends on is judged. */
export function resolveCall(
  analysis: Analysis,
  node: FuncCall,
  scope: Scope,
): { call: Call<Routine> | { cast: Value }; values: readonly Value[] } {
  analysis.sees(node)
  const name = stringsOf(node.funcname ?? [])
  const written = (node.args ?? []).map(argument => argumentOf(analysis, argument, scope))
  for (const order of node.agg_order ?? []) {
    const value = sortBy(analysis, (order as { SortBy: SortBy }).SortBy, scope)
    if (node.agg_within_group) written.push({ value })
  }
  analysis.condition(node.agg_filter, scope)
  if (node.over) window(analysis, node.over, scope)
  const isNamed = written.some(({ name }) => name !== undefined)
  const values = isNamed ? inOrder(analysis, name, written) : written.map(({ value }) => value)
  const types = values.map(({ type }) => type)
  const cast = values.length === 1 && !isNamed && castLike(analysis, node, name, values[0]!)
  if (cast) return { call: { cast }, values }
  const call = analysis.resolver.functionFor(name, types, node.func_variadic === true)
  if (!call || call.result === 0 || call.arguments.includes(0)) throw unresolved(`function ${name.join('.')}`)
  // Said before what its arguments are read as: nextval's name is a regclass.
  if (call.callee.volatility === 'v') throw volatileFunction(call.callee.name)
  if (written.length < call.callee.arguments.length && call.callee.defaultValues !== null)
    analysis.defined().check(call.callee.defaultValues, [])
  const read = values.map((value, at) => analysis.coerce(value, call.arguments[at]!, 'i'))
  judgeCall(
    analysis,
    call,
    values.map((value, at) => (call.arguments[at] === is.any ? value : { ...value, type: read[at]!.type })),
  )
  return { call, values: read }
}

function judgeCall(analysis: Analysis, { callee, result }: Call<Routine>, values: readonly Value[]): void {
  if (callee.oid < firstUserOid && analysis.names.defined) {
    if (tellsOfKey.has(callee.name)) return
    const setting = values[0]?.written
    // PostgreSQL's own parameters may be others on each server connection.
    if (callee.name === 'current_setting' && setting?.includes('.')) {
      analysis.findings.settings.add(setting.toLowerCase())
      return
    }
  }
  analysis.judge.routine(callee, values, result)
}

interface Argument {
  readonly value: Value
  readonly name?: string
}

function argumentOf(analysis: Analysis, node: Node, scope: Scope): Argument {
  const [kind, content] = kindOf(node)
  if (kind !== 'NamedArgExpr') return { value: analysis.expression(node, scope) }
  const { arg, name } = content as NamedArgExpr
  return { value: analysis.expression(arg!, scope), name: name ?? '' }
}

/** `make_interval(days => 1)`: what is not named is of its type, by its default. */
function inOrder(analysis: Analysis, name: readonly string[], written: readonly Argument[]): Value[] {
  const [callee, second] = analysis.resolver.routines(name)
  if (!callee || second) throw unresolved(`function ${name.join('.')}`)
  const values: Value[] = callee.arguments.map(type => ({ type }))
  for (const [at, argument] of written.entries()) {
    const place = argument.name === undefined ? at : callee.argumentNames.indexOf(argument.name)
    if (place < 0 || place >= values.length) throw unresolved(`function ${name.join('.')}`)
    values[place] = argument.value
  }
  return values
}

/** `date('2026-01-01')`, `text(x)`: a type's name in place of a function's. */
function castLike(analysis: Analysis, node: FuncCall, name: readonly string[], value: Value): Value | null {
  if (
    node.agg_star ||
    node.agg_distinct ||
    node.agg_order ||
    node.agg_filter ||
    node.over ||
    node.func_variadic
  )
    return null
  const type = analysis.resolver.typeNamed(name)
  if (type === 0 || analysis.resolver.hasExactFunction(name, [value.type])) return null
  const isLiteral = value.type === is.unknown && !(value.at && 'parameter' in value.at)
  return isLiteral || isCast(analysis, value.type, type) ? analysis.coerce(value, type, 'e') : null
}

function isCast({ coercion }: Analysis, from: Oid, to: Oid): boolean {
  const pathway = coercion.pathway(from, to, 'e')
  if (pathway?.by !== 'text') return pathway?.by === 'relabel'
  return !((from === is.record || coercion.isComposite(from)) && coercion.category(to) === 'S')
}

/** FRAMEOPTION_RANGE of parsenodes.h. */
const rangeFrame = 2

/** Its names, if it has one, are those of a WINDOW clause, which is judged there. */
export function window(analysis: Analysis, node: WindowDef, scope: Scope): void {
  for (const partition of node.partitionClause ?? []) analysis.settled(analysis.expression(partition, scope))
  for (const order of node.orderClause ?? []) sortBy(analysis, (order as { SortBy: SortBy }).SortBy, scope)
  for (const offset of [node.startOffset, node.endOffset])
    if (offset)
      bound(analysis, analysis.expression(offset, scope), ((node.frameOptions ?? 0) & rangeFrame) !== 0)
}

/** Of RANGE it is what the ordering's in_range takes: a number or, for dates and times, an interval. */
function bound(analysis: Analysis, value: Value, isRange: boolean): void {
  if (!isRange) analysis.coerce(value, is.int8, 'a')
  else if (value.type === is.unknown && value.at && 'parameter' in value.at)
    throw notUnderstood('a parameter as the bound of a RANGE')
  else if (value.type >= firstUserOid) throw notUnderstood('a bound of a RANGE of such a type')
}
