import { expect, test } from 'vitest'
import { progressLine } from './progress.ts'

const progress = {
  at: 'benchmark',
  part: 0.4567,
  settled: 457,
  failed: 3,
  perSecond: 123.4,
  p50Ms: 12,
  p99Ms: 310,
} as const

test('the live line says how far, how many, how fast', () => {
  expect(progressLine(progress, 100)).toBe(
    '  █████████░░░░░░░░░░░  45 %  457 done  3 failed  123/s  p50 12 ms  p99 310 ms',
  )
})

test('the live line is shorter than the terminal is wide', () => {
  for (const width of [1, 10, 30, 50, 60, 80]) {
    for (const at of [progress, { at: 'checks' }, { at: 'warm-up' }] as const) {
      expect(progressLine(at, width).length).toBeLessThan(width)
    }
  }
})
