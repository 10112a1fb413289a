/** JSON_OBJECT, JSON_ARRAY and their aggregates: they print what they are given. */
import type {
  JsonArrayAgg,
  JsonArrayConstructor,
  JsonKeyValue,
  JsonObjectAgg,
  JsonObjectConstructor,
  JsonOutput,
  JsonValueExpr,
  Node,
  SortBy,
} from 'libpg-query'
import type { Analysis } from './analysis.ts'
import { window } from './call.ts'
import { kindOf } from './nodes.ts'
import * as is from './oids.ts'
import { notUnderstood } from './refused.ts'
import type { Scope } from './scope.ts'
import { sortBy } from './sorting.ts'
import { typeOf } from './type-names.ts'
import type { Value } from './values.ts'

export function constructObject(analysis: Analysis, node: JsonObjectConstructor, scope: Scope): Value {
  const values = (node.exprs ?? []).flatMap(pair =>
    keyAndValue(analysis, kindOf(pair)[1] as JsonKeyValue, scope),
  )
  return result(analysis, node.output, values)
}

export function constructArray(analysis: Analysis, node: JsonArrayConstructor, scope: Scope): Value {
  const values = (node.exprs ?? []).map(item => print(analysis, kindOf(item)[1] as JsonValueExpr, scope))
  return result(analysis, node.output, values)
}

export function aggregateObject(analysis: Analysis, node: JsonObjectAgg, scope: Scope): Value {
  const values = keyAndValue(analysis, node.arg!, scope)
  aggregate(analysis, node, scope)
  return result(analysis, node.constructor?.output, values)
}

export function aggregateArray(analysis: Analysis, node: JsonArrayAgg, scope: Scope): Value {
  const value = print(analysis, node.arg!, scope)
  aggregate(analysis, node, scope)
  return result(analysis, node.constructor?.output, [value])
}

function aggregate(analysis: Analysis, node: JsonObjectAgg | JsonArrayAgg, scope: Scope): void {
  for (const order of node.constructor?.agg_order ?? [])
    sortBy(analysis, (order as { SortBy: SortBy }).SortBy, scope)
  analysis.condition(node.constructor?.agg_filter, scope)
  if (node.constructor?.over) window(analysis, node.constructor.over, scope)
}

function keyAndValue(analysis: Analysis, { key, value }: JsonKeyValue, scope: Scope): Value[] {
  return [printed(analysis, key!, scope), print(analysis, value!, scope)]
}

function print(analysis: Analysis, node: JsonValueExpr, scope: Scope): Value {
  return printed(analysis, node.raw_expr!, scope)
}

function printed(analysis: Analysis, node: Node, scope: Scope): Value {
  const value = analysis.settled(analysis.expression(node, scope))
  analysis.judge.prints(value)
  return value
}

/** Without RETURNING it is json, or jsonb if anything in it is. */
function result(analysis: Analysis, output: JsonOutput | undefined, values: readonly Value[]): Value {
  if (!output?.typeName) return { type: values.some(({ type }) => type === is.jsonb) ? is.jsonb : is.json }
  const type = typeOf(analysis, output.typeName)
  if (![is.json, is.jsonb, is.text].includes(type))
    throw notUnderstood('RETURNING of other than json, jsonb or text')
  return { type }
}
