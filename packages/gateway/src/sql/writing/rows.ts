/** Which rows a statement changes, where it names them by their primary key. */
import type { InferClause, InsertStmt, Node, OnConflictClause, RangeVar } from 'libpg-query'
import { type Catalogue, type Column, firstUserOid, type Oid, type Relation } from '../../catalogue/index.ts'
import { stringsOf } from '../reading/nodes.ts'
import * as is from '../reading/oids.ts'
import type { KeyColumn, RowRead, ValueAt } from '../reading.ts'
import type { Path } from './findings.ts'

/** How values are found in the text that is judged. */
export interface Places {
  /** Which literal stands at this byte; undefined if it can't be found again in other texts that share the verdict. */
  literalAt(location: number): number | undefined
  /** A parameter that stands in several places may have the type that another of them gives it. */
  standsOnce(parameter: number): boolean
  /** What else is constant in it is so in all texts that share the verdict; false: it stands for many texts. */
  readonly isText: boolean
}

/** Rows beyond this are not counted one by one. */
const mostRows = 100

const keyTypes: ReadonlySet<number> = new Set([is.int2, is.int4, is.int8, is.uuid, is.text, is.varchar])
const numberTypes: ReadonlySet<number> = new Set([is.int2, is.int4, is.int8])

/** The columns that a SET list assigns to. */
export const assignedColumns = (targets: readonly Node[] = []): ReadonlySet<string> =>
  new Set(targets.map(target => ('ResTarget' in target ? (target.ResTarget.name ?? '') : '')))

/** The one row that an UPDATE or a DELETE can match, if each column of the key is compared with a value. */
export function matchedRow(
  catalogue: Catalogue,
  path: Path,
  relation: Relation,
  { relation: name, whereClause }: { relation?: RangeVar; whereClause?: Node },
  places: Places,
): readonly RowRead[] | null {
  const values = new Map<string, Node>()
  for (const condition of conjuncts(whereClause)) {
    const pair = equality(catalogue, path, condition)
    const column = pair && columnName(pair.column, name)
    if (column) values.set(column, pair.value)
  }
  return rowOf({ catalogue, path, places, by: 'comparison' }, relation, column => values.get(column))
}

/** The rows that an INSERT … VALUES adds, if it says all their keys. */
export function insertedRows(
  catalogue: Catalogue,
  path: Path,
  relation: Relation,
  { cols, selectStmt, override }: InsertStmt,
  places: Places,
): readonly RowRead[] | null {
  const lists = selectStmt && 'SelectStmt' in selectStmt ? (selectStmt.SelectStmt.valuesLists ?? []) : []
  if (lists.length === 0 || lists.length > mostRows || override === 'OVERRIDING_USER_VALUE') return null
  const columns = cols
    ? cols.map(node => ('ResTarget' in node ? node.ResTarget.name : undefined))
    : relation.columns.map(({ name }) => name)
  const rows: RowRead[] = []
  for (const list of lists) {
    const items = 'List' in list ? (list.List.items ?? []) : []
    const row = rowOf(
      { catalogue, path, places, by: 'assignment' },
      relation,
      column => items[columns.indexOf(column)],
    )
    if (row === null) return null
    rows.push(...row)
  }
  return rows
}

/** What ON CONFLICT finds is the row with the key that was to be inserted. */
export function conflictIsOnKey(
  { allDeterministic }: Catalogue,
  { primaryKey, columns }: Relation,
  { infer }: OnConflictClause,
): boolean {
  const named = namesOf(infer)
  // Another unique index on the same column may find equal what the key does not.
  const sure =
    allDeterministic || columns.every(column => column.collation === 0 || !named?.includes(column.name))
  return (
    sure &&
    primaryKey !== null &&
    named?.length === primaryKey.length &&
    primaryKey.every(name => named.includes(name))
  )
}

function namesOf(infer: InferClause | undefined): string[] | null {
  if (!infer?.indexElems || infer.whereClause) return null
  return infer.indexElems.map(node =>
    'IndexElem' in node && !node.IndexElem.expr ? (node.IndexElem.name ?? '') : '',
  )
}

/** Where types are found. */
interface Types {
  readonly catalogue: Catalogue
  readonly path: Path
}

/** How values are read. */
interface Reading extends Types {
  readonly places: Places
  /** A value is compared with the column as it is, or becomes the column's. */
  readonly by: 'comparison' | 'assignment'
}

function rowOf(
  reading: Reading,
  relation: Relation,
  valueFor: (column: string) => Node | undefined,
): readonly RowRead[] | null {
  const key: KeyColumn[] = []
  for (const name of relation.primaryKey ?? []) {
    const column = relation.columns.find(column => column.name === name)
    const value = valueFor(name)
    if (!column || !value || !isComparable(reading, column)) return null
    const written = keyOf(reading, column, value)
    if (!written) return null
    key.push(written)
  }
  return key.length > 0 ? [{ relation: relation.oid, key }] : null
}

/** A varchar(3) is cut off silently, if what is cut off is blank. */
const isComparable = ({ catalogue, by }: Reading, { type, collation, typmod }: Column): boolean =>
  keyTypes.has(type) && catalogue.isDeterministic(collation) && (by === 'comparison' || typmod < 0)

function keyOf(reading: Reading, { name: column, type }: Column, written: Node): KeyColumn | null {
  const { value, cast } = withoutCast(reading, written)
  const { places } = reading
  if (cast !== 0 && !keyTypes.has(cast) && cast !== is.numeric) return null
  if ('ParamRef' in value) {
    const { number: parameter = 0 } = value.ParamRef
    return places.standsOnce(parameter) ? { column, type, value: { parameter }, valueType: cast } : null
  }
  if (!('A_Const' in value)) return null
  const { ival, fval, sval, location = 0 } = value.A_Const
  const number = ival !== undefined || fval !== undefined
  if (number ? !numberTypes.has(type) : sval === undefined) return null
  const literal = places.literalAt(location)
  const at: ValueAt | null = literal === undefined ? null : { literal }
  return at && { column, type, value: at, valueType: number ? is.numeric : cast || type }
}

/** `$1::int` is read as an int; 0: there is no cast. */
export function withoutCast({ catalogue, path }: Types, written: Node): { value: Node; cast: Oid } {
  if (!('TypeCast' in written)) return { value: written, cast: 0 }
  const { arg: value = written, typeName = {} } = written.TypeCast
  const [name = '', schema] = stringsOf(typeName.names ?? []).reverse()
  const type = (schema === undefined ? path : [schema])
    .map(place => catalogue.typeNamed(place, name))
    .find(type => type !== undefined)
  const plain = !typeName.typmods && !typeName.arrayBounds && !typeName.pct_type
  return { value, cast: plain && type ? type.oid : is.any }
}

function conjuncts(condition: Node | undefined): Node[] {
  if (!condition) return []
  if ('BoolExpr' in condition && condition.BoolExpr.boolop === 'AND_EXPR')
    return (condition.BoolExpr.args ?? []).flatMap(conjuncts)
  return [condition]
}

/** A comparison of a column by pg_catalog's `=`. */
function equality(catalogue: Catalogue, path: Path, node: Node): { column: Node; value: Node } | null {
  if (!('A_Expr' in node) || node.A_Expr.kind !== 'AEXPR_OP') return null
  const { name = [], lexpr, rexpr } = node.A_Expr
  const names = name.map(part => ('String' in part ? part.String.sval : ''))
  const own = names.length === 2 && names[0] === 'pg_catalog'
  if (names.at(-1) !== '=' || (!own && (names.length > 1 || !equalIsBuiltin(catalogue, path)))) return null
  if (!lexpr || !rexpr) return null
  return 'ColumnRef' in lexpr ? { column: lexpr, value: rexpr } : { column: rexpr, value: lexpr }
}

/** None of users' operators called `=` can take a value that is not of a users' type. */
const equalIsBuiltin = (catalogue: Catalogue, path: Path): boolean =>
  !catalogue
    .operatorsNamed('=')
    .some(
      ({ oid, schema, left, right }) =>
        oid >= firstUserOid && path.includes(schema) && (left < firstUserOid || right < firstUserOid),
    )

/** Of the table that is written; a name of one part is, too, or PostgreSQL would call it ambiguous. */
function columnName(node: Node, table: RangeVar | undefined): string | undefined {
  if (!('ColumnRef' in node)) return undefined
  const names = (node.ColumnRef.fields ?? []).map(field =>
    'String' in field ? field.String.sval : undefined,
  )
  if (names.length === 1) return names[0]
  return names.length === 2 && names[0] === (table?.alias?.aliasname ?? table?.relname) ? names[1] : undefined
}
