/**
 * A client's units, taken one by one from its bytes: answered from the cache, sent to the origin, or discarded.
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
 * Not here: what the cache does with them (caching.ts), what is in flight (exchanges.ts), names of statements within a
 * series (series.ts), how a connection gets what it lacks (upkeep.ts), when anything is taken at all (session.ts).
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
  Execute,
  Flush,
  FunctionCall,
  Parse,
  Query,
  readyForQuery,
  Sync,
  Terminate,
} from '@sluice/wire'
import type { Outcome } from '../cache/status.ts'
import type { Exchange } from '../exchange/index.ts'
import type { Refusal } from '../origin/refusal.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import type { Statement } from '../origin/statement.ts'
import { deallocatesOnly, Needs, type StatementPlan, Touches } from '../sql/plan.ts'
import { inOwnSession, inTransaction } from './cached-reads.ts'
import { Caching, type Taking } from './caching.ts'
import { fullBytes, lengthAt } from './client.ts'
import { notTheProtocol, refused, tooLong, tooManyStatements } from './errors.ts'
import type { Exchanges } from './exchanges.ts'
import type { Life } from './life.ts'
import { Loan } from './loan.ts'
import { mostNames, type Names, type Unnamed } from './names.ts'
import { type Context, inject, lend, passMessage, passQuery, rewrittenNeeds, survey } from './series.ts'
import { planOfText } from './text-plans.ts'
import type { Upkeep } from './upkeep.ts'

/** A Query or Bind that is longer goes on in pieces. */
const largeBytes = 262_144
/** A Parse is kept, to be prepared elsewhere, too: there must be an end to it. */
const longestMessage = 134_217_728
const nothingShown: readonly string[] = []

/** What series.ts is given, and whose it is. */
type SeriesOf = { -readonly [Key in keyof Context]: Context[Key] } & { units: Units }

export class Units implements Taking {
  readonly #life: Life
  readonly #exchanges: Exchanges
  readonly #upkeep: Upkeep
  /** An error of ours stands for a series: what comes is discarded up to the Sync. */
  #skipping = false
  /** The series may hold a COPY FROM STDIN. */
  #mayCopyIn = false

  /** What the unit that is being taken touches and needs, and shows. One for all sessions: one unit is taken at a time. */
  static readonly #taken = { touches: 0, needs: 0, shows: nothingShown }

  /** One for all, too. */
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
    onUnnamedSetting: message => Units.#context.units.#life.traces.onUnnamedSetting(message),
    onSignal: (signal, processId) => Units.#context.units.#life.signal(signal, processId),
    onBound: (statement, bytes, at, start, end) =>
      Units.#context.units.#onBound(statement, bytes, at, start, end),
    describing: statement => Units.#context.units.#exchanges.caching?.describing(statement) ?? null,
    onSqlClosed: () => Units.#context.units.#life.traces.onSqlClosed(),
  }

  static #contextOf(units: Units, server: ServerConnection): SeriesOf {
    const { options } = units.#life
    const context = Units.#context
    context.units = units
    context.names = units.#exchanges.names
    context.statements = options.pool.statements
    context.server = server
    context.own = options
    return context
  }

  constructor(life: Life, exchanges: Exchanges, upkeep: Upkeep) {
    this.#life = life
    this.#exchanges = exchanges
    this.#upkeep = upkeep
  }

  // Taking

  /** Takes one unit, or a part of a large one; false if nothing can be taken now. */
  takeNext(): boolean {
    const { client } = this.#life
    if (client.there === 0) return false
    if (client.streaming > 0) return this.#takeStream()
    if (!client.next()) return false
    if (client.length < 5) {
      this.#life.terminate(notTheProtocol(`invalid message length ${client.length - 1}`))
      return false
    }
    const { copying } = this.#exchanges
    switch (client.type) {
      case Query:
      case FunctionCall:
        return this.#discards() ? this.#drop() : copying ? this.#breakCopy(true) : this.#takeQuery()
      case Parse:
      case Bind:
      case Describe:
      case Execute:
      case Close:
        return this.#discards() ? this.#drop() : copying ? this.#breakCopy(false) : this.#takeSeries()
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
    const { client, traces } = this.#life
    if (!client.whole && !(client.length > largeBytes && client.full)) return false
    const asked = this.#askCache()
    if (asked !== 'the origin') return asked === 'answered'
    const { bytes, at } = client
    const end = Math.min(at + client.length - 1, client.end)
    const plan = client.type === Query ? this.#planOf(bytes, at + 5, end) : null
    const named = plan?.named ?? []
    const exchanges = this.#exchanges
    const { names } = exchanges
    const speaksOfOwn = named.some(({ name }) => names.get(name))
    if (plan && speaksOfOwn && this.#deallocateHere(plan)) return true
    const server = this.#acquire()
    if (!server) return false
    const { open } = exchanges
    if (speaksOfOwn && exchanges.size > 0 && !open) {
      // It is said here, when what is in flight has answered.
      this.#life.awaits()
      return false
    }
    if (plan && (plan.needs & Needs.statementNames) !== 0 && !this.#hasAllStatements(server)) return false
    this.#announceNothing()
    const { caching } = exchanges
    caching?.begins(traces.settled)
    if (plan) this.#onPlan(plan)
    // Of a large text only the beginning was read, which may be a whole statement.
    const isRead = plan !== null && client.length <= largeBytes
    if (!isRead) traces.onUnknown()
    if (plan?.unknownSettings) traces.onUnnamedSetting(bytes.subarray(at, client.end))
    this.#clearSequences(server)
    this.#tellOwn(server)
    if (speaksOfOwn && !open) exchanges.lend(new Loan(server, names, named))
    const exchange = open ?? exchanges.begin(server)
    if (exchanges.lends) exchange.tags = []
    caching?.onSent(exchange, exchanges.size === 1 && !open)
    caching?.noteWrites(exchange, {
      ...{ plan: isRead ? plan : null, bytes, start: at + 5, end },
      ...{ values: null, parameterType: () => 0, isRunNext: () => true },
    })
    if (plan) {
      names.setUnnamed(null, exchange, exchange.asked)
      // In a series it may be skipped.
      if (!open) server.unnamed = null
    }
    if (open) {
      // Behind an Execute such a Query leaves a backend of PostgreSQL 18 broken for the next statement.
      for (const each of named) lend({ exchange, names, server }, each)
      exchange.queryInSeries = true
      server.retired = true
      this.#life.awaits()
    }
    if (this.#mayCopyIn) this.#life.awaits()
    this.#mayCopyIn = false
    if (traces.wantsTags) exchange.tags ??= []
    if (plan && (plan.needs & rewrittenNeeds) !== 0 && client.whole)
      passQuery(Units.#contextOf(this, server), plan, client.take(client.length))
    else client.passMessage(server)
    exchanges.close(exchange)
    return true
  }

  /** A DEALLOCATE, and nothing else, of a statement that was made by Parse: the server knows it by another name. */
  #deallocateHere(plan: StatementPlan): boolean {
    const name = deallocatesOnly(plan)
    if (name === null) return false
    const { client, server } = this.#life
    const { names, size } = this.#exchanges
    const status = server?.pipeline.status ?? 'I'
    // Within a series the server answers; what is in flight is waited for.
    if (size > 0 || status === 'E') return false
    names.delete(name)
    // As with any Query.
    names.putUnnamed(null)
    client.consume(client.length)
    client.say(commandComplete('DEALLOCATE'))
    client.say(readyForQuery(status))
    return true
  }

  /** Messages of the extended protocol, up to what is none of them. */
  #takeSeries(): boolean {
    const { client, traces } = this.#life
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
    const exchanges = this.#exchanges
    const { caching, names } = exchanges
    caching?.begins(traces.settled)
    if (!this.#lacksNothing(server, bytes, at, end)) return false
    context.settings = traces.settled
    context.preparedBySql = traces.preparedBySql
    const { open } = exchanges
    const exchange = open ?? exchanges.begin(server)
    if (!open) caching?.onSent(exchange, exchanges.size === 1)
    exchanges.keepOpen(exchange)
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
    if (traces.wantsTags) exchange.tags ??= []
    if (names.size > mostNames) this.#life.terminate(tooManyStatements(mostNames))
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
    if (!statement) this.#life.traces.onUnknown()
    const { exchange } = Units.#context
    this.#exchanges.caching?.onBound(exchange, statement, bytes, at, start, end)
  }

  #takeSync(): boolean {
    const { client, server } = this.#life
    if (!client.whole) return false
    const exchanges = this.#exchanges
    // Ignored by a server that takes COPY data.
    if (exchanges.copying) return this.#drop()
    const { open, size } = exchanges
    const idle = !open && size === 0
    // In a transaction it may be the end of a series with a Query in it.
    if (this.#skipping || !server || (idle && server.pipeline.status === 'I')) {
      // Nothing is open that a Sync could end, or only an error of ours.
      client.consume(client.length)
      client.say(readyForQuery(server?.pipeline.status ?? 'I'))
      if (this.#skipping) {
        this.#skipping = false
        if (server && size === 0) this.#life.onQuiet()
      }
      return true
    }
    const exchange = open ?? exchanges.begin(server)
    client.passMessage(server)
    if (idle) exchanges.closeLone(exchange)
    else exchanges.close(exchange)
    if (this.#mayCopyIn) this.#life.awaits()
    this.#mayCopyIn = false
    return true
  }

  #takeFlush(): boolean {
    const { client, server } = this.#life
    if (!client.whole) return false
    const { copying, open } = this.#exchanges
    if (!server || !open || open.failed || copying) return this.#drop()
    client.passMessage(server)
    server.pipeline.settle()
    return true
  }

  #takeCopy(): boolean {
    const { client, server } = this.#life
    const { copying, open } = this.#exchanges
    const ahead = !copying && this.#mayCopyIn && open !== null && !open.failed
    // Outside of a COPY the server ignores them, too: what comes late must reach nobody else.
    if (!server || !(copying || ahead)) return this.#drop()
    if (!client.whole && !(client.type === CopyData && client.length > fullBytes)) return false
    const ends = client.type !== CopyData
    client.passMessage(server)
    if (ends) {
      this.#exchanges.endCopy()
      if (!open) this.#life.awaits()
    }
    return !server.full
  }

  #takeStream(): boolean {
    const { client, server } = this.#life
    client.passStream(server)
    const goesOn = client.dropping || !server || !server.full
    if (client.streaming === 0 && server && this.#exchanges.size === 0) this.#life.onQuiet()
    return goesOn
  }

  /** No such message may come within a COPY: PostgreSQL says so and closes the connection. */
  #breakCopy(isQuery: boolean): boolean {
    const server = this.#life.server!
    server.retired = true
    const taken = isQuery ? this.#takeQuery() : this.#takeSeries()
    const awaits = this.#life.phase === 'awaiting'
    // It waits for what is in flight, which then must not wait for it.
    if (awaits && !taken) server.send(copyFail('another message came'))
    // It may also be that the COPY has failed, and its error is on the way: then this is as good as any.
    if (awaits || taken) this.#exchanges.breakCopy()
    return taken
  }

  /** True if what comes is discarded up to a Sync. */
  #discards(): boolean {
    return this.#skipping || (this.#exchanges.open?.failed ?? false)
  }

  #drop(): boolean {
    this.#life.client.drop()
    return true
  }

  /** The unit that comes next is answered by an error of ours. */
  refuse(refusal: Refusal): void {
    const { client, server } = this.#life
    client.say(refused(refusal))
    if (client.next() && (client.type === Query || client.type === FunctionCall)) {
      client.drop()
      client.say(readyForQuery(server?.pipeline.status ?? 'I'))
    } else this.#skipping = true
  }

  /** One is here that was not refused. */
  get waits(): boolean {
    return !this.#skipping && this.#life.client.unitWaits
  }

  // The cache

  #askCache(): 'answered' | 'waits' | 'the origin' {
    const { options } = this.#life
    const exchanges = this.#exchanges
    if (exchanges.caching === null && options.reads === null && options.notes === null) return 'the origin'
    const caching = exchanges.caching ?? this.#makeCaching()
    if (exchanges.copying) {
      caching.pass()
      return 'the origin'
    }
    const asked = caching.ask()
    // It had waited for a connection, and the answer came otherwise.
    const isSpare =
      asked !== 'the origin' && exchanges.size === 0 && !exchanges.open && !this.#life.traces.keeps
    if (isSpare) this.#upkeep.giveBack()
    return asked
  }

  #makeCaching(): Caching {
    return this.#exchanges.heardBy(new Caching(this.#life, this.#exchanges, this))
  }

  get apart(): Outcome | null {
    const { traces } = this.#life
    const { lingers, open } = this.#exchanges
    const { preparesWithin, server } = this.#upkeep
    if (server && server.pipeline.status !== 'I') return inTransaction
    if (this.#mayCopyIn || lingers || preparesWithin) return inOwnSession
    if (traces.touched !== 0 || traces.pins.length > 0) return inOwnSession
    // Statements were prepared in it and nothing has run.
    const isFresh =
      open === null || (!open.failed && !open.executes && open.asked === open.answered && !open.edits?.length)
    return isFresh ? null : inTransaction
  }

  // What a unit needs before it is sent

  /** The server connection, if it is there and has what the client wants; else it is asked for, and null. */
  #acquire(): ServerConnection | null {
    const held = this.#upkeep.server
    const { caching, open, size } = this.#exchanges
    if (held === null) {
      const { client } = this.#life
      const { told } = client
      const server = this.#life.checkout()
      if (told !== client.told) caching?.onOtherSettings()
      return server
    }
    if (size === 0 || open) return held
    // Names that an exchange in flight makes or closes are believed when it has answered, and what it resets is the
    // client's start only then.
    if (!held.pipeline.edited && !this.#life.traces.resetsStart) return held
    this.#life.awaits()
    return null
  }

  /** True if the connection has the statements of a series; else they are being prepared, and the series waits. */
  #lacksNothing(server: ServerConnection, bytes: Uint8Array, at: number, end: number): boolean {
    const { names, open } = this.#exchanges
    const upkeep = this.#upkeep
    this.#announceNothing()
    let { lacks, lacksUnnamed, usesUnnamed } = survey(Units.#context, bytes, at, end)
    if (usesUnnamed && names.unnamedInFlight && !open) {
      // Which one that is, or whether there is one, is known when what is in flight has answered.
      this.#life.awaits()
      return false
    }
    // What that sends ends the unnamed statement.
    const clears = this.#clearSequences(server)
    if (this.#tellOwn(server) || clears)
      ({ lacks, lacksUnnamed, usesUnnamed } = survey(Units.#context, bytes, at, end))
    // An open series has no place for it before: it is prepared within.
    if ((lacks.length === 0 && !lacksUnnamed) || open || upkeep.preparesWithin) {
      upkeep.prepared()
      return true
    }
    this.#prepare(server, lacks, lacksUnnamed ? names.unnamed : null)
    return false
  }

  /** The same for all of the client's statements, which it is about to list. */
  #hasAllStatements(server: ServerConnection): boolean {
    const { names, open: exchange } = this.#exchanges
    const lacks = [...names].map(([, statement]) => statement).filter(each => !server.statements.has(each))
    if (exchange)
      for (const each of lacks) inject({ server, exchange }, each.parse, () => server.statements.add(each))
    if (lacks.length === 0 || exchange || server.pipeline.status === 'E') return true
    this.#prepare(server, lacks, null)
    return false
  }

  #prepare(server: ServerConnection, lacks: readonly Statement[], unnamed: Unnamed | null): void {
    const { names, size } = this.#exchanges
    if (size > 0) this.#life.awaits()
    else this.#upkeep.prepare(server, names, lacks, unnamed)
  }

  /** @returns true if something was sent */
  #clearSequences(server: ServerConnection): boolean {
    const { needs, touches } = Units.#taken
    if ((touches & Touches.sequences) === 0 && (needs & Needs.sequences) === 0) return false
    if (this.#exchanges.open || server.pipeline.status === 'E') return false
    return this.#upkeep.clearSequences(server)
  }

  /** What SHOW is to show. @returns true if something was sent */
  #tellOwn(server: ServerConnection): boolean {
    const { shows } = Units.#taken
    const { caching, open } = this.#exchanges
    if (shows.length === 0 || open || server.pipeline.status === 'E') return false
    return (caching ?? this.#makeCaching()).tell(server, shows)
  }

  planOf(): (bytes: Uint8Array, start: number, end: number) => StatementPlan {
    Units.#context.units = this
    return Units.#context.planOf
  }

  #planOf(bytes: Uint8Array, start: number, end: number): StatementPlan {
    if (end - start > largeBytes) this.#life.traces.onUnknown()
    const { client, options, server } = this.#life
    return planOfText(options, server?.reported ?? client.told, bytes, start, end)
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
    this.#life.traces.onPlan(plan)
    if (plan.copiesIn || plan.statements < 0) this.#mayCopyIn = true
  }
}
