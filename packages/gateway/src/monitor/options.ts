/** What a run of the monitor is told, and what it does otherwise. */
import type { Threshold } from './thresholds.ts'

export interface MonitorOptions {
  /** Scheme, host, port, and a path in front of all others if there is one; no slash at its end. */
  readonly url: string
  /** Where the four health pages live, as in the health routes' option `path`. */
  readonly healthPath: string
  /** What is benchmarked: a path from the URL's root, with its query. null: the performance page. */
  readonly path: string | null
  /** Requests before the measurement, in no figure: they open connections and wake a sleeping database. */
  readonly warmUp: number
  readonly requests: number | null
  readonly durationMs: number | null
  readonly ratePerSecond: number | null
  readonly concurrency: number
  readonly timeoutMs: number
  readonly keepAlive: boolean
  /** Sent as `Authorization: Bearer …`; in no report. */
  readonly token: string | undefined
  readonly thresholds: readonly Threshold[]
}

export const defaults = {
  healthPath: '/api/health',
  /** Enough for a p99 that rests on two requests; a second or two against most endpoints. */
  requests: 200,
  /** A browser opens six to a host; a few users at once. One connection would hide queues. */
  concurrency: 10,
  /** The health pages' own deadlines are 2 s for readiness; a user has left by ten. */
  timeoutMs: 10_000,
  /** One failure in a thousand may be chance; more than one in a hundred is what users tell each other. */
  maxErrorsPercent: 1,
} as const
