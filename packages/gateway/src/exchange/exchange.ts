/**
 * One exchange: what one owner sends until the ReadyForQuery that answers it.
 *
 *     open ──tail sent──▶ closed ──ReadyForQuery──▶ done
 *
 * The owner is a sink. Most exchanges pass whole; one that is edited carries *edits*, each placed by the number of
 * the answer that it concerns. An answer is what ends one message of a series: ParseComplete, BindComplete,
 * CloseComplete, RowDescription or NoData for a Describe, CommandComplete, EmptyQueryResponse or PortalSuspended for
 * an Execute.
 *
 *     client sends        Parse s1   Bind s1   Execute   Sync
 *     the server gets     Parse g1   Bind g1   Execute   Sync       answers 0, 1, 2
 *     edits               0: watch
 *
 *     client sends                   Bind s1   Execute   Sync       on a connection that lacks it
 *     the server gets     Parse g1   Bind g1   Execute   Sync       answers 0, 1, 2
 *     edits               0: swallow
 *
 * After an error the server discards the rest of the series, and so do the edits: none of theirs is heard.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Extended Query" and "Pipelining".
 */

/** The transaction status byte of ReadyForQuery: idle, in a transaction block, in a failed one. */
export type TransactionStatus = 'I' | 'T' | 'E'

export interface AnswerSink {
  /**
   * Before the bytes that carry ReadyForQuery go on: the last moment to invalidate or record. True keeps these bytes
   * back: the owner says ready by itself, later.
   */
  onReady(status: TransactionStatus, exchange: Exchange): boolean
  /** Bytes of this exchange only, not copied, whole messages except for large ones. False pauses the server connection. */
  onBytes(chunk: Uint8Array): boolean
  /** The exchange is over and no longer in the pipeline: the connection may be used for something else from here. */
  onAnswered(status: TransactionStatus, exchange: Exchange): void
  /** An ErrorResponse is about to pass. What is given takes its place; null lets it pass. */
  onError(bytes: Uint8Array, start: number, end: number, exchange: Exchange): Uint8Array | null
  /**
   * CommandComplete, an error or a notice is about to pass, of an exchange of which it may tell that a transaction is
   * committed: code may commit and go on, and say so.
   */
  onMayBeCommitted?(exchange: Exchange): void
  /** CopyInResponse is about to pass: the server waits for data. */
  onCopyIn(exchange: Exchange): void
  /** The connection is gone. `sent`: something of this exchange was sent, so it may have run. */
  onLost(cause: Error, sent: boolean): void
}

export interface Edit {
  /** The number of the answer it concerns, counted from 0 within the exchange. A `say` comes before that answer. */
  readonly at: number
  /**
   * - `watch`: the answer passes, and the owner learns what it was
   * - `swallow`: the owner's client does not hear it
   * - `say`: what the client hears though the server was not asked
   */
  readonly does: 'watch' | 'swallow' | 'say'
  /** Of a `say`. */
  readonly bytes?: Uint8Array
  /** With the answer in whole messages, copied; empty for a `say`. */
  readonly onDone?: (answer: readonly Uint8Array[]) => void
  /** The answer will not come: an error before it, or the end of the connection. */
  readonly onUndone?: () => void
}

let begun = 0

export class Exchange {
  readonly sink: AnswerSink
  /** In the order in which exchanges were begun. */
  readonly number = ++begun
  /** Its tail, a Sync or a Query, is not sent yet: nothing may follow it. */
  open = true
  /** Messages that owe an answer and were sent so far. */
  asked = 0
  /** Answers that have come. */
  answered = 0
  /** What was asked before the last Flush; -1 without one. */
  flushed = -1
  /** An ErrorResponse has come: the server discards what is left of the series. */
  failed = false
  /** It stands within a COPY FROM STDIN. */
  copying = false
  /** A simple Query stands in it behind messages of a series: an error before it discards it too. */
  queryInSeries = false
  /** It has run something: a transaction is open in it. */
  executes = false
  /** What it says before ReadyForQuery may tell of a commit. */
  commits = false
  /** In the order of their `at`; those that are done are taken off. */
  edits: Edit[] | null = null
  /** Tags of CommandComplete, if the owner wants to know them. */
  tags: string[] | null = null

  constructor(sink: AnswerSink) {
    this.sink = sink
  }

  edit(edit: Edit): void {
    this.edits ??= []
    this.edits.push(edit)
  }
}
