/** FROM: tables, subqueries, functions, joins. */
import type {
  Alias,
  ColumnDef,
  FuncCall,
  JoinExpr,
  Node,
  RangeFunction,
  RangeSubselect,
  RangeVar,
} from 'libpg-query'
import type { Analysis } from './analysis.ts'
import { resolveCall } from './call.ts'
import { columnName } from './column-names.ts'
import { renamed, settled } from './columns.ts'
import { readsJson } from './effects.ts'
import { kindOf, stringsOf } from './nodes.ts'
import * as is from './oids.ts'
import { operate } from './operators.ts'
import { notUnderstood, unresolved } from './refused.ts'
import { readTable } from './relations.ts'
import { both, type Namespace, nothing, type Scope } from './scope.ts'
import { typeOf } from './type-names.ts'
import type { Field, Table } from './values.ts'

export function readFrom(analysis: Analysis, items: readonly Node[] | undefined, scope: Scope): Namespace {
  let namespace = nothing
  for (const item of items ?? []) namespace = both(namespace, readItem(analysis, item, scope.with(namespace)))
  return namespace
}

/** @param scope with the tables to its left, for LATERAL */
function readItem(analysis: Analysis, node: Node, scope: Scope): Namespace {
  const [kind, content] = kindOf(node)
  switch (kind) {
    case 'RangeVar':
      return alone(readTable(analysis, content as RangeVar, scope))
    case 'RangeSubselect':
      return alone(subquery(analysis, content as RangeSubselect, scope))
    case 'RangeFunction':
      return alone(functions(analysis, content as RangeFunction, scope))
    case 'JoinExpr':
      return join(analysis, content as JoinExpr, scope)
    default:
      throw notUnderstood(`${kind} in FROM`)
  }
}

const alone = (table: Table): Namespace => ({ tables: [table], columns: table.fields })

const derived = (alias: Alias | undefined, fields: readonly Field[], name: string = ''): Table => ({
  name: alias?.aliasname ?? name,
  fields: renamed(fields, alias?.colnames),
  rowType: is.record,
})

function subquery(analysis: Analysis, node: RangeSubselect, scope: Scope): Table {
  const [kind, statement] = kindOf(node.subquery!)
  if (kind !== 'SelectStmt') throw notUnderstood(`${kind} in FROM`)
  const columns = analysis.select(statement as never, node.lateral ? scope : scope.with(nothing))
  return derived(node.alias, settled(analysis, columns))
}

function functions(analysis: Analysis, node: RangeFunction, scope: Scope): Table {
  const calls = (node.functions ?? []).flatMap(item => {
    const [call, definitions] = (kindOf(item)[1] as { items: Node[] }).items
    analysis.sees(kindOf(call!)[1])
    const own = kindOf(definitions ?? ({} as Node))[1] as { items?: Node[] }
    return unnested(call!).map(call => ({ call, columns: node.coldeflist ?? own.items ?? [] }))
  })
  const alias = calls.length === 1 ? node.alias : undefined
  const fields = calls.flatMap(({ call, columns }) => ofFunction(analysis, call, columns, alias, scope))
  if (node.ordinality) fields.push({ name: 'ordinality', value: { type: is.int8 } })
  return derived(node.alias, fields, fields.length === 1 ? fields[0]!.name : functionName(node))
}

/** unnest of several arrays is several calls. */
function unnested(node: Node): Node[] {
  const [kind, content] = kindOf(node)
  const { funcname = [], args = [], ...call } = content as FuncCall
  const [name, second] = stringsOf(funcname)
  if (kind !== 'FuncCall' || name !== 'unnest' || second !== undefined || args.length < 2) return [node]
  const own = ['pg_catalog', 'unnest'].map(sval => ({ String: { sval } }))
  return args.map(argument => ({ FuncCall: { ...call, funcname: own, args: [argument] } }))
}

const functionName = (node: RangeFunction): string => {
  const [call] = (kindOf(node.functions![0]!)[1] as { items: Node[] }).items
  return columnName(call!)
}

/** One column named like the table, or those of its OUT arguments, its type, or its list of columns. */
function ofFunction(
  analysis: Analysis,
  node: Node,
  definitions: readonly Node[],
  alias: Alias | undefined,
  scope: Scope,
): Field[] {
  const [kind, content] = kindOf(node)
  const single = (type: number): Field[] => [{ name: alias?.aliasname ?? columnName(node), value: { type } }]
  if (kind !== 'FuncCall') return single(analysis.settled(analysis.expression(node, scope)).type)
  const { call, values } = resolveCall(analysis, content as FuncCall, scope)
  if ('cast' in call) return single(call.cast.type)
  const { callee, result } = call
  if (definitions.length > 0) {
    const columns = definitions.map(definition => columnOf(analysis, definition))
    if (readsJson.has(callee.name)) for (const { value } of columns) analysis.judge.readsComputed(value.type)
    return columns
  }
  if (callee.outputs.length > 1 || (callee.outputs.length === 1 && result === is.record))
    return callee.outputs.map(({ name, type }) => ({ name, value: { type: concrete(type) } }))
  if (result === is.record) return [...(values[0]?.fields ?? refuse())]
  const type = analysis.names.catalogue.type(analysis.coercion.base(result))
  if (type?.kind === 'c') return type.fields.map(({ name, type }) => ({ name, value: { type } }))
  const own = callee.outputs[0]?.name
  return single(result).map(field => (own && !alias ? { ...field, name: own } : field))
}

const refuse = (): never => {
  throw unresolved('columns of a record')
}

/** Few functions have OUT arguments of any type; what they are is not followed. */
function concrete(type: number): number {
  if (type === is.anyElement || type === is.anyArray || type === is.anyCompatible) throw unresolved('type')
  return type
}

function columnOf(analysis: Analysis, node: Node): Field {
  const { colname, typeName } = kindOf(node)[1] as ColumnDef
  return { name: colname ?? '', value: { type: typeOf(analysis, typeName!) } }
}

function join(analysis: Analysis, node: JoinExpr, scope: Scope): Namespace {
  const left = readItem(analysis, node.larg!, scope)
  const right = readItem(analysis, node.rarg!, scope.with(both(scope.namespace, left)))
  const shared = node.isNatural
    ? left.columns.map(({ name }) => name).filter(name => right.columns.some(column => column.name === name))
    : stringsOf(node.usingClause ?? [])
  const merged = shared.map(name => {
    const [first, second] = [columnNamed(left, name), columnNamed(right, name)]
    operate(analysis, ['='], first.value, second.value)
    return { name, value: { type: analysis.common([first.value, second.value]).type } }
  })
  const rest = (side: Namespace) => side.columns.filter(column => !shared.includes(column.name))
  const columns = [...merged, ...rest(left), ...rest(right)]
  const tables = [...left.tables, ...right.tables]
  if (node.join_using_alias) tables.push(derived(node.join_using_alias, merged))
  const joined = { tables, columns }
  analysis.condition(node.quals, scope.with(joined))
  if (!node.alias) return joined
  const table = derived(node.alias, columns)
  return { tables: [table], columns: table.fields }
}

function columnNamed({ columns }: Namespace, name: string): Field {
  const [column, second] = columns.filter(column => column.name === name)
  if (!column || second) throw notUnderstood(`USING (${name}): not one column on each side`)
  return column
}
