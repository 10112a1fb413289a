import { describe, expect, test } from 'vitest'
import type { Answer } from './answer.ts'
import { benchmarkOf } from './benchmark.ts'
import { check, type PageName, pageNames, pagePath } from './checks.ts'
import { Load, type LoadPlan } from './load.ts'
import { type Measured, reportOf } from './report.ts'
import { Tally } from './tally.ts'
import { type Look, textOf } from './text.ts'
import type { Threshold } from './thresholds.ts'

const plain = (width: number): Look => ({ width, colour: false, blocks: false })
const terminal = (width: number): Look => ({ width, colour: true, blocks: true })

const timestamp = '2026-11-25T03:16:58.655Z'
const json = { 'content-type': 'application/json', 'cache-control': 'no-store' }
const answered = (status: number, body: unknown, headers: Record<string, string> = json): Answer => ({
  ...{ kind: 'answered', status, headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const latency = (count: number, p50: number) => ({ count, p50, p95: p50 * 3, p99: p50 * 5, max: p50 * 6 })
const route = (name: string, given: object = {}) => ({
  ...{ name, breaker: 'closed', nextTrial: null, fallbacks: 0, lastError: null },
  ...{ connectLatency: null, queryLatency: null },
  ...given,
})

const bodies: Record<PageName, object> = {
  health: { status: 'ok', timestamp },
  live: { status: 'ok', alive: true, timestamp },
  ready: { status: 'ok', ready: true, route: 'hyperdrive', reason: null, timestamp },
  performance: {
    performance: {
      ...{ queryLatency: '2ms', connectionType: 'Hyperdrive (Edge Pooling)', usingHyperdrive: true },
      ...{
        hyperdriveConfig: { configured: true, bindingAvailable: true },
        connectLatency: '3ms',
        samples: 5,
      },
    },
    connections: { totalConnections: 2, hyperdriveConnections: 1, directConnections: 1, drizzleInstances: 2 },
    sockets: { open: 1, opened: 213, reused: 12, failed: 0 },
    routes: [
      route('hyperdrive', { connectLatency: latency(213, 3), queryLatency: latency(221, 4) }),
      route('direct', { connectLatency: latency(8, 41), queryLatency: latency(8, 2) }),
    ],
    timestamp,
    recommendations: ['Hyperdrive enabled - optimal for edge performance'],
  },
}

const checksOf = (answerOf: (page: PageName) => Answer) =>
  pageNames.map(page =>
    check({ page, path: `/api/health${pagePath[page]}`, answer: answerOf(page), tookMs: 12.3, token: false }),
  )

/** Runs a plan on a clock that jumps; request n takes what `took` says. */
function benchmark(given: Partial<LoadPlan>, took: (number: number) => [number, Answer], tookMs: number) {
  const plan = {
    requests: null,
    durationMs: null,
    ratePerSecond: null,
    concurrency: 10,
    timeoutMs: 10_000,
    ...given,
  }
  const load = new Load(plan, 0)
  const tally = new Tally(1)
  for (let at = 0, number = 0; number < plan.requests!; number++) {
    const next = load.take(at)
    if (!next) break
    const [ms, answer] = took(number)
    tally.record(answer, { ...next, doneAt: next.sentAt + ms })
    if (answer.kind === 'cancelled') load.stop()
    load.settle(answer.kind === 'answered' && answer.status === 200, next.sentAt + ms)
    at += plan.ratePerSecond === null ? 0 : 1000 / plan.ratePerSecond
  }
  const path = '/api/health/database-performance'
  return benchmarkOf({ path, load, tally, keepAlive: true, warmUp: { requests: 10, failed: 0 }, tookMs })
}

const timed = (connect: number, query: number) =>
  answered(200, '', { 'server-timing': `connect;dur=${connect}, query;dur=${query};desc="hyperdrive"` })

const errorLimit: Threshold = { of: 'errors', limitPercent: 1, isDefault: true }

const measured = (given: Partial<Measured>): Measured => {
  const checks = checksOf(page => answered(200, bodies[page]))
  return {
    url: 'https://your-app.example.workers.dev',
    startedAt: new Date('2026-11-25T03:16:58.000Z'),
    finishedAt: new Date('2026-11-25T03:17:08.400Z'),
    interrupted: false,
    checks: checks.map(each => each.check),
    checksWanted: 4,
    page: checks.at(-1)!.page,
    ...{ benchmark: null, noBenchmark: null, thresholds: [errorLimit] },
    ...given,
  }
}

const healthy = measured({
  benchmark: benchmark(
    { requests: 1_000 },
    at => [8 + (at % 40) + (at % 100 === 7 ? 60 : 0), timed(3, 1 + (at % 4))],
    2_345,
  ),
})

const failing = measured({
  interrupted: true,
  benchmark: benchmark(
    { requests: 400, ratePerSecond: 50, concurrency: 400, timeoutMs: 2_000 },
    at => {
      if (at === 399) return [1, { kind: 'cancelled' }]
      if (at % 40 === 3) return [1, answered(503, '')]
      if (at % 40 === 5)
        return [9, { kind: 'failed', why: 'connection closed before the answer was complete', detail: '' }]
      if (at % 80 === 9) return [2_000, { kind: 'timed out' }]
      return [at % 50 === 0 ? 1_500 : 20, answered(200, '')]
    },
    8_000,
  ),
  thresholds: [
    { of: 'latency', percentile: 95, limitMs: 200 },
    { of: 'latency', percentile: 'max', limitMs: 1_000 },
    { ...errorLimit, isDefault: false },
  ],
})

const foreign = (() => {
  const html = answered(200, '<!doctype html><title>My \u001b[31mshop</title>', {
    'content-type': 'text/html',
  })
  const checks = checksOf(page => (page === 'ready' ? answered(200, { ready: 'yes', status: 'ok' }) : html))
  return measured({
    checks: checks.map(each => each.check),
    page: null,
    noBenchmark: '4 of 4 pages are not ours',
  })
})()

const all = { healthy, failing, foreign }

describe.each([80, 120])('in a pipe, %i columns', width => {
  test.each(Object.entries(all))('%s', (_, run) => {
    expect(`\n${textOf(reportOf(run), plain(width))}`).toMatchSnapshot()
  })
})

describe('everywhere', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are such
  const withoutColours = (text: string) => text.replace(/\u001b\[\d+m/g, '')
  const cases = Object.values(all).flatMap(run => [70, 80, 100, 120].map(width => ({ run, width })))

  test.each(cases)('no line is longer than $width columns, nor ends in a space', ({ run, width }) => {
    for (const look of [plain(width), terminal(width)]) {
      const lines = withoutColours(textOf(reportOf(run), look)).split('\n')
      expect(lines.filter(line => line.length > width || line.endsWith(' '))).toEqual([])
    }
  })

  test('on a terminal that is narrower or wider, lines stay readable', () => {
    const longest = (width: number) =>
      Math.max(
        ...withoutColours(textOf(reportOf(healthy), terminal(width)))
          .split('\n')
          .map(line => line.length),
      )
    expect(longest(20)).toBeLessThanOrEqual(70)
    expect(longest(500)).toBeLessThanOrEqual(120)
  })

  test('a pipe gets ASCII, and what a stranger’s page holds can’t steer the terminal', () => {
    for (const run of Object.values(all)) {
      expect(textOf(reportOf(run), plain(80)).replaceAll('\n', '')).toMatch(/^[\x20-\x7e]*$/)
      expect(withoutColours(textOf(reportOf(run), terminal(80))).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
    }
  })

  test('no text of a server steers a terminal, turns its lines around or is wider than it seems', () => {
    const hostile = '\u001b[2J\u009b31m \u202egnp.exe \u2028 漢字 😀 Größe, Cafe\u0301, Ελλάδα'
    const page = {
      ...bodies.performance,
      recommendations: [hostile],
      routes: [route(hostile, { nextTrial: hostile, lastError: { code: hostile } })],
    }
    const checks = pageNames.map(name =>
      check({
        ...{ page: name, path: '/', tookMs: 1, token: false },
        answer: answered(200, name === 'performance' ? page : hostile, { location: hostile }),
      }),
    )
    const run = measured({
      checks: checks.map(each => each.check),
      page: checks.at(-1)!.page,
      noBenchmark: hostile,
    })
    const onTerminal = withoutColours(textOf(reportOf(run), terminal(80)))
    expect(onTerminal.replaceAll('\n', '')).toMatch(/^[\x20-\x7e\p{Script=Latin}\p{Script=Greek}]*$/u)
    expect(onTerminal).toContain('?? ? Größe, Café, Ελλάδα')
    expect(textOf(reportOf(run), plain(80)).replaceAll('\n', '')).toMatch(/^[\x20-\x7e]*$/)
  })

  test('colours say what words say', () => {
    const text = textOf(reportOf(healthy), terminal(80))
    expect(text).toContain('\u001b[32mHEALTHY\u001b[39m')
    expect(withoutColours(text)).toBe(textOf(reportOf(healthy), { ...terminal(80), colour: false }))
  })
})
