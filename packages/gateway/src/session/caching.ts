/**
 * What a session does with the cache: each of its units goes by here before it goes to the origin.
 *
 *     unit ──ask──▶ answered      what was kept is said, and the unit is taken; so is a Parse, if all that its client
 *               │                 is to hear of it is known
 *               ├─▶ waits         for what is in flight, which may change the answer; or, joined, for the answer to the
 *               │                 same question of another client's. Then it is asked again, or goes to the origin
 *               └─▶ the origin ──send──▶ its answer is kept, if it may be (a fill); what it writes is noted
 *
 * It is made when there is something to ask, to note, or to tell (SHOW): most sessions without caching have none.
 *
 * Not here: what is found and why not (cached-reads.ts), what is noted of writes (own-writes.ts), when a unit is whole
 * and where else it goes (units.ts).
 */
import { parseComplete, readyForQuery } from '@sluice/wire'
import type { Entry } from '../cache/entry.ts'
import type { Fill, FillWaiter } from '../cache/fills.ts'
import type { Outcome } from '../cache/status.ts'
import type { Exchange } from '../exchange/index.ts'
import { ask } from '../origin/own-query.ts'
import { setConfig } from '../origin/replay.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import { makeStatement, type Statement } from '../origin/statement.ts'
import type { Values } from '../origin/values.ts'
import { Needs, type StatementPlan } from '../sql/plan.ts'
import { Asker } from './asking.ts'
import { BoundValues } from './bound-values.ts'
import { answerTo, CachedReads } from './cached-reads.ts'
import { describedBy } from './description.ts'
import type { Exchanges } from './exchanges.ts'
import type { Life } from './life.ts'
import { nameAt } from './name-at.ts'
import { mostNames, type Unnamed } from './names.ts'
import { OwnWrites, type Sent } from './own-writes.ts'
import { ReadUnit } from './read-unit.ts'
import { runsNext } from './runs-next.ts'
import { asJson, sayable, viewNamed, withoutCache } from './shown.ts'
import { Text, textOf } from './text.ts'

const syncBytes = 5
/** A statement whose text is the server's. */
const unseen = { plan: null, bytes: new Uint8Array(0), start: 0, end: 0 }

/** What is found in the next unit: one for all sessions, for only one at a time takes one. */
const unit = new ReadUnit()

/** Who takes units, as caching sees it. */
export interface Taking {
  /** What the client has done that makes its answers others than anybody's; null if nothing has. */
  readonly apart: Outcome | null
  /** What finds the plans of this client's texts, until another session takes something. */
  planOf(): (bytes: Uint8Array, start: number, end: number) => StatementPlan
}

export class Caching implements FillWaiter {
  readonly #life: Life
  readonly #exchanges: Exchanges
  readonly #units: Taking
  /** Its questions to the cache, and what its transaction writes; null until there is something to ask or to note. */
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

  constructor(life: Life, exchanges: Exchanges, units: Taking) {
    this.#life = life
    this.#exchanges = exchanges
    this.#units = units
  }

  get #asks(): Asker {
    this.#asker ??= new Asker(this.#life.options.user)
    return this.#asker
  }

  // Before a unit is sent

  /** Whether the unit that comes next is answered, waits for an answer, or goes to the origin. */
  ask(): 'answered' | 'waits' | 'the origin' {
    const { client, options, traces } = this.#life
    const { reads } = options
    this.#reads?.forget()
    if (reads === null || !unit.read(client.bytes, client.at, client.end)) return 'the origin'
    const text = this.#text()
    if (text === null) return 'the origin'
    this.#reads ??= new CachedReads(reads, this.#asks)
    if (unit.kind === 'prepare') return this.#prepareHere(text) ? 'answered' : 'the origin'
    const { apart } = this.#units
    const { open, size } = this.#exchanges
    const found = apart
      ? this.#reads.refuse(text, apart)
      : this.#reads.find(unit, text, traces.wants, client.told)
    if (found === null) {
      // Whoever asks what the last question came to does not ask another.
      if ((text.plan.needs & Needs.ownShow) !== 0) this.#reads.forget()
      return 'the origin'
    }
    if (size > 0 && !open) {
      // What is in flight may change it: looked up again when that has answered.
      this.#life.awaits()
      return 'waits'
    }
    if (found.is !== 'filling') return this.#say(found, false) ? 'answered' : 'the origin'
    if (this.#asksItself || open) return 'the origin'
    this.#life.joins()
    this.#joined = found
    found.join(this)
    return 'waits'
  }

  /** What comes next is not asked for. */
  pass(): void {
    this.#reads?.forget()
  }

  /** What was asked for runs with other settings than the client was told of until then. */
  onOtherSettings(): void {
    this.#reads?.onOtherSettings()
  }

  /** The text of the unit's statement; null if it can't be answered here. */
  #text(): Text | null {
    const { bytes, kind, textStart, textEnd, typesEnd } = unit
    if (textStart >= 0) {
      const ends = { start: textStart, end: textEnd, typesEnd: kind === 'query' ? textEnd : typesEnd }
      return new Text(bytes, ends, this.#units.planOf())
    }
    const name = nameAt(bytes, unit.nameStart, unit.nameEnd)
    const { names } = this.#exchanges
    if (name === '' && names.unnamedInFlight) return null
    const statement = name === '' ? names.unnamed : names.get(name)
    return statement ? textOf(statement) : null
  }

  /** Says what was kept, and takes the unit; false if that is not all that the client asks for. */
  #say(entry: Entry, joined: boolean): boolean {
    const { client } = this.#life
    const { names, open } = this.#exchanges
    const parses = unit.kind === 'run' && unit.textStart >= 0
    const isNamed = unit.nameEnd > unit.nameStart
    const isDescribed = parses || unit.steps.includes('statement described')
    const description = isDescribed ? this.#descriptionOf(this.#text()) : null
    if (parses && isNamed && (description === null || !this.#mayName())) return false
    // A series that was begun at the origin is ended there.
    const isWhole = open === null
    const answer = answerTo(unit, entry, description, isWhole)
    if (answer === null) return false
    if (parses) this.#parsed(description)
    else if (unit.kind === 'query') names.putUnnamed(null)
    client.consume(unit.end - client.at + (unit.kind === 'run' && isWhole ? syncBytes : 0))
    this.#asksItself = false
    this.#reads?.onSaid(entry, joined)
    client.say(answer)
    if (entry.stale) this.#refresh(entry)
    return true
  }

  /** The client has its answer: that another is fetched is no matter of its own any more. */
  #refresh(entry: Entry): void {
    const { options, traces } = this.#life
    const { pool, reads, refreshes, user } = options
    const text = this.#text()
    if (reads && text) refreshes.begin({ entry, unit, text, wants: traces.wants, user, pool, reads })
  }

  /** Answers a Parse, and a Describe of its statement, as the origin would. */
  #prepareHere(text: Text): boolean {
    const { client } = this.#life
    const { open, size } = this.#exchanges
    if (open || size > 0 || text.plan.needs !== 0 || this.#units.apart !== null) return false
    const description = this.#descriptionOf(text)
    if (description === null || !this.#mayName()) return false
    this.#parsed(description)
    const described = unit.steps.includes('statement described') ? description : []
    const ready = unit.synced ? [readyForQuery('I')] : []
    client.consume(unit.end - client.at + syncBytes)
    client.say(Buffer.concat([parseComplete(), ...described, ...ready]))
    return true
  }

  #descriptionOf(text: Text | null): readonly [Uint8Array, Uint8Array] | null {
    const { client, traces } = this.#life
    const wants = traces.settled
    return (text && wants && this.#reads?.description(text, wants, client.told)) ?? null
  }

  /** The name that the unit's Parse gives is free. */
  #mayName(): boolean {
    const { bytes, nameStart, nameEnd } = unit
    if (nameStart === nameEnd) return true
    const { names } = this.#exchanges
    return names.size < mostNames && names.get(nameAt(bytes, nameStart, nameEnd)) === undefined
  }

  /** The statement that the unit's Parse makes: a connection gets it when it is bound there. */
  #parsed(description: readonly Uint8Array[] | null): void {
    const { client, options, traces } = this.#life
    const { bytes, nameStart, nameEnd, textStart, textEnd, typesEnd } = unit
    const { names } = this.#exchanges
    const plan = this.#units.planOf()(bytes, textStart, textEnd)
    const described = description ? describedBy(description) : undefined
    if (nameStart === nameEnd) {
      // It is the unit's first message.
      const parse = bytes.slice(client.at, typesEnd)
      names.putUnnamed({ parse, plan, ...(described === undefined ? {} : { described }) })
      return
    }
    const statement = makeStatement(bytes.subarray(textStart, typesEnd), plan)
    statement.described = described ?? null
    const shared = options.pool.statements.share(statement, traces.wants)
    names.set(nameAt(bytes, nameStart, nameEnd), names.has(shared) ? statement : shared)
  }

  // FillWaiter

  onAnswer(entry: Entry): void {
    const { client } = this.#life
    this.#joined = null
    this.#asksItself = !unit.read(client.bytes, client.at, client.end) || !this.#say(entry, true)
    this.#life.goOn()
  }

  onNoAnswer(): void {
    this.#joined = null
    this.#asksItself = true
    this.#life.goOn()
  }

  leaveFill(): void {
    this.#joined?.leave(this)
    this.#joined = null
  }

  // While a unit is sent

  /** @param wants of the client, when the unit's first statement begins; null if only the server knows */
  begins(wants: Values | null): void {
    this.#wantsThen = wants
  }

  /** The unit that was asked for is sent. @param alone in this exchange, which is the only one in flight */
  onSent(exchange: Exchange, alone: boolean): void {
    this.#asksItself = false
    this.#reads?.onSent()
    if (!alone) return
    // It may have started with settings that are others by now.
    this.#fill = this.#life.server?.retired ? null : (this.#reads?.begin(unit) ?? null)
    this.#filling = this.#fill && exchange
  }

  /** A Describe of this statement is being sent: takes its answer. Null: it is not wanted. */
  describing(statement: Statement | Unnamed): ((answer: readonly Uint8Array[]) => void) | null {
    const { client, options, server, traces } = this.#life
    const wants = this.#wantsThen
    if (options.reads === null || wants === null || traces.pins.length > 0) return null
    const { open, size } = this.#exchanges
    // What is in flight may have begun a transaction, and set names in it.
    if (size !== 1 || server?.pipeline.status !== 'I' || open?.executes) return null
    this.#reads ??= new CachedReads(options.reads, this.#asks)
    return this.#reads.describing(textOf(statement), wants, client.told)
  }

  /**
   * This statement is being sent, by the Bind at `at`, with the values that are there from `start` to `end`.
   *
   * @param statement null: one whose text is the server's
   */
  onBound(
    exchange: Exchange,
    statement: Statement | Unnamed | null,
    bytes: Uint8Array,
    at: number,
    start: number,
    end: number,
  ): void {
    if (this.#life.options.notes === null || this.#readsOnly) return
    const text = statement && textOf(statement)
    let types: readonly number[] | null = null
    this.noteWrites(exchange, {
      ...(text ? { plan: text.plan, bytes: text.bytes, start: text.start, end: text.end } : unseen),
      values: new BoundValues(bytes, start, end),
      parameterType: number => {
        types ??= text?.types ?? []
        return types[number - 1] ?? 0
      },
      isRunNext: () => runsNext(bytes, at, this.#life.client.end),
    })
  }

  /** What is being sent does nothing but read: in the names in which it was looked up. */
  get #readsOnly(): boolean {
    return this.#reads?.readsOnly === true && !this.#writes?.movesNames
  }

  /** What is being sent may write. */
  noteWrites(exchange: Exchange, sent: Sent): void {
    const { client, options, server, traces } = this.#life
    const { notes } = options
    if (notes === null) {
      // What was noted before is not all any more.
      this.#writes = null
      return
    }
    if (this.#readsOnly) return
    const isInBlock = server?.pipeline.status === 'T'
    this.#writes ??= new OwnWrites(notes, this.#asks, isInBlock)
    const wants = this.#wantsThen
    // What comes behind it in its series may be in other names.
    this.#wantsThen = traces.settled
    const moment = { exchange: exchange.number, isAlone: this.#exchanges.size === 1, isInBlock }
    if (this.#writes.onSent(sent, { ...moment, wants, told: client.told })) exchange.commits = true
  }

  /**
   * What the gateway knows is said on the connection, where SHOW reads it: in either protocol, and among others.
   *
   * @param names what is shown
   * @returns true if something was sent
   */
  tell(server: ServerConnection, names: readonly string[]): boolean {
    let isTold = false
    for (const name of new Set(names)) {
      const value = this.#shown(name)
      if (value === null) continue
      isTold = true
      ask(server, setConfig(name, value), () => {})
    }
    return isTold
  }

  /** Null if PostgreSQL knows it. */
  #shown(name: string): string | null {
    const { client, options } = this.#life
    const { reads, user } = options
    const encoding = client.told.byName.get('server_encoding')
    if (name === 'sluice.cache_status') {
      const outcome = this.#reads?.outcome
      return outcome ? sayable(`${outcome.status}: ${outcome.why}`, encoding) : 'disabled: caching is off'
    }
    const view = viewNamed(name)
    if (view === null) return null
    const isSuperuser = client.told.byName.get('is_superuser') === 'on'
    return asJson(reads?.rowsOf(view, { user, isSuperuser }) ?? withoutCache[view], encoding)
  }

  // While the origin answers

  /** @param flows false: the client does not read as fast as this comes */
  onBytes(chunk: Uint8Array, flows: boolean): void {
    const fill = this.#fill
    if (fill === null) return
    fill.onBytes(chunk)
    if (!flows) fill.onPaused()
  }

  onMayBeCommitted(exchange: Exchange): void {
    this.#writes?.onTold(exchange.number)
  }

  /** With this exchange the transaction is over. */
  onOver(exchange: Exchange): void {
    this.#writes?.onOver(exchange.number)
  }

  onAnswered(exchange: Exchange): void {
    if (exchange !== this.#filling) return
    const fill = this.#fill
    const now = this.#life.options.reads?.now ?? 0
    if (fill !== null) this.#reads?.onAnswered(now - fill.asked.at, fill.onAnswered(now))
    this.#fill = null
    this.#filling = null
  }

  /** The session is over: of what is cut off nobody knows whether it is committed. */
  end(): void {
    this.leaveFill()
    this.#fill?.onLost()
    this.#writes?.onLost()
  }
}
