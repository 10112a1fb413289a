/** Whole runs on a clock that jumps from event to event, so that every latency is known. */
import { expect, test } from 'vitest'
import { readMonitorOptions } from '../cli/monitor-options.ts'
import type { Answer, Ask, Clock } from './answer.ts'
import type { Progress } from './progress.ts'
import { monitor } from './run.ts'

class VirtualClock implements Clock {
  #now = 0
  #events: { time: number; wake: () => void }[] = []
  now = () => this.#now
  at(time: number, wake: () => void): () => void {
    const event = { time: Math.max(time, this.#now), wake }
    this.#events.push(event)
    return () => {
      this.#events = this.#events.filter(each => each !== event)
    }
  }
  /** Until `over` is settled. */
  async run<T>(over: Promise<T>): Promise<T> {
    let isOver = false
    void over.finally(() => {
      isOver = true
    })
    for (;;) {
      await new Promise(setImmediate)
      if (isOver) return over
      this.#events.sort((a, b) => a.time - b.time)
      const next = this.#events.shift()
      if (!next) throw new Error('nothing would ever happen again')
      this.#now = next.time
      next.wake()
    }
  }
}

const timestamp = '2026-11-25T03:16:58.655Z'
const pages: Record<string, object> = {
  '/api/health': { status: 'ok', timestamp },
  '/api/health/live': { status: 'ok', alive: true, timestamp },
  '/api/health/ready': { status: 'ok', ready: true, route: 'direct', reason: null, timestamp },
  '/api/health/database-performance': {
    performance: {
      ...{ queryLatency: '2ms', connectionType: 'Direct Connection', usingHyperdrive: false },
      hyperdriveConfig: { configured: false, bindingAvailable: false },
    },
    connections: { totalConnections: 1, hyperdriveConnections: 0, directConnections: 1, drizzleInstances: 0 },
    timestamp,
    recommendations: [],
  },
}

interface Server {
  /** When a request to /measured that was sent at `now` is answered; null: never. */
  answeredAt: (now: number, number: number) => number | null
  answer?: (number: number) => Answer
}

const ok: Answer = { kind: 'answered', status: 200, headers: {}, body: '' }

async function run(line: string, { answeredAt, answer = () => ok }: Server, stopAt?: number) {
  const clock = new VirtualClock()
  const stop = new AbortController()
  const seen: Progress[] = []
  let begun: number | undefined
  let number = 0
  const ask: Ask = (path, { timeoutMs, signal }) =>
    new Promise(resolve => {
      const page = pages[path.split('?')[0]!]
      if (page) {
        const headers = { 'cache-control': 'no-store' }
        return resolve({ kind: 'answered', status: 200, headers, body: JSON.stringify(page) })
      }
      if (begun === undefined) {
        begun = clock.now()
        if (stopAt !== undefined) clock.at(begun + stopAt, () => stop.abort())
      }
      const mine = number++
      const doneAt = answeredAt(clock.now() - begun, mine)
      if (doneAt !== null) clock.at(begun + doneAt, () => resolve(answer(mine)))
      clock.at(clock.now() + timeoutMs, () => resolve({ kind: 'timed out' }))
      signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }))
    })
  const invocation = readMonitorOptions(['--path', '/measured', '--warm-up', '0', ...line.split(' ')], {})
  if (invocation.wants !== 'run') throw new Error('it wants help')
  const report = await clock.run(
    monitor(
      { ...invocation.options, url: 'http://test' },
      {
        ask,
        clock,
        date: () => new Date(0),
        signal: stop.signal,
        onProgress: progress => seen.push(progress),
      },
    ),
  )
  return { report, benchmark: report.benchmark!, seen }
}

/** 5 ms, but from 5 s to 7 s nothing is answered. */
const stalling: Server = { answeredAt: now => (now > 4_995 && now < 7_000 ? 7_000 : now + 5) }

const p = (figures: { percentiles: readonly { percentile: number; ms: number | null }[] }, wanted: number) =>
  figures.percentiles.find(({ percentile }) => percentile === wanted)!.ms!

test('a stall of 2 s in 10 s at 100/s gives the p99 that it must give', async () => {
  const { benchmark } = await run('--rate 100 --duration 10s --concurrency 300', stalling)
  expect(benchmark).toMatchObject({ loop: 'open', requests: 1_000, succeeded: 1_000, failed: 0 })
  // The slowest were due at 5,000, 5,010, …: 2,000 ms, 1,990 ms, …; ten are slower than the p99.
  expect(p(benchmark.latency, 99)).toBeCloseTo(1_900, -1)
  expect(benchmark.latency.max).toBeCloseTo(2_000, 6)
  expect(p(benchmark.latency, 75)).toBeCloseTo(5, 1)
})

test('with ten connections too: what waited for one counts from when it was due', async () => {
  const { benchmark } = await run('--rate 100 --duration 10s --concurrency 10', stalling)
  // The eleventh was due at 5,100, sent at 7,000 and answered at 7,005.
  expect(p(benchmark.latency, 99)).toBeCloseTo(1_905, -1)
  expect(p(benchmark.service, 99)).toBeCloseTo(5, 1)
})

test('in a closed loop the same stall is hidden from the p99, and the report says which loop it was', async () => {
  const { benchmark } = await run('--duration 10s', stalling)
  expect(benchmark).toMatchObject({ loop: 'closed', plan: { concurrency: 10 } })
  expect(p(benchmark.latency, 99)).toBeCloseTo(5, 1)
  expect(benchmark.latency.max).toBeCloseTo(2_000, 0)
})

test('time-outs and failures are counted apart, and are in no latency', async () => {
  const { benchmark, report } = await run('--requests 100 --concurrency 1 --timeout 1s', {
    answeredAt: (now, number) => (number % 10 === 3 ? null : now + 20),
    answer: number =>
      number % 10 === 5
        ? { ...ok, status: 503 }
        : number % 10 === 7
          ? { kind: 'failed', why: 'connection refused', detail: '' }
          : ok,
  })
  expect(benchmark).toMatchObject({ requests: 100, succeeded: 70, failed: 30, timedOut: 10, expired: 0 })
  expect(benchmark.statuses).toEqual([
    { what: '200', count: 70 },
    { what: '503', count: 10 },
  ])
  expect(benchmark.errors).toEqual([{ what: 'connection refused', count: 10 }])
  expect(benchmark.latency).toMatchObject({ count: 70, max: 20, mean: 20 })
  expect(report).toMatchObject({
    verdict: 'unhealthy',
    exitCode: 1,
    reasons: ['errors: 30 %, at most 1 % wanted'],
  })
})

test('a server that answers nothing more ends the run one time-out after the last request was due', async () => {
  const { benchmark } = await run('--rate 100 --requests 200 --concurrency 1 --timeout 500ms', {
    answeredAt: (now, number) => (number === 0 ? now + 10 : null),
  })
  expect(benchmark).toMatchObject({ requests: 200, succeeded: 1, failed: 199 })
  expect(benchmark.timedOut + benchmark.expired).toBe(199)
  expect(benchmark.tookMs).toBeLessThanOrEqual(2_500)
})

test('warm-up is in no figure', async () => {
  const { benchmark } = await run('--warm-up 5 --requests 10 --concurrency 1', {
    answeredAt: (now, number) => now + (number < 5 ? 900 : 10),
  })
  expect(benchmark).toMatchObject({ requests: 10, warmUp: { requests: 5, failed: 0 } })
  expect(benchmark.latency.max).toBeCloseTo(10, 6)
})

test('Server-Timing is split into network, connect and query, and tells the route', async () => {
  const { benchmark } = await run('--requests 40 --concurrency 1', {
    answeredAt: now => now + 30,
    answer: number => ({
      ...ok,
      headers: {
        'server-timing': `${number % 2 ? 'connect;dur=16, ' : ''}query;dur=4;desc="${number < 30 ? 'hyperdrive' : 'direct'}"`,
      },
    }),
  })
  expect(p(benchmark.split!.query, 50)).toBe(4)
  expect(benchmark.split!.connect).toMatchObject({ count: 20, max: 16 })
  expect(benchmark.split!.network).toMatchObject({ count: 40, min: 10, max: 26 })
  expect(benchmark.routes).toEqual([
    { what: 'hyperdrive', count: 30 },
    { what: 'direct', count: 10 },
  ])
})

test('a stop gives the report of what was measured, and counts what was under way apart', async () => {
  const { report, benchmark } = await run(
    '--requests 1000 --concurrency 4',
    { answeredAt: now => now + 100 },
    1_050,
  )
  expect(report).toMatchObject({ interrupted: true, verdict: 'healthy', exitCode: 0 })
  expect(benchmark).toMatchObject({ ended: 'stopped', requests: 40, succeeded: 40, failed: 0, cancelled: 4 })
})

test('a stop in the warm-up is no benchmark, and no limit is said to be missed', async () => {
  const { report } = await run('--warm-up 20 --requests 100', { answeredAt: () => null }, 50)
  expect(report).toMatchObject({
    ...{ interrupted: true, verdict: 'unhealthy', benchmark: null, noBenchmark: 'stopped in the warm-up' },
    reasons: ['stopped before the benchmark'],
  })
})

test('what a server says of itself makes no figure that it can’t be, and no list without end', async () => {
  let dur = -5
  const answer = (number: number): Answer => ({
    ...{ kind: 'answered', status: 200, body: '' },
    headers: { 'server-timing': `query;dur=${dur};desc="${'x'.repeat(1_000)}${number}", connect;dur=1e308` },
  })
  const endless = { answeredAt: (now: number) => now + 5, answer }
  const { benchmark } = await run('--requests 100', endless)
  expect(benchmark.split!.query.min).toBe(0)
  expect(benchmark.split!.connect.max).toBe(3_600_000)
  expect(benchmark.routes).toEqual([{ what: 'x'.repeat(40), count: 100 }])
  dur = 1
  const names = {
    ...endless,
    answer: (number: number) =>
      ({ ...answer(number), headers: { 'server-timing': `query;dur=1;desc=r${number}` } }) as Answer,
  }
  const { benchmark: named } = await run('--requests 100', names)
  expect(named.routes).toHaveLength(21)
  expect(named.routes[0]).toEqual({ what: 'others', count: 80 })
})

test('limits stand beside what was measured, and one that is not kept is the exit code', async () => {
  const server: Server = { answeredAt: (now, number) => now + (number < 90 ? 10 : 300) }
  const { report } = await run(
    '--requests 100 --concurrency 1 --max-p50 20ms --max-p95 200ms --max-errors 0',
    server,
  )
  expect(report.thresholds).toEqual([
    { figure: 'p50', unit: 'ms', limit: 20, isDefault: false, measured: expect.closeTo(10, 1), kept: true },
    {
      figure: 'p95',
      unit: 'ms',
      limit: 200,
      isDefault: false,
      measured: expect.closeTo(300, 0),
      kept: false,
    },
    { figure: 'errors', unit: 'requests', limit: 0, isDefault: false, measured: 0, kept: true },
  ])
  expect(report).toMatchObject({ verdict: 'unhealthy', exitCode: 1 })
})

test('a limit on what could not be measured is not kept', async () => {
  const { report, benchmark } = await run('--requests 100 --concurrency 1 --max-p95 200ms', {
    answeredAt: now => now + 1,
    answer: () => ({ ...ok, status: 500 }),
  })
  expect(benchmark).toMatchObject({ ended: 'hopeless', requests: 20, failed: 20 })
  expect(report.reasons).toEqual([
    'p95: nothing was measured, at most 200 ms wanted',
    'errors: 100 %, at most 1 % wanted',
  ])
})

test('the live line hears of each phase, and how far it is', async () => {
  const { seen } = await run('--requests 100 --concurrency 1 --warm-up 1', { answeredAt: now => now + 10 })
  expect([...new Set(seen.map(({ at }) => at))]).toEqual(['checks', 'warm-up', 'benchmark'])
  const parts = seen.flatMap(each => (each.at === 'benchmark' ? [each.part] : []))
  expect(parts.length).toBeGreaterThan(5)
  expect(parts).toEqual([...parts].sort((a, b) => a - b))
})

test('every recommendation names the figure behind it', async () => {
  const servers: Server[] = [
    stalling,
    { answeredAt: now => now + 100, answer: number => ({ ...ok, status: number % 3 ? 200 : 429 }) },
    { answeredAt: (now, number) => (number % 5 ? now + 5 : null) },
  ]
  for (const server of servers) {
    for (const line of [
      '--requests 150 --timeout 1s',
      '--rate 200 --duration 8s --concurrency 2',
      '--no-keepalive --requests 20',
    ]) {
      const { report } = await run(line, server)
      expect(report.recommendations.length).toBeGreaterThan(0)
      for (const { figure, advice } of report.recommendations) {
        expect(figure).toMatch(/\d|false/)
        expect(advice).not.toBe('')
      }
    }
  }
})
