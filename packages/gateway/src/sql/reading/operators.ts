/** Operators, and what the grammar makes of them: IN, BETWEEN, LIKE, IS DISTINCT FROM, ANY, NULLIF. */
import type { A_Expr, List, Node, RowExpr, SubLink } from 'libpg-query'
import type { Oid, Operator } from '../../catalogue/index.ts'
import type { Analysis } from './analysis.ts'
import { kindOf, stringsOf } from './nodes.ts'
import * as is from './oids.ts'
import { notUnderstood, unresolved } from './refused.ts'
import type { Call } from './resolve.ts'
import type { Scope } from './scope.ts'
import { listed } from './stars.ts'
import type { Value } from './values.ts'

const boolean: Value = { type: is.bool }

export function evaluateOperator(analysis: Analysis, node: A_Expr, scope: Scope): Value {
  const name = stringsOf(node.name ?? [])
  const side = (node: Node | undefined): Value => analysis.expression(node!, scope)
  switch (node.kind) {
    case 'AEXPR_OP':
      return plain(analysis, node, name, scope)
    case 'AEXPR_LIKE':
    case 'AEXPR_ILIKE':
    case 'AEXPR_SIMILAR':
    case 'AEXPR_DISTINCT':
    case 'AEXPR_NOT_DISTINCT':
      compare(analysis, name, node.lexpr!, node.rexpr!, scope)
      return boolean
    case 'AEXPR_NULLIF': {
      const { left } = operate(analysis, name, side(node.lexpr), side(node.rexpr))
      return { type: left.type }
    }
    case 'AEXPR_OP_ANY':
    case 'AEXPR_OP_ALL':
      anyOf(analysis, name, side(node.lexpr), side(node.rexpr))
      return boolean
    case 'AEXPR_IN':
      oneOf(analysis, name, node, scope)
      return boolean
    case 'AEXPR_BETWEEN':
    case 'AEXPR_NOT_BETWEEN':
    case 'AEXPR_BETWEEN_SYM':
    case 'AEXPR_NOT_BETWEEN_SYM': {
      const [lower, upper] = node.kind.includes('NOT') ? ['<', '>'] : ['>=', '<=']
      const [first, second] = items(node.rexpr!)
      // The left side is analysed for each comparison: a parameter has its type from the first.
      const compare = (operator: string, bound: Node | undefined) =>
        operate(analysis, [operator], side(node.lexpr), side(bound))
      compare(lower!, first)
      compare(upper!, second)
      if (node.kind.endsWith('SYM')) {
        compare(lower!, second)
        compare(upper!, first)
      }
      return boolean
    }
    default:
      throw notUnderstood(String(node.kind))
  }
}

export interface Operation {
  readonly call: Call<Operator>
  /** Both sides, as the operator takes them. */
  readonly left: Value
  readonly right: Value
}

/** @param left null for a prefix operator */
export function operate(
  analysis: Analysis,
  name: readonly string[],
  left: Value | null,
  right: Value,
): Operation {
  const call = analysis.resolver.operatorFor(name, left?.type ?? 0, right.type)
  if (!call || call.result === 0 || call.arguments.includes(0)) throw unresolved(`operator ${name.join('.')}`)
  const [first, second] = left ? call.arguments : [0, call.arguments[0]]
  const sides = {
    left: left ? analysis.coerce(left, first!, 'i') : { type: 0 },
    right: analysis.coerce(right, second!, 'i'),
  }
  analysis.judge.calls(call.callee.function, left ? [left, right] : [right])
  return { call, ...sides }
}

function plain(analysis: Analysis, node: A_Expr, name: readonly string[], scope: Scope): Value {
  if (!node.lexpr)
    return { type: operate(analysis, name, null, analysis.expression(node.rexpr!, scope)).call.result }
  return { type: compare(analysis, name, node.lexpr, node.rexpr!, scope) }
}

/** The result's type: a boolean of two rows, which are compared column by column, else what the operator says. */
function compare(analysis: Analysis, name: readonly string[], left: Node, right: Node, scope: Scope): Oid {
  if (!('RowExpr' in left) || !('RowExpr' in right || 'SubLink' in right))
    return operate(analysis, name, analysis.expression(left, scope), analysis.expression(right, scope)).call
      .result
  compareRows(analysis, name, fieldsOf(analysis, left, scope), fieldsOf(analysis, right, scope))
  return is.bool
}

export function compareRows(
  analysis: Analysis,
  name: readonly string[],
  left: readonly Value[],
  right: readonly Value[],
): void {
  if (left.length !== right.length) throw notUnderstood('a comparison of rows that are not alike')
  for (const [at, value] of left.entries()) operate(analysis, name, value, right[at]!)
}

/** Of a row written out, or a subquery of several columns; else the one value. */
function fieldsOf(analysis: Analysis, node: Node, scope: Scope): readonly Value[] {
  const [kind, content] = kindOf(node)
  if (kind === 'RowExpr') return listed(analysis, (content as RowExpr).args, scope)
  const { subLinkType, subselect } = content as SubLink
  if (kind !== 'SubLink' || subLinkType !== 'EXPR_SUBLINK') return [analysis.expression(node, scope)]
  const [, statement] = kindOf(subselect!)
  return analysis.select(statement as never, scope).map(({ value }) => ({
    type: analysis.settled(value).type,
    ...(value.fields && { fields: value.fields }),
  }))
}

/** `x = ANY (array)` */
function anyOf(analysis: Analysis, name: readonly string[], left: Value, array: Value): void {
  const { coercion } = analysis
  const element = array.type === is.unknown ? is.unknown : coercion.element(array.type)
  if (element === 0) throw unresolved('array')
  const call = analysis.resolver.operatorFor(name, left.type, element)
  const [first = 0, second = 0] = call?.arguments ?? []
  const own = coercion.arrayOf(second)
  if (!call || first === 0 || own === 0) throw unresolved(`operator ${name.join('.')}`)
  analysis.coerce(left, first, 'i')
  analysis.coerce(array, own, 'i')
  analysis.judge.calls(call.callee.function, [left, { type: second }])
}

/** Literals of an IN list become one type with the left side; what names columns is compared one by one. */
function oneOf(analysis: Analysis, name: readonly string[], node: A_Expr, scope: Scope): void {
  const list = items(node.rexpr!)
  if (list.some(item => 'RowExpr' in item)) {
    for (const item of list) compare(analysis, name, node.lexpr!, item, scope)
    return
  }
  const value = analysis.expression(node.lexpr!, scope)
  const values = list.map(item => analysis.expression(item, scope))
  const constants = values.filter((_, at) => !namesColumn(list[at]!))
  const type = constants.length > 1 ? commonElement(analysis, [value, ...constants]) : 0
  for (const [at, item] of values.entries())
    if (type === 0 || namesColumn(list[at]!)) operate(analysis, name, value, item)
  if (type === 0) return
  for (const constant of constants) analysis.coerce(constant, type, 'i')
  anyOf(analysis, name, value, { type: analysis.coercion.arrayOf(type) })
}

/** 0: there is none, or no array of it. */
function commonElement({ coercion }: Analysis, values: readonly Value[]): number {
  const type = coercion.common(values.map(({ type }) => type))
  if (type === null || type === is.record || coercion.arrayOf(type) === 0) return 0
  return values.every(value => coercion.can([value.type], [type], 'i')) ? type : 0
}

const items = (node: Node): readonly Node[] => {
  const [kind, content] = kindOf(node)
  return kind === 'List' ? ((content as List).items ?? []) : [node]
}

function namesColumn(node: object): boolean {
  if ('ColumnRef' in node) return true
  return Object.values(node).some(
    child => typeof child === 'object' && child !== null && namesColumn(child as object),
  )
}
