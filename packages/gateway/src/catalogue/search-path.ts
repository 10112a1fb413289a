/**
 * The schemas that a search_path comes to for a role, as `current_schemas(true)` gives them in a session without temporary
 * objects: those that exist and that the role may use, with pg_catalog first unless the path names it.
 *
 * Source: PostgreSQL documentation, "Schemas: The Schema Search Path"; the names are read as SplitIdentifierString does.
 */
import type { Query } from './query.ts'
import { constant, own, text } from './rows.ts'

/** A name, quoted or not, and what may stand around it. */
const element = /[ \t\n\r\f\v]*(?:"((?:[^"]|"")*)"|([^\s,"]+))[ \t\n\r\f\v]*(,|$)/y
/** PostgreSQL cuts off what is longer. */
const mostBytes = 63

/** The names of a value of search_path; null if PostgreSQL would not take it, or not as it is. */
function namesOf(path: string): string[] | null {
  const names: string[] = []
  if (path.trim() === '') return names
  element.lastIndex = 0
  for (;;) {
    const found = element.exec(path)
    if (found === null) return null
    const [, quoted, plain, comma] = found
    const name = quoted?.replaceAll('""', '"') ?? plain!.replace(/[A-Z]/g, letter => letter.toLowerCase())
    if (Buffer.byteLength(name) > mostBytes) return null
    names.push(name)
    if (comma !== ',') return names
  }
}

/** What the path names, in its order: all that it can come to, and schemas that are not there or not the role's to use. */
export function namedBy(path: string, role: string): string[] | null {
  const names = namesFor(path, role)
  return names && withSystem(names)
}

/** @param path a value of search_path */
export async function resolveSearchPath(query: Query, path: string, role: string): Promise<string[] | null> {
  const names = namesFor(path, role)
  if (!names) return null
  const rows = await query(
    own(`SELECT n.nspname FROM unnest(ARRAY[${names.map(constant).join(', ')}]::text[]) WITH ORDINALITY u (name, place)
    JOIN pg_namespace n ON n.nspname = u.name WHERE has_schema_privilege(${constant(role)}, n.oid, 'USAGE') ORDER BY u.place`),
  )
  const schemas = [...new Set(rows.map(([name]) => text(name)))]
  // A schema of temporary objects exists for its own session only.
  const temporary = names.filter(name => name === 'pg_temp')
  return withSystem([...temporary, ...schemas])
}

const namesFor = (path: string, role: string) =>
  namesOf(path)?.map(name => (name === '$user' ? role : name)) ?? null

const withSystem = (schemas: readonly string[]): string[] => [
  ...(schemas.includes('pg_catalog') ? [] : ['pg_catalog']),
  ...schemas,
]
