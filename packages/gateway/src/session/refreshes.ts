/**
 * Stale answers, fetched anew in the background: no client waits for it, and none that leaves ends it.
 *
 *     a stale answer was said ──lease──▶ waiting ──a connection that no client wants──▶ preparing
 *                                                                                         │ replay(wants, has)
 *                                                                                         ▼
 *        over ◀── no longer stale, or not the same question on this connection ── looked up again
 *          ▲                                                                              │ stamp
 *          └────────────── kept by the rules of every fill, or not ◀── fill ◀── asking ◀──┘
 *
 * It asks as a client with the same settings would that has just come: the unit is written anew, with an unnamed
 * statement, and looked up at the moment of its sending, for between the two everything may have changed, what the text
 * means and what the connection reports, too.
 *
 * The entry has one lease, so there is one refresh of it, and after one that failed a pause. Its clients never notice:
 * they are served what is stale until its time is over, and then ask by themselves.
 *
 * Not here: which answer is stale (cache/), when a session says it (caching.ts), what is to spare (origin/pool.ts).
 */
import { Bind, describe, execute, message, Parse, Query, sync } from '@sluice/wire'
import type { Entry } from '../cache/entry.ts'
import type { Fill } from '../cache/fills.ts'
import type { AnswerSink } from '../exchange/index.ts'
import type { Limit } from '../origin/limit.ts'
import { ask } from '../origin/own-query.ts'
import type { Pool, Waiter } from '../origin/pool.ts'
import { replay } from '../origin/replay.ts'
import { deafHolder, type ServerConnection } from '../origin/server-connection.ts'
import type { Values } from '../origin/values.ts'
import type { StatementPlan } from '../sql/plan.ts'
import { Asker } from './asking.ts'
import { CachedReads, type ReadCache } from './cached-reads.ts'
import { ReadUnit } from './read-unit.ts'
import { Text } from './text.ts'

/** What was said though it is stale: to which unit, and to whom. */
export interface StaleAnswer {
  readonly entry: Entry
  /** Its bytes are copied, if a refresh begins. */
  readonly unit: ReadUnit
  readonly text: Text
  readonly wants: Values
  readonly user: string
  readonly pool: Pool
  readonly reads: ReadCache
}

export interface RefreshesOptions {
  /** Of the origin, over all its pools. */
  readonly limit: Limit
  /** `query_timeout`; 0 for none. */
  readonly queryTimeoutMs: () => number
  /** Tells the origin to cancel what a connection runs. */
  cancel(server: ServerConnection): Promise<void>
}

/** Of an origin's connections: what was kept together grows stale together, and clients need them, too. */
const mostShare = 1 / 4
/** Where clients have no limit: what query_timeout is by default. */
const longestMs = 60_000

/** The refreshes of one origin. */
export class Refreshes {
  readonly #options: RefreshesOptions
  readonly #underWay = new Set<Refresh>()

  constructor(options: RefreshesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#underWay.size
  }

  /** Fetches another answer, unless that is being done, failed just now, or clients need the connections. */
  begin(stale: StaleAnswer): void {
    const { limit, queryTimeoutMs } = this.#options
    const { entry, pool, reads } = stale
    const { now } = reads
    if (this.#underWay.size >= Math.max(1, Math.floor(limit.max * mostShare))) return
    if (!pool.hasSpare || !entry.takeLease(now)) return
    const refresh = new Refresh(stale, {
      deadline: now + (queryTimeoutMs() || longestMs),
      cancel: this.#options.cancel,
      onOver: () => this.#underWay.delete(refresh),
    })
    this.#underWay.add(refresh)
    refresh.start()
  }

  /** What a timer does from time to time. */
  sweep(now: number): void {
    for (const refresh of this.#underWay) if (now >= refresh.deadline) refresh.giveUp()
  }

  /** The origin, or what is kept of it, is not what it was. */
  giveUp(): void {
    for (const refresh of this.#underWay) refresh.giveUp()
  }
}

interface RefreshOptions {
  readonly deadline: number
  readonly cancel: RefreshesOptions['cancel']
  onOver(): void
}

class Refresh implements Waiter, AnswerSink {
  readonly #stale: Omit<StaleAnswer, 'unit' | 'text'>
  readonly #options: RefreshOptions
  readonly #plan: StatementPlan
  /** What is known of the statement that the client had prepared is in the key. */
  readonly #prepared: Text['prepared']
  readonly #unit = new ReadUnit()
  readonly #reads: CachedReads
  #server: ServerConnection | null = null
  #fill: Fill | null = null
  #over = false

  constructor({ unit, text, ...stale }: StaleAnswer, options: RefreshOptions) {
    const bytes = written(unit, text, stale.entry.describes)
    this.#stale = stale
    this.#options = options
    this.#plan = text.plan
    this.#prepared = text.prepared
    this.#unit.read(bytes, 0, bytes.length)
    this.#reads = new CachedReads(stale.reads, new Asker(stale.user))
  }

  get deadline(): number {
    return this.#options.deadline
  }

  start(): void {
    const { pool, wants } = this.#stale
    const server = pool.checkoutSpare(this, wants)
    if (server) this.onServer(server)
  }

  /** What it asks, nobody wants to know any more, or it takes too long. */
  giveUp(): void {
    if (this.#over) return
    const server = this.#server
    this.#stale.pool.leave(this)
    this.#fill?.onLost()
    this.#end()
    if (server === null) return
    const close = () => server.destroy(new Error('what was asked on it in the background was given up'))
    this.#options.cancel(server).then(close, close)
  }

  // Waiter

  onServer(server: ServerConnection): void {
    const { wants } = this.#stale
    this.#server = server
    server.holder = deafHolder
    if (server.has === wants) this.#send(server)
    else
      ask(server, replay(wants, server.has), answer => {
        if ('rows' in answer) server.has = wants
        // Who has given up closes it.
        if (this.#over) return
        if ('rows' in answer) this.#send(server)
        else if ('error' in answer) this.#release(server)
        else this.#end()
      })
  }

  onRefused(): void {
    this.#end()
  }

  // AnswerSink

  onBytes(chunk: Uint8Array): boolean {
    const fill = this.#fill!
    fill.onBytes(chunk)
    // More may come than anybody wants to hear.
    if (fill.refusal === 'oversized' || fill.refusal === 'crowded') this.giveUp()
    return !this.#over
  }

  onReady(): boolean {
    return false
  }

  onError(): null {
    return null
  }

  onCopyIn(): void {}

  onAnswered(): void {
    if (this.#over) return
    const { reads } = this.#stale
    const server = this.#server!
    const fill = this.#fill!
    fill.onAnswered(reads.now)
    reads.tallies.countRefresh(this.#plan, this.#text, reads.now - fill.asked.at)
    server.afterFeed(() => this.#release(server))
  }

  onLost(): void {
    this.#fill?.onLost()
    this.#end()
  }

  #send(server: ServerConnection): void {
    const unit = this.#unit
    const found = this.#reads.find(unit, this.#text, this.#stale.wants, server.reported)
    // A connection that is retired may have started with settings that are others by now.
    const isWanted = found?.is === 'hit' && found.stale && !server.retired
    this.#fill = isWanted ? this.#reads.begin(unit) : null
    // A fill may be refused from the start: answers to this were too large.
    if (this.#fill === null || this.#fill.refusal !== null) {
      this.#release(server)
      return
    }
    const exchange = server.pipeline.begin(this)
    // What it had is gone, and what it gets is no client's.
    server.unnamed = unit.kind === 'query' ? null : {}
    server.send(unit.bytes)
    exchange.open = false
    server.flush()
  }

  get #text(): Text {
    const { bytes, kind, textStart, textEnd, typesEnd } = this.#unit
    const ends = { start: textStart, end: textEnd, typesEnd: kind === 'query' ? textEnd : typesEnd }
    return new Text(bytes, ends, this.#plan, this.#prepared)
  }

  #release(server: ServerConnection): void {
    this.#end()
    this.#stale.pool.release(server)
  }

  /** Once more is harmless. */
  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#stale.entry.giveBackLease(this.#stale.reads.now)
    this.#options.onOver()
  }
}

/** The unit as it is sent: with all that its answer has to say, and names that are nobody's. */
function written(
  { kind, bytes, valuesStart, valuesEnd }: ReadUnit,
  text: Text,
  describes: boolean,
): Uint8Array {
  if (kind === 'query') return message(Query, text.bytes.subarray(text.start, text.end + 1))
  return Buffer.concat([
    message(Parse, noName, text.bytes.subarray(text.start, text.typesEnd)),
    message(Bind, noName, noName, bytes.subarray(valuesStart, valuesEnd)),
    ...(describes ? [describe('P', '')] : []),
    execute(),
    sync(),
  ])
}

const noName = Uint8Array.of(0)
