/**
 * What the library needs of a PostgreSQL driver: one connection at a time, text values in and out.
 *
 * Pools, time-outs, transactions, value types and errors are ours and the same on every driver. A driver
 * gets a connected stream (TLS done, socket/stream.ts) and speaks the protocol on it.
 *
 * Each driver's package may be missing. It is imported when it is first needed, and the `await import(…)` stands
 * in a `try` of its own: by that, bundlers know that they may leave the import to run time. Behind a function of
 * ours they don't see the `try`, and a Worker that has another driver fails to build.
 */
import type { DriverStream } from '../socket/stream.ts'
import type { Target } from '../url.ts'
import type { Decoder } from '../values/decode.ts'

export type DriverName = 'pg' | 'postgres' | 'neon'

export interface Statement {
  readonly text: string
  /** In PostgreSQL's text format; bytea as `\x…`. */
  readonly params: readonly (string | null)[]
  /** Rows as objects by column name (the last of equal names wins) or as arrays. */
  readonly rowMode: 'object' | 'array'
  /** Asked once for each column of the result, in order (`column` counts from 0). */
  readonly decoderFor: (oid: number, column: number) => Decoder
  /** True for our own BEGIN, COMMIT and the like: the simple protocol, no parameters. */
  readonly simple?: boolean
}

export interface Field {
  readonly name: string
  /** Type OID. */
  readonly dataTypeID: number
}

export interface Answer {
  rows: unknown[]
  fields: readonly Field[]
  /** The command tag's first word: SELECT, INSERT, COMMIT, … */
  command: string
  /** Rows returned or changed; null for commands that count nothing. */
  rowCount: number | null
}

export interface DriverConnection {
  /** Never called while another query is under way. Rejects with the driver's own error. */
  query(statement: Statement): Promise<Answer>
  /** ReadyForQuery's last word: idle, in a transaction, in a failed one. */
  readonly status: 'I' | 'T' | 'E'
  readonly closed: boolean
  /** Of the backend, as the login told it: whatever pools in between tells one of its own. */
  readonly processId?: number | undefined
  /** False until the session's first ReadyForQuery, where a driver sends its first statement before that. */
  readonly ready?: boolean
  /** Asks the server to cancel what runs here; undefined where the route carries no cancel request. */
  readonly cancel: ((signal: AbortSignal) => Promise<void>) | undefined
  /** Terminate, then close; without waiting. */
  close(): void
  destroy(): void
}

export interface ConnectRequest {
  readonly target: Target
  /** A connected stream to one of the target's hosts. */
  readonly dial: () => Promise<DriverStream>
  /** Aborts the login. */
  readonly signal: AbortSignal
  /** Opens a second connection that only carries CancelRequest; undefined on routes that carry none. */
  readonly sendCancel: ((stream: DriverStream, signal: AbortSignal) => Promise<void>) | undefined
}

export interface Driver {
  readonly name: DriverName
  connect(request: ConnectRequest): Promise<DriverConnection>
  /** One statement without a connection (Neon's HTTP), where the driver has such a way. */
  readonly oneShot?:
    | ((target: Target, statement: Statement, signal: AbortSignal) => Promise<Answer>)
    | undefined
}

/** `decoderFor` as node-postgres and its kin ask: by type only, but once for each column in order. */
export function typeParsers({ decoderFor }: Statement): { getTypeParser: (oid: number) => Decoder } {
  let column = 0
  return { getTypeParser: oid => decoderFor(oid, column++) }
}

/** Rows as the statement wants them. By `fromEntries`, because a column may be called `__proto__`. */
export function shaped(rows: unknown[][], fields: readonly Field[], { rowMode }: Statement): unknown[] {
  if (rowMode === 'array') return rows
  return rows.map(row => Object.fromEntries(fields.map(({ name }, column) => [name, row[column]])))
}

/** Startup settings that a URL asks for, as the `options` startup parameter carries them. */
export function startupOptions(target: Target): string | undefined {
  const settings = Object.entries(target.settings).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, character => `\\${character}`)}`,
  )
  if (target.options) settings.unshift(target.options)
  return settings.length > 0 ? settings.join(' ') : undefined
}
