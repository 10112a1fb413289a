/**
 * A session's exchanges in flight: each from the first byte that is sent of it to the ReadyForQuery that answers it.
 *
 *     begin ──▶ open ──its tail is sent: close──▶ closed ──ReadyForQuery──▶ over
 *                ▲                                  │
 *                └── the tail is discarded: by an error before it, or by a server that takes COPY data
 *
 * Nothing follows an open one. While it is open the server may take COPY data: from a CopyInResponse to the end of the
 * data, an error, or the answer. What ends the data may be sent before the CopyInResponse is here.
 *
 * What answers tell is passed on at the moment it is told: what is written, before its commit is heard of; names of
 * statements, as they are made and lost.
 *
 * Not here: what is sent in them (units.ts), in which order they are answered (exchange/).
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Pipelining" and "COPY Operations".
 */
import { ErrorResponse, message, parseErrorFields } from '@sluice/wire'
import type { AnswerSink, Exchange, TransactionStatus } from '../exchange/index.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import type { Caching } from './caching.ts'
import type { Life } from './life.ts'
import type { Loan } from './loan.ts'
import { Names } from './names.ts'
import type { Upkeep } from './upkeep.ts'

/** An unnamed statement that is nobody's: whether there is one is not known. */
const unknown = {}

export class Exchanges implements AnswerSink {
  readonly #life: Life
  readonly #upkeep: Upkeep
  #names: Names | null = null
  #caching: Caching | null = null
  /** Begun, and not over. */
  #size = 0
  #open: Exchange | null = null
  #copying = false
  /** Ends of COPY data that were sent behind an Execute before the server asked for data. */
  #copiesAhead = 0
  /** A Sync with nothing before it, in a transaction. */
  #loneSync: Exchange | null = null
  /**
   * PostgreSQL says ready and is not: it leaves the transaction of a series with a Query in it open at such a Sync, and
   * the next statement fails (XX000). That must be the same client's.
   */
  #lingers = false
  /** Statements that the Query in flight speaks of. */
  #loan: Loan | null = null

  constructor(life: Life, upkeep: Upkeep) {
    this.#life = life
    this.#upkeep = upkeep
  }

  get size(): number {
    return this.#size
  }

  /** The one whose tail is not sent, if there is one. */
  get open(): Exchange | null {
    return this.#open
  }

  /** The server takes COPY data. */
  get copying(): boolean {
    return this.#copying
  }

  get lingers(): boolean {
    return this.#lingers
  }

  /** The client's prepared statements: as they are if all that is in flight succeeds. */
  get names(): Names {
    this.#names ??= new Names()
    return this.#names
  }

  get caching(): Caching | null {
    return this.#caching
  }

  /** From now on it hears what is answered. */
  heardBy(caching: Caching): Caching {
    this.#caching = caching
    return caching
  }

  // What is sent

  begin(server: ServerConnection): Exchange {
    this.#size++
    this.#upkeep.onWork()
    return server.pipeline.begin(this)
  }

  /** The one that is begun is waited for, and goes on with what comes next. */
  keepOpen(exchange: Exchange): void {
    this.#open = exchange
  }

  /** The tail of this exchange is sent. */
  close(exchange: Exchange): void {
    exchange.open = false
    if (this.#open === exchange) this.#open = null
  }

  /** The Sync that is its tail is all of it. */
  closeLone(exchange: Exchange): void {
    this.#loneSync = exchange
    this.close(exchange)
  }

  /** The Query that is sent next speaks of statements by their names. */
  lend(loan: Loan): void {
    this.#loan = loan
  }

  /** What becomes of what is lent is told by tags. */
  get lends(): boolean {
    return this.#loan !== null
  }

  /** The end of COPY data is sent. */
  endCopy(): void {
    if (this.#copying) this.#copying = false
    else this.#copiesAhead++
  }

  /** What comes next is no COPY data, whatever the server waits for. */
  breakCopy(): void {
    this.#copying = false
  }

  // AnswerSink: what comes back

  onBytes(chunk: Uint8Array): boolean {
    const flows = this.#life.client.say(chunk)
    this.#caching?.onBytes(chunk, flows)
    return flows
  }

  onMayBeCommitted(exchange: Exchange): void {
    this.#caching?.onMayBeCommitted(exchange)
  }

  onError(bytes: Uint8Array, start: number, end: number, exchange: Exchange): Uint8Array | null {
    const { names } = this
    const { server } = this.#upkeep
    if (names.unnamedFailed(exchange, exchange.answered) && server) server.unnamed = unknown
    this.#copying = false
    if (exchange.queryInSeries && exchange.answered < exchange.asked) {
      // The error is one of the series: the Query was discarded with it, and so is all up to a Sync.
      exchange.queryInSeries = false
      this.#reopen(exchange)
    }
    // A Sync has to come.
    if (this.#open === exchange) this.#life.awaited()
    const instead = this.#life.onServerError(parseErrorFields(bytes, start, end))
    if (instead !== null) return instead
    // In any of the encodings that are read at all our names are ASCII.
    const error = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
    const said = names.inClientsWords(error)
    return said === null ? null : message(ErrorResponse, Buffer.from(said, 'latin1'))
  }

  onCopyIn(exchange: Exchange): void {
    if (this.#copiesAhead > 0) {
      this.#copiesAhead--
      return
    }
    this.#copying = true
    // The Sync that was sent behind the Execute is ignored by a server that takes COPY data: another one will come.
    if (exchange.answered < exchange.asked) this.#reopen(exchange)
    this.#life.awaited()
  }

  #reopen(exchange: Exchange): void {
    exchange.open = true
    this.#open = exchange
  }

  onReady(status: TransactionStatus, exchange: Exchange): boolean {
    if (status === 'I') this.#caching?.onOver(exchange)
    if (exchange.tags !== null) this.#onTags(exchange.tags, exchange.failed && status === 'I')
    // Who leaves is told no more than that.
    const stays = this.#life.phase !== 'leaving'
    const isLast = stays && status === 'I' && this.#size === 1 && exchange !== this.#loneSync
    return this.#upkeep.keepReady(isLast)
  }

  #onTags(tags: readonly string[], rolledBack: boolean): void {
    this.#loan?.settle(this.names, tags)
    if (tags.includes('DISCARD ALL') || tags.includes('DEALLOCATE ALL')) {
      this.names.clear()
      this.#upkeep.server?.forgetStatements()
    }
    this.#life.traces.onTags(tags, rolledBack)
  }

  onAnswered(status: TransactionStatus, exchange: Exchange): void {
    const { client, server } = this.#life
    this.#size--
    this.#caching?.onAnswered(exchange)
    this.#lingers = exchange === this.#loneSync && status === 'I'
    this.#loneSync = null
    if (this.#open === exchange) this.#open = null
    this.#names?.unnamedSettled(exchange)
    this.#copying = false
    this.#copiesAhead = 0
    this.#upkeep.onWork()
    // What the server reported on the way has passed.
    if (server) client.told = server.reported
  }

  onLost(cause: Error): void {
    this.#size = 0
    this.#life.onServerGone(cause)
  }

  /** All that was sent has been answered. */
  onQuiet(server: ServerConnection): void {
    const { client } = this.#life
    this.#names?.settle()
    this.#loan?.takeBack(server)
    this.#loan = null
    // COPY data may have failed before its end was here: half a message must not be met by what somebody else sends.
    if (client.streaming > 0 && !client.dropping) return
    if (server.pipeline.status === 'I' && !this.#lingers) this.#upkeep.onQuiet(server)
  }
}
