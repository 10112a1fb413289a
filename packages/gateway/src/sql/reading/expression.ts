/** The type of an expression, and what it depends on: a rule for each kind of node that an expression is made of. */
import type {
  A_ArrayExpr,
  A_Const,
  A_Expr,
  A_Indirection,
  BoolExpr,
  BooleanTest,
  CaseExpr,
  CoalesceExpr,
  CollateClause,
  ColumnRef,
  GroupingFunc,
  JsonArrayAgg,
  JsonArrayConstructor,
  JsonIsPredicate,
  JsonObjectAgg,
  JsonObjectConstructor,
  MinMaxExpr,
  Node,
  NullTest,
  ParamRef,
  RowExpr,
  SQLValueFunction,
  SubLink,
  TypeCast,
} from 'libpg-query'
import type { Oid } from '../../catalogue/index.ts'
import type { Analysis } from './analysis.ts'
import { evaluateCall } from './call.ts'
import { aggregateArray, aggregateObject, constructArray, constructObject } from './json.ts'
import { kindOf, stringsOf } from './nodes.ts'
import * as is from './oids.ts'
import { compareRows, evaluateOperator, operate } from './operators.ts'
import { notUnderstood, tellsOfNow, unresolved } from './refused.ts'
import { rowOf, type Scope } from './scope.ts'
import { listed } from './stars.ts'
import { castTo, typeOf } from './type-names.ts'
import type { Field, Value } from './values.ts'

type Rule = (analysis: Analysis, node: never, scope: Scope) => Value

export function evaluate(analysis: Analysis, node: Node, scope: Scope): Value {
  const [kind, content] = kindOf(node)
  const rule = rules[kind]
  if (!rule) throw notUnderstood(kind)
  return rule(analysis, content as never, scope)
}

const rules: { readonly [kind: string]: Rule } = {
  A_Const: constant,
  ParamRef: (analysis, node: ParamRef) => analysis.parameter(node.number ?? 0),
  ColumnRef: reference,
  TypeCast: cast,
  CollateClause: (analysis, node: CollateClause, scope) => ({
    type: analysis.settled(analysis.expression(node.arg!, scope)).type,
  }),
  A_Expr: (analysis, node: A_Expr, scope) => evaluateOperator(analysis, node, scope),
  BoolExpr: (analysis, node: BoolExpr, scope) => {
    for (const argument of node.args ?? []) analysis.condition(argument, scope)
    return { type: is.bool }
  },
  NullTest: (analysis, node: NullTest, scope) => {
    analysis.settled(analysis.expression(node.arg!, scope))
    return { type: is.bool }
  },
  BooleanTest: (analysis, node: BooleanTest, scope) => {
    analysis.condition(node.arg, scope)
    return { type: is.bool }
  },
  CaseExpr: chooseCase,
  CoalesceExpr: (analysis, node: CoalesceExpr, scope) => analysis.common(all(analysis, node.args, scope)),
  MinMaxExpr: (analysis, node: MinMaxExpr, scope) => analysis.common(all(analysis, node.args, scope)),
  SubLink: subquery,
  FuncCall: evaluateCall,
  RowExpr: (analysis, node: RowExpr, scope) => {
    const fields = listed(analysis, node.args, scope).map((value, at) => ({
      name: `f${at + 1}`,
      value: analysis.settled(value),
    }))
    return { type: is.record, fields }
  },
  A_ArrayExpr: (analysis, node: A_ArrayExpr, scope) => array(analysis, node, scope),
  A_Indirection: indirection,
  GroupingFunc: (analysis, node: GroupingFunc, scope) => {
    all(analysis, node.args, scope)
    return { type: is.int4 }
  },
  SQLValueFunction: valueFunction,
  JsonObjectConstructor: (analysis, node: JsonObjectConstructor, scope) =>
    constructObject(analysis, node, scope),
  JsonArrayConstructor: (analysis, node: JsonArrayConstructor, scope) =>
    constructArray(analysis, node, scope),
  JsonIsPredicate: (analysis, node: JsonIsPredicate, scope) => {
    analysis.settled(analysis.expression(node.expr!, scope))
    return { type: is.bool }
  },
  JsonObjectAgg: (analysis, node: JsonObjectAgg, scope) => aggregateObject(analysis, node, scope),
  JsonArrayAgg: (analysis, node: JsonArrayAgg, scope) => aggregateArray(analysis, node, scope),
}

/** `t.*` among them is one value, the row. */
const all = (analysis: Analysis, nodes: readonly Node[] | undefined, scope: Scope): Value[] =>
  (nodes ?? []).map(node => analysis.expression(node, scope))

const largestInt4 = 2_147_483_647n
const largestInt8 = 9_223_372_036_854_775_807n

function constant(analysis: Analysis, node: A_Const): Value {
  const location = node.location ?? 0
  if (node.isnull) return { type: is.unknown }
  if (node.sval) return analysis.literal(location, node.sval.sval ?? '')
  if (node.boolval) return { type: is.bool }
  if (node.bsval) return { type: is.bit }
  const at = analysis.numberAt(location)
  return { type: numberType(node), ...(at && { at }) }
}

function numberType(node: A_Const): Oid {
  const digits = node.fval?.fval
  if (digits === undefined) return is.int4
  const [, sign, whole] = /^(-?)((?:0[xob])?[\da-f_]+)$/i.exec(digits) ?? []
  if (whole === undefined || /^\d+e/i.test(whole)) return is.numeric
  const size = BigInt(whole.replaceAll('_', ''))
  const value = sign === '-' ? -size : size
  if (value >= -largestInt4 - 1n && value <= largestInt4) return is.int4
  return value >= -largestInt8 - 1n && value <= largestInt8 ? is.int8 : is.numeric
}

function reference(_analysis: Analysis, node: ColumnRef, scope: Scope): Value {
  const fields = node.fields ?? []
  const name = stringsOf(fields)
  if (name.length === fields.length) return scope.column(name)
  const row = name.length > 0 ? rowOf(scope.table(name)) : undefined
  if (!row) throw notUnderstood('* in an expression')
  return row
}

/** `'{1,2}'::int[]` reads the literal as an array; `ARRAY[…]::int[]` casts each element. */
function cast(analysis: Analysis, node: TypeCast, scope: Scope): Value {
  const type = typeOf(analysis, node.typeName!)
  const [kind, content] = kindOf(node.arg!)
  const element = analysis.coercion.element(type)
  if (kind === 'A_ArrayExpr' && element !== 0) {
    array(analysis, content as A_ArrayExpr, scope, element)
    analysis.judge.checks(type)
    return { type }
  }
  return castTo(analysis, analysis.expression(node.arg!, scope), node.typeName!)
}

/** @param element what a cast makes of each element */
function array(analysis: Analysis, node: A_ArrayExpr, scope: Scope, element?: Oid): Value {
  const elements = node.elements ?? []
  if (element !== undefined) {
    for (const one of elements) {
      const [kind, content] = kindOf(one)
      if (kind === 'A_ArrayExpr') array(analysis, content as A_ArrayExpr, scope, element)
      else analysis.coerce(analysis.expression(one, scope), element, 'e')
    }
    return { type: analysis.coercion.arrayOf(element) }
  }
  if (elements.length === 0) throw unresolved('type of ARRAY[]')
  const { type } = analysis.common(all(analysis, elements, scope))
  // An array of arrays has one more dimension, and is of the same type.
  const own = analysis.coercion.element(type) === 0 ? analysis.coercion.arrayOf(type) : type
  if (own === 0) throw unresolved('type of ARRAY[…]')
  return { type: own }
}

function chooseCase(analysis: Analysis, node: CaseExpr, scope: Scope): Value {
  const tested = node.arg && analysis.settled(analysis.expression(node.arg, scope))
  const results: Value[] = []
  for (const branch of node.args ?? []) {
    const [, when] = kindOf(branch) as [string, { expr: Node; result: Node }]
    if (tested) operate(analysis, ['='], tested, analysis.expression(when.expr, scope))
    else analysis.condition(when.expr, scope)
    results.push(analysis.expression(when.result, scope))
  }
  // The ELSE is read last, and counts first.
  const otherwise = node.defresult ? analysis.expression(node.defresult, scope) : { type: is.unknown }
  return analysis.common([otherwise, ...results])
}

function subquery(analysis: Analysis, node: SubLink, scope: Scope): Value {
  const [kind, statement] = kindOf(node.subselect!)
  if (kind !== 'SelectStmt') throw notUnderstood('anything but a SELECT in a subquery')
  const columns = analysis.select(statement as never, scope)
  switch (node.subLinkType) {
    case 'EXISTS_SUBLINK':
      return { type: is.bool }
    case 'EXPR_SUBLINK':
      return only(columns, analysis)
    case 'ARRAY_SUBLINK': {
      const { type } = only(columns, analysis)
      return { type: analysis.coercion.element(type) === 0 ? analysis.coercion.arrayOf(type) : type }
    }
    case 'ANY_SUBLINK':
    case 'ALL_SUBLINK': {
      const name = node.operName ? stringsOf(node.operName) : ['=']
      compareRows(
        analysis,
        name,
        fieldsOf(analysis, node.testexpr!, scope),
        columns.map(column => column.value),
      )
      return { type: is.bool }
    }
    default:
      throw notUnderstood(String(node.subLinkType))
  }
}

function only(columns: readonly Field[], analysis: Analysis): Value {
  const [column, second] = columns
  if (!column || second) throw notUnderstood('a subquery with other than one column')
  return withoutPlace(analysis.settled(column.value))
}

/** It is not the literal any more that stands there, nor the column. */
const withoutPlace = ({ type, fields }: Value): Value => ({ type, ...(fields && { fields }) })

function fieldsOf(analysis: Analysis, node: Node, scope: Scope): Value[] {
  const [kind, content] = kindOf(node)
  return kind === 'RowExpr'
    ? listed(analysis, (content as RowExpr).args, scope)
    : [analysis.expression(node, scope)]
}

function indirection(analysis: Analysis, node: A_Indirection, scope: Scope): Value {
  let value = analysis.settled(analysis.expression(node.arg!, scope))
  let run: Subscript[] = []
  for (const step of node.indirection ?? []) {
    const [kind, content] = kindOf(step)
    if (kind === 'A_Indices') run.push(content as Subscript)
    else if (kind === 'String') {
      value = fieldOf(
        analysis,
        subscripted(analysis, value, run, scope),
        (content as { sval?: string }).sval ?? '',
      )
      run = []
    } else throw notUnderstood(`${kind} behind an expression`)
  }
  return withoutPlace(subscripted(analysis, value, run, scope))
}

interface Subscript {
  readonly is_slice?: boolean
  readonly lidx?: Node
  readonly uidx?: Node
}

/** a[1][2] is one element of a; with a slice among them, all are slices. */
function subscripted(analysis: Analysis, value: Value, run: readonly Subscript[], scope: Scope): Value {
  if (run.length === 0) return value
  const { coercion } = analysis
  const isJson = coercion.base(value.type) === is.jsonb
  const element = isJson ? is.jsonb : coercion.element(value.type)
  if (element === 0) throw notUnderstood('subscripts of other than arrays and jsonb')
  for (const index of run.flatMap(({ lidx, uidx }) => [lidx, uidx])) {
    if (!index) continue
    const value = analysis.expression(index, scope)
    if (isJson) analysis.coerce(value, keyType(analysis, value), 'i')
    else analysis.coerce(value, is.int4, 'a')
  }
  return { type: run.some(({ is_slice }) => is_slice) ? coercion.base(value.type) : element }
}

/** Of a subscript of jsonb: text or int4, whichever it can be. */
function keyType({ coercion }: Analysis, { type }: Value): Oid {
  if (type === is.unknown) return is.text
  const [only, second] = [is.int4, is.text].filter(key => coercion.can([type], [key], 'i'))
  if (only === undefined || second !== undefined) throw unresolved('subscript of jsonb')
  return only
}

function fieldOf(analysis: Analysis, value: Value, name: string): Value {
  const own = value.fields?.find(field => field.name === name)
  if (own) return own.value
  const type = analysis.names.catalogue.type(analysis.coercion.base(value.type))
  const field = type?.fields.find(field => field.name === name)
  if (!field) throw notUnderstood(`.${name} of something that has no such field`)
  return { type: field.type }
}

function valueFunction(analysis: Analysis, node: SQLValueFunction): Value {
  const what = (node.op ?? '').replace('SVFOP_', '').replace(/_N$/, '')
  if (!/^(?:CURRENT_ROLE|CURRENT_USER|USER|SESSION_USER|CURRENT_CATALOG)$/.test(what)) throw tellsOfNow(what)
  analysis.ofKey(what)
  return { type: analysis.resolver.typeNamed(['pg_catalog', 'name']) }
}
