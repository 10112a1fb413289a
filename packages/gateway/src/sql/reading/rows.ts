/**
 * Which tables an answer depends on by one row alone.
 *
 * Of a table that stands in a statement once, and whose whole primary key is equal to literals and parameters in the WHERE
 * of the same SELECT, no other row gets through: neither its being there nor what it says can matter. (Outer joins do no
 * harm: rows that are filled up with NULLs don't get through such a WHERE. Their own conditions are not looked at.)
 * Equality has to be PostgreSQL's own, on types whose values are equal if, and only if, they are printed alike.
 *
 * Not here: the values' text forms (canonical.ts).
 */
import type { Catalogue, Oid, Relation } from '../../catalogue/index.ts'
import type { Dependencies, KeyColumn, RowRead } from '../reading.ts'
import type { Findings, Mention } from './analysis.ts'
import * as is from './oids.ts'
import type { Value } from './values.ts'

/** What a key's column may be compared with, by its type. */
const comparable: ReadonlyMap<Oid, readonly Oid[]> = new Map(
  [
    { types: [is.int2, is.int4, is.int8], with: [is.int2, is.int4, is.int8, is.numeric] },
    { types: [is.uuid], with: [is.uuid] },
    { types: [is.text, is.varchar], with: [is.text, is.varchar] },
  ].flatMap(group => group.types.map(type => [type, group.with] as const)),
)

/** True if a key's column of the one type can be told from a value that is read as the other. */
export const isComparable = (keyType: Oid, type: Oid): boolean =>
  comparable.get(keyType)?.includes(type) === true

/** What these rows are by their keys' texts; one whose key can't be told counts as its whole table. */
export function byKeys(
  tables: readonly Oid[],
  rows: readonly RowRead[],
  textOf: (column: KeyColumn) => string | null,
): Dependencies {
  if (rows.length === 0) return { tables, rows: [] }
  const whole = [...tables]
  const told: { relation: Oid; key: readonly string[] }[] = []
  for (const { relation, key } of rows) {
    const texts = key.map(textOf)
    if (texts.every(text => text !== null)) told.push({ relation, key: texts })
    else whole.push(relation)
  }
  return { tables: whole, rows: told }
}

/** The tables that count as a whole, and the rows that count alone. */
export function readsOf(
  findings: Findings,
  catalogue: Catalogue,
): { readonly reads: readonly Oid[]; readonly rows: readonly RowRead[] } {
  const reads = new Set(findings.hidden)
  const rows: RowRead[] = []
  const mentions = findings.mentions.map(mention => mention.relation.oid)
  for (const mention of findings.mentions) {
    const { oid } = mention.relation
    const isOnly = mentions.indexOf(oid) === mentions.lastIndexOf(oid) && !findings.hidden.has(oid)
    const row = isOnly ? rowOf(mention, findings, catalogue) : null
    if (row) rows.push(row)
    else reads.add(oid)
  }
  return { reads: [...reads], rows }
}

function rowOf({ relation, table }: Mention, findings: Findings, catalogue: Catalogue): RowRead | null {
  const equalities = findings.equalities.get(table)
  if (!equalities || relation.primaryKey === null || !hasRowSlots(relation)) return null
  const key = relation.primaryKey.map(name => keyColumn(relation, name, equalities.get(name), catalogue))
  return key.every(column => column !== null) ? { relation: relation.oid, key } : null
}

/** The stream names its rows by the primary key, and no other table's rows are among them. */
export function hasRowSlots(relation: Relation): boolean {
  const { primaryKey, identity } = relation
  if (relation.kind !== 'r' || relation.children.length > 0 || primaryKey === null || identity === null)
    return false
  return (
    identity === 'full' ||
    (identity.length === primaryKey.length && identity.every(name => primaryKey.includes(name)))
  )
}

function keyColumn(
  relation: Relation,
  name: string,
  value: Value | undefined,
  catalogue: Catalogue,
): KeyColumn | null {
  const column = relation.columns.find(column => column.name === name)
  if (!value?.at || !column || column.generated !== null) return null
  if (!isComparable(column.type, value.type) || !catalogue.isDeterministic(column.collation)) return null
  return { column: name, type: column.type, value: value.at, valueType: value.type }
}
