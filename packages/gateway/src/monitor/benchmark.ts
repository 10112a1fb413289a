/** What the benchmark was, and what it measured. */
import { rounded } from './latencies.ts'
import type { Load, LoadPlan } from './load.ts'
import type { Figures, Tally } from './tally.ts'

export interface Benchmark extends Figures {
  /** With its query. */
  readonly path: string
  readonly plan: LoadPlan
  readonly keepAlive: boolean
  /** "open": latency counts from when a request was due. "closed": from when it was sent. */
  readonly loop: 'open' | 'closed'
  readonly warmUp: { readonly requests: number; readonly failed: number }
  readonly tookMs: number
  /** Successful answers a second, over the whole run. */
  readonly answersPerSecond: number
  /** Why it ended before its plan, if it did. */
  readonly ended: Load['ended']
  /** How late the monitor itself was to send, at most. Part of the latency with a rate. */
  readonly ownDelayMs: number
}

export interface BenchmarkRun {
  path: string
  load: Load
  tally: Tally
  keepAlive: boolean
  warmUp: { requests: number; failed: number }
  tookMs: number
}

export function benchmarkOf({ load, tally, tookMs, ...run }: BenchmarkRun): Benchmark {
  return {
    ...run,
    ...{ plan: load.plan, tookMs, ended: load.ended, ownDelayMs: rounded(load.ownDelayMs) },
    loop: load.plan.ratePerSecond === null ? 'closed' : 'open',
    answersPerSecond: tookMs > 0 ? rounded((tally.succeeded * 1000) / tookMs) : 0,
    ...tally.figures(load.expired),
  }
}
