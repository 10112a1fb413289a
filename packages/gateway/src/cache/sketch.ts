/**
 * How often a question was asked lately, whether its answer is kept or not: a count-min sketch with ageing.
 *
 * Four counters stand for a question, and the least of them is the estimate: too high at times, never too low. When
 * as many were counted as `period` says, all counters are halved: what was hot yesterday makes room. An answer that is
 * dropped because its table changed keeps its past here, so that the next one is let in at once.
 * Source: Einziger, Friedman, Manes, "TinyLFU: A Highly Efficient Cache Admission Policy".
 */

const rows = 4
const mostCount = 255

export class FrequencySketch {
  readonly #counters: Uint8Array<ArrayBuffer>
  /** Four at once. */
  readonly #words: Uint32Array
  readonly #mask: number
  #counted = 0
  /** How many questions are counted until all counters are halved. */
  readonly period: number

  /**
   * @param expected how many questions are of interest at a time: 16 bytes each, or up to 32. With a quarter of that a
   *   scan costs 3.4 points of hit ratio, with half 0.7, with this none (hit-ratio.test.ts).
   */
  constructor(expected: number) {
    const width = 2 ** Math.max(6, Math.ceil(Math.log2(4 * expected)))
    this.#counters = new Uint8Array(width * rows)
    this.#words = new Uint32Array(this.#counters.buffer)
    this.#mask = width - 1
    this.period = 10 * Math.max(64, expected)
  }

  get bytes(): number {
    return this.#counters.length
  }

  /** Only those of the four are raised that say the least: what shares a counter with it is told less wrong. */
  count(hash: number): void {
    const counters = this.#counters
    const mask = this.#mask
    const step = stepOf(hash)
    const least = this.estimate(hash)
    if (least < mostCount)
      for (let row = 0, at = hash; row < rows; row++, at += step) {
        const place = (at & mask) * rows + row
        if (counters[place] === least) counters[place] = least + 1
      }
    if (++this.#counted >= this.period) this.#age()
  }

  estimate(hash: number): number {
    const counters = this.#counters
    const mask = this.#mask
    const step = stepOf(hash)
    let least = mostCount
    for (let row = 0, at = hash; row < rows; row++, at += step)
      least = Math.min(least, counters[(at & mask) * rows + row]!)
    return least
  }

  #age(): void {
    this.#counted = 0
    const words = this.#words
    for (let at = 0; at < words.length; at++) words[at] = (words[at]! >>> 1) & 0x7f7f7f7f
  }
}

/** Double hashing: the second hash of the first. Odd, so that it reaches every place. */
const stepOf = (hash: number) => (Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 7) | 1
