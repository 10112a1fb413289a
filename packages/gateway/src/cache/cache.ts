/**
 * The cache as a session uses it, and the life of an entry.
 *
 *     question ──▶ key ──▶ find ──▶ an Entry ─────────────▶ said to the client; if it is stale, a refresh that has the
 *                           │                               lease fetches another, and no client waits for it
 *                           │       a Fill ───────────────▶ joined: its answer when it is whole, or `ask yourself`
 *                           ▼ null
 *                         begin ──sent to the origin──▶ Fill: told each chunk that passes to the client
 *                           │ stamp                        │ all of it has come, and its stamp is current
 *                           ▼                              ▼
 *             sum of the counters that it depends on     kept, in the store ──▶ not current: never served again
 *                                                                               of less use than others: makes room
 *
 * Three moments ask one question, whether the stamp is current (stamps.ts): when an answer is to be kept, when it is to be
 * served, and when somebody is to wait for it. Why that is exact: a change is bumped twice, when the stream shows its
 * commit and when a probe has seen it. Let an answer's snapshot not see the change. On one primary visibility only grows,
 * so the statement was sent before the probe that sees the change was answered, and its stamp is older than the second
 * bump. So the answer is not kept, or not served, from then on. A client's own changes are bumped before it hears of
 * their commit, so what it asks afterwards is never answered by what was asked before.
 *
 *     const { key } = cache
 *     key.begin(context); key.add(text, start, end); key.end()      // not if key.tooLong
 *     const found = answers.find(wanted, now)
 *     if (found === null && answers.keeps) fill = answers.begin(form, stamps.ask(slots, now))      // in the same breath as the sending
 *     fill.onBytes(chunk) …  fill.onAnswered(now)  or  fill.onLost()
 *
 * All is synchronous and without I/O: time is an argument, and there is no timer; `sweep` is called from time to time.
 * Not here: whether a statement may be cached and what it depends on (sql/reading.ts); who bumps (invalidation/); when a
 * session asks (session/).
 */
import { Contexts } from './contexts.ts'
import { Credit } from './credit.ts'
import { Description } from './description.ts'
import { Entry, type Subject } from './entry.ts'
import { type Fill, Fills, type Form } from './fills.ts'
import { type Freshness, judgeAge, mostAgeMs, mostAgeUntoldMs } from './freshness.ts'
import type { Kept } from './kept.ts'
import { Key, type Question } from './key.ts'
import { type Asked, type Counters, makeCounters, Stamps } from './stamps.ts'
import { Tallies, Tally } from './status.ts'
import { Store } from './store.ts'

export interface CacheOptions {
  /** `cache_size`: three quarters for what is kept, the rest for copies of answers that are on their way. */
  readonly mostBytes: number
  /** `max_result_size`: of an answer, RowDescription to CommandComplete. */
  readonly maxResultBytes: number
  /** A 32-bit number that nobody can foresee, the same in all threads that share `counters`. */
  readonly seed: number
  readonly counters?: Counters
}

/** Of a database, that are counted by themselves: with their texts half a megabyte. */
const mostShapes = 1_000

/** What all databases of a process have in common. */
export class Cache {
  /** The question that is being asked: one for all, for only one session at a time asks. */
  readonly key: Key
  readonly contexts = new Contexts()
  /** Of all databases. */
  readonly total = new Tally()
  readonly store: Store
  readonly fills: Fills
  readonly mostBytes: number
  readonly #counters: Counters
  readonly #seed: number
  readonly #stamps = new Map<string, Stamps>()

  constructor({ mostBytes, maxResultBytes, seed, counters = makeCounters() }: CacheOptions) {
    this.key = new Key(seed)
    this.mostBytes = mostBytes
    this.store = new Store(0.75 * mostBytes)
    this.fills = new Fills({ maxResultBytes, allowanceBytes: 0.25 * mostBytes })
    this.#counters = counters
    this.#seed = seed
  }

  /**
   * Whatever ways lead to a database, it has one set of stamps: what is written by one way ends what was read by another.
   *
   * @param name of the origin's addresses and the database, unlike all others
   */
  database(name: string): Answers {
    let stamps = this.#stamps.get(name)
    if (!stamps) {
      stamps = Stamps.of(this.#counters, this.#seed, name)
      this.#stamps.set(name, stamps)
    }
    return new Answers(this, stamps)
  }

  /** What it takes of memory. */
  get bytes(): number {
    return this.store.bytes + this.fills.bytes
  }

  sweep(now: number): void {
    this.fills.sweep(now)
  }
}

/** What an asker takes. */
export interface Wanted {
  /** It is to hear a RowDescription. */
  readonly describes: boolean
  /** How old an answer may be; null: there must be none. */
  freshnessOf(subject: Subject): Freshness | null
}

/** Why nothing was found: nothing is kept; what it depends on has changed, or may have; it is too old. */
export type Lack = 'none' | 'changed' | 'suspect' | 'expired'

/** The answers of one database. */
export class Answers {
  readonly stamps: Stamps
  readonly tallies: Tallies
  /** A stream tells of changes, and is well: answers may be older than an hour. */
  told = false
  /** Of what was looked for last, if it was not found. */
  lack: Lack = 'none'
  readonly #cache: Cache
  readonly #credit = new Credit()

  constructor(cache: Cache, stamps: Stamps) {
    this.#cache = cache
    this.stamps = stamps
    this.tallies = new Tallies(mostShapes, cache.total)
    // What one of this name had kept before does not count: nobody has bumped since.
    stamps.bumpEpoch()
  }

  /**
   * What there is for `key`.
   *
   * @returns an answer, which may be stale, or one on its way, to be joined
   */
  find(wanted: Wanted, now: number): Entry | Fill | null {
    const { fills, key } = this.#cache
    this.lack = 'none'
    const entry = this.#current(key)
    if (entry instanceof Entry && (entry.describes || !wanted.describes)) {
      const age = this.#ageOf(entry.subject, now - entry.askedAt, wanted)
      if (age !== 'expired') {
        entry.stale = age === 'stale'
        this.#cache.store.use(entry)
        this.#credit.onHit()
        return entry
      }
      this.lack = 'expired'
    }
    const fill = fills.get(key)
    if (fill === null || !fill.current || (wanted.describes && !fill.describes)) return null
    return this.#ageOf(fill.subject, now - fill.asked.at, wanted) === 'fresh' ? fill : null
  }

  /** The answer to `key`, for which nothing was found, is worth keeping. */
  get keeps(): boolean {
    return this.#credit.isLeft || this.#cache.store.isAskedAgain(this.#cache.key)
  }

  /** The question `key` goes to the origin now. */
  begin(form: Form, asked: Asked): Fill {
    const { fills, key, store } = this.#cache
    this.#credit.onKept()
    return fills.begin(key, form, asked, this.stamps, entry => store.add(entry))
  }

  /** What a Describe of the statement `key` was answered by. The key: context, text and declared types. */
  findDescription(now: number): Description | null {
    const kept = this.#current(this.#cache.key)
    if (!(kept instanceof Description) || now - kept.askedAt >= mostAgeMs) return null
    this.#cache.store.use(kept)
    return kept
  }

  /**
   * @param question `key.copy()` when the Describe was sent
   * @param asked without slots: the schema is in every stamp
   * @param messages ParameterDescription, and RowDescription or NoData
   */
  keepDescription(question: Question, asked: Asked, messages: readonly Uint8Array[]): void {
    const description = new Description(question, this.stamps, asked, messages)
    if (description.current) this.#cache.store.add(description)
  }

  #ageOf(subject: Subject, ageMs: number, wanted: Wanted): 'fresh' | 'stale' | 'expired' {
    const freshness = wanted.freshnessOf(subject)
    return freshness ? judgeAge(ageMs, freshness, this.told ? mostAgeMs : mostAgeUntoldMs) : 'expired'
  }

  /** What may be served as of what it depends on. What may not stays, for the next answer takes its place. */
  #current(key: Key): Kept | null {
    const kept = this.#cache.store.find(key)
    if (kept?.current && !kept.suspect) return kept
    this.lack = kept === null ? 'none' : kept.current ? 'suspect' : 'changed'
    return null
  }
}
