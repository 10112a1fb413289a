/** Columns on their way out of a subquery. */
import type { Node } from 'libpg-query'
import type { Analysis } from './analysis.ts'
import { stringsOf } from './nodes.ts'
import type { Field } from './values.ts'

/** What has no type yet is text, and a literal is a literal no more. */
export function settled(analysis: Analysis, columns: readonly Field[]): Field[] {
  return columns.map(({ name, value }) => {
    const { type, fields } = analysis.settled(value)
    return { name, value: { type, ...(fields && { fields }) } }
  })
}

/** The first columns take the names of an alias: `AS t (a, b)`. */
export function renamed(columns: readonly Field[], names: readonly Node[] = []): Field[] {
  const own = stringsOf(names)
  return columns.map((column, at) => ({ ...column, name: own[at] ?? column.name }))
}
