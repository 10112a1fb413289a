/**
 * What is kept, by question, within a bound of bytes: W-TinyLFU, weighed by bytes.
 *
 *     new ──▶ window, 1 % ──oldest──▶ asked for more often than those that must go for it? ──no──▶ gone
 *                                       │ yes
 *                                       ▼
 *                                    probation ──used──▶ protected, 80 % of the rest
 *                                       ▲                    │
 *                                       └──────oldest────────┘
 *
 * A newcomer has the time that the window gives to be asked for again. Then it is weighed against the oldest of
 * probation, as many as would have to go for it together: so one large answer does not drive out a hundred small ones
 * that are asked for as often, and a scan drives out nothing. How often something was asked for outlives it (sketch.ts);
 * what is not current any more is worth nothing.
 *
 * Invariants: (1) never more than the bound, sketch included; (2) a hash finds, bytes decide: of two questions with one
 * hash the newer is kept.
 * Own code, because what libraries offer keeps values by strings or object identity: a question would have to become a
 * string each time it is asked.
 * Source: Einziger, Friedman and Manes, "TinyLFU"; Einziger, Eytan, Friedman and Manes, "Lightweight Robust Size Aware
 * Cache Management" (there: aggregated victims).
 */
import type { Kept } from './kept.ts'
import type { Question } from './key.ts'
import { Recency } from './recency.ts'
import { FrequencySketch } from './sketch.ts'

const windowShare = 0.01
const protectedShare = 0.8
/** An answer of common size with its question; it decides on the size of the sketch only. */
const usualBytes = 1_024

export class Store {
  readonly #sketch: FrequencySketch
  readonly #windowBytes: number
  readonly #mainBytes: number
  readonly #protectedBytes: number
  readonly #kept = new Map<number, Kept>()
  readonly #window = new Recency('window')
  readonly #probation = new Recency('probation')
  readonly #protected = new Recency('protected')
  /** How many had to go for others; how many were not let in. */
  evicted = 0
  rejected = 0

  constructor(mostBytes: number) {
    this.#sketch = new FrequencySketch(mostBytes / usualBytes)
    const left = Math.max(0, mostBytes - this.#sketch.bytes)
    this.#windowBytes = Math.floor(windowShare * left)
    this.#mainBytes = left - this.#windowBytes
    this.#protectedBytes = Math.floor(protectedShare * this.#mainBytes)
  }

  get size(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#sketch.bytes + this.#window.weight + this.#main
  }

  get #main(): number {
    return this.#probation.weight + this.#protected.weight
  }

  /** What is kept for this question. It is being asked, which counts whether there is something or not. */
  find(question: Question): Kept | null {
    this.#sketch.count(question.hash)
    const kept = this.#kept.get(question.hash)
    return kept?.answers(question) ? kept : null
  }

  /** This question was asked before it was asked now; it may also be another one that shares its counters. */
  isAskedAgain({ hash }: Question): boolean {
    return this.#sketch.estimate(hash) > 1
  }

  /** It was of use. */
  use(kept: Kept): void {
    switch (kept.segment) {
      case 'window':
        this.#window.renew(kept)
        return
      case 'protected':
        this.#protected.renew(kept)
        return
      case 'probation':
        this.#probation.remove(kept)
        this.#protected.push(kept)
        this.#demote()
        return
      case 'none':
        return
      default:
        kept.segment satisfies never
    }
  }

  /** @returns false if it was not let in; whatever stood for its question is gone then, too */
  add(kept: Kept): boolean {
    const before = this.#kept.get(kept.hash)
    const wasProtected = before?.segment === 'protected'
    if (before) this.remove(before)
    if (wasProtected || kept.weight > this.#windowBytes) {
      const isIn = this.#admit(kept)
      if (isIn && wasProtected) this.use(kept)
      return isIn
    }
    this.#kept.set(kept.hash, kept)
    this.#window.push(kept)
    while (this.#window.weight > this.#windowBytes) {
      const oldest = this.#window.oldest!
      this.remove(oldest)
      this.#admit(oldest)
    }
    return true
  }

  /** Again is harmless. */
  remove(kept: Kept): void {
    if (kept.segment === 'none') return
    this.#kept.delete(kept.hash)
    if (kept.segment === 'window') this.#window.remove(kept)
    else if (kept.segment === 'probation') this.#probation.remove(kept)
    else this.#protected.remove(kept)
  }

  /** Takes what is in no segment into probation, if it is worth it. */
  #admit(kept: Kept): boolean {
    const lacking = this.#main + kept.weight - this.#mainBytes
    if (kept.weight > this.#mainBytes || (lacking > 0 && !this.#makeRoom(lacking, kept))) {
      this.rejected++
      return false
    }
    this.#kept.set(kept.hash, kept)
    this.#probation.push(kept)
    return true
  }

  /** @returns false if what would have to go is worth as much as what would come, or more */
  #makeRoom(lacking: number, newcomer: Kept): boolean {
    const gain = this.#sketch.estimate(newcomer.hash)
    let loss = 0
    let freed = 0
    let victims = 0
    for (let victim = this.#firstToGo; victim !== null && freed < lacking; victim = this.#nextToGo(victim)) {
      if (victim.current) loss += this.#sketch.estimate(victim.hash)
      if (loss >= gain) return false
      freed += victim.weight
      victims++
    }
    this.evicted += victims
    for (; victims > 0; victims--) this.remove(this.#firstToGo!)
    return true
  }

  get #firstToGo(): Kept | null {
    return this.#probation.oldest ?? this.#protected.oldest
  }

  #nextToGo({ newer, segment }: Kept): Kept | null {
    return newer ?? (segment === 'probation' ? this.#protected.oldest : null)
  }

  #demote(): void {
    while (this.#protected.weight > this.#protectedBytes) {
      const oldest = this.#protected.oldest!
      this.#protected.remove(oldest)
      this.#probation.push(oldest)
    }
  }
}
