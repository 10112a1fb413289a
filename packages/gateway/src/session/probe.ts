/**
 * What a server connection's session is like, asked of the server itself: after a statement whose text says that it
 * touched something, and outside a transaction. So the truth comes from where it is: a SET that was rolled back, a
 * RESET in a savepoint and a set_config in a function are all seen as they ended.
 *
 * Names and operators are qualified: the search_path is the client's. So is the encoding, for which the answer is ASCII.
 */
import { quoteLiteral } from '../sql/quote.ts'

/** Why a client can't share its server connection. */
export type Pin =
  | 'advisory_lock'
  | 'temporary'
  | 'hold_cursor'
  | 'sql_prepare'
  /** What nothing undoes. */
  | 'lasting'
  /** The server does not tell what its session is like: its role may not read the catalogues. */
  | 'unreadable'

export interface Probed {
  /** What differs from the start: see origin/replay.ts. */
  readonly values: Map<string, string>
  readonly pins: readonly Pin[]
  /** LISTENed to on this connection. */
  readonly channels: readonly string[]
}

/** Of a transaction, whose values end with it: PostgreSQL leaves them marked as the session's. */
const ofTransactions = `'transaction_isolation', 'transaction_read_only', 'transaction_deferrable'`

/** The client's, that would end the question. */
const limits = ['statement_timeout', 'transaction_timeout']

/**
 * Before all else the limits are told, and those switched off, for this transaction, that are too short: PostgreSQL
 * prints what is less than a second in ms.
 */
const unhurried = `SELECT ${limits
  .map(name => ({
    name: quoteLiteral(name),
    value: `pg_catalog.current_setting(${quoteLiteral(name)}, true)`,
  }))
  .map(
    ({ name, value }) =>
      `${value}, CASE WHEN ${value} OPERATOR(pg_catalog.~~) '%ms' THEN pg_catalog.set_config(${name}, '0', true) END`,
  )
  .join(', ')}`

/**
 * @param customs names with a dot: PostgreSQL lists no such parameters, so they are asked for one by one
 */
export const probeSql = (customs: Iterable<string>): string =>
  `${unhurried}; SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.json_build_array(${[
    `(SELECT pg_catalog.json_object_agg(s.name, s.setting) FROM pg_catalog.pg_settings s WHERE s.source OPERATOR(pg_catalog.=) 'session' AND s.name OPERATOR(pg_catalog.<>) ALL (ARRAY[${ofTransactions}]))`,
    `pg_catalog.current_setting('session_authorization')`,
    `pg_catalog.current_setting('role')`,
    `(SELECT pg_catalog.json_agg(c) FROM pg_catalog.pg_listening_channels() c)`,
    `EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())`,
    // Whatever is in the schema of temporary objects depends on it: functions and types, too.
    `EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid OPERATOR(pg_catalog.=) 2615 AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())`,
    `EXISTS (SELECT FROM pg_catalog.pg_cursors c WHERE c.is_holdable)`,
    `EXISTS (SELECT FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql)`,
    // One argument for all: a function has at most a hundred.
    `ARRAY[${[...customs].map(name => `pg_catalog.current_setting(${quoteLiteral(name)}, true)`).join(', ')}]::pg_catalog.text[]`,
  ].join(', ')})::pg_catalog.text, 'UTF8'), 'hex')`

const pinsInOrder: readonly Pin[] = ['advisory_lock', 'temporary', 'hold_cursor', 'sql_prepare']

/**
 * @param rows the probe's
 * @param user whom the connection was opened for: a session of theirs is no difference
 */
export function readProbe(
  rows: readonly (readonly (string | null)[])[],
  customs: Iterable<string>,
  user: string,
): Probed {
  const [settings, authorization, role, channels, locks, temporary, cursors, prepared, custom] = JSON.parse(
    Buffer.from(rows.at(-1)?.[0] ?? '', 'hex').toString(),
  ) as [
    ...[settings: Record<string, string> | null, authorization: string, role: string],
    ...[channels: string[] | null, locks: boolean, temporary: boolean, cursors: boolean, prepared: boolean],
    custom: (string | null)[],
  ]
  const values = new Map<string, string>()
  for (const [name, value] of Object.entries(settings ?? {})) values.set(name.toLowerCase(), value)
  for (const [at, name] of limits.entries()) {
    const [value, switchedOff] = rows[0]?.slice(2 * at) ?? []
    if (value != null && switchedOff != null) values.set(name, value)
  }
  if (authorization !== user) values.set('session_authorization', authorization)
  if (role !== 'none') values.set('role', role)
  const held = [locks, temporary, cursors, prepared]
  const pins = pinsInOrder.filter((_, at) => held[at])
  let at = 0
  for (const name of customs) {
    const value = custom[at++]
    if (value != null) values.set(name, value)
  }
  return { values, pins, channels: channels ?? [] }
}
