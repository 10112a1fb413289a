/** Limits, each beside what was measured. */
import { type Percentile, percentileOf } from './latencies.ts'
import type { Figures } from './tally.ts'

export type Threshold =
  | { readonly of: 'latency'; readonly percentile: Percentile | 'mean' | 'max'; readonly limitMs: number }
  /** Of all requests: 5 of 100 are 5 %. */
  | { readonly of: 'errors'; readonly limitPercent: number; readonly isDefault: boolean }
  | { readonly of: 'error count'; readonly limit: number }

export interface ThresholdResult {
  readonly figure: string
  readonly unit: 'ms' | '%' | 'requests'
  readonly limit: number
  readonly isDefault: boolean
  /** null: nothing was measured, which keeps no limit. */
  readonly measured: number | null
  readonly kept: boolean
}

export const judge = (thresholds: readonly Threshold[], figures: Figures | null): ThresholdResult[] =>
  thresholds.map(threshold => {
    switch (threshold.of) {
      case 'latency':
        return result(
          nameOf(threshold.percentile),
          'ms',
          threshold.limitMs,
          latency(figures, threshold.percentile),
        )
      case 'errors':
        return result(
          'errors',
          '%',
          threshold.limitPercent,
          figures?.requests ? (figures.failed / figures.requests) * 100 : null,
          threshold.isDefault,
        )
      case 'error count':
        return result('errors', 'requests', threshold.limit, figures?.requests ? figures.failed : null)
      default:
        return threshold satisfies never
    }
  })

const result = (
  figure: string,
  unit: ThresholdResult['unit'],
  limit: number,
  measured: number | null,
  isDefault = false,
): ThresholdResult => ({
  ...{ figure, unit, limit, isDefault, measured },
  kept: measured !== null && measured <= limit,
})

const nameOf = (percentile: Percentile | 'mean' | 'max') =>
  typeof percentile === 'number' ? `p${percentile}` : percentile

function latency(figures: Figures | null, wanted: Percentile | 'mean' | 'max'): number | null {
  if (!figures) return null
  if (wanted === 'mean') return figures.latency.mean
  if (wanted === 'max') return figures.latency.max
  return percentileOf(figures.latency, wanted).ms
}
