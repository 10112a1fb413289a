/**
 * What has become of each question, in Hyperdrive's words and one more (stale), counted in total and by shape.
 *
 * Source: Cloudflare's Hyperdrive documentation, "Metrics and analytics": cacheStatus.
 */
import type { Refusal } from './tee.ts'

export const statuses = [
  /** Answered from the cache. */
  'hit',
  /** The same, by an answer past its age, while another is fetched in the background. */
  'stale',
  /** Asked of the origin, and kept if nothing speaks against it; or by somebody else's fill. */
  'miss',
  /** Caching is off: for the origin, the connection or this query. */
  'disabled',
  /** Asked within a transaction. */
  'transaction',
  'uncacheable',
  'volatile',
  'notaquery',
  'multiplestatements',
  'parseerror',
  'oversizedquery',
  'oversizedresult',
] as const

export type Status = (typeof statuses)[number]

/** What the last question of a session came to, for SHOW sluice.cache_status. */
export interface Outcome {
  readonly status: Status
  /** A sentence: which function, which table, which rule. */
  readonly why: string
}

/** Written out, for each new shape is given some. */
const noCounts = (): Record<Status, number> => ({
  hit: 0,
  stale: 0,
  miss: 0,
  disabled: 0,
  transaction: 0,
  uncacheable: 0,
  volatile: 0,
  notaquery: 0,
  multiplestatements: 0,
  parseerror: 0,
  oversizedquery: 0,
  oversizedresult: 0,
})

/** Counts of one shape, or of all. */
export class Tally {
  readonly counts: Record<Status, number> = noCounts()
  /** How often the origin was asked in the background, for a stale answer: no client's question. */
  refreshes = 0
  /** What the origin would have taken for what was answered from the cache, less what it took for refreshes. */
  savedMs = 0
  /** Answers of the origin that were to be kept, refreshes among them, and how long they took. */
  answers = 0
  originMs = 0

  add({ counts, refreshes, savedMs, answers, originMs }: Tally): void {
    for (const status of statuses) this.counts[status] += counts[status]
    this.refreshes += refreshes
    this.savedMs += savedMs
    this.answers += answers
    this.originMs += originMs
  }
}

export interface TalliedShape {
  readonly text: string
  readonly tally: Tally
  /** Of the last question that was not answered from the cache. */
  readonly last: Outcome | null
}

interface Counted extends TalliedShape {
  last: Outcome | null
  used: boolean
}

export class Tallies {
  readonly total = new Tally()
  /** Of shapes that were left out, or have made room. */
  readonly others = new Tally()
  readonly #most: number
  /** Of all databases. */
  readonly #all: Tally | null
  readonly #shapes = new Map<object, Counted>()
  /** Shapes that came once while there was no room: who comes again gets some. */
  readonly #knocked = new Set<object>()

  /**
   * @param most shapes that are counted by themselves: 1,000
   * @param all what is counted here counts there, too
   */
  constructor(most: number = 1_000, all: Tally | null = null) {
    this.#most = most
    this.#all = all
  }

  /**
   * @param shape stands for the shape: its plan
   * @param text what it is called, made a string the first time
   */
  count(outcome: Outcome, shape: object, text: { toString(): string }, savedMs: number = 0): void {
    const counted = this.#of(shape, text)
    const { status } = outcome
    if (counted !== null && status !== 'hit' && status !== 'stale') counted.last = outcome
    count(this.total, status, savedMs)
    count(counted?.tally ?? this.others, status, savedMs)
    if (this.#all !== null) count(this.#all, status, savedMs)
  }

  /** The origin has answered what was to be kept, and was counted as a miss. @param refused what it is instead */
  countAnswer(shape: object, tookMs: number, refused: Outcome | null): void {
    const counted = this.#shapes.get(shape)
    if (counted && refused !== null) counted.last = refused
    for (const tally of [this.total, counted?.tally ?? this.others, this.#all]) {
      if (!tally) continue
      tally.answers++
      tally.originMs += tookMs
      // A shape that got its place only now has none.
      if (refused === null || tally.counts.miss === 0) continue
      tally.counts.miss--
      tally.counts[refused.status]++
    }
  }

  /** The origin has answered a refresh. */
  countRefresh(shape: object, text: { toString(): string }, tookMs: number): void {
    const tally = this.#of(shape, text)?.tally ?? this.others
    for (const each of [this.total, tally, this.#all]) {
      if (each === null) continue
      each.refreshes++
      each.savedMs -= tookMs
      each.answers++
      each.originMs += tookMs
    }
  }

  get shapes(): readonly TalliedShape[] {
    return [...this.#shapes.values()]
  }

  /** Null: it is one of the others. */
  #of(shape: object, text: { toString(): string }): Counted | null {
    const known = this.#shapes.get(shape)
    if (known) {
      known.used = true
      return known
    }
    if (this.#shapes.size >= this.#most && !this.#makesRoomFor(shape)) return null
    const counted = { text: text.toString(), tally: new Tally(), last: null, used: false }
    this.#shapes.set(shape, counted)
    return counted
  }

  /** What comes once only, as in a scan, drives out nothing. */
  #makesRoomFor(shape: object): boolean {
    if (!this.#knocked.delete(shape)) {
      if (this.#knocked.size >= this.#most) this.#knocked.clear()
      this.#knocked.add(shape)
      return false
    }
    this.#makeRoom()
    return true
  }

  /** Goes round once at most: whoever was asked for since the last time stays. */
  #makeRoom(): void {
    for (const [shape, each] of this.#shapes) {
      this.#shapes.delete(shape)
      if (!each.used) {
        this.others.add(each.tally)
        return
      }
      each.used = false
      this.#shapes.set(shape, each)
    }
  }
}

function count(tally: Tally, status: Status, savedMs: number): void {
  tally.counts[status]++
  tally.savedMs += savedMs
}

/** Why an answer of the origin was not kept. */
export function outcomeOf(refusal: Refusal): Outcome {
  return { status: refusal === 'oversized' ? 'oversizedresult' : 'uncacheable', why: whys[refusal] }
}

const whys: Readonly<Record<Refusal, string>> = {
  error: 'the origin answered with an error',
  notice: 'the answer came with a notice, which a stored answer could not repeat',
  parameter: 'the statement changed a parameter of the session',
  notification: 'a notification came within the answer',
  copy: 'it is a COPY',
  suspended: 'the client asked for a part of the rows',
  several: 'the answer holds more than one result',
  other: 'the answer is not one of rows',
  transaction: 'it ran in a transaction',
  oversized: 'the answer is larger than max_result_size, or was when it was asked for last',
  crowded: 'other answers on their way take all that cache_size leaves for them',
  changed: 'what it depends on changed while it was asked for',
  lost: 'the answer did not come to its end',
}
