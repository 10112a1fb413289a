/**
 * A run: checks, warm-up, benchmark, and a last look at the performance page.
 *
 *     four checks ──all answered, all ours──▶ warm-up ──▶ benchmark ──▶ the page's counters ──▶ Report
 *          └─ nothing answers, or not our pages ─────────────────────────────────────────────────▲
 *
 * HTTP and the clock are handed in. A stop (Ctrl-C) at any moment leads to the report of what was measured.
 */
import { type Answer, type Ask, type Clock, isSuccess } from './answer.ts'
import { type Benchmark, benchmarkOf } from './benchmark.ts'
import { type Check, check, checkSamples, type PageName, pageNames, pagePath } from './checks.ts'
import { rounded } from './latencies.ts'
import { Load, type LoadPlan, type Sending } from './load.ts'
import type { MonitorOptions } from './options.ts'
import type { PerformancePage } from './performance-page.ts'
import type { Progress } from './progress.ts'
import { type Report, reportOf } from './report.ts'
import { Tally } from './tally.ts'

export interface Surroundings {
  ask: Ask
  clock: Clock
  /** The time of day. */
  date: () => Date
  signal: AbortSignal
  onProgress: (progress: Progress) => void
}

const progressEveryMs = 100

export async function monitor(options: MonitorOptions, around: Surroundings): Promise<Report> {
  const startedAt = around.date()
  const { signal } = around
  const checks: Check[] = []
  let page: PerformancePage | null = null
  let benchmark: Benchmark | null = null

  around.onProgress({ at: 'checks' })
  for (const name of pageNames) {
    const checked = await checkPage(name, options, around)
    if (signal.aborted) break
    checks.push(checked.check)
    page = checked.page
  }

  let noBenchmark = whyNoBenchmark(options, checks, signal)
  if (noBenchmark === null) {
    benchmark = await runBenchmark(options, around)
    if (benchmark === null) noBenchmark = 'stopped in the warm-up'
    if (page && !signal.aborted) page = (await checkPage('performance', options, around)).page ?? page
  }
  return reportOf({
    url: options.url,
    ...{ startedAt, finishedAt: around.date(), interrupted: signal.aborted },
    ...{ checks, checksWanted: pageNames.length, page, benchmark, noBenchmark },
    thresholds: options.thresholds,
  })
}

function whyNoBenchmark(
  { path }: MonitorOptions,
  checks: readonly Check[],
  signal: AbortSignal,
): string | null {
  if (signal.aborted) return 'stopped before it'
  const foreign = checks.filter(({ verdict }) => verdict === 'not ours').length
  if (foreign > 0) return `${foreign} of ${checks.length} pages are not ours`
  if (checks.every(({ status }) => status === null)) return 'nothing answers'
  const performance = checks.at(-1)!
  if (path === null && (performance.status ?? 500) >= 500) {
    return `the page to measure ${performance.status === null ? 'does not answer' : `answers ${performance.status}`}`
  }
  return null
}

async function checkPage(page: PageName, options: MonitorOptions, { ask, clock, signal }: Surroundings) {
  const path = `${options.healthPath}${pagePath[page]}` || '/'
  const query = page === 'performance' ? `?samples=${checkSamples}` : ''
  const sentAt = clock.now()
  const answer = await ask(`${basePath(options)}${path}${query}`, {
    ...{ timeoutMs: options.timeoutMs, keepBody: true, signal },
  })
  const tookMs = rounded(clock.now() - sentAt)
  return check({ page, path, answer, tookMs, token: options.token !== undefined })
}

/** null: stopped before anything of it was measured. */
async function runBenchmark(options: MonitorOptions, around: Surroundings): Promise<Benchmark | null> {
  const { clock, onProgress, signal } = around
  const { requests, durationMs, ratePerSecond, concurrency, timeoutMs, keepAlive } = options
  const path = options.path ?? `${options.healthPath}${pagePath.performance}`
  const send = (giveUpAt: number) =>
    around.ask(`${basePath(options)}${path}`, {
      ...{ timeoutMs: Math.max(1, giveUpAt - clock.now()), keepBody: false, signal },
    })

  let failed = 0
  let warmed = 0
  if (options.warmUp > 0) {
    onProgress({ at: 'warm-up' })
    const plan = { requests: options.warmUp, durationMs: null, ratePerSecond: null, concurrency, timeoutMs }
    await drive(new Load(plan, clock.now()), {
      ...{ send, clock, signal },
      onSettled: answer => {
        if (answer.kind === 'cancelled') return
        warmed++
        if (!isSuccess(answer)) failed++
      },
    })
    if (signal.aborted) return null
  }

  const plan: LoadPlan = { requests, durationMs, ratePerSecond, concurrency, timeoutMs }
  const load = new Load(plan, clock.now())
  const tally = new Tally(samplesIn(path))
  let shownAt = Number.NEGATIVE_INFINITY
  const show = (now: number) => {
    if (now - shownAt < progressEveryMs) return
    shownAt = now
    const { count } = tally.latency
    onProgress({
      at: 'benchmark',
      part: load.part(now),
      settled: load.settled + load.expired,
      failed: tally.failed + tally.timedOut + load.expired,
      perSecond: now > load.startedAt ? (count * 1000) / (now - load.startedAt) : 0,
      p50Ms: count ? tally.latency.at(50) : null,
      p99Ms: count ? tally.latency.at(99) : null,
    })
  }
  await drive(load, {
    ...{ send, clock, signal },
    onSettled: (answer, { dueAt, sentAt }, doneAt) => {
      tally.record(answer, { dueAt, sentAt, doneAt })
    },
    onTurn: show,
  })
  const tookMs = rounded(clock.now() - load.startedAt)
  return benchmarkOf({ ...{ path, load, tally, keepAlive, tookMs }, warmUp: { requests: warmed, failed } })
}

interface Driven {
  send: (giveUpAt: number) => Promise<Answer>
  clock: Clock
  signal: AbortSignal
  onSettled: (answer: Answer, sending: Sending, doneAt: number) => void
  onTurn?: (now: number) => void
}

/** Sends what the load says is due, until it is over. */
function drive(load: Load, { send, clock, signal, onSettled, onTurn = () => {} }: Driven): Promise<void> {
  return new Promise(resolve => {
    let unset = () => {}
    const turn = () => {
      unset()
      const now = clock.now()
      for (let next = load.take(now); next; next = load.take(now)) start(next)
      onTurn(now)
      if (load.isOver(now)) {
        signal.removeEventListener('abort', onStop)
        return resolve()
      }
      // Without anything due, now and then for the progress line.
      unset = clock.at(Math.min(load.wakeAt(now) ?? Number.POSITIVE_INFINITY, now + progressEveryMs), turn)
    }
    const start = async (sending: Sending) => {
      const answer = await send(sending.giveUpAt)
      const doneAt = clock.now()
      load.settle(isSuccess(answer), doneAt)
      onSettled(answer, sending, doneAt)
      turn()
    }
    const onStop = () => {
      load.stop()
      turn()
    }
    signal.addEventListener('abort', onStop, { once: true })
    if (signal.aborted) onStop()
    else turn()
  })
}

const basePath = ({ url }: MonitorOptions) => new URL(url).pathname.replace(/\/$/, '')

/** The performance page's `query` is the mean of so many. */
function samplesIn(path: string): number {
  const [page, query] = path.split('?')
  const samples = Number(new URLSearchParams(query).get('samples'))
  return page!.endsWith(pagePath.performance) && samples >= 1 ? samples : 1
}
