/** What names mean on a search_path, as far as writes depend on it. */
import type { RangeVar } from 'libpg-query'
import type { Catalogue, Relation, Routine } from '../../catalogue/index.ts'
import type { Path } from './findings.ts'

/** Not one that users made; one of the session's or a trigger's own; one that the catalogue does not have. */
export type Unlisted = 'system' | 'own' | 'unknown'

/** A temporary table may stand before the one that is found here: then too much is said. */
export const relationOf = (catalogue: Catalogue, path: Path, name: RangeVar): Relation | Unlisted =>
  relationsOf(catalogue, path, name, false)[0]!

/**
 * What a name may mean, at least one.
 *
 * @param maySkip some schemas of the path may be no part of it, so that those behind them count, too
 */
export function relationsOf(
  catalogue: Catalogue,
  path: Path,
  { schemaname, relname = '' }: RangeVar,
  maySkip: boolean,
): (Relation | Unlisted)[] {
  const found: (Relation | Unlisted)[] = []
  for (const schema of schemaname === undefined ? path : [schemaname]) {
    const isSystem = schema === 'pg_catalog' && catalogue.isSystemRelation(relname)
    const relation = isSystem ? 'system' : catalogue.relationNamed(schema, relname)
    if (relation) found.push(relation)
    if (relation && !maySkip) break
  }
  if (found.length > 0) return found
  if (schemaname === 'information_schema') return ['system']
  const own =
    schemaname === undefined
      ? path.some(isTemporary) || catalogue.transitionTables.has(relname)
      : isTemporary(schemaname)
  return [own ? 'own' : 'unknown']
}

export const isTemporary = (schema: string): boolean => schema === 'pg_temp' || schema.startsWith('pg_temp_')

/** All functions that a call with so many arguments may mean: which one it is would depend on types. */
export const routinesOf = (
  catalogue: Catalogue,
  path: Path,
  name: readonly string[],
  count: number,
): Routine[] => {
  const schema = name.at(-2)
  return catalogue
    .routinesNamed(name.at(-1) ?? '')
    .filter(routine => (schema === undefined ? path.includes(routine.schema) : routine.schema === schema))
    .filter(routine => routine.kind === 'a' || takes(routine, count))
}

const takes = ({ arguments: { length }, defaults, variadic }: Routine, count: number): boolean =>
  (variadic !== 0 && count >= length - 1) || (count <= length && count >= length - defaults)

/** The schemas of a search_path as it is written in SET; null if that depends on who is asked. */
export function pathOf(written: string): Path | null {
  const schemas: string[] = []
  for (const [name, quoted] of written.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)) {
    const schema = quoted === undefined ? name.toLowerCase() : quoted.replaceAll('""', '"')
    if (schema === '$user') return null
    if (schema !== '') schemas.push(schema)
  }
  return schemas.includes('pg_catalog') ? schemas : ['pg_catalog', ...schemas]
}

export const called = ({ schema, name }: { schema: string; name: string }): string =>
  schema === 'public' || schema === 'pg_catalog' ? `"${name}"` : `"${schema}"."${name}"`
