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
  for (const pair of node.exprs ?? []) keyAndValue(analysis, kindOf(pair)[1] as JsonKeyValue, scope)
  return result(analysis, node.output)
}

export function constructArray(analysis: Analysis, node: JsonArrayConstructor, scope: Scope): Value {
  for (const item of node.exprs ?? []) print(analysis, kindOf(item)[1] as JsonValueExpr, scope)
  return result(analysis, node.output)
}

export function aggregateObject(analysis: Analysis, node: JsonObjectAgg, scope: Scope): Value {
  keyAndValue(analysis, node.arg!, scope)
  aggregate(analysis, node, scope)
  return result(analysis, node.constructor?.output)
}

export function aggregateArray(analysis: Analysis, node: JsonArrayAgg, scope: Scope): Value {
  print(analysis, node.arg!, scope)
  aggregate(analysis, node, scope)
  return result(analysis, node.constructor?.output)
}

function aggregate(analysis: Analysis, node: JsonObjectAgg | JsonArrayAgg, scope: Scope): void {
  for (const order of node.constructor?.agg_order ?? [])
    sortBy(analysis, (order as { SortBy: SortBy }).SortBy, scope)
  analysis.condition(node.constructor?.agg_filter, scope)
  if (node.constructor?.over) window(analysis, node.constructor.over, scope)
}

function keyAndValue(analysis: Analysis, { key, value }: JsonKeyValue, scope: Scope): void {
  printNode(analysis, key!, scope)
  print(analysis, value!, scope)
}

function print(analysis: Analysis, node: JsonValueExpr, scope: Scope): void {
  printNode(analysis, node.raw_expr!, scope)
}

function printNode(analysis: Analysis, node: Node, scope: Scope): void {
  analysis.judge.prints(analysis.settled(analysis.expression(node, scope)))
}

function result(analysis: Analysis, output: JsonOutput | undefined): Value {
  if (!output?.typeName) return { type: is.json }
  const type = typeOf(analysis, output.typeName)
  if (![is.json, is.jsonb, is.text].includes(type))
    throw notUnderstood('RETURNING of other than json, jsonb or text')
  return { type }
}
