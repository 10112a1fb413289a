/**
 * One client's session, from the end of its login to its end.
 *
 *            ┌──────────── released at ReadyForQuery I, nothing owed ────────────┐
 *            ▼                                                                   │
 *     ready ──unit──▶ waiting ──server──▶ preparing ──has what it wants──▶ exchanges in flight ──▶ preparing
 *                     (the pool's queue)  (replay, statements)                                     (probe)
 *
 * One rule decides what is taken of the client's bytes, and when. A *unit* is taken when it is whole (a Query; a
 * series up to its Sync or Flush) and a server connection is there that has what the client wants. Before that nothing
 * of it has left the gateway, so that a client that waits too long or cancels is simply told so. What was sent whole
 * before the end of the client's stream is run, as PostgreSQL would. What is too large to wait for goes on in pieces,
 * and a client that vanishes in the middle of that costs its server connection.
 *
 * The connection goes back when nothing that was sent owes an answer and ReadyForQuery said I, and never else.
 *
 * Not here: the client's bytes (client.ts), names of statements (series.ts), what is left behind (traces.ts), who waits
 * how long (origin/pool.ts), login (front/).
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Flow".
 */
import {
  Bind,
  Close,
  CopyData,
  CopyDone,
  CopyFail,
  commandComplete,
  copyFail,
  Describe,
  type ErrorFields,
  ErrorResponse,
  Execute,
  Flush,
  FunctionCall,
  message,
  Parse,
  parseComplete,
  parseErrorFields,
  Query,
  readyForQuery,
  Sync,
  Terminate,
} from '@sluice/wire'
import type { Entry } from '../cache/entry.ts'
import type { Fill, FillWaiter } from '../cache/fills.ts'
import type { Outcome } from '../cache/status.ts'
import type { AnswerSink, Exchange, TransactionStatus } from '../exchange/index.ts'
import { ask } from '../origin/own-query.ts'
import type { Waiter } from '../origin/pool.ts'
import type { Refusal } from '../origin/refusal.ts'
import { setConfig } from '../origin/replay.ts'
import { LastWords, type ServerConnection } from '../origin/server-connection.ts'
import { makeStatement, type Statement } from '../origin/statement.ts'
import type { Values } from '../origin/values.ts'
import { deallocatesOnly, Needs, type StatementPlan, Touches } from '../sql/plan.ts'
import type { Socket, SocketHandler } from '../transport/transport.ts'
import { Asker } from './asking.ts'
import { BoundValues } from './bound-values.ts'
import { answerTo, CachedReads, inOwnSession, inTransaction } from './cached-reads.ts'
import { Client, fullBytes, lengthAt } from './client.ts'
import { describedBy } from './description.ts'
import {
  canceled,
  idleInTransaction,
  notTheProtocol,
  queryTimedOut,
  refused,
  serverLost,
  tooLong,
  tooManyStatements,
} from './errors.ts'
import type { Life, Phase } from './life.ts'
import { Loan } from './loan.ts'
import { nameAt } from './name-at.ts'
import { Names, type Unnamed } from './names.ts'
import type { SessionOptions } from './options.ts'
import { OwnWrites, type Sent } from './own-writes.ts'
import { ReadUnit } from './read-unit.ts'
import { runsNext } from './runs-next.ts'
import { type Context, inject, lend, ownText, passMessage, rewrittenNeeds, survey } from './series.ts'
import { asJson, sayable, viewNamed, withoutCache } from './shown.ts'
import { type Signal, sendSignals } from './signals.ts'
import { Text, textOf } from './text.ts'
import { planOfText } from './text-plans.ts'
import { Traces } from './traces.ts'
import { Upkeep } from './upkeep.ts'

/** What a client's session starts with. */
export interface SessionStart {
  /** Startup parameters, to which a RESET goes back. */
  readonly base: Values
  /** What the client was told by ParameterStatus at its login. */
  readonly told: Values
  /** What it cancels by. */
  readonly key: { readonly processId: number; readonly secretKey: Uint8Array }
}

/** A Query or Bind that is longer goes on in pieces. */
const largeBytes = 262_144
/** A Parse is kept, to be prepared elsewhere, too: there must be an end to it. */
const longestMessage = 134_217_728
/** More keep no server busier. What one client sends at once would all be taken at once, and others wait meanwhile. */
const mostInFlight = 200
/** Prepared statements of one client. */
const statementsPerClient = 10_000
/** An unnamed statement that is nobody's: whether there is one is not known. */
const unknown = {}
const nothingShown: readonly string[] = []
/** A statement whose text is the server's. */
const unseen = { plan: null, bytes: new Uint8Array(0), start: 0, end: 0 }
/** How long a server may take to answer a cancel request. */
const cancelGraceMs = 10_000

/** How long a server may take to answer what the gateway itself asks: as long as query_timeout is by default. */
const ownQueryMs = 60_000
const syncBytes = 5

/** Bytes as text, byte for byte: in any of the encodings that are read at all, what is looked for in it is ASCII. */
const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

export class Session implements SocketHandler, AnswerSink, Waiter, FillWaiter, Life {
  readonly key: SessionStart['key']
  readonly options: SessionOptions
  readonly client: Client
  /** Why it keeps its server connection, if it does. */
  readonly traces: Traces
  readonly #names = new Names()
  readonly #upkeep: Upkeep
  #phase: Phase = 'ready'
  /** Exchanges that were begun and have not ended. */
  #inFlight = 0
  /** The exchange whose tail is not sent, if there is one. */
  #open: Exchange | null = null
  /** An error of ours stands for a series: what comes is discarded up to the Sync. */
  #skipping = false
  /** The series may hold a COPY FROM STDIN. */
  #mayCopyIn = false
  /** What the unit that is being taken touches and needs: bits of Touches and Needs. */
  #unitTouches = 0
  #unitNeeds = 0
  #unitShows: readonly string[] = nothingShown
  /** The server takes COPY data. */
  #copying = false
  /** A Sync with nothing before it, in a transaction. */
  #loneSync: Exchange | null = null
  /**
   * PostgreSQL says ready and is not: it leaves the transaction of a series with a Query in it open at such a Sync, and
   * the next statement fails (XX000). That must be the same client's.
   */
  #lingers = false
  /** Ends of COPY data that were sent behind an Execute before the server asked for data. */
  #copiesAhead = 0
  /** Its questions to the cache and what its transaction writes; null until there is something to ask or note. */
  #reads: CachedReads | null = null
  #writes: OwnWrites | null = null
  #asker: Asker | null = null
  /** The answer that is being kept, of this exchange. */
  #fill: Fill | null = null
  #filling: Exchange | null = null
  /** Another client's, for which this one waits. */
  #joined: Fill | null = null
  /** What the client wants when the next statement begins; null if only the server knows. */
  #wantsThen: Values | null = null
  /** The next unit goes to the origin: who was to answer it did not. */
  #asksItself = false
  /** Statements that the Query in flight speaks of by their names. */
  #loan: Loan | null = null
  /** query_timeout has passed, and a cancel request is on its way. */
  #timedOut = false
  /** A FATAL of the server has passed: it was the last thing to say. */
  #fatal = false
  #running = false

  /** What series.ts is given: one for all, because only one session at a time is in there. */
  static readonly #context: { -readonly [Key in keyof Context]: Context[Key] } & { session: Session } = {
    session: null as unknown as Session,
    server: null as unknown as ServerConnection,
    exchange: null as unknown as Exchange,
    names: null as unknown as Names,
    statements: null as unknown as Context['statements'],
    own: null as unknown as Context['own'],
    settings: null,
    preparedBySql: false,
    planOf: (bytes, start, end) => Session.#context.session.#planOf(bytes, start, end),
    onPlan: plan => Session.#context.session.#onPlan(plan),
    onUnnamedSetting: message => Session.#context.session.traces.onUnnamedSetting(message),
    onSignal: (signal, processId) => Session.#context.session.signal(signal, processId),
    onBound: (statement, bytes, at, start, end) =>
      Session.#context.session.#onBound(statement, bytes, at, start, end),
    describing: statement => Session.#context.session.#describing(statement),
    onSqlClosed: () => Session.#context.session.traces.onSqlClosed(),
  }

  /** What is found in the next unit: one for all. */
  static readonly #unit = new ReadUnit()

  constructor(socket: Socket, options: SessionOptions, { base, told, key }: SessionStart) {
    this.options = options
    this.key = key
    this.client = new Client(socket, told)
    this.traces = new Traces(options, base)
    this.#upkeep = new Upkeep(this, this.#names)
    socket.handler = this
  }

  /** What it was told last. */
  get told(): Values {
    return this.client.told
  }

  get server(): ServerConnection | null {
    return this.#upkeep.server
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Nothing of it is under way on a server connection: it may be ended without harm. */
  get waiting(): boolean {
    if (this.server !== null) return false
    return this.#phase === 'ready' || this.#phase === 'waiting' || this.#phase === 'joining'
  }

  // SocketHandler: the client

  onData(chunk: Uint8Array): void {
    if (this.#phase === 'over' || this.#phase === 'leaving') return
    this.client.push(chunk)
    this.#run()
  }

  onDrain(): void {
    this.server?.resume()
  }

  onEnd(): void {
    this.client.ended = true
    this.#run()
  }

  onClose(): void {
    this.client.ended = true
    this.client.gone = true
    this.server?.resume()
    this.#run()
  }

  // Waiter

  onServer(server: ServerConnection): void {
    this.#phase = 'ready'
    if (this.#upkeep.take(server)) this.#run()
  }

  onRefused(refusal: Refusal): void {
    this.#phase = 'ready'
    this.refuse(refusal)
    this.#run()
  }

  // FillWaiter

  onAnswer(entry: Entry): void {
    const client = this.client
    const unit = Session.#unit
    this.#joined = null
    this.#phase = 'ready'
    this.#asksItself = !unit.read(client.bytes, client.at, client.end) || !this.#sayCached(unit, entry, true)
    this.#run()
  }

  onNoAnswer(): void {
    this.#joined = null
    this.#phase = 'ready'
    this.#asksItself = true
    this.#run()
  }

  /** A CancelRequest with this client's key. Ends when the origin was told. */
  async cancel(): Promise<void> {
    const server = this.server
    if (this.#phase === 'waiting') {
      this.options.pool.leave(this)
      this.onRefused(canceled())
    } else if (this.#phase === 'joining') {
      this.#leaveFill()
      this.onRefused(canceled())
    } else if (server && this.#upkeep.refusePreparation(canceled())) {
      // A Parse may wait for a lock, as the client's own would.
      await this.#cancelOn(server)
    } else if (this.#phase === 'preparing') {
      // What is under way is ours and goes on; the client's unit waits behind it, if there is one.
      if (!this.#upkeep.readyKept) this.refuseWaiting(canceled())
    } else if (server && this.#inFlight > 0) await this.#cancelOn(server)
  }

  /** Ends the session with a last word, at once: what is in flight is cancelled and rolled back. */
  terminate(refusal: Refusal): void {
    if (this.#phase === 'over' || this.#phase === 'leaving') return
    this.#sayLast(refusal)
    this.client.hangUp()
    // Nothing more is said, so a client that does not read must not keep it.
    const server = this.#upkeep.server
    server?.resume()
    if (server && (this.#inFlight > 0 || this.#upkeep.prepares)) void this.#cancelOn(server)
    this.#leave()
  }

  /** The client has had time to close its side. */
  destroy(): void {
    this.client.destroy()
  }

  /** What a timer does from time to time. */
  sweep(now: number): void {
    const { prepares, server, since } = this.#upkeep
    if (!server || this.#phase === 'over') return
    const { queryTimeoutMs, idleInTransactionTimeoutMs } = this.options
    const forMs = now - since
    if (prepares || server.pipeline.head?.sink === this) {
      if (queryTimeoutMs === 0 || forMs <= queryTimeoutMs || this.#copying) return
      if (!this.#timedOut) {
        this.#timedOut = true
        this.#upkeep.refusePreparation(queryTimedOut(queryTimeoutMs))
        void this.#cancelOn(server)
      } else if (forMs > queryTimeoutMs + cancelGraceMs)
        server.destroy(new Error('it did not answer a cancel request'))
    } else if (this.#phase !== 'ready' || !server.pipeline.settled) {
      if (forMs > ownQueryMs)
        server.destroy(new Error(`it did not answer the gateway within ${ownQueryMs / 1_000} s`))
    } else if (
      this.#phase === 'ready' &&
      server.pipeline.status !== 'I' &&
      idleInTransactionTimeoutMs > 0 &&
      forMs > idleInTransactionTimeoutMs
    )
      this.terminate(idleInTransaction(idleInTransactionTimeoutMs))
  }

  // AnswerSink and Holder: the server

  onBytes(chunk: Uint8Array): boolean {
    const flows = this.client.say(chunk)
    const fill = this.#fill
    if (fill !== null) {
      fill.onBytes(chunk)
      if (!flows) fill.onPaused()
    }
    return flows
  }

  onMayBeCommitted(exchange: Exchange): void {
    this.#writes?.onTold(exchange.number)
  }

  onError(bytes: Uint8Array, start: number, end: number, exchange: Exchange): Uint8Array | null {
    const names = this.#names
    if (names.unnamedFailed(exchange, exchange.answered) && this.server) this.server.unnamed = unknown
    this.#copying = false
    if (exchange.queryInSeries && exchange.answered < exchange.asked) {
      // The error is one of the series: the Query was discarded with it, and so is all up to a Sync.
      exchange.queryInSeries = false
      exchange.open = true
      this.#open = exchange
    }
    // A Sync has to come.
    if (this.#open === exchange && this.#phase === 'awaiting') this.#phase = 'ready'
    const fields = parseErrorFields(bytes, start, end)
    const instead = this.onServerError(fields)
    if (instead !== null) return instead
    const said = names.inClientsWords(latin1(bytes.subarray(start, end)))
    return said === null ? null : message(ErrorResponse, Buffer.from(said, 'latin1'))
  }

  onServerError(fields: ErrorFields): Uint8Array | null {
    const { pool, queryTimeoutMs } = this.options
    if (fields.severity === 'FATAL' || fields.severity === 'PANIC') this.#fatal = true
    if (fields.code === '25006' && this.server) pool.onReadOnly(this.server)
    return this.#timedOut && fields.code === '57014' ? refused(queryTimedOut(queryTimeoutMs)) : null
  }

  onCopyIn(exchange: Exchange): void {
    if (this.#copiesAhead > 0) {
      this.#copiesAhead--
      return
    }
    this.#copying = true
    if (exchange.answered < exchange.asked) {
      // The Sync that was sent behind the Execute is ignored by a server that takes COPY data: another one will come.
      exchange.open = true
      this.#open = exchange
    }
    if (this.#phase === 'awaiting') this.#phase = 'ready'
  }

  onReady(status: TransactionStatus, exchange: Exchange): boolean {
    if (status === 'I') this.#writes?.onOver(exchange.number)
    if (exchange.tags !== null) this.#onTags(exchange.tags, exchange.failed && status === 'I')
    // Who leaves is told no more than that.
    const stays = this.#phase !== 'leaving'
    const isLast = stays && status === 'I' && this.#inFlight === 1 && exchange !== this.#loneSync
    return this.#upkeep.keepReady(isLast)
  }

  onAnswered(status: TransactionStatus, exchange: Exchange): void {
    this.#inFlight--
    if (exchange === this.#filling) {
      const fill = this.#fill
      const now = this.options.reads?.now ?? 0
      if (fill !== null) this.#reads?.onAnswered(now - fill.asked.at, fill.onAnswered(now))
      this.#fill = null
      this.#filling = null
    }
    this.#lingers = exchange === this.#loneSync && status === 'I'
    this.#loneSync = null
    if (this.#open === exchange) this.#open = null
    this.#names.unnamedSettled(exchange)
    this.#copying = false
    this.#copiesAhead = 0
    this.#upkeep.onWork()
    // What the server reported on the way has passed.
    if (this.server) this.client.told = this.server.reported
  }

  onFed(settled: boolean): void {
    if (settled && this.#inFlight === 0) this.onQuiet()
    if ((this.client.there > 0 || this.client.ended) && this.#phase === 'ready') this.#run()
  }

  joins(): void {
    this.#phase = 'joining'
  }

  prepares(): void {
    if (this.#phase !== 'leaving') this.#phase = 'preparing'
  }

  awaits(): void {
    this.#phase = 'awaiting'
  }

  awaited(): void {
    if (this.#phase === 'awaiting') this.#phase = 'ready'
  }

  get isIdle(): boolean {
    return this.#phase === 'ready' && this.#inFlight === 0
  }

  onServerDrain(): void {
    this.#run()
  }

  onServerNotification(bytes: Uint8Array, start: number, end: number): void {
    this.#upkeep.onNotification(bytes, start, end)
  }

  onLost(cause: Error): void {
    this.#inFlight = 0
    this.onServerGone(cause)
  }

  /** What the client had on its connection is gone with it: as with a connection of its own, so is its session. */
  onServerGone(cause: Error): void {
    if (this.#phase === 'over') return
    if (!this.#fatal) this.#sayLast(cause instanceof LastWords ? cause.fields : serverLost(cause.message))
    this.#upkeep.onGone()
    this.#end()
  }

  // Taking units

  #run(): void {
    if (this.#running || this.#phase === 'over') return
    this.#running = true
    const client = this.client
    try {
      while (this.#takes() && this.#takeNext());
    } finally {
      this.#running = false
    }
    const server = this.server
    if (server && !server.flush()) client.pause()
    else if (client.full && !this.#takes()) client.pause()
    else client.resume()
    // Whoever waits, waits on: what was sent before the end is run, as PostgreSQL would.
    if (client.ended && this.#takes()) this.#leave()
  }

  #takes(): boolean {
    if (this.#phase === 'ready') return this.#inFlight < mostInFlight
    return this.#phase === 'awaiting' && this.client.streaming > 0
  }

  /** Takes one unit, or a part of a large one; false if nothing can be taken now. */
  #takeNext(): boolean {
    const client = this.client
    if (client.there === 0) return false
    if (client.streaming > 0) return this.#takeStream()
    if (!client.next()) return false
    if (client.length < 5) {
      this.terminate(notTheProtocol(`invalid message length ${client.length - 1}`))
      return false
    }
    switch (client.type) {
      case Query:
      case FunctionCall:
        return this.#discards() ? this.#drop() : this.#copying ? this.#breakCopy(true) : this.#takeQuery()
      case Parse:
      case Bind:
      case Describe:
      case Execute:
      case Close:
        return this.#discards() ? this.#drop() : this.#copying ? this.#breakCopy(false) : this.#takeSeries()
      case Sync:
        return this.#takeSync()
      case Flush:
        return this.#takeFlush()
      case CopyData:
      case CopyDone:
      case CopyFail:
        return this.#takeCopy()
      case Terminate:
        client.ended = true
        client.clear()
        return false
      default:
        this.terminate(notTheProtocol(`invalid frontend message type ${client.type}`))
        return false
    }
  }

  /** A simple Query or a FunctionCall. */
  #takeQuery(): boolean {
    const client = this.client
    if (!client.whole && !(client.length > largeBytes && client.full)) return false
    const asked = this.#askCache()
    if (asked !== 'the origin') return asked === 'answered'
    const { bytes, at } = client
    const plan =
      client.type === Query ? this.#planOf(bytes, at + 5, Math.min(at + client.length - 1, client.end)) : null
    const named = plan?.named ?? []
    const speaksOfOwn = named.some(({ name }) => this.#names.get(name))
    if (plan && speaksOfOwn && this.#deallocateHere(plan)) return true
    const server = this.#acquire()
    if (!server) return false
    if (speaksOfOwn && this.#inFlight > 0 && !this.#open) {
      // It is said here, when what is in flight has answered.
      this.#phase = 'awaiting'
      return false
    }
    if (plan && (plan.needs & Needs.statementNames) !== 0 && !this.#hasAllStatements(server)) return false
    this.#unitTouches = 0
    this.#unitNeeds = 0
    this.#unitShows = nothingShown
    this.#wantsThen = this.traces.settled
    if (plan) this.#onPlan(plan)
    // Of a large text only the beginning was read, which may be a whole statement.
    const isRead = plan !== null && client.length <= largeBytes
    if (!isRead) this.traces.onUnknown()
    if (plan?.unknownSettings) this.traces.onUnnamedSetting(bytes.subarray(at, client.end))
    this.#clearSequences(server)
    this.#tellOwn(server)
    if (speaksOfOwn && !this.#open) this.#loan = new Loan(server, this.#names, named)
    const exchange = this.#open ?? this.#begin(server)
    if (this.#loan) exchange.tags = []
    this.#keepAnswer(exchange)
    this.#noteWrites(exchange, {
      ...{ plan: isRead ? plan : null, bytes, start: at + 5 },
      ...{ end: Math.min(at + client.length - 1, client.end), values: null, parameterType: () => 0 },
      isRunNext: () => true,
    })
    if (plan) {
      this.#names.setUnnamed(null, exchange, exchange.asked)
      // In a series it may be skipped.
      if (!this.#open) server.unnamed = null
    }
    if (this.#open) {
      // Behind an Execute such a Query leaves a backend of PostgreSQL 18 broken for the next statement.
      for (const each of named) lend({ exchange, names: this.#names, server }, each)
      exchange.queryInSeries = true
      server.retired = true
      this.#open = null
      this.#phase = 'awaiting'
    }
    if (this.#mayCopyIn) this.#phase = 'awaiting'
    this.#mayCopyIn = false
    this.#watchTags(exchange)
    if (plan && (plan.needs & rewrittenNeeds) !== 0 && client.whole)
      server.send(this.#rewritten(plan, client.take(client.length)))
    else client.passMessage(server)
    exchange.open = false
    return true
  }

  /** A Query whose text speaks of the gateway's own. */
  #rewritten(plan: StatementPlan, sent: Uint8Array): Uint8Array {
    const text = latin1(sent.subarray(5, -1))
    if ((plan.needs & Needs.backendSignal) !== 0)
      sendSignals(text, null, (signal, processId) => this.signal(signal, processId))
    const own = ownText(text, plan, this.#names, this.options)
    return message(Query, Buffer.from(`${own}\0`, 'latin1'))
  }

  /** Messages of the extended protocol, up to what is none of them. */
  #takeSeries(): boolean {
    const client = this.client
    const large = client.length > largeBytes && client.type === Bind
    if (client.length > longestMessage && !large) {
      this.terminate(tooLong(client.length))
      return false
    }
    if (!client.whole && !(large && client.full)) return false
    const seriesEnd = client.seriesEnd()
    if (seriesEnd < 0 && !client.full) return false
    const asked = this.#askCache()
    if (asked !== 'the origin') return asked === 'answered'
    const server = this.#acquire()
    if (!server) return false
    const { bytes, at } = client
    const end = seriesEnd >= 0 ? seriesEnd : at + Math.min(client.length, client.there)
    const context = Session.#context
    context.session = this
    context.names = this.#names
    context.statements = this.options.pool.statements
    context.server = server
    context.own = this.options
    this.#wantsThen = this.traces.settled
    if (!this.#lacksNothing(server, bytes, at, end)) return false
    context.settings = this.traces.settled
    context.preparedBySql = this.traces.preparedBySql
    const exchange = this.#open ?? this.#begin(server)
    if (!this.#open) this.#keepAnswer(exchange)
    this.#open = exchange
    context.exchange = exchange
    if (large) {
      const { length } = client
      passMessage(context, bytes, at, at + Math.min(length, client.there), length)
      // This part is sent.
      client.passMessage(null)
    } else {
      for (let next = at; next < end; ) {
        const length = lengthAt(bytes, next)
        passMessage(context, bytes, next, next + length)
        next += length
      }
      client.consume(end - at)
    }
    this.#watchTags(exchange)
    if (this.#names.size > statementsPerClient) this.terminate(tooManyStatements(statementsPerClient))
    return true
  }

  #takeSync(): boolean {
    const client = this.client
    if (!client.whole) return false
    const server = this.server
    // Ignored by a server that takes COPY data.
    if (this.#copying) return this.#drop()
    const idle = !this.#open && this.#inFlight === 0
    // In a transaction it may be the end of a series with a Query in it.
    if (this.#skipping || !server || (idle && server.pipeline.status === 'I')) {
      // Nothing is open that a Sync could end, or only an error of ours.
      client.consume(client.length)
      client.say(readyForQuery(server?.pipeline.status ?? 'I'))
      if (this.#skipping) {
        this.#skipping = false
        if (server && this.#inFlight === 0) this.onQuiet()
      }
      return true
    }
    const exchange = this.#open ?? this.#begin(server)
    if (idle) this.#loneSync = exchange
    client.passMessage(server)
    exchange.open = false
    this.#open = null
    if (this.#mayCopyIn) this.#phase = 'awaiting'
    this.#mayCopyIn = false
    return true
  }

  #takeFlush(): boolean {
    const client = this.client
    if (!client.whole) return false
    const server = this.server
    if (!server || !this.#open || this.#open.failed || this.#copying) return this.#drop()
    client.passMessage(server)
    server.pipeline.settle()
    return true
  }

  #takeCopy(): boolean {
    const client = this.client
    const server = this.server
    const ahead = !this.#copying && this.#mayCopyIn && this.#open !== null && !this.#open.failed
    // Outside of a COPY the server ignores them, too: what comes late must reach nobody else.
    if (!server || !(this.#copying || ahead)) return this.#drop()
    if (!client.whole && !(client.type === CopyData && client.length > fullBytes)) return false
    const ends = client.type !== CopyData
    client.passMessage(server)
    if (ends && ahead) this.#copiesAhead++
    else if (ends) {
      this.#copying = false
      if (!this.#open) this.#phase = 'awaiting'
    }
    return !server.full
  }

  #takeStream(): boolean {
    const client = this.client
    const server = this.server
    client.passStream(server)
    const goesOn = client.dropping || !server || !server.full
    if (client.streaming === 0 && server && this.#inFlight === 0) this.onQuiet()
    return goesOn
  }

  /** No such message may come within a COPY: PostgreSQL says so and closes the connection. */
  #breakCopy(isQuery: boolean): boolean {
    const server = this.server!
    server.retired = true
    const taken = isQuery ? this.#takeQuery() : this.#takeSeries()
    // It waits for what is in flight, which then must not wait for it.
    if (this.#phase === 'awaiting' && !taken) server.send(copyFail('another message came'))
    // It may also be that the COPY has failed, and its error is on the way: then this is as good as any.
    if (this.#phase === 'awaiting' || taken) this.#copying = false
    return taken
  }

  /** True if what comes is discarded up to a Sync. */
  #discards(): boolean {
    return this.#skipping || (this.#open?.failed ?? false)
  }

  #drop(): boolean {
    this.client.drop()
    return true
  }

  // The cache

  /** Whether the next unit is answered, waits for an answer, or goes to the origin. */
  #askCache(): 'answered' | 'waits' | 'the origin' {
    const asked = this.#lookUp()
    // It had waited for a connection, and the answer came otherwise.
    const isSpare = asked !== 'the origin' && this.#inFlight === 0 && !this.#open && !this.traces.keeps
    if (isSpare) this.#upkeep.giveBack()
    return asked
  }

  #lookUp(): 'answered' | 'waits' | 'the origin' {
    const { reads } = this.options
    this.#reads?.forget()
    if (reads === null || this.#skipping || this.#copying) return 'the origin'
    const client = this.client
    const unit = Session.#unit
    if (!unit.read(client.bytes, client.at, client.end)) return 'the origin'
    const text = this.#textOf(unit)
    if (text === null) return 'the origin'
    this.#reads ??= new CachedReads(reads, this.#asks)
    if (unit.kind === 'prepare') return this.#prepareHere(unit, text) ? 'answered' : 'the origin'
    const refusal = this.#mayAskCache()
    const found = refusal
      ? this.#reads.refuse(text, refusal)
      : this.#reads.find(unit, text, this.traces.wants, this.client.told)
    if (found === null) {
      // Whoever asks what the last question came to does not ask another.
      if ((text.plan.needs & Needs.ownShow) !== 0) this.#reads.forget()
      return 'the origin'
    }
    if (this.#inFlight > 0 && !this.#open) {
      // What is in flight may change it: looked up again when that has answered.
      this.#phase = 'awaiting'
      return 'waits'
    }
    if (found.is !== 'filling') return this.#sayCached(unit, found, false) ? 'answered' : 'the origin'
    if (this.#asksItself || this.#open) return 'the origin'
    this.#phase = 'joining'
    this.#joined = found
    found.join(this)
    return 'waits'
  }

  /** Null if nothing that the client has done before makes its answers others than anybody's. */
  #mayAskCache(): Outcome | null {
    const open = this.#open
    if (this.server && this.server.pipeline.status !== 'I') return inTransaction
    if (this.#mayCopyIn || this.#lingers || this.#upkeep.preparesWithin) return inOwnSession
    if (this.traces.touched !== 0 || this.traces.pins.length > 0) return inOwnSession
    // Statements were prepared in it and nothing has run.
    const isFresh =
      open === null || (!open.failed && !open.executes && open.asked === open.answered && !open.edits?.length)
    return isFresh ? null : inTransaction
  }

  /** The text of the unit's statement; null if it can't be answered here. */
  #textOf(unit: ReadUnit): Text | null {
    const { bytes, kind, textStart, textEnd, typesEnd } = unit
    if (textStart >= 0) {
      Session.#context.session = this
      const ends = { start: textStart, end: textEnd, typesEnd: kind === 'query' ? textEnd : typesEnd }
      return new Text(bytes, ends, Session.#context.planOf)
    }
    const name = nameAt(bytes, unit.nameStart, unit.nameEnd)
    const names = this.#names
    if (name === '' && names.unnamedInFlight) return null
    const statement = name === '' ? names.unnamed : names.get(name)
    return statement ? textOf(statement) : null
  }

  /** Says what was kept, and takes the unit; false if that is not all that the client asks for. */
  #sayCached(unit: ReadUnit, entry: Entry, joined: boolean): boolean {
    const client = this.client
    const names = this.#names
    const parses = unit.kind === 'run' && unit.textStart >= 0
    const isNamed = unit.nameEnd > unit.nameStart
    const isDescribed = parses || unit.steps.includes('statement described')
    const description = isDescribed ? this.#descriptionOf(this.#textOf(unit)) : null
    if (parses && isNamed && (description === null || !this.#mayName(unit))) return false
    // A series that was begun at the origin is ended there.
    const isWhole = this.#open === null
    const answer = answerTo(unit, entry, description, isWhole)
    if (answer === null) return false
    if (parses) this.#parsed(unit, description)
    else if (unit.kind === 'query') {
      names.putUnnamed(null)
    }
    client.consume(unit.end - client.at + (unit.kind === 'run' && isWhole ? syncBytes : 0))
    this.#asksItself = false
    this.#reads?.onSaid(entry, joined)
    client.say(answer)
    if (entry.stale) this.#refresh(unit, entry)
    return true
  }

  /** The client has its answer: that another is fetched is no matter of its own any more. */
  #refresh(unit: ReadUnit, entry: Entry): void {
    const { pool, reads, refreshes, user } = this.options
    const text = this.#textOf(unit)
    if (reads && text) refreshes.begin({ entry, unit, text, wants: this.traces.wants, user, pool, reads })
  }

  /** Answers a Parse, and a Describe of its statement, as the origin would. */
  #prepareHere(unit: ReadUnit, text: Text): boolean {
    const client = this.client
    if (this.#open || this.#inFlight > 0 || text.plan.needs !== 0 || this.#mayAskCache() !== null)
      return false
    const description = this.#descriptionOf(text)
    if (description === null || !this.#mayName(unit)) return false
    this.#parsed(unit, description)
    const described = unit.steps.includes('statement described') ? description : []
    const ready = unit.synced ? [readyForQuery('I')] : []
    client.consume(unit.end - client.at + syncBytes)
    client.say(Buffer.concat([parseComplete(), ...described, ...ready]))
    return true
  }

  #descriptionOf(text: Text | null): readonly [Uint8Array, Uint8Array] | null {
    const wants = this.traces.settled
    return (text && wants && this.#reads?.description(text, wants, this.client.told)) ?? null
  }

  /** The name that its Parse gives is free. */
  #mayName({ bytes, nameStart, nameEnd }: ReadUnit): boolean {
    if (nameStart === nameEnd) return true
    const names = this.#names
    return names.size < statementsPerClient && names.get(nameAt(bytes, nameStart, nameEnd)) === undefined
  }

  /** The statement that the unit's Parse makes: a connection gets it when it is bound there. */
  #parsed(unit: ReadUnit, description: readonly Uint8Array[] | null): void {
    const { bytes, nameStart, nameEnd, textStart, textEnd, typesEnd } = unit
    const names = this.#names
    const plan = this.#planOf(bytes, textStart, textEnd)
    const described = description ? describedBy(description) : undefined
    if (nameStart === nameEnd) {
      // It is the unit's first message.
      const parse = bytes.slice(this.client.at, typesEnd)
      names.putUnnamed({ parse, plan, ...(described === undefined ? {} : { described }) })
      return
    }
    const statement = makeStatement(bytes.subarray(textStart, typesEnd), plan)
    statement.described = described ?? null
    const shared = this.options.pool.statements.share(statement, this.traces.wants)
    names.set(nameAt(bytes, nameStart, nameEnd), names.has(shared) ? statement : shared)
  }

  /** A Describe of this statement is being sent. */
  #describing(statement: Statement | Unnamed): ((answer: readonly Uint8Array[]) => void) | null {
    const wants = this.#wantsThen
    if (this.options.reads === null || wants === null || this.traces.pins.length > 0) return null
    // What is in flight may have begun a transaction, and set names in it.
    if (this.#inFlight !== 1 || this.server?.pipeline.status !== 'I' || this.#open?.executes) return null
    this.#reads ??= new CachedReads(this.options.reads, this.#asks)
    return this.#reads.describing(textOf(statement), wants, this.client.told)
  }

  /** The answer to this exchange is that to the unit that was looked up. */
  #keepAnswer(exchange: Exchange): void {
    this.#asksItself = false
    this.#reads?.onSent()
    if (this.#inFlight !== 1 || this.#open) return
    // It may have started with settings that are others by now.
    this.#fill = this.server?.retired ? null : (this.#reads?.begin(Session.#unit) ?? null)
    this.#filling = this.#fill && exchange
  }

  get #asks(): Asker {
    this.#asker ??= new Asker(this.options.user)
    return this.#asker
  }

  #leaveFill(): void {
    this.#joined?.leave(this)
    this.#joined = null
  }

  #onBound(
    statement: Statement | Unnamed | null,
    bytes: Uint8Array,
    at: number,
    start: number,
    end: number,
  ): void {
    if (!statement) this.traces.onUnknown()
    if (this.options.notes === null || this.#readsOnly) return
    const text = statement && textOf(statement)
    let types: readonly number[] | null = null
    this.#noteWrites(Session.#context.exchange, {
      ...(text ? { plan: text.plan, bytes: text.bytes, start: text.start, end: text.end } : unseen),
      values: new BoundValues(bytes, start, end),
      parameterType: number => {
        types ??= text?.types ?? []
        return types[number - 1] ?? 0
      },
      isRunNext: () => runsNext(bytes, at, this.client.end),
    })
  }

  /** What is being sent does nothing but read: in the names in which it was looked up. */
  get #readsOnly(): boolean {
    return this.#reads?.readsOnly === true && !this.#writes?.movesNames
  }

  /** What is being sent may write. */
  #noteWrites(exchange: Exchange, sent: Sent): void {
    const { notes } = this.options
    if (notes === null) {
      // What was noted before is not all any more.
      this.#writes = null
      return
    }
    if (this.#readsOnly) return
    const isInBlock = this.server?.pipeline.status === 'T'
    this.#writes ??= new OwnWrites(notes, this.#asks, isInBlock)
    const wants = this.#wantsThen
    // What comes behind it in its series may be in other names.
    this.#wantsThen = this.traces.settled
    const moment = { exchange: exchange.number, isAlone: this.#inFlight === 1, isInBlock }
    if (this.#writes.onSent(sent, { ...moment, wants, told: this.client.told })) exchange.commits = true
  }

  // The server connection

  /** The server connection, if it is there and has what the client wants; else it is asked for, and null. */
  #acquire(): ServerConnection | null {
    const held = this.server
    if (held) {
      if (this.#inFlight === 0 || this.#open) return held
      // Names that an exchange in flight makes or closes are believed when it has answered, and what it resets is the
      // client's start only then.
      if (!held.pipeline.edited && !this.traces.resetsStart) return held
      this.#phase = 'awaiting'
      return null
    }
    return this.checkout()
  }

  checkout(): ServerConnection | null {
    // Before the call: a refusal may come from within it.
    this.#phase = 'waiting'
    const server = this.options.pool.checkout(this, this.traces.wants)
    if (!server) return null
    this.#phase = 'ready'
    const { told } = this.client
    const isReady = this.#upkeep.take(server)
    // It was looked up with what the client was told before.
    if (told !== this.client.told) this.#reads?.onOtherSettings()
    return isReady ? server : null
  }

  goOn(): void {
    if (this.#phase === 'leaving') this.#putInOrder()
    else if (this.#phase !== 'over') {
      this.#phase = 'ready'
      this.#run()
    }
  }

  /** True if the connection has the statements of a series; else they are being prepared, and the series waits. */
  #lacksNothing(server: ServerConnection, bytes: Uint8Array, at: number, end: number): boolean {
    const names = this.#names
    this.#unitTouches = 0
    this.#unitNeeds = 0
    this.#unitShows = nothingShown
    let { lacks, lacksUnnamed, usesUnnamed } = survey(Session.#context, bytes, at, end)
    if (usesUnnamed && names.unnamedInFlight && !this.#open) {
      // Which one that is, or whether there is one, is known when what is in flight has answered.
      this.#phase = 'awaiting'
      return false
    }
    // What that sends ends the unnamed statement.
    const clears = this.#clearSequences(server)
    if (this.#tellOwn(server) || clears)
      ({ lacks, lacksUnnamed, usesUnnamed } = survey(Session.#context, bytes, at, end))
    // An open series has no place for it before: it is prepared within.
    if ((lacks.length === 0 && !lacksUnnamed) || this.#open || this.#upkeep.preparesWithin) {
      this.#upkeep.prepared()
      return true
    }
    this.#prepare(server, lacks, lacksUnnamed ? names.unnamed : null)
    return false
  }

  /** The same for all of the client's statements, which it is about to list. */
  #hasAllStatements(server: ServerConnection): boolean {
    const lacks = [...this.#names]
      .map(([, statement]) => statement)
      .filter(each => !server.statements.has(each))
    const exchange = this.#open
    if (exchange)
      for (const each of lacks) inject({ server, exchange }, each.parse, () => server.statements.add(each))
    if (lacks.length === 0 || exchange || server.pipeline.status === 'E') return true
    this.#prepare(server, lacks, null)
    return false
  }

  #prepare(server: ServerConnection, lacks: readonly Statement[], unnamed: Unnamed | null): void {
    if (this.#inFlight > 0) {
      this.#phase = 'awaiting'
      return
    }
    this.#upkeep.prepare(server, lacks, unnamed)
  }

  /** @returns true if something was sent */
  #clearSequences(server: ServerConnection): boolean {
    if ((this.#unitTouches & Touches.sequences) === 0 && (this.#unitNeeds & Needs.sequences) === 0)
      return false
    if (this.#open || server.pipeline.status === 'E') return false
    return this.#upkeep.clearSequences(server)
  }

  /**
   * What the gateway knows is said on the connection, where SHOW reads it: in either protocol, and among others.
   *
   * @returns true if something was sent
   */
  #tellOwn(server: ServerConnection): boolean {
    if (this.#unitShows.length === 0 || this.#open || server.pipeline.status === 'E') return false
    let isTold = false
    for (const name of new Set(this.#unitShows)) {
      const value = this.#ownValue(name)
      if (value === null) continue
      isTold = true
      ask(server, setConfig(name, value), () => {})
    }
    return isTold
  }

  /** Null if PostgreSQL knows it. */
  #ownValue(name: string): string | null {
    const { reads, user } = this.options
    const encoding = this.client.told.byName.get('server_encoding')
    if (name === 'sluice.cache_status') {
      const outcome = this.#reads?.outcome
      return outcome ? sayable(`${outcome.status}: ${outcome.why}`, encoding) : 'disabled: caching is off'
    }
    const view = viewNamed(name)
    if (view === null) return null
    const isSuperuser = this.client.told.byName.get('is_superuser') === 'on'
    return asJson(reads?.rowsOf(view, { user, isSuperuser }) ?? withoutCache[view], encoding)
  }

  #begin(server: ServerConnection): Exchange {
    this.#inFlight++
    this.#upkeep.onWork()
    return server.pipeline.begin(this)
  }

  signal(signal: Signal, processId: number): boolean {
    return this.options.signal(this, signal, processId)
  }

  #planOf(bytes: Uint8Array, start: number, end: number): StatementPlan {
    if (end - start > largeBytes) this.traces.onUnknown()
    return planOfText(this.options, this.server?.reported ?? this.client.told, bytes, start, end)
  }

  #onPlan(plan: StatementPlan): void {
    this.#unitTouches |= plan.touches
    this.#unitNeeds |= plan.needs
    if (plan.shows.length > 0) this.#unitShows = [...this.#unitShows, ...plan.shows]
    this.traces.onPlan(plan)
    if (plan.copiesIn || plan.statements < 0) this.#mayCopyIn = true
  }

  #watchTags(exchange: Exchange): void {
    const { touched, unlistens } = this.traces
    if ((touched & Touches.deallocate) !== 0 || unlistens.length > 0) exchange.tags ??= []
  }

  #onTags(tags: readonly string[], failed: boolean): void {
    this.#loan?.settle(this.#names, tags)
    for (const tag of tags)
      if (tag === 'DISCARD ALL' || tag === 'DEALLOCATE ALL') {
        this.#names.clear()
        this.server?.forgetStatements()
        if (tag === 'DISCARD ALL') this.traces.unlistens = ['*']
      } else if (tag === 'ROLLBACK') this.traces.unlistens = []
    if (failed) this.traces.unlistens = []
  }

  /** A DEALLOCATE, and nothing else, of a statement that was made by Parse: the server knows it by another name. */
  #deallocateHere(plan: StatementPlan): boolean {
    const name = deallocatesOnly(plan)
    if (name === null) return false
    const status = this.server?.pipeline.status ?? 'I'
    // Within a series the server answers; what is in flight is waited for.
    if (this.#inFlight > 0 || status === 'E') return false
    this.#names.delete(name)
    // As with any Query.
    this.#names.putUnnamed(null)
    this.client.consume(this.client.length)
    this.client.say(commandComplete('DEALLOCATE'))
    this.client.say(readyForQuery(status))
    return true
  }

  // The end of a unit

  onQuiet(): void {
    const server = this.server
    if (!server || this.#phase === 'preparing' || this.#phase === 'over') return
    this.#timedOut = false
    if (this.#phase === 'leaving') {
      this.#putInOrder()
      return
    }
    this.#phase = 'ready'
    this.#names.settle()
    this.#loan?.takeBack(server)
    this.#loan = null
    // COPY data may have failed before its end was here: half a message must not be met by what somebody else sends.
    if (this.client.streaming > 0 && !this.client.dropping) return
    if (server.pipeline.status !== 'I' || this.#lingers) return
    this.#upkeep.onQuiet(server)
  }

  // Errors of ours, and the end

  refuse(refusal: Refusal): void {
    if (this.#phase === 'leaving' || this.#phase === 'over') return
    const client = this.client
    client.say(refused(refusal))
    if (client.next() && (client.type === Query || client.type === FunctionCall)) {
      client.drop()
      client.say(readyForQuery(this.server?.pipeline.status ?? 'I'))
    } else this.#skipping = true
  }

  refuseWaiting(refusal: Refusal): void {
    if (!this.#skipping && this.client.unitWaits) this.refuse(refusal)
  }

  /** Not in the middle of a message: it would be read as a part of it. */
  #sayLast(refusal: Refusal): void {
    if (!this.server?.pipeline.passing) this.client.say(refused(refusal, 'FATAL'))
  }

  #cancelOn(server: ServerConnection): Promise<void> {
    const { pool, cancel } = this.options
    server.cancelling++
    const over = () => pool.afterCancel(server)
    return cancel(server).then(over, over)
  }

  /** Nothing more is taken. */
  #leave(): void {
    if (this.#phase === 'leaving' || this.#phase === 'over') return
    const before = this.#phase
    if (before === 'waiting') this.options.pool.leave(this)
    this.#leaveFill()
    this.#phase = 'leaving'
    const server = this.server
    if (!server) this.#end()
    else if (this.#open || this.client.streaming > 0 || this.#copying) {
      // In the middle of a series, a message or a COPY: its state can't be told.
      this.#upkeep.drop()
      // First over: what was cut off by the client itself is no news to it.
      this.#end()
      server.destroy(new Error('its client went away in the middle of a series'))
    } else if (this.#inFlight === 0 && before !== 'preparing') this.#putInOrder()
  }

  #putInOrder(): void {
    this.#upkeep.putInOrder(() => this.#end())
  }

  #end(): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#leaveFill()
    this.#fill?.onLost()
    // Of what is cut off nobody knows whether it is committed.
    this.#writes?.onLost()
    this.#upkeep.end()
    this.client.hangUp()
    this.options.onEnd(this)
  }
}
