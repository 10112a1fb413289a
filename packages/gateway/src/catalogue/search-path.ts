/**
 * The schemas that a search_path comes to for a role, as `current_schemas(true)` gives them in a session without temporary
 * objects: those that exist and that the role may use, with pg_catalog first unless the path names it.
 *
 * Source: PostgreSQL documentation, "Schemas: The Schema Search Path"; the names are read as SplitIdentifierString does.
 */
import type { Query } from './query.ts'
import { constant, own, text } from './rows.ts'

/** A name, quoted or not, and what may stand around it. */
const element = /\s*(?:"((?:[^"]|"")*)"|([^\s,"]+))\s*(,|$)/y

/** The names of a value of search_path; null if PostgreSQL would not take it. */
export function namesOf(path: string): string[] | null {
  const names: string[] = []
  if (path.trim() === '') return names
  element.lastIndex = 0
  for (;;) {
    const found = element.exec(path)
    if (found === null) return null
    const [, quoted, plain, comma] = found
    names.push(quoted?.replaceAll('""', '"') ?? plain!.toLowerCase())
    if (comma !== ',') return names
  }
}

/** @param path a value of search_path */
export async function resolveSearchPath(query: Query, path: string, role: string): Promise<string[] | null> {
  const names = namesOf(path)?.map(name => (name === '$user' ? role : name))
  if (!names) return null
  const rows = await query(
    own(`SELECT n.nspname FROM unnest(ARRAY[${names.map(constant).join(', ')}]::text[]) WITH ORDINALITY u (name, place)
    JOIN pg_namespace n ON n.nspname = u.name WHERE has_schema_privilege(${constant(role)}, n.oid, 'USAGE') ORDER BY u.place`),
  )
  const schemas = [...new Set(rows.map(([name]) => text(name)))]
  // A schema of temporary objects exists for its own session only.
  const temporary = names.filter(name => name === 'pg_temp')
  return [...(schemas.includes('pg_catalog') ? [] : ['pg_catalog']), ...temporary, ...schemas]
}
