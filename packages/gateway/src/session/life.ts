/**
 * At which point of its life a session is, and how its parts move it.
 *
 *     ready ──checkout──▶ waiting ──onServer, onRefused──▶ ready
 *       │ ──joins──▶ joining ──goOn──▶ ready
 *       │ ──prepares──▶ preparing ──goOn──▶ ready
 *       │ ──awaits──▶ awaiting ──awaited, onQuiet──▶ ready
 *       ▼
 *     leaving ──▶ over            from all of them, and from leaving nowhere else
 *
 * Only the session itself (session.ts) writes its phase; the parts are handed what stands here.
 */
import type { ErrorFields } from '@sluice/wire'
import type { Refusal } from '../origin/refusal.ts'
import type { Holder, ServerConnection } from '../origin/server-connection.ts'
import type { Client } from './client.ts'
import type { SessionOptions } from './options.ts'
import type { Signal } from './signals.ts'
import type { Traces } from './traces.ts'

export type Phase =
  /** Takes the next unit. */
  | 'ready'
  /** For a server connection. */
  | 'waiting'
  /** For the answer to the same question that another client has asked. */
  | 'joining'
  /** Something of the gateway's own is under way on the server connection: replay, statements, probe. */
  | 'preparing'
  /** What comes next can't be understood before the answer to what was sent is there. */
  | 'awaiting'
  /** Nothing more is taken: what is in flight ends, and the server connection is put in order. */
  | 'leaving'
  | 'over'

/** A session, as its parts see it. */
export interface Life extends Holder {
  readonly options: SessionOptions
  readonly client: Client
  readonly traces: Traces
  readonly phase: Phase
  /** The server connection that it holds. */
  readonly server: ServerConnection | null
  /** A moment between two units, for what the client has not asked for. */
  readonly isIdle: boolean
  joins(): void
  prepares(): void
  awaits(): void
  /** What was awaited has come, though not all is quiet: the next words are the client's. */
  awaited(): void
  /** Who was joined, or what was prepared, is done. */
  goOn(): void
  /** A server connection that has what the client wants; null if that is waited for. */
  checkout(): ServerConnection | null
  /** All that was sent has been answered. */
  onQuiet(): void
  /** The server said an error. What is given takes its place. */
  onServerError(fields: ErrorFields): Uint8Array | null
  signal(signal: Signal, processId: number): boolean
  /** The unit that comes next is answered by an error. */
  refuse(refusal: Refusal): void
  /** The same, if one is there and was not refused already. */
  refuseWaiting(refusal: Refusal): void
  /** Ends the session with a last word, at once. */
  terminate(refusal: Refusal): void
}
