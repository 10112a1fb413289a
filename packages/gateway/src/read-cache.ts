/**
 * The cache as the sessions of one database use it: answers that are kept (cache/), what statements read and write
 * (sql/), what others change (invalidation/), and what is known of the database.
 *
 *     the stream runs      answers whose tables are all covered; of the others by `max_age_untold`
 *     it never could       all answers by their age, if `without_stream` does not say otherwise
 *     it was lost          none until it is back
 */
import { randomInt } from 'node:crypto'
import { type Answers, Cache, type Lack, type Wanted } from './cache/cache.ts'
import type { Description } from './cache/description.ts'
import type { Entry } from './cache/entry.ts'
import type { Fill, Form } from './cache/fills.ts'
import type { Freshness } from './cache/freshness.ts'
import type { Key, Question } from './cache/key.ts'
import type { Asked, Stamps } from './cache/stamps.ts'
import type { Tallies } from './cache/status.ts'
import { Suspicion } from './cache/suspicion.ts'
import { CachedDatabase, type Context } from './cached-database.ts'
import { type Catalogue, type Oid, type Query, whyUnseen } from './catalogue/index.ts'
import type { Reach } from './invalidation/connections.ts'
import { Invalidation } from './invalidation/invalidation.ts'
import type { Change, InvalidationSink } from './invalidation/sink.ts'
import type { InvalidationStatus } from './invalidation/status.ts'
import type { Asking } from './session/asking.ts'
import type { ReadCache } from './session/cached-reads.ts'
import type { Viewer, ViewName } from './session/shown.ts'
import type { Parser } from './sql/parser.ts'
import { hasRowSlots, Readings } from './sql/reading/index.ts'
import { type WriteAs, type WriteSet, Writings } from './sql/writing/index.ts'
import type { Clock } from './transport/clock.ts'
import { cacheShapes, cacheStats, type Mode, opaqueCommits, streamStatus } from './views.ts'

/** What all databases of a gateway have in common. */
export class SharedCache {
  readonly cache: Cache
  readonly readings: Readings
  readonly writings: Writings
  /** By what its databases are called: several if several ways lead to one. */
  readonly #ways = new Map<string, Set<DatabaseReads>>()

  /** Sizes in bytes: of all, and of one answer. */
  constructor(parser: Parser, sizes: { readonly mostBytes: number; readonly maxResultBytes: number }) {
    this.cache = new Cache({ ...sizes, seed: randomInt(2 ** 32) })
    this.readings = new Readings(parser)
    this.writings = new Writings(parser)
  }

  /** All ways to the database of this name. */
  ways(name: string): Set<DatabaseReads> {
    const ways = this.#ways.get(name) ?? new Set()
    this.#ways.set(name, ways)
    return ways
  }
}

/** Of an origin; times in ms. */
export interface CachingOptions {
  readonly disabled: boolean
  readonly maxAgeMs: number
  readonly staleWhileRevalidateMs: number
  /** Of answers from tables whose changes no stream tells; 0: they are not kept. */
  readonly maxAgeUntoldMs: number
  /** What stable functions say is kept, too. */
  readonly stable: boolean
  /** Null: by age where a stream was never possible, off where one was lost. */
  readonly withoutStream: 'age' | 'off' | null
}

export interface StreamOptions {
  readonly publication: string
  readonly mayChange: boolean
  readonly refreshMs: number
  readonly heartbeatMs: number
  readonly silenceMs: number
  readonly idleMs: number
}

export interface DatabaseReadsOptions {
  readonly shared: SharedCache
  readonly origin: string
  readonly database: string
  /** Whom the gateway itself logs in as: sees the statements of all. */
  readonly owner: () => string
  readonly query: Query
  readonly reach: Reach
  /** May be changed. */
  readonly caching: CachingOptions
  readonly stream: StreamOptions
  readonly clock: Clock
  readonly random: () => number
  /** Server connections start with other settings than those that are open have: what these say is kept no more. */
  onRoleSettings(): void
  /** The stream runs, or it does not and why. */
  onStatus?(status: InvalidationStatus): void
}

export class DatabaseReads implements ReadCache, InvalidationSink {
  #options: DatabaseReadsOptions
  readonly #answers: Answers
  readonly #database: CachedDatabase
  #invalidation: Invalidation
  #clients = 0
  #mode: Mode = 'off'
  #covered: ReadonlySet<Oid> = new Set()
  /** By table: null if its changes are told, else why not. */
  readonly #untold = new Map<Oid, string | null>()
  #untoldOf: Catalogue | null = null
  readonly #suspicion = new Suspicion()
  /** All ways to this database, this one among them. */
  readonly #ways: Set<DatabaseReads>

  constructor(options: DatabaseReadsOptions) {
    const { shared } = options
    this.#options = options
    const name = JSON.stringify([options.origin, options.database])
    this.#answers = shared.cache.database(name)
    this.#ways = shared.ways(name).add(this)
    this.#database = new CachedDatabase({
      ...options,
      refreshMs: () => this.#options.stream.refreshMs,
      stable: () => this.#options.caching.stable,
      ...{ stamps: this.#answers.stamps, contexts: shared.cache.contexts },
      onOpaque: (number, cause, again) => {
        if (!again) this.#suspicion.count(cause)
        // Else nothing is kept that the stream could clear of suspicion.
        if (this.#covered.size > 0) this.#suspicion.begin(number, cause, this.now)
        for (const way of this.#ways) way.#invalidation.opaque(number)
      },
    })
    this.#invalidation = this.#makeInvalidation()
  }

  /** Takes other options. What was kept is not what they would have kept. */
  update(caching: CachingOptions, stream: StreamOptions): void {
    const before = this.#options
    if (JSON.stringify([before.caching, before.stream]) === JSON.stringify([caching, stream])) return
    this.#options = { ...before, caching, stream }
    this.#invalidation.close()
    this.#covered = new Set()
    this.#untold.clear()
    this.#invalidation = this.#makeInvalidation()
    this.clients = this.#clients
    this.#answers.stamps.bumpEpoch()
    this.#database.forgetSchema()
  }

  /** How many clients the database has. */
  set clients(count: number) {
    if (count > this.#clients && !this.#options.caching.disabled) this.#database.warm(this.now)
    this.#clients = count
    // Nobody needs a stream for what is not kept.
    this.#invalidation.clients = this.#options.caching.disabled ? 0 : count
  }

  get status(): InvalidationStatus {
    return this.#invalidation.status
  }

  sweep(now: number): void {
    this.#database.sweep(now)
  }

  /** The origin is elsewhere. */
  reopen(): void {
    this.#invalidation.reopen(new Error('the origin is elsewhere'))
    this.#database.forgetSchema()
    this.#answers.stamps.bumpEpoch()
  }

  close(): void {
    this.#ways.delete(this)
    this.#invalidation.close()
  }

  // ReadCache

  get readings(): Readings {
    return this.#options.shared.readings
  }

  get writings(): Writings {
    return this.#options.shared.writings
  }

  get stamps(): Stamps {
    return this.#answers.stamps
  }

  get key(): Key {
    return this.#options.shared.cache.key
  }

  get tallies(): Tallies {
    return this.#answers.tallies
  }

  get now(): number {
    return this.#options.clock.now()
  }

  contextOf(asking: Asking): Context | null {
    return this.#database.contextOf(asking, this.now)
  }

  get unreadable(): string | null {
    return this.#database.unreadable
  }

  namesOf(asking: Asking): WriteAs | null {
    return this.#database.namesOf(asking, this.now, this.#ways.size === 1)
  }

  freshnessOf(catalogue: Catalogue, tables: Iterable<Oid>): Freshness | string {
    const { maxAgeMs, maxAgeUntoldMs, staleWhileRevalidateMs: staleMs } = this.#options.caching
    if (this.#mode === 'off') return 'changes by others are not told at the moment'
    let mostMs = maxAgeMs
    if (this.#mode === 'stream')
      for (const table of tables) {
        const why = this.#whyUntold(catalogue, table)
        if (why !== null && maxAgeUntoldMs === 0) return why
        if (why !== null) mostMs = Math.min(mostMs, maxAgeUntoldMs)
      }
    return { maxAgeMs: mostMs, staleMs }
  }

  find(wanted: Wanted): Entry | Fill | null {
    return this.#answers.find(wanted, this.now)
  }

  get lack(): Lack {
    return this.#answers.lack
  }

  get keeps(): boolean {
    return this.#answers.keeps
  }

  begin(form: Form, asked: Asked): Fill {
    return this.#answers.begin(form, asked)
  }

  findDescription(): Description | null {
    return this.#answers.findDescription(this.now)
  }

  keepDescription(question: Question, asked: Asked, messages: readonly Uint8Array[]): void {
    this.#answers.keepDescription(question, asked, messages)
  }

  commit(writes: WriteSet): void {
    this.#database.commit(writes)
    // What was kept has ended; what is known of the database on other ways is to be looked at again.
    if (writes.ddl) for (const way of this.#ways) if (way !== this) way.#database.doubtSchema()
  }

  onNotified(): void {
    this.#database.commitOpaque('a client was handed a notification: it may read what that tells of')
  }

  rowsOf(view: ViewName, { user, isSuperuser }: Viewer): readonly object[] {
    const { caching, owner, shared } = this.#options
    const showsTexts = isSuperuser || user === owner()
    switch (view) {
      case 'cache_stats':
        return [cacheStats(this.tallies, shared.cache)]
      case 'cache_shapes':
        return cacheShapes(this.tallies, showsTexts)
      case 'stream_status':
        return [streamStatus(this.status, this.#mode, caching.maxAgeMs + caching.staleWhileRevalidateMs)]
      case 'opaque_commits':
        return opaqueCommits(this.#suspicion.causes(this.now), showsTexts)
      default:
        return view satisfies never
    }
  }

  // InvalidationSink

  onChanges(changes: readonly Change[]): void {
    const { stamps } = this.#answers
    // What stands above a partition is not known.
    if (this.#catalogue === null) stamps.bumpSchema()
    for (const { relation, rows } of changes) stamps.change(relation, rows)
  }

  onSchema(): void {
    this.#database.forgetSchema()
  }

  onPassed(number: number): void {
    this.#answers.stamps.pass(number)
    for (const way of this.#ways) way.#suspicion.pass(number, this.now)
  }

  onCovered(tables: ReadonlySet<Oid>): void {
    this.#covered = tables
    this.#untold.clear()
  }

  onEpoch(): void {
    this.#answers.stamps.bumpEpoch()
    for (const way of this.#ways) way.#suspicion.end(this.now)
  }

  #makeInvalidation(): Invalidation {
    const { caching, clock, random, reach, stream } = this.#options
    this.#mode = caching.withoutStream ?? 'off'
    this.#answers.told = false
    return new Invalidation({
      ...{ ...stream, reach, clock, random, sink: this },
      known: {
        keyOf: relation => {
          const known = this.#catalogue?.relation(relation)
          return known && hasRowSlots(known) ? known.primaryKey : null
        },
        ancestorsOf: relation => this.#catalogue?.ancestors(relation) ?? [],
      },
      onChange: status => this.#onStatus(status),
    })
  }

  get #catalogue(): Catalogue | null {
    return this.#database.catalogue(this.now)
  }

  #onStatus(status: InvalidationStatus): void {
    const { phase, everRan } = status
    this.#options.onStatus?.(status)
    const { withoutStream } = this.#options.caching
    const wasPossible = everRan || phase.at !== 'waiting' || phase.possible
    this.#mode = phase.at === 'running' ? 'stream' : (withoutStream ?? (wasPossible ? 'off' : 'age'))
    this.#answers.told = this.#mode === 'stream'
  }

  #whyUntold(catalogue: Catalogue, table: Oid): string | null {
    if (catalogue !== this.#untoldOf) this.#untold.clear()
    this.#untoldOf = catalogue
    let why = this.#untold.get(table)
    if (why === undefined) {
      why = this.#isCovered(catalogue, table)
        ? null
        : (whyUnseen(catalogue, table) ?? notYet(catalogue, table))
      this.#untold.set(table, why)
    }
    return why
  }

  /** With all that hang below it: a partitioned table has no rows of its own. */
  #isCovered(catalogue: Catalogue, table: Oid): boolean {
    for (const each of [table, ...catalogue.descendants(table)])
      if (catalogue.relation(each)?.kind !== 'p' && !this.#covered.has(each)) return false
    return true
  }
}

const notYet = (catalogue: Catalogue, table: Oid) => {
  const relation = catalogue.relation(table)
  return `changes of ${relation ? `${relation.schema}.${relation.name}` : 'a table'} are not told: it is not published, or not yet`
}
