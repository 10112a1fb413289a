import { expect, test } from 'vitest'
import { Tallies } from './cache/status.ts'
import type { InvalidationStatus, OldTransaction, Running } from './invalidation/status.ts'
import { cacheShapes, streamStatus } from './views.ts'

const running: Running = {
  ...{ at: 'running', forMs: 5_000.4, delayMs: 3.2, boundMs: 1_003.2, unsettled: 0, covered: 2 },
  ...{ quarantine: null, ddl: 'polled' },
}
const status = (phase: InvalidationStatus['phase'], everRan = false): InvalidationStatus => ({
  ...{ phase, everRan, losses: 0, uncoveredMs: 7.4 },
})
const prepared: OldTransaction = { processId: null, gid: 'g1', ageMs: 61_000, user: 'app', application: null }

test('a stream that runs has a bound in whole milliseconds', () => {
  expect(streamStatus(status(running), 'stream', 75_000)).toMatchObject({
    ...{ state: 'running', kept: 'by changes', for_ms: 5_000, delay_ms: 3, bound_ms: 1_003 },
    ...{ covered_tables: 2, waiting_tables: null, remedy: null, uncovered_ms: 7 },
  })
})

test('a quarantine that a prepared transaction prolongs says how to end it', () => {
  const phase = { ...running, covered: 0, quarantine: { tables: 3, heldBy: prepared } }
  expect(streamStatus(status(phase), 'stream', 75_000)).toMatchObject({
    ...{ state: 'quarantine', waiting_tables: 3, held_by_pid: null, held_by_gid: 'g1', held_for_ms: 61_000 },
    detail: expect.stringMatching(/; the oldest is the prepared transaction 'g1', 61 s old$/),
    remedy: "COMMIT PREPARED or ROLLBACK PREPARED 'g1' ends it.",
  })
})

test.each([
  ['impossible', { cause: 'wal_level is replica', hint: 'Set it.', possible: false }, false],
  ['failed', { cause: 'no connection', hint: null, possible: true }, false],
  ['lost', { cause: 'no connection', hint: null, possible: true }, true],
])('a stream that is %s says why, and what helps', (state, failure, everRan) => {
  const waiting = status({ at: 'waiting', ...failure, forMs: 10 }, everRan)
  expect(streamStatus(waiting, 'off', 75_000)).toMatchObject({
    ...{ state, kept: 'nothing', bound_ms: null, remedy: failure.hint },
    detail: `${failure.cause}; it is tried again`,
  })
  expect(streamStatus(waiting, 'age', 75_000)).toMatchObject({ kept: 'by age', bound_ms: 75_000 })
})

test('a stream that is wanted again after a rest covers nothing yet', () => {
  const opening = status({ at: 'opening', step: 'connecting', heldBy: null }, true)
  expect(streamStatus(opening, 'stream', 75_000)).toMatchObject({ state: 'opening', kept: 'nothing' })
})

test('of shapes those come first that the origin was asked for most often, and the rest is one', () => {
  const tallies = new Tallies(2)
  const count = (shape: { text: string }, status: 'hit' | 'miss' | 'volatile', times: number) => {
    for (let time = 0; time < times; time++)
      tallies.count({ status, why: `it is a ${status}` }, shape, shape.text)
  }
  const [gone, hot, cold] = [{ text: 'gone' }, { text: 'hot' }, { text: 'cold' }]
  count(gone, 'hit', 1)
  count(hot, 'hit', 9)
  count(hot, 'miss', 1)
  count(cold, 'volatile', 4)
  expect(cacheShapes(tallies, true)).toMatchObject([
    { shape: 'cold', queries: 3, not_cached: 3, last_status: 'volatile', why: 'it is a volatile' },
    { shape: 'hot', queries: 10, hit: 9, miss: 1, not_cached: 0, last_status: 'miss' },
    { shape: '<other shapes>', queries: 2, hit: 1, not_cached: 1 },
  ])
})
