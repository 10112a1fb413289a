/**
 * How long something took lately: a ring of the last samples, ordered only when somebody asks.
 *
 * A sample may be 0: on Workers the clock moves with I/O only, in whole milliseconds. Percentiles are by
 * nearest rank, so each is a time that was really measured.
 */

const size = 512

export class Latency {
  readonly #ring = new Float64Array(size)
  #added = 0

  /** Adds one sample. Anything but a time (a negative number, NaN) is left out. */
  add(ms: number): void {
    if (ms >= 0) this.#ring[this.#added++ % size] = ms
  }

  /** Over the last 512 samples; `count` is how many those are. Null before the first. */
  summary(): { count: number; p50: number; p95: number; p99: number; max: number } | null {
    const count = Math.min(this.#added, size)
    if (count === 0) return null
    const sorted = this.#ring.slice(0, count).sort()
    const rank = (percent: number) => sorted[Math.ceil((percent * count) / 100) - 1]!
    return { count, p50: rank(50), p95: rank(95), p99: rank(99), max: rank(100) }
  }
}
