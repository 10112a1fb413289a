import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Latencies } from './latencies.ts'

const latenciesOf = (values: number[]) => {
  const latencies = new Latencies()
  for (const value of values) latencies.record(value)
  return latencies
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1)

test('percentiles are values that this share is not slower than, and say how many were', () => {
  const { percentiles, min, max, mean } = latenciesOf(upTo(1_000)).figures()
  expect(percentiles.map(({ percentile, slower }) => [percentile, slower])).toEqual([
    [50, 500],
    [75, 250],
    [90, 100],
    [95, 50],
    [99, 10],
    [99.9, 1],
  ])
  for (const { percentile, ms } of percentiles) expect(ms! / (percentile * 10)).toBeCloseTo(1, 2)
  expect({ min, max, mean }).toEqual({ min: 1, max: 1_000, mean: 500.5 })
})

test('of a single latency, all figures are that one', () => {
  const { percentiles, min, max, mean } = latenciesOf([12.345]).figures()
  expect(new Set(percentiles.map(({ ms }) => ms))).toEqual(new Set([12.345]))
  expect([min, max, mean]).toEqual([12.345, 12.345, 12.345])
})

test('without any there are no figures, and no bars', () => {
  const empty = new Latencies()
  expect(empty.figures()).toMatchObject({ count: 0, min: null, mean: null, max: null })
  expect(empty.figures().percentiles[0]).toEqual({ percentile: 50, ms: null, slower: 0 })
  expect(empty.bars(10)).toEqual([])
})

test('bars lie between round figures, side by side', () => {
  expect(latenciesOf([1.2, 3, 4, 80]).bars(8)).toEqual([
    { fromMs: 1, toMs: 2, count: 1 },
    { fromMs: 2, toMs: 5, count: 2 },
    { fromMs: 5, toMs: 10, count: 0 },
    { fromMs: 10, toMs: 20, count: 0 },
    { fromMs: 20, toMs: 50, count: 0 },
    { fromMs: 50, toMs: 100, count: 1 },
  ])
})

test('whatever was measured, every latency is in one bar, and no figure is out of order', () => {
  const ms = fc.double({ min: 0, max: 3_600_000, noNaN: true })
  fc.assert(
    fc.property(fc.array(ms, { minLength: 1, maxLength: 200 }), values => {
      const latencies = latenciesOf(values)
      const bars = latencies.bars(12)
      expect(bars.length).toBeLessThanOrEqual(12)
      expect(bars.reduce((sum, { count }) => sum + count, 0)).toBe(values.length)
      for (const [at, bar] of bars.entries()) {
        expect(bar.toMs).toBeGreaterThan(bar.fromMs)
        if (at > 0) expect(bar.fromMs).toBe(bars[at - 1]!.toMs)
      }
      const { percentiles, max } = latencies.figures()
      const inOrder = [...percentiles.map(({ ms }) => ms!), max!]
      expect(inOrder).toEqual([...inOrder].sort((a, b) => a - b))
    }),
    { numRuns: 50 },
  )
})
