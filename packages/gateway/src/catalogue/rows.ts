/** How catalogue rows are asked for and read. */
import { firstUserOid, type Oid } from './catalogue.ts'
import type { Row } from './query.ts'

export const userOids: string = String(firstUserOid)

/** The statement with PostgreSQL's own names only, and its own way of quoting: for this one Query, whatever is set. */
export const own = (sql: string): string =>
  `SET LOCAL search_path = pg_catalog; SET LOCAL quote_all_identifiers = off; ${sql}`

/** A string as SQL, in which nothing is to be quoted. */
export const constant = (value: string): string =>
  `convert_from(decode('${Buffer.from(value).toString('hex')}', 'hex'), 'UTF8')`

type Value = string | null | undefined

export const text = (value: Value): string => value ?? ''
export const number = (value: Value): number => Number(value ?? 0)
export const isTrue = (value: Value): boolean => value === 't'
/** Of an oidvector, an int2vector, or an array that was joined with spaces. */
export const numbers = (value: Value): number[] => (value ? value.split(' ').map(Number) : [])

/** By the oid in the first column. */
export function grouped<Value>(rows: readonly Row[], read: (row: Row) => Value): ReadonlyMap<Oid, Value[]> {
  const groups = new Map<Oid, Value[]>()
  for (const row of rows) {
    const oid = number(row[0])
    const group = groups.get(oid)
    if (group) group.push(read(row))
    else groups.set(oid, [read(row)])
  }
  return groups
}
