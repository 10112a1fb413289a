/** What is kept in one segment of the store, in the order of its last use, and what it weighs together. */
import type { Kept, Segment } from './kept.ts'

export class Recency {
  readonly #segment: Segment
  #oldest: Kept | null = null
  #newest: Kept | null = null
  #weight = 0

  constructor(segment: Segment) {
    this.#segment = segment
  }

  get oldest(): Kept | null {
    return this.#oldest
  }

  get weight(): number {
    return this.#weight
  }

  /** Puts in what is in no segment, as the newest. */
  push(kept: Kept): void {
    kept.segment = this.#segment
    kept.older = this.#newest
    if (this.#newest) this.#newest.newer = kept
    else this.#oldest = kept
    this.#newest = kept
    this.#weight += kept.weight
  }

  remove(kept: Kept): void {
    const { newer, older } = kept
    if (newer) newer.older = older
    else this.#newest = older
    if (older) older.newer = newer
    else this.#oldest = newer
    kept.newer = null
    kept.older = null
    kept.segment = 'none'
    this.#weight -= kept.weight
  }

  /** It was used. */
  renew(kept: Kept): void {
    if (kept === this.#newest) return
    this.remove(kept)
    this.push(kept)
  }
}
