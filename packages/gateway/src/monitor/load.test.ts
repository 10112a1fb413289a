import { expect, test } from 'vitest'
import { hopelessAfter, Load, type LoadPlan, type Sending } from './load.ts'

const plan = (given: Partial<LoadPlan>): LoadPlan => ({
  ...{ requests: null, durationMs: null, ratePerSecond: null, concurrency: 10, timeoutMs: 10_000 },
  ...given,
})

/** A server that answers each request when `answeredAt` says, on a clock that jumps from event to event. */
function simulate(load: Load, answeredAt: (sentAt: number) => number, succeeds = true) {
  const underWay: { sending: Sending; doneAt: number }[] = []
  const done: (Sending & { doneAt: number })[] = []
  let now = load.startedAt
  let most = 0
  for (;;) {
    for (let next = load.take(now); next; next = load.take(now)) {
      underWay.push({ sending: next, doneAt: answeredAt(now) })
    }
    most = Math.max(most, underWay.length)
    if (load.isOver(now)) return { done, endedAt: now, most }
    underWay.sort((a, b) => a.doneAt - b.doneAt)
    now = Math.min(
      load.wakeAt(now) ?? Number.POSITIVE_INFINITY,
      underWay[0]?.doneAt ?? Number.POSITIVE_INFINITY,
    )
    while (underWay[0] && underWay[0].doneAt <= now) {
      const { sending, doneAt } = underWay.shift()!
      done.push({ ...sending, doneAt })
      load.settle(succeeds, now)
    }
  }
}

/** 5 ms, but from 5 s to 7 s nothing is answered. */
const stalling = (sentAt: number) => (sentAt > 4_995 && sentAt < 7_000 ? 7_000 : sentAt + 5)

test('with a rate, each request is due at its time, whatever the server does', () => {
  const { done } = simulate(new Load(plan({ requests: 4, ratePerSecond: 2 }), 100), sentAt => sentAt + 5)
  expect(done.map(({ dueAt }) => dueAt)).toEqual([100, 600, 1_100, 1_600])
})

test('a stall of 2 s at 100/s is seen by the 200 requests that fell due in it', () => {
  const load = new Load(plan({ durationMs: 10_000, ratePerSecond: 100, concurrency: 300 }), 0)
  const latencies = simulate(load, stalling).done.map(({ dueAt, doneAt }) => doneAt - dueAt)
  const slow = latencies.filter(latency => latency > 5).sort((a, b) => b - a)
  // Due at 5,000, 5,010, … 6,990: each waits until 7,000.
  expect(slow).toEqual(Array.from({ length: 200 }, (_, at) => 2_000 - 10 * at).filter(latency => latency > 5))
  expect(latencies).toHaveLength(1_000)
})

test('with too few connections the wait for one is part of the latency', () => {
  const load = new Load(plan({ durationMs: 10_000, ratePerSecond: 100, concurrency: 1 }), 0)
  const { done } = simulate(load, stalling)
  const inStall = done.filter(({ dueAt }) => dueAt >= 5_000 && dueAt < 7_000)
  // The one connection is freed at 7,000 and takes 5 ms for each that waits; 100/s more fall due meanwhile.
  expect(inStall.map(({ doneAt }) => doneAt)).toEqual(Array.from({ length: 200 }, (_, at) => 7_000 + 5 * at))
})

test('in a closed loop the same stall is seen once a connection', () => {
  const load = new Load(plan({ durationMs: 10_000, concurrency: 3 }), 0)
  const latencies = simulate(load, stalling).done.map(({ dueAt, doneAt }) => doneAt - dueAt)
  expect(latencies.filter(latency => latency > 5)).toHaveLength(3)
  expect(latencies.length).toBeGreaterThan(4_000)
})

test('no more requests are under way than there are connections', () => {
  for (const ratePerSecond of [null, 1_000]) {
    const load = new Load(plan({ requests: 100, ratePerSecond, concurrency: 7 }), 0)
    expect(simulate(load, sentAt => sentAt + 50)).toMatchObject({ most: 7 })
  }
})

test('what waits longer than the time-out is never sent, and the run ends', () => {
  const load = new Load(plan({ requests: 100, ratePerSecond: 100, concurrency: 1, timeoutMs: 1_000 }), 0)
  const { done, endedAt } = simulate(load, sentAt => sentAt + 500)
  expect(load.expired).toBeGreaterThan(90)
  expect(done.length + load.expired).toBe(100)
  expect(endedAt).toBeLessThanOrEqual(1_000 + 1_000 + 500)
})

test('a time-out counts from when a request was due', () => {
  const load = new Load(plan({ requests: 2, ratePerSecond: 100, concurrency: 1, timeoutMs: 1_000 }), 0)
  const { done } = simulate(load, sentAt => sentAt + 300)
  expect(done[1]).toMatchObject({ dueAt: 10, sentAt: 300, giveUpAt: 1_010 })
})

test('with a duration, all that fell due within it is sent, and nothing more', () => {
  const load = new Load(plan({ durationMs: 1_000, ratePerSecond: 10, concurrency: 1 }), 0)
  const { done } = simulate(load, sentAt => sentAt + 150)
  expect(done).toHaveLength(10)
  const closed = new Load(plan({ durationMs: 1_000, concurrency: 1 }), 0)
  expect(simulate(closed, sentAt => sentAt + 150).done).toHaveLength(7)
})

test('of requests and duration, the first to be reached ends the run', () => {
  expect(simulate(new Load(plan({ requests: 5, durationMs: 60_000 }), 0), at => at + 1).done).toHaveLength(5)
})

test('if nothing has succeeded after some requests, the rest is not sent', () => {
  const load = new Load(plan({ requests: 1_000, concurrency: 1 }), 0)
  expect(simulate(load, sentAt => sentAt + 1, false).done).toHaveLength(hopelessAfter)
  expect(load.ended).toBe('hopeless')
})

test('after a stop nothing more is sent, and what is under way ends the run', () => {
  const load = new Load(plan({ requests: 100, concurrency: 2 }), 0)
  load.take(0)
  load.stop()
  expect(load.take(0)).toBe(null)
  expect(load.isOver(0)).toBe(false)
  load.settle(false, 5)
  expect(load.isOver(5)).toBe(true)
})

test('a late timer is the monitor’s own delay; waiting for a connection is not', () => {
  const load = new Load(plan({ requests: 3, ratePerSecond: 100, concurrency: 1 }), 0)
  load.take(0)
  load.settle(true, 5)
  load.take(17)
  expect(load.ownDelayMs).toBe(7)
  load.settle(true, 60)
  load.take(61)
  expect(load.ownDelayMs).toBe(7)
})
