/** SELECT, VALUES, and what UNION and its kin make of several. */
import type {
  A_Expr,
  CommonTableExpr,
  GroupingSet,
  List,
  Node,
  ResTarget,
  SelectStmt,
  SortBy,
  WindowDef,
  WithClause,
} from 'libpg-query'
import type { Analysis } from './analysis.ts'
import { window } from './call.ts'
import { columnName } from './column-names.ts'
import { renamed, settled } from './columns.ts'
import { readFrom } from './from.ts'
import { kindOf, stringsOf } from './nodes.ts'
import * as is from './oids.ts'
import { operate } from './operators.ts'
import { notUnderstood, Refused } from './refused.ts'
import { nothing, Scope } from './scope.ts'
import { sortBy } from './sorting.ts'
import { listed, starred } from './stars.ts'
import type { Field, Value } from './values.ts'

/** Its columns. A literal among them has no type yet: a UNION around it may give it one. */
export function readSelect(analysis: Analysis, statement: SelectStmt, outer: Scope | null): Field[] {
  if (statement.lockingClause)
    throw new Refused('uncacheable', 'FOR UPDATE and its kin lock the rows they read')
  if (statement.intoClause) throw new Refused('uncacheable', 'SELECT INTO makes a table')
  const scope = withQueries(analysis, statement.withClause, outer)
  const columns = columnsOf(analysis, statement, scope)
  for (const limit of [statement.limitCount, statement.limitOffset])
    if (limit) analysis.coerce(analysis.expression(limit, scope), is.int8, 'a')
  return columns
}

function columnsOf(analysis: Analysis, statement: SelectStmt, scope: Scope): Field[] {
  if (statement.op !== undefined && statement.op !== 'SETOP_NONE') {
    const left = analysis.select(statement.larg!, scope)
    return union(analysis, left, analysis.select(statement.rarg!, scope))
  }
  if (statement.valuesLists) {
    const columns = rowsOf(analysis, statement.valuesLists, scope)
    orderBy(analysis, statement.sortClause, scope.with({ tables: [], columns }), columns)
    return columns
  }
  const own = scope.with(readFrom(analysis, statement.fromClause, scope))
  where(analysis, statement.whereClause, own)
  const columns = (statement.targetList ?? []).flatMap(target => targets(analysis, target, own))
  for (const item of statement.groupClause ?? []) groupBy(analysis, item, own, columns)
  analysis.condition(statement.havingClause, own)
  for (const item of statement.windowClause ?? [])
    window(analysis, (item as { WindowDef: WindowDef }).WindowDef, own)
  for (const item of statement.distinctClause ?? []) byNameOrExpression(analysis, item, own, columns)
  orderBy(analysis, statement.sortClause, own, columns)
  return columns
}

/** A row of each column's value; in FROM, in UNION or alone. */
function rowsOf(analysis: Analysis, lists: readonly Node[], scope: Scope): Field[] {
  const rows = lists.map(list => listed(analysis, (kindOf(list)[1] as List).items, scope))
  const [first = []] = rows
  return first.map((value, at) => ({
    name: `column${at + 1}`,
    value: rows.length === 1 ? value : analysis.common(rows.map(row => row[at] ?? value)),
  }))
}

function union(analysis: Analysis, left: readonly Field[], right: readonly Field[]): Field[] {
  if (left.length !== right.length) throw notUnderstood('a UNION of different numbers of columns')
  return left.map(({ name, value }, at) => ({ name, value: analysis.common([value, right[at]!.value]) }))
}

function targets(analysis: Analysis, node: Node, scope: Scope): Field[] {
  const { name, val } = kindOf(node)[1] as ResTarget
  const columns = starred(analysis, val!, scope)
  if (columns) return [...columns]
  const value = analysis.expression(val!, scope)
  return [{ name: name ?? columnName(val!), value }]
}

/** What a conjunct says that a column equals is noted: it may tell which row is read. */
function where(analysis: Analysis, node: Node | undefined, scope: Scope): void {
  if (!node) return
  const [kind, content] = kindOf(node)
  if (kind === 'BoolExpr' && (content as { boolop?: string }).boolop === 'AND_EXPR') {
    for (const argument of (content as { args?: Node[] }).args ?? []) where(analysis, argument, scope)
    return
  }
  const { kind: operation, name = [], lexpr, rexpr } = content as A_Expr
  const isEquality = kind === 'A_Expr' && operation === 'AEXPR_OP' && stringsOf(name).at(-1) === '='
  if (!isEquality || !lexpr || !rexpr || isRow(lexpr) || isRow(rexpr)) {
    analysis.condition(node, scope)
    return
  }
  analysis.sees(content)
  const sides = [analysis.expression(lexpr, scope), analysis.expression(rexpr, scope)] as const
  const { call, left, right } = operate(analysis, stringsOf(name), ...sides)
  analysis.coerce({ type: call.result }, is.bool, 'a')
  if (call.callee.schema !== 'pg_catalog') return
  note(analysis, scope, sides[0], asRead(sides[1], right))
  note(analysis, scope, sides[1], asRead(sides[0], left))
}

const isRow = (node: Node): boolean => 'RowExpr' in node || ('SubLink' in node && node.SubLink !== undefined)

/** A literal that had no type is read as what the operator takes. */
const asRead = (value: Value, coerced: Value): Value => (value.type === is.unknown ? coerced : value)

function note({ findings }: Analysis, scope: Scope, { column }: Value, value: Value): void {
  if (!column || !value.at || !scope.namespace.tables.includes(column.table)) return
  const known = findings.equalities.get(column.table) ?? new Map<string, Value>()
  findings.equalities.set(column.table, known.set(column.name, value))
}

function groupBy(analysis: Analysis, node: Node, scope: Scope, columns: readonly Field[]): void {
  const [kind, content] = kindOf(node)
  if (kind === 'GroupingSet')
    for (const item of (content as GroupingSet).content ?? []) groupBy(analysis, item, scope, columns)
  else if (kind === 'RowExpr')
    for (const item of (content as { args?: Node[] }).args ?? []) groupBy(analysis, item, scope, columns)
  else byNameOrExpression(analysis, node, scope, columns)
}

/** Of a UNION only what its columns are called, or their numbers. */
function orderBy(
  analysis: Analysis,
  items: readonly Node[] | undefined,
  scope: Scope,
  columns: readonly Field[],
): void {
  for (const item of items ?? []) {
    const sort = (item as { SortBy: SortBy }).SortBy
    if (sort.useOp?.length || !isOutput(sort.node!, columns)) sortBy(analysis, sort, scope)
  }
}

/** What a target is called, or its number; else an expression, which has been judged as a target or is judged here. */
function byNameOrExpression(analysis: Analysis, node: Node, scope: Scope, columns: readonly Field[]): void {
  const [kind] = kindOf(node)
  if (kind !== 'nothing' && !isOutput(node, columns)) analysis.settled(analysis.expression(node, scope))
}

function isOutput(node: Node, columns: readonly Field[]): boolean {
  const [kind, content] = kindOf(node)
  if (kind === 'A_Const') return true
  const { fields = [] } = content as { fields?: Node[] }
  const [name, second] = stringsOf(fields)
  return kind === 'ColumnRef' && second === undefined && columns.some(column => column.name === name)
}

function withQueries(analysis: Analysis, clause: WithClause | undefined, outer: Scope | null): Scope {
  const queries = new Map<string, readonly Field[] | null>()
  const scope = new Scope(nothing, outer, queries)
  const all = (clause?.ctes ?? []).map(node => kindOf(node)[1] as CommonTableExpr)
  if (clause?.recursive) for (const query of all) queries.set(query.ctename ?? '', null)
  for (const query of all) {
    const [kind, content] = kindOf(query.ctequery!)
    if (kind !== 'SelectStmt') throw new Refused('uncacheable', `the WITH query ${query.ctename} writes`)
    if (query.search_clause || query.cycle_clause) throw notUnderstood('SEARCH and CYCLE of a WITH query')
    const set = (columns: readonly Field[]) => {
      queries.set(query.ctename ?? '', renamed(settled(analysis, columns), query.aliascolnames))
    }
    set(withQuery(analysis, content as SelectStmt, scope, clause?.recursive === true ? set : null))
  }
  return scope
}

/** @param onFirst what a recursive query refers to as itself has the columns of its first part */
function withQuery(
  analysis: Analysis,
  statement: SelectStmt,
  scope: Scope,
  onFirst: ((columns: readonly Field[]) => void) | null,
): readonly Field[] {
  if (onFirst === null || statement.op !== 'SETOP_UNION' || statement.withClause || statement.sortClause)
    return analysis.select(statement, scope)
  analysis.sees(statement)
  const first = analysis.select(statement.larg!, scope)
  onFirst(first)
  const columns = union(analysis, first, analysis.select(statement.rarg!, scope))
  for (const limit of [statement.limitCount, statement.limitOffset])
    if (limit) analysis.coerce(analysis.expression(limit, scope), is.int8, 'a')
  return columns
}
