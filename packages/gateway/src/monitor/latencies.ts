/**
 * Latencies: an HDR histogram of microseconds, three significant digits, from 1 µs to an hour.
 *
 * Maximum and minimum are kept beside it, exact: the histogram rounds them to its digits.
 */
import { Int32Histogram } from 'hdr-histogram-js'

export const percentiles = [50, 75, 90, 95, 99, 99.9] as const
export type Percentile = (typeof percentiles)[number]

/** In ms; all null if nothing was measured. */
export interface LatencyFigures {
  readonly count: number
  readonly min: number | null
  readonly mean: number | null
  readonly max: number | null
  readonly percentiles: readonly PercentileFigure[]
}

export interface PercentileFigure {
  readonly percentile: Percentile
  readonly ms: number | null
  /** How many were slower: few, and the figure is an anecdote. */
  readonly slower: number
}

export const percentileOf = ({ percentiles }: LatencyFigures, percentile: Percentile): PercentileFigure =>
  percentiles.find(each => each.percentile === percentile)!

/** `from` included, `to` excluded, in ms. */
export interface Bar {
  readonly fromMs: number
  readonly toMs: number
  readonly count: number
}

const hourMs = 3_600_000

export class Latencies {
  readonly #histogram = new Int32Histogram(1, hourMs * 1000, 3)
  #min = Number.POSITIVE_INFINITY
  #max = 0
  #sum = 0

  /** What a server says of itself may be any number: none counts as less than nothing, or as more than an hour. */
  record(given: number): void {
    const ms = Math.min(hourMs, Math.max(0, given))
    this.#histogram.recordValue(Math.max(1, Math.round(ms * 1000)))
    this.#min = Math.min(this.#min, ms)
    this.#max = Math.max(this.#max, ms)
    this.#sum += ms
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  figures(): LatencyFigures {
    const { count } = this
    return {
      count,
      min: count ? rounded(this.#min) : null,
      mean: count ? rounded(this.#sum / count) : null,
      max: count ? rounded(this.#max) : null,
      percentiles: percentiles.map(percentile => ({
        percentile,
        ms: count ? this.at(percentile) : null,
        slower: count - Math.max(count && 1, Math.ceil((count * percentile) / 100 - 1e-9)),
      })),
    }
  }

  /** 0 if nothing was measured. */
  at(percentile: number): number {
    // The histogram gives the upper end of its bucket, which may lie above the slowest one.
    return rounded(Math.min(this.#histogram.getValueAtPercentile(percentile) / 1000, this.#max))
  }

  /** Between round figures, the finest steps that need no more than `most` bars. */
  bars(most: number): Bar[] {
    if (this.count === 0) return []
    const edges = edgesBetween(this.#min, this.#max, most)
    const counts = new Array<number>(edges.length - 1).fill(0)
    let bar = 0
    for (let index = 0; index < this.#histogram.countsArrayLength; index++) {
      const count = this.#histogram.getCountAtIndex(index)
      if (count === 0) continue
      const ms = this.#histogram.valueFromIndex(index) / 1000
      while (bar < counts.length - 1 && ms >= edges[bar + 1]!) bar++
      counts[bar]! += count
    }
    return counts.map((count, at) => ({ fromMs: edges[at]!, toMs: edges[at + 1]!, count }))
  }
}

const series = [
  [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9],
  [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8],
  [1, 1.5, 2, 3, 5, 7],
  [1, 2, 5],
  [1, 3],
  [1],
]

function edgesBetween(min: number, max: number, most: number): number[] {
  const [low, high] = [Math.max(min, 0.001), Math.max(max, 0.001)]
  let edges: number[] = []
  for (const steps of series) {
    const all: number[] = []
    for (let power = Math.floor(Math.log10(low)); power <= Math.floor(Math.log10(high)) + 1; power++) {
      for (const step of steps) all.push(Number((step * 10 ** power).toPrecision(2)))
    }
    const first = all.findLastIndex(edge => edge <= low)
    const last = all.findIndex(edge => edge > high)
    edges = all.slice(first, last + 1)
    if (edges.length - 1 <= most) break
  }
  return edges
}

/** To the microsecond, which is all that is measured. */
export const rounded = (ms: number): number => Math.round(ms * 1000) / 1000
