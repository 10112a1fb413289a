/** How far a run is, and the live line that says so. */
import { indent } from './layout.ts'
import { ms, rate } from './units.ts'

export type Progress =
  | { readonly at: 'checks' }
  | { readonly at: 'warm-up' }
  | {
      readonly at: 'benchmark'
      /** From 0 to 1. */
      readonly part: number
      readonly settled: number
      readonly failed: number
      /** Successful answers a second since the start. */
      readonly perSecond: number
      readonly p50Ms: number | null
      readonly p99Ms: number | null
    }

/** The live line, no longer than the terminal is wide. */
export const progressLine = (progress: Progress, width: number): string =>
  progressText(progress, width).slice(0, Math.max(0, width - 1))

function progressText(progress: Progress, width: number): string {
  if (progress.at === 'checks') return `${indent}checking the health pages`
  if (progress.at === 'warm-up') return `${indent}warming up`
  const { part, settled, failed, perSecond, p50Ms, p99Ms } = progress
  const filled = Math.round(part * 20)
  const words = [
    `${indent}${'█'.repeat(filled)}${'░'.repeat(20 - filled)} ${`${Math.floor(part * 100)}`.padStart(3)} %`,
    `${settled} done`,
    `${failed} failed`,
    rate(perSecond),
    `p50 ${ms(p50Ms)}`,
    `p99 ${ms(p99Ms)}`,
  ]
  // What comes last is what can be missed.
  while (words.length > 1 && words.join('  ').length >= width) words.pop()
  return words.join('  ')
}
