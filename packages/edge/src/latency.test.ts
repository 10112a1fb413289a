import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Latency } from './latency.ts'

const of = (samples: number[]) => {
  const latency = new Latency()
  for (const ms of samples) latency.add(ms)
  return latency.summary()
}

test('there is nothing to tell before the first sample', () => {
  expect(new Latency().summary()).toBeNull()
})

test('one sample is every percentile', () => {
  expect(of([7])).toEqual({ count: 1, p50: 7, p95: 7, p99: 7, max: 7 })
})

test('percentiles are by nearest rank, in whatever order the samples came', () => {
  const samples = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(of(samples)).toEqual({ count: 100, p50: 50, p95: 95, p99: 99, max: 100 })
})

test('a clock that stood still gives samples of 0, and they count', () => {
  expect(of([0, 0, 0, 12])).toEqual({ count: 4, p50: 0, p95: 12, p99: 12, max: 12 })
})

test('only the last 512 samples count', () => {
  expect(of([9999, ...Array.from({ length: 512 }, () => 5)])).toEqual({
    count: 512,
    p50: 5,
    p95: 5,
    p99: 5,
    max: 5,
  })
})

test('what is no time is left out', () => {
  expect(of([Number.NaN, -1, 3])?.count).toBe(1)
})

test('every figure is one of the samples, and they ascend', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 600 }),
      samples => {
        const { p50, p95, p99, max, count } = of(samples)!
        const last = samples.slice(-512)
        expect(count).toBe(last.length)
        expect(max).toBe(Math.max(...last))
        for (const figure of [p50, p95, p99]) expect(last.some(sample => sample === figure)).toBe(true)
        expect(p50 <= p95 && p95 <= p99 && p99 <= max).toBe(true)
        expect(last.filter(sample => sample <= p95).length).toBeGreaterThanOrEqual(last.length * 0.95)
      },
    ),
  )
})
