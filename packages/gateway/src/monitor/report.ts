/**
 * The report: everything that was measured and what it means, as one plain value. `--json` prints it as it is, the
 * terminal's text is made of it (text.ts), and so is the exit code.
 */
import { type Advice, adviceFor } from './advice.ts'
import type { Benchmark } from './benchmark.ts'
import type { Check, Verdict } from './checks.ts'
import type { PerformancePage } from './performance-page.ts'
import { judge, type Threshold, type ThresholdResult } from './thresholds.ts'
import { ms, percent, plural } from './units.ts'

export interface Report {
  /** Of this document: another number, other fields. */
  readonly version: 1
  readonly url: string
  readonly startedAt: string
  readonly finishedAt: string
  /** By Ctrl-C or SIGTERM: what follows was measured until then. */
  readonly interrupted: boolean
  readonly verdict: Verdict
  readonly exitCode: 0 | 1 | 2
  /** Why it is not healthy, one line each. */
  readonly reasons: readonly string[]
  readonly checks: readonly Check[]
  /** What the performance page told after the benchmark, or in its check. */
  readonly page: PerformancePage | null
  readonly benchmark: Benchmark | null
  /** Why there is no benchmark. */
  readonly noBenchmark: string | null
  readonly thresholds: readonly ThresholdResult[]
  readonly recommendations: readonly Advice[]
}

export interface Measured {
  url: string
  startedAt: Date
  finishedAt: Date
  interrupted: boolean
  checks: readonly Check[]
  /** How many were to be made. */
  checksWanted: number
  page: PerformancePage | null
  benchmark: Benchmark | null
  noBenchmark: string | null
  thresholds: readonly Threshold[]
}

export function reportOf(measured: Measured): Report {
  const { checks, benchmark } = measured
  const thresholds = judge(measured.thresholds, benchmark)
  const reasons = [
    ...checks.flatMap(({ path, findings }) => findings.map(finding => `${path}: ${finding}`)),
    ...(checks.length < measured.checksWanted ? ['stopped before all checks were made'] : []),
    // Without a benchmark the reason is why there is none.
    ...(benchmark ? thresholds.filter(({ kept }) => !kept).map(overLimit) : []),
    ...(benchmark === null && measured.interrupted ? ['stopped before the benchmark'] : []),
  ]
  const verdict = checks.some(check => check.verdict === 'not ours')
    ? 'not ours'
    : reasons.length > 0
      ? 'unhealthy'
      : 'healthy'
  return {
    version: 1,
    url: measured.url,
    startedAt: measured.startedAt.toISOString(),
    finishedAt: measured.finishedAt.toISOString(),
    interrupted: measured.interrupted,
    verdict,
    exitCode: verdict === 'healthy' ? 0 : verdict === 'unhealthy' ? 1 : 2,
    ...{ reasons, checks, page: measured.page, benchmark, noBenchmark: measured.noBenchmark, thresholds },
    recommendations: adviceFor({ checks, page: measured.page, benchmark, thresholds }),
  }
}

function overLimit({ figure, unit, measured, limit }: ThresholdResult): string {
  const value = (of: number) => (unit === 'ms' ? ms(of) : unit === '%' ? percent(of) : plural(of, 'request'))
  return `${figure}: ${measured === null ? 'nothing was measured' : value(measured)}, at most ${value(limit)} wanted`
}
