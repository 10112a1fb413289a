import { expect, test } from 'vitest'
import { parseServerTiming } from './server-timing.ts'

const parsed = (header: string) => Object.fromEntries(parseServerTiming(header))

test('names, durations and descriptions', () => {
  expect(parsed('connect;dur=16.0, query;dur=2.5;desc="hyperdrive"')).toEqual({
    connect: { durationMs: 16, description: null },
    query: { durationMs: 2.5, description: 'hyperdrive' },
  })
})

test('commas, semicolons and escaped quotes in a description are text', () => {
  expect(parsed(String.raw`a;desc="x, y; \"z\"";dur=1, b`)).toEqual({
    a: { durationMs: 1, description: 'x, y; "z"' },
    b: { durationMs: null, description: null },
  })
})

test('what others add, and what can’t be read, does no harm', () => {
  expect(parsed('cfWorker;dur=9, query ; DUR=3 ; desc=direct,, ;=;,query;dur=99,x;dur=fast')).toMatchObject({
    cfworker: { durationMs: 9 },
    query: { durationMs: 3, description: 'direct' },
    x: { durationMs: null },
  })
  expect(parsed('')).toEqual({})
  expect(parsed('"')).toEqual({})
})
