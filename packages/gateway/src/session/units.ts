/**
 * A client's units on their way: taken from its bytes, sent as exchanges, and followed until the origin has answered.
 *
 *     Query ───────────────▶ asked of the cache ──▶ a connection ──▶ an exchange of its own
 *     Parse Bind Execute … ▶ asked of the cache ──▶ a connection ──▶ fit for it ──▶ an open exchange ──Sync──▶ closed
 *     CopyData … ─────────▶ into the exchange that copies
 *
 * A unit is taken when it is whole, and a server connection is there that has what the client wants; before that nothing
 * of it has left the gateway. What is too large to wait for goes on in pieces. What comes behind an error is discarded up
 * to a Sync, by the server if the error is the server's, and here if it is ours.
 *
 * One exchange may be open, and nothing follows it. What can't be understood before earlier answers are there (whether
 * data or a Query comes next, what a name stands for) is not taken until then: the session awaits it.
 *
 * Not here: answers from the cache (caching.ts), names of statements within a series (series.ts), what a connection lacks
 * or is left with (upkeep.ts), when anything is taken at all (session.ts).
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
  ErrorResponse,
  Execute,
  Flush,
  FunctionCall,
  message,
  Parse,
  parseErrorFields,
  Query,
  readyForQuery,
  Sync,
  Terminate,
} from '@sluice/wire'
import type { Outcome } from '../cache/status.ts'
import type { AnswerSink, Exchange, TransactionStatus } from '../exchange/index.ts'
import type { Refusal } from '../origin/refusal.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import type { Statement } from '../origin/statement.ts'
import { deallocatesOnly, Needs, type StatementPlan, Touches } from '../sql/plan.ts'
import { inOwnSession, inTransaction } from './cached-reads.ts'
import { Caching, type Taking } from './caching.ts'
import { type Client, fullBytes, lengthAt } from './client.ts'
import { notTheProtocol, refused, tooLong, tooManyStatements } from './errors.ts'
import type { Life } from './life.ts'
import { Loan } from './loan.ts'
import { mostNames, Names, type Unnamed } from './names.ts'
import { type Context, inject, lend, passMessage, passQuery, rewrittenNeeds, survey } from './series.ts'
import { planOfText } from './text-plans.ts'
import type { Traces } from './traces.ts'
import { Upkeep } from './upkeep.ts'

/** A Query or Bind that is longer goes on in pieces. */
const largeBytes = 262_144
/** A Parse is kept, to be prepared elsewhere, too: there must be an end to it. */
const longestMessage = 134_217_728
/** An unnamed statement that is nobody's: whether there is one is not known. */
const unknown = {}
const nothingShown: readonly string[] = []

type SeriesOf = { -readonly [Key in keyof Context]: Context[Key] } & { units: Units }

/** Bytes as text, byte for byte: in any of the encodings that are read at all, what is looked for in it is ASCII. */
const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

export class Units implements AnswerSink, Taking {
  readonly names = new Names()
  readonly upkeep: Upkeep
  readonly #life: Life
  readonly #client: Client
  readonly #traces: Traces
  /** Null until there is something to ask of the cache, or to note for it. */
  #caching: Caching | null = null
  #inFlight = 0
  /** The exchange whose tail is not sent, if there is one. */
  #open: Exchange | null = null
  /** An error of ours stands for a series: what comes is discarded up to the Sync. */
  #skipping = false
  /** The series may hold a COPY FROM STDIN. */
  #mayCopyIn = false
  /** The server takes COPY data. */
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
  /** Statements that the Query in flight speaks of by their names. */
  #loan: Loan | null = null

  /** What the unit that is being taken touches and needs: bits of Touches and Needs. One for all: only one is taken at a time. */
  static readonly #taken = { touches: 0, needs: 0, shows: nothingShown }

  /** What series.ts is given: one for all, too. */
  static readonly #context: SeriesOf = {
    units: null as unknown as Units,
    server: null as unknown as ServerConnection,
    exchange: null as unknown as Exchange,
    names: null as unknown as Names,
    statements: null as unknown as Context['statements'],
    own: null as unknown as Context['own'],
    settings: null,
    preparedBySql: false,
    planOf: (bytes, start, end) => Units.#context.units.#planOf(bytes, start, end),
    onPlan: plan => Units.#context.units.#onPlan(plan),
    onUnnamedSetting: message => Units.#context.units.#traces.onUnnamedSetting(message),
    onSignal: (signal, processId) => Units.#context.units.#life.signal(signal, processId),
    onBound: (statement, bytes, at, start, end) =>
      Units.#context.units.#onBound(statement, bytes, at, start, end),
    describing: statement => Units.#context.units.#caching?.describing(statement) ?? null,
    onSqlClosed: () => Units.#context.units.#traces.onSqlClosed(),
  }

  static #contextOf(units: Units, server: ServerConnection): SeriesOf {
    const { options } = units.#life
    const context = Units.#context
    context.units = units
    context.names = units.names
    context.statements = options.pool.statements
    context.server = server
    context.own = options
    return context
  }

  constructor(life: Life) {
    this.#life = life
    this.#client = life.client
    this.#traces = life.traces
    this.upkeep = new Upkeep(life, this.names)
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get open(): Exchange | null {
    return this.#open
  }

  get copying(): boolean {
    return this.#copying
  }

  /** The connection is in the middle of a series, a message or a COPY: its state can't be told. */
  get isCut(): boolean {
    return this.#open !== null || this.#client.streaming > 0 || this.#copying
  }

  // Taking

  /** Takes one unit, or a part of a large one; false if nothing can be taken now. */
  takeNext(): boolean {
    const client = this.#client
    if (client.there === 0) return false
    if (client.streaming > 0) return this.#takeStream()
    if (!client.next()) return false
    if (client.length < 5) {
      this.#life.terminate(notTheProtocol(`invalid message length ${client.length - 1}`))
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
        this.#life.terminate(notTheProtocol(`invalid frontend message type ${client.type}`))
        return false
    }
  }

  /** A simple Query or a FunctionCall. */
  #takeQuery(): boolean {
    const client = this.#client
    if (!client.whole && !(client.length > largeBytes && client.full)) return false
    const asked = this.#askCache()
    if (asked !== 'the origin') return asked === 'answered'
    const { bytes, at } = client
    const end = Math.min(at + client.length - 1, client.end)
    const plan = client.type === Query ? this.#planOf(bytes, at + 5, end) : null
    const named = plan?.named ?? []
    const speaksOfOwn = named.some(({ name }) => this.names.get(name))
    if (plan && speaksOfOwn && this.#deallocateHere(plan)) return true
    const server = this.#acquire()
    if (!server) return false
    if (speaksOfOwn && this.#inFlight > 0 && !this.#open) {
      // It is said here, when what is in flight has answered.
      this.#life.awaits()
      return false
    }
    if (plan && (plan.needs & Needs.statementNames) !== 0 && !this.#hasAllStatements(server)) return false
    this.#announceNothing()
    this.#caching?.begins(this.#traces.settled)
    if (plan) this.#onPlan(plan)
    // Of a large text only the beginning was read, which may be a whole statement.
    const isRead = plan !== null && client.length <= largeBytes
    if (!isRead) this.#traces.onUnknown()
    if (plan?.unknownSettings) this.#traces.onUnnamedSetting(bytes.subarray(at, client.end))
    this.#clearSequences(server)
    this.#tellOwn(server)
    if (speaksOfOwn && !this.#open) this.#loan = new Loan(server, this.names, named)
    const exchange = this.#open ?? this.#begin(server)
    if (this.#loan) exchange.tags = []
    this.#caching?.onSent(exchange, this.#inFlight === 1 && !this.#open)
    this.#caching?.noteWrites(exchange, {
      ...{ plan: isRead ? plan : null, bytes, start: at + 5, end },
      ...{ values: null, parameterType: () => 0, isRunNext: () => true },
    })
    if (plan) {
      this.names.setUnnamed(null, exchange, exchange.asked)
      // In a series it may be skipped.
      if (!this.#open) server.unnamed = null
    }
    if (this.#open) {
      // Behind an Execute such a Query leaves a backend of PostgreSQL 18 broken for the next statement.
      for (const each of named) lend({ exchange, names: this.names, server }, each)
      exchange.queryInSeries = true
      server.retired = true
      this.#open = null
      this.#life.awaits()
    }
    if (this.#mayCopyIn) this.#life.awaits()
    this.#mayCopyIn = false
    if (this.#traces.wantsTags) exchange.tags ??= []
    if (plan && (plan.needs & rewrittenNeeds) !== 0 && client.whole)
      passQuery(Units.#contextOf(this, server), plan, client.take(client.length))
    else client.passMessage(server)
    exchange.open = false
    return true
  }

  /** A DEALLOCATE, and nothing else, of a statement that was made by Parse: the server knows it by another name. */
  #deallocateHere(plan: StatementPlan): boolean {
    const name = deallocatesOnly(plan)
    if (name === null) return false
    const status = this.upkeep.server?.pipeline.status ?? 'I'
    // Within a series the server answers; what is in flight is waited for.
    if (this.#inFlight > 0 || status === 'E') return false
    this.names.delete(name)
    // As with any Query.
    this.names.putUnnamed(null)
    this.#client.consume(this.#client.length)
    this.#client.say(commandComplete('DEALLOCATE'))
    this.#client.say(readyForQuery(status))
    return true
  }

  /** Messages of the extended protocol, up to what is none of them. */
  #takeSeries(): boolean {
    const client = this.#client
    const large = client.length > largeBytes && client.type === Bind
    if (client.length > longestMessage && !large) {
      this.#life.terminate(tooLong(client.length))
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
    const context = Units.#contextOf(this, server)
    this.#caching?.begins(this.#traces.settled)
    if (!this.#lacksNothing(server, bytes, at, end)) return false
    context.settings = this.#traces.settled
    context.preparedBySql = this.#traces.preparedBySql
    const exchange = this.#open ?? this.#begin(server)
    if (!this.#open) this.#caching?.onSent(exchange, this.#inFlight === 1)
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
    if (this.#traces.wantsTags) exchange.tags ??= []
    if (this.names.size > mostNames) this.#life.terminate(tooManyStatements(mostNames))
    return true
  }

  /** @param statement null: what a PREPARE made, whose text is the server's */
  #onBound(
    statement: Statement | Unnamed | null,
    bytes: Uint8Array,
    at: number,
    start: number,
    end: number,
  ): void {
    if (!statement) this.#traces.onUnknown()
    this.#caching?.onBound(Units.#context.exchange, statement, bytes, at, start, end)
  }

  #takeSync(): boolean {
    const client = this.#client
    if (!client.whole) return false
    const { server } = this.upkeep
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
        if (server && this.#inFlight === 0) this.#life.onQuiet()
      }
      return true
    }
    const exchange = this.#open ?? this.#begin(server)
    if (idle) this.#loneSync = exchange
    client.passMessage(server)
    exchange.open = false
    this.#open = null
    if (this.#mayCopyIn) this.#life.awaits()
    this.#mayCopyIn = false
    return true
  }

  #takeFlush(): boolean {
    const client = this.#client
    if (!client.whole) return false
    const { server } = this.upkeep
    if (!server || !this.#open || this.#open.failed || this.#copying) return this.#drop()
    client.passMessage(server)
    server.pipeline.settle()
    return true
  }

  #takeCopy(): boolean {
    const client = this.#client
    const { server } = this.upkeep
    const ahead = !this.#copying && this.#mayCopyIn && this.#open !== null && !this.#open.failed
    // Outside of a COPY the server ignores them, too: what comes late must reach nobody else.
    if (!server || !(this.#copying || ahead)) return this.#drop()
    if (!client.whole && !(client.type === CopyData && client.length > fullBytes)) return false
    const ends = client.type !== CopyData
    client.passMessage(server)
    if (ends && ahead) this.#copiesAhead++
    else if (ends) {
      this.#copying = false
      if (!this.#open) this.#life.awaits()
    }
    return !server.full
  }

  #takeStream(): boolean {
    const client = this.#client
    const { server } = this.upkeep
    client.passStream(server)
    const goesOn = client.dropping || !server || !server.full
    if (client.streaming === 0 && server && this.#inFlight === 0) this.#life.onQuiet()
    return goesOn
  }

  /** No such message may come within a COPY: PostgreSQL says so and closes the connection. */
  #breakCopy(isQuery: boolean): boolean {
    const server = this.upkeep.server!
    server.retired = true
    const taken = isQuery ? this.#takeQuery() : this.#takeSeries()
    const awaits = this.#life.phase === 'awaiting'
    // It waits for what is in flight, which then must not wait for it.
    if (awaits && !taken) server.send(copyFail('another message came'))
    // It may also be that the COPY has failed, and its error is on the way: then this is as good as any.
    if (awaits || taken) this.#copying = false
    return taken
  }

  /** True if what comes is discarded up to a Sync. */
  #discards(): boolean {
    return this.#skipping || (this.#open?.failed ?? false)
  }

  #drop(): boolean {
    this.#client.drop()
    return true
  }

  /** The unit that comes next is answered by an error of ours. */
  refuse(refusal: Refusal): void {
    const client = this.#client
    client.say(refused(refusal))
    if (client.next() && (client.type === Query || client.type === FunctionCall)) {
      client.drop()
      client.say(readyForQuery(this.upkeep.server?.pipeline.status ?? 'I'))
    } else this.#skipping = true
  }

  /** One is here that was not refused. */
  get waits(): boolean {
    return !this.#skipping && this.#client.unitWaits
  }

  // The cache

  #askCache(): 'answered' | 'waits' | 'the origin' {
    const { options } = this.#life
    if (this.#caching === null) {
      if (options.reads === null && options.notes === null) return 'the origin'
      this.#caching = new Caching(this.#life, this)
    }
    if (this.#copying) {
      this.#caching.pass()
      return 'the origin'
    }
    const asked = this.#caching.ask()
    // It had waited for a connection, and the answer came otherwise.
    const isSpare = asked !== 'the origin' && this.#inFlight === 0 && !this.#open && !this.#traces.keeps
    if (isSpare) this.upkeep.giveBack()
    return asked
  }

  get apart(): Outcome | null {
    const open = this.#open
    const { preparesWithin, server } = this.upkeep
    if (server && server.pipeline.status !== 'I') return inTransaction
    if (this.#mayCopyIn || this.#lingers || preparesWithin) return inOwnSession
    if (this.#traces.touched !== 0 || this.#traces.pins.length > 0) return inOwnSession
    // Statements were prepared in it and nothing has run.
    const isFresh =
      open === null || (!open.failed && !open.executes && open.asked === open.answered && !open.edits?.length)
    return isFresh ? null : inTransaction
  }

  /** Another client has the answer, too: this one does not wait for it any more. */
  leaveFill(): void {
    this.#caching?.leaveFill()
  }

  // What a unit needs before it is sent

  /** The server connection, if it is there and has what the client wants; else it is asked for, and null. */
  #acquire(): ServerConnection | null {
    const held = this.upkeep.server
    if (held === null) {
      const { told } = this.#client
      const server = this.#life.checkout()
      if (told !== this.#client.told) this.#caching?.onOtherSettings()
      return server
    }
    if (this.#inFlight === 0 || this.#open) return held
    // Names that an exchange in flight makes or closes are believed when it has answered, and what it resets is the
    // client's start only then.
    if (!held.pipeline.edited && !this.#traces.resetsStart) return held
    this.#life.awaits()
    return null
  }

  /** True if the connection has the statements of a series; else they are being prepared, and the series waits. */
  #lacksNothing(server: ServerConnection, bytes: Uint8Array, at: number, end: number): boolean {
    const { names, upkeep } = this
    this.#announceNothing()
    let { lacks, lacksUnnamed, usesUnnamed } = survey(Units.#context, bytes, at, end)
    if (usesUnnamed && names.unnamedInFlight && !this.#open) {
      // Which one that is, or whether there is one, is known when what is in flight has answered.
      this.#life.awaits()
      return false
    }
    // What that sends ends the unnamed statement.
    const clears = this.#clearSequences(server)
    if (this.#tellOwn(server) || clears)
      ({ lacks, lacksUnnamed, usesUnnamed } = survey(Units.#context, bytes, at, end))
    // An open series has no place for it before: it is prepared within.
    if ((lacks.length === 0 && !lacksUnnamed) || this.#open || upkeep.preparesWithin) {
      upkeep.prepared()
      return true
    }
    this.#prepare(server, lacks, lacksUnnamed ? names.unnamed : null)
    return false
  }

  /** The same for all of the client's statements, which it is about to list. */
  #hasAllStatements(server: ServerConnection): boolean {
    const lacks = [...this.names]
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
    if (this.#inFlight > 0) this.#life.awaits()
    else this.upkeep.prepare(server, lacks, unnamed)
  }

  /** @returns true if something was sent */
  #clearSequences(server: ServerConnection): boolean {
    const { needs, touches } = Units.#taken
    if ((touches & Touches.sequences) === 0 && (needs & Needs.sequences) === 0) return false
    if (this.#open || server.pipeline.status === 'E') return false
    return this.upkeep.clearSequences(server)
  }

  /** What SHOW is to show. @returns true if something was sent */
  #tellOwn(server: ServerConnection): boolean {
    const { shows } = Units.#taken
    if (shows.length === 0 || this.#open || server.pipeline.status === 'E') return false
    this.#caching ??= new Caching(this.#life, this)
    return this.#caching.tell(server, shows)
  }

  planOf(): (bytes: Uint8Array, start: number, end: number) => StatementPlan {
    Units.#context.units = this
    return Units.#context.planOf
  }

  #planOf(bytes: Uint8Array, start: number, end: number): StatementPlan {
    if (end - start > largeBytes) this.#traces.onUnknown()
    const reported = this.upkeep.server?.reported ?? this.#client.told
    return planOfText(this.#life.options, reported, bytes, start, end)
  }

  #announceNothing(): void {
    const taken = Units.#taken
    taken.touches = 0
    taken.needs = 0
    taken.shows = nothingShown
  }

  #onPlan(plan: StatementPlan): void {
    const taken = Units.#taken
    taken.touches |= plan.touches
    taken.needs |= plan.needs
    if (plan.shows.length > 0) taken.shows = [...taken.shows, ...plan.shows]
    this.#traces.onPlan(plan)
    if (plan.copiesIn || plan.statements < 0) this.#mayCopyIn = true
  }

  // Exchanges in flight

  #begin(server: ServerConnection): Exchange {
    this.#inFlight++
    this.upkeep.onWork()
    return server.pipeline.begin(this)
  }

  onBytes(chunk: Uint8Array): boolean {
    const flows = this.#client.say(chunk)
    this.#caching?.onBytes(chunk, flows)
    return flows
  }

  onMayBeCommitted(exchange: Exchange): void {
    this.#caching?.onMayBeCommitted(exchange)
  }

  onError(bytes: Uint8Array, start: number, end: number, exchange: Exchange): Uint8Array | null {
    const { names } = this
    const { server } = this.upkeep
    if (names.unnamedFailed(exchange, exchange.answered) && server) server.unnamed = unknown
    this.#copying = false
    if (exchange.queryInSeries && exchange.answered < exchange.asked) {
      // The error is one of the series: the Query was discarded with it, and so is all up to a Sync.
      exchange.queryInSeries = false
      exchange.open = true
      this.#open = exchange
    }
    // A Sync has to come.
    if (this.#open === exchange) this.#life.awaited()
    const instead = this.#life.onServerError(parseErrorFields(bytes, start, end))
    if (instead !== null) return instead
    const said = names.inClientsWords(latin1(bytes.subarray(start, end)))
    return said === null ? null : message(ErrorResponse, Buffer.from(said, 'latin1'))
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
    this.#life.awaited()
  }

  onReady(status: TransactionStatus, exchange: Exchange): boolean {
    if (status === 'I') this.#caching?.onOver(exchange)
    if (exchange.tags !== null) this.#onTags(exchange.tags, exchange.failed && status === 'I')
    // Who leaves is told no more than that.
    const stays = this.#life.phase !== 'leaving'
    const isLast = stays && status === 'I' && this.#inFlight === 1 && exchange !== this.#loneSync
    return this.upkeep.keepReady(isLast)
  }

  #onTags(tags: readonly string[], rolledBack: boolean): void {
    this.#loan?.settle(this.names, tags)
    if (tags.includes('DISCARD ALL') || tags.includes('DEALLOCATE ALL')) {
      this.names.clear()
      this.upkeep.server?.forgetStatements()
    }
    this.#traces.onTags(tags, rolledBack)
  }

  onAnswered(status: TransactionStatus, exchange: Exchange): void {
    this.#inFlight--
    this.#caching?.onAnswered(exchange)
    this.#lingers = exchange === this.#loneSync && status === 'I'
    this.#loneSync = null
    if (this.#open === exchange) this.#open = null
    this.names.unnamedSettled(exchange)
    this.#copying = false
    this.#copiesAhead = 0
    const { upkeep } = this
    upkeep.onWork()
    // What the server reported on the way has passed.
    if (upkeep.server) this.#client.told = upkeep.server.reported
  }

  onLost(cause: Error): void {
    this.#inFlight = 0
    this.#life.onServerGone(cause)
  }

  /** All that was sent has been answered. */
  onQuiet(server: ServerConnection): void {
    this.names.settle()
    this.#loan?.takeBack(server)
    this.#loan = null
    // COPY data may have failed before its end was here: half a message must not be met by what somebody else sends.
    if (this.#client.streaming > 0 && !this.#client.dropping) return
    if (server.pipeline.status === 'I' && !this.#lingers) this.upkeep.onQuiet(server)
  }

  /** The session is over. */
  end(): void {
    this.#caching?.end()
    this.upkeep.end()
  }
}
