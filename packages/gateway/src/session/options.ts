import type { Listener } from '../origin/listener.ts'
import type { Pool } from '../origin/pool.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import type { StatementPlan } from '../sql/plan.ts'
import type { ReadCache } from './cached-reads.ts'
import type { WriteNotes } from './own-writes.ts'
import type { Refreshes } from './refreshes.ts'
import type { Session } from './session.ts'
import type { Signal } from './signals.ts'
import type { Place } from './traces.ts'

/** What all sessions of one user in one database have in common: one object, for there may be many thousand of them. */
export interface SessionOptions extends Place {
  /** The gateway's. */
  readonly version: string
  readonly pool: Pool
  readonly queryTimeoutMs: number
  readonly idleInTransactionTimeoutMs: number
  /** A clock that a timer sets: good for time-outs of seconds, and free. */
  readonly time: { readonly now: number }
  /** @param asciiSafe false: a byte that looks like ASCII may be a part of another character */
  planOf(bytes: Uint8Array, start: number, end: number, asciiSafe: boolean): StatementPlan
  /** Null: caching is off. */
  readonly reads: ReadCache | null
  /** Null: nothing of the database is kept, by whatever way its clients come. */
  readonly notes: WriteNotes | null
  /** Of all that the origin keeps. */
  readonly refreshes: Refreshes
  /** Cancels or ends another client of the gateway's. */
  signal(by: Session, signal: Signal, processId: number): boolean
  /** The listener of the client's database. */
  listener(): Listener
  /** Tells the origin to cancel what a connection runs; ends when the cancel connection has closed. */
  cancel(server: ServerConnection): Promise<void>
  /** The session is over, its server connection given back or closed. */
  onEnd(session: Session): void
}
