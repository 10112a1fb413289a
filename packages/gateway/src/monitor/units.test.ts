import { expect, test } from 'vitest'
import { ms, percent, plural, rate, workerMs } from './units.ts'

test('times have three digits at most, and are never nothing', () => {
  const written = [
    0, 0.004, 0.04, 0.9994, 0.9996, 1.25, 9.994, 9.996, 999.4, 999.6, 9_994, 9_996, 3_600_000,
  ].map(ms)
  expect(written).toEqual([
    ...['<0.01 ms', '<0.01 ms', '0.04 ms', '1.00 ms', '1.0 ms', '1.3 ms', '10.0 ms', '10 ms', '999 ms'],
    ...['1.00 s', '9.99 s', '10.0 s', '3600.0 s'],
  ])
  expect(ms(null)).toBe('-')
})

test('a Worker’s clock counts whole milliseconds', () => {
  expect([0, 0.4, 1, 2.5, 41, null].map(workerMs)).toEqual(['<1 ms', '<1 ms', '1 ms', '2.5 ms', '41 ms', '-'])
})

test('shares, rates and counts', () => {
  expect([0, 0.001, 0.5, 6.266, 93.73, 100].map(percent)).toEqual([
    '0 %',
    '<0.01 %',
    '0.5 %',
    '6.27 %',
    '93.7 %',
    '100 %',
  ])
  expect([0.25, 9.96, 49.7].map(rate)).toEqual(['0.3/s', '10/s', '50/s'])
  expect([plural(1, 'latency', 'latencies'), plural(2, 'request')]).toEqual(['1 latency', '2 requests'])
})
