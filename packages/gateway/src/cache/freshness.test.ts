import { expect, test } from 'vitest'
import { judgeAge, mostAgeMs, mostAgeUntoldMs } from './freshness.ts'

const usual = { maxAgeMs: 60_000, staleMs: 15_000 }

test.each([
  [0, 'fresh'],
  [59_999, 'fresh'],
  [60_000, 'stale'],
  [74_999, 'stale'],
  [75_000, 'expired'],
] as const)('at %i ms of 60 s and 15 s an answer is %s', (ageMs, judged) => {
  expect(judgeAge(ageMs, usual, mostAgeMs)).toBe(judged)
})

test('with max_age 0 none is fresh', () => {
  expect(judgeAge(0, { maxAgeMs: 0, staleMs: 0 }, mostAgeMs)).toBe('expired')
})

test('where no stream tells of changes, none is fresh after an hour', () => {
  const long = { maxAgeMs: mostAgeMs, staleMs: 15_000 }
  expect(judgeAge(mostAgeUntoldMs, long, mostAgeMs)).toBe('fresh')
  expect(judgeAge(mostAgeUntoldMs - 1, long, mostAgeUntoldMs)).toBe('fresh')
  expect(judgeAge(mostAgeUntoldMs, long, mostAgeUntoldMs)).toBe('stale')
  expect(judgeAge(mostAgeUntoldMs + 15_000, long, mostAgeUntoldMs)).toBe('expired')
})

test('after a day none is served, whatever is asked', () => {
  const endless = { maxAgeMs: Number.MAX_SAFE_INTEGER, staleMs: Number.MAX_SAFE_INTEGER }
  expect(judgeAge(mostAgeMs - 1, endless, mostAgeMs)).toBe('fresh')
  expect(judgeAge(mostAgeMs, endless, mostAgeMs)).toBe('expired')
})
