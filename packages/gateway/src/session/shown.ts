/**
 * `SHOW sluice.…`: what only the gateway knows, said by PostgreSQL, so that it is said in either protocol, prepared or not
 * and in any format.
 *
 *     SHOW sluice.cache_stats
 *     the server gets   set_config('sluice.cache_stats', '[{"hit": 7, …}]', false), each time before it runs, and
 *                       SELECT * FROM json_to_recordset(current_setting('sluice.cache_stats')::json) AS … (hit int8, …)
 *
 * Within a text of several statements SHOW gives the parameter as it is: of a view, its rows as JSON.
 */
import { statuses } from '../cache/status.ts'

type ColumnType = 'bool' | 'float8' | 'int8' | 'text'

/** Columns of one type. */
const of = <Type extends ColumnType, const Names extends readonly string[]>(type: Type, ...names: Names) =>
  Object.fromEntries(names.map(name => [name, type])) as { readonly [Name in Names[number]]: Type }

/** The columns of each view, in their order. */
export const views = {
  /** One row: of the client's binding and database; what is kept is that of the whole gateway. */
  cache_stats: {
    ...of('float8', 'hit_ratio'),
    ...of('int8', ...statuses, 'refreshes'),
    ...of('float8', 'origin_mean_ms'),
    ...of('int8', 'origin_saved_ms', 'entries', 'bytes', 'max_bytes', 'evicted', 'rejected'),
  },
  /** The shapes that were asked of the origin most often. */
  cache_shapes: {
    ...of('text', 'shape'),
    ...of('int8', 'queries', 'hit', 'stale', 'miss', 'not_cached'),
    ...of('text', 'last_status', 'why'),
    ...of('int8', 'refreshes'),
    ...of('float8', 'origin_mean_ms'),
    ...of('int8', 'origin_saved_ms'),
  },
  /** One row. */
  stream_status: {
    ...of('text', 'state', 'kept', 'detail', 'remedy'),
    ...of('int8', 'for_ms', 'bound_ms', 'delay_ms', 'unsettled', 'covered_tables', 'waiting_tables'),
    ...of('int8', 'held_by_pid'),
    ...of('text', 'held_by_gid', 'held_by_user', 'held_by_application'),
    ...of('int8', 'held_for_ms'),
    ...of('text', 'ddl'),
    ...of('int8', 'losses', 'uncovered_ms'),
  },
  /** Writes whose tables could not be told, by the reason, and for how long answers from before were not served. */
  opaque_commits: {
    ...of('text', 'cause'),
    ...of('int8', 'commits', 'suspect_ms'),
    ...of('bool', 'suspect'),
  },
} as const satisfies Record<string, Record<string, ColumnType>>

interface Values {
  bool: boolean
  float8: number
  int8: number
  text: string
}

export type ViewName = keyof typeof views
export type Row<Name extends ViewName> = {
  readonly [Column in keyof (typeof views)[Name]]:
    | ((typeof views)[Name][Column] extends keyof Values ? Values[(typeof views)[Name][Column]] : never)
    | null
}

/** Who looks. */
export interface Viewer {
  readonly user: string
  readonly isSuperuser: boolean
}

/** @param name with its prefix */
export function viewNamed(name: string): ViewName | null {
  const view = name.replace(/^sluice\./, '')
  return name !== view && Object.hasOwn(views, view) ? (view as ViewName) : null
}

/** What a client is told that is not a view. */
export interface Own {
  readonly version: string
  readonly mode: 'transaction' | 'session'
}

/**
 * The text that the server gets for a SHOW that is alone.
 *
 * @param name with its prefix
 * @returns null if SHOW does, or says what is wrong with it
 */
export function asSelect(name: string, { version, mode }: Own): string | null {
  const view = viewNamed(name)
  if (view !== null) return selectOf(view)
  switch (name) {
    case 'sluice_version':
    case 'sluice.version':
      return `SELECT '${version}'::pg_catalog.text AS "${name}"`
    // A client may have set these; before that PostgreSQL does not know them.
    case 'sluice.pool_mode':
      return settingOf(name, 'session|transaction', mode)
    case 'sluice.cache':
      return settingOf(name, '.+', 'on')
    default:
      return null
  }
}

function selectOf(view: ViewName): string {
  const columns = Object.entries(views[view]).map(([column, type]) => `${column} pg_catalog.${type}`)
  return `SELECT * FROM pg_catalog.json_to_recordset(pg_catalog.current_setting('sluice.${view}')::pg_catalog.json) AS ${view} (${columns.join(', ')})`
}

/** @param values what counts as set: a parameter that somebody has set and reset is empty */
const settingOf = (name: string, values: string, otherwise: string) =>
  `SELECT CASE WHEN pg_catalog.current_setting('${name}', true) OPERATOR(pg_catalog.~*) '^(${values})$' THEN pg_catalog.current_setting('${name}') ELSE '${otherwise}' END AS "${name}"`

/** What is told where caching is off. */
export const withoutCache: { readonly [Name in ViewName]: readonly Partial<Row<Name>>[] } = {
  ...{ cache_stats: [], cache_shapes: [], opaque_commits: [] },
  stream_status: [{ state: 'off', kept: 'nothing', detail: 'caching is off' }],
}

/** In the characters that a server of this encoding has: a text may come from a client of another, or be cut off within one. */
export const sayable = (text: string, serverEncoding: string | undefined): string =>
  serverEncoding === 'UTF8'
    ? text.replace(/\p{Surrogate}/gu, '\ufffd')
    : text.replaceAll('…', '...').replace(/[^\0-\x7f]/gu, '?')

/** Rows as JSON in ASCII: they come to the server in whatever encoding its connection has. */
export const asJson = (rows: readonly object[], serverEncoding: string | undefined): string =>
  JSON.stringify(rows, (_, value) =>
    typeof value === 'string' ? sayable(value, serverEncoding) : value,
  ).replace(/[^\0-\x7f]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
