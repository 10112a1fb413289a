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

/** Counts of one shape, or of all. */
export class Tally {
  readonly counts: Record<Status, number> = Object.fromEntries(statuses.map(status => [status, 0])) as Record<
    Status,
    number
  >
  /** How often the origin was asked in the background, for a stale answer: no client's question. */
  refreshes = 0
  /** What the origin would have taken for what was answered from the cache, less what it took for refreshes. */
  savedMs = 0
}

export class Tallies {
  readonly total = new Tally()
  /** Of shapes that were left out, or have made room. */
  readonly others = new Tally()
  readonly #most: number
  readonly #shapes = new Map<object, { readonly text: string; readonly tally: Tally; used: boolean }>()

  /** @param most shapes that are counted by themselves: 1,000 */
  constructor(most: number = 1_000) {
    this.#most = most
  }

  /**
   * @param shape stands for the shape: its plan
   * @param text what it is called, asked for the first time
   */
  count(status: Status, shape: object, text: () => string, savedMs: number = 0): void {
    add(this.total, status, savedMs)
    add(this.#of(shape, text), status, savedMs)
  }

  /** The origin has answered a refresh. */
  countRefresh(shape: object, text: () => string, tookMs: number): void {
    for (const tally of [this.total, this.#of(shape, text)]) {
      tally.refreshes++
      tally.savedMs -= tookMs
    }
  }

  get shapes(): { readonly text: string; readonly tally: Tally }[] {
    return [...this.#shapes.values()].map(({ text, tally }) => ({ text, tally }))
  }

  #of(shape: object, text: () => string): Tally {
    const known = this.#shapes.get(shape)
    if (known) {
      known.used = true
      return known.tally
    }
    if (this.#shapes.size >= this.#most) this.#makeRoom()
    const tally = new Tally()
    this.#shapes.set(shape, { text: text(), tally, used: false })
    return tally
  }

  /** Goes round once at most: whoever was asked for since the last time stays. */
  #makeRoom(): void {
    for (const [shape, each] of this.#shapes) {
      this.#shapes.delete(shape)
      if (!each.used) {
        for (const status of statuses) this.others.counts[status] += each.tally.counts[status]
        this.others.refreshes += each.tally.refreshes
        this.others.savedMs += each.tally.savedMs
        return
      }
      each.used = false
      this.#shapes.set(shape, each)
    }
  }
}

function add(tally: Tally, status: Status, savedMs: number): void {
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
