/**
 * What to do: each piece of advice beside the measured figure that it rests on.
 *
 * Every rule needs a figure of its own; one that would say something about every run says nothing.
 */
import type { Benchmark } from './benchmark.ts'
import type { Check } from './checks.ts'
import { type LatencyFigures, percentileOf } from './latencies.ts'
import type { PerformancePage } from './performance-page.ts'
import type { ThresholdResult } from './thresholds.ts'
import { ms, ofAll, plural, rate, workerMs } from './units.ts'

export interface Advice {
  readonly figure: string
  readonly advice: string
}

/** Below that a millisecond more or less is nothing to act upon. */
const worthMs = 50
/** Opening a connection through Hyperdrive takes a few ms; directly it is seven round trips. */
const slowConnectMs = 20
const enoughForP99 = 1_000
const enoughToCompare = 5

export interface Seen {
  checks: readonly Check[]
  page: PerformancePage | null
  benchmark: Benchmark | null
  thresholds: readonly ThresholdResult[]
}

export function adviceFor({ checks, page, benchmark, thresholds }: Seen): Advice[] {
  return [
    ...pages(checks),
    ...(benchmark ? failures(benchmark) : []),
    ...(page ? routes(page) : []),
    ...(benchmark ? [...where(benchmark, page), ...tail(benchmark), ...method(benchmark, thresholds)] : []),
  ]
}

function pages(checks: readonly Check[]): Advice[] {
  const advice: Advice[] = []
  const silent = checks.filter(({ status }) => status === null)
  if (silent.length > 0) {
    advice.push({
      figure: `${silent.length} of ${checks.length} health pages did not answer (${silent[0]!.findings[0]})`,
      advice: 'see whether the application runs, and whether the URL is right and reachable from here',
    })
  }
  const foreign = checks.filter(({ verdict }) => verdict === 'not ours')
  const refused = foreign.filter(({ status }) => status === 401 || status === 403)
  if (refused.length > 0) {
    advice.push({
      figure: `${plural(refused.length, 'page')} answered ${refused[0]!.status}`,
      advice: "set SLUICE_HEALTH_TOKEN to the application's health token",
    })
  }
  if (foreign.length > refused.length) {
    advice.push({
      figure: `${foreign.length - refused.length} of ${checks.length} pages are not those of @sluice/edge`,
      advice:
        'give the URL of an application with the health routes (docs/health.md), and --health-path if they live elsewhere',
    })
  }
  const down = checks.filter(({ status }) => (status ?? 0) >= 500)
  if (down.length > 0) {
    advice.push({
      figure: `${down[0]!.path} answered ${down[0]!.status}: ${down[0]!.findings.at(-1)}`,
      advice: 'run checkConfig(env) in the application: it tries each route and says which one fails and why',
    })
  }
  return advice
}

function failures(run: Benchmark): Advice[] {
  const { requests, failed, timedOut, expired, statuses, errors, plan, path } = run
  const advice: Advice[] = []
  const refused = statuses.filter(({ what }) => !what.startsWith('2'))
  const worst = [...refused, ...errors].sort((a, b) => b.count - a.count)[0]
  if (worst) {
    advice.push({
      figure: `${failed - timedOut - expired} of ${requests} requests failed, ${plural(worst.count, 'time')} with "${worst.what}"`,
      advice: adviceOn(worst.what, path),
    })
  }
  if (timedOut > 0) {
    advice.push({
      figure: `${timedOut} of ${requests} requests had no answer within ${ms(plan.timeoutMs)}`,
      advice:
        'look for what holds them: locks (pg_stat_activity, wait_event_type = Lock), a full connection pool, or a database that sleeps',
    })
  }
  if (expired > 0) {
    advice.push({
      figure: `${expired} of ${requests} requests were never sent: none of the ${plan.concurrency} connections became free within ${ms(plan.timeoutMs)}`,
      advice: 'the endpoint does not keep up with this rate: lower --rate, or find what it waits for',
    })
  }
  return advice
}

function adviceOn(what: string, path: string): string {
  if (what === '429') return 'a rate limit answers: lower --rate or --concurrency, or exempt the monitor'
  if (what === '503') return "the database can't be reached or has no connection left: run checkConfig(env)"
  if (what === '401' || what === '403') return `${path} wants a token: give --token`
  if (what.startsWith('3')) return `${path} redirects: give the path that it leads to`
  if (what.startsWith('4')) return `check --path: ${path} is not answered`
  if (what.startsWith('5')) return "look into the Worker's log (npx wrangler tail)"
  if (what.startsWith('connection closed'))
    return 'something in between closes connections: look at its limits and idle time-outs'
  return 'see whether the endpoint is up, and reachable from here'
}

function routes(page: PerformancePage): Advice[] {
  const advice: Advice[] = []
  const hyperdrive = page.routes.find(({ name }) => name === 'hyperdrive')
  const direct = page.routes.find(({ name }) => name === 'direct')
  if (page.bindingAvailable && !page.usingHyperdrive && page.connectionType !== 'Unavailable') {
    const state = hyperdrive
      ? `breaker ${hyperdrive.breaker}${hyperdrive.nextTrial ? `, next trial at ${hyperdrive.nextTrial}` : ''}${hyperdrive.lastError ? `, last error ${hyperdrive.lastError}` : ''}`
      : 'its breaker is not told'
    advice.push({
      figure: `usingHyperdrive is false although the binding is there (${state})`,
      advice: 'check the Hyperdrive configuration and its origin; queries go directly meanwhile',
    })
  }
  if (!page.bindingAvailable) {
    advice.push({
      figure: `bindingAvailable is false${page.connectLatency ? `, and a direct connection takes ${page.connectLatency}` : ''}`,
      advice:
        'on Workers, add a [[hyperdrive]] binding: it keeps connections open near the Worker. Elsewhere ignore this',
    })
  }
  const [near, far] = [hyperdrive?.queryLatency, direct?.queryLatency]
  if (near && far && Math.min(near.count, far.count) >= enoughToCompare && far.p50 < near.p50) {
    advice.push({
      figure: `the p50 of queries is ${workerMs(far.p50)} directly and ${workerMs(near.p50)} through Hyperdrive`,
      advice:
        "place the Worker near its database ([placement] in wrangler.toml), or check Hyperdrive's region",
    })
  }
  for (const route of page.routes) {
    if (route.fallbacks > 0 && page.usingHyperdrive) {
      advice.push({
        figure: `${plural(route.fallbacks, 'statement')} fell back from the ${route.name} route in the isolate that answered`,
        advice: "see when: the Worker's log has a line for each change of the breaker",
      })
    }
  }
  return advice
}

const median = (figures: LatencyFigures) => percentileOf(figures, 50).ms ?? 0

/** Which part of an answer's time is the largest, where it is long. */
function where({ split, service }: Benchmark, page: PerformancePage | null): Advice[] {
  if (!split) return []
  const advice: Advice[] = []
  const all = median(service)
  const [network, query] = [median(split.network), median(split.query)]
  const { count } = split.connect
  // No region is far from its pool on one machine, and the page says so; a binding that is there and not used has its
  // own advice.
  const local = page?.recommendations.some(text => text.startsWith('The HYPERDRIVE binding leads'))
  const unused = page?.bindingAvailable && !page.usingHyperdrive
  if (count > 0 && median(split.connect) > slowConnectMs && !local && !unused) {
    advice.push({
      figure: `${ofAll(count, split.query.count)} of the answers opened a connection, at ${workerMs(median(split.connect))} (p50)`,
      advice: page?.usingHyperdrive
        ? "that is long for Hyperdrive, whose pool is near: check its region and the Worker's placement"
        : 'a Hyperdrive binding makes this a connection to a pool nearby',
    })
  }
  if (query > worthMs && query > all / 2) {
    advice.push({
      figure: `the query takes ${workerMs(query)} of ${ms(all)} (p50)`,
      advice:
        'look for slow statements (pg_stat_statements), and for the distance between Worker and database',
    })
  }
  if (network > worthMs && network > all / 2) {
    advice.push({
      figure: `${ms(network)} of ${ms(all)} (p50) are neither connect nor query`,
      advice:
        "it is the network between here and the Worker, or the Worker's own code: compare with /api/health, which asks no database",
    })
  }
  return advice
}

const hasTail = ({ latency }: Benchmark, upTo: number | null) => {
  const { count, max } = latency
  const p50 = median(latency)
  return count >= 100 && upTo !== null && max !== null && upTo >= 10 * p50 && upTo - p50 >= worthMs
}

function tail(run: Benchmark): Advice[] {
  const [p50, p99] = [median(run.latency), percentileOf(run.latency, 99).ms]
  if (p99 === null || !hasTail(run, p99)) return []
  return [
    {
      figure: `p99 is ${ms(p99)}, ${Math.round(p99 / p50)} times the p50 of ${ms(p50)}`,
      advice: 'something stalls now and then: cold starts, checkpoints, locks, or a queue for connections',
    },
  ]
}

/** What the figures can't tell because of how they were made. */
function method(run: Benchmark, thresholds: readonly ThresholdResult[]): Advice[] {
  const { loop, plan, latency, answersPerSecond, ownDelayMs, tookMs, ended, requests, keepAlive } = run
  if (latency.count === 0) return []
  const advice: Advice[] = []
  const p50 = median(latency)
  if (loop === 'closed' && hasTail(run, latency.max)) {
    advice.push({
      figure: `the slowest took ${ms(latency.max)}, ${Math.round(latency.max! / p50)} times the p50, in a closed loop of ${plural(plan.concurrency, 'connection')}`,
      advice: `a closed loop sees a stall once a connection, however many users it would hit: measure at their rate, for example --rate ${suggested(answersPerSecond)} --duration 30s`,
    })
  }
  if (
    loop === 'open' &&
    ended === null &&
    tookMs > 2_000 &&
    requests / (tookMs / 1000) < plan.ratePerSecond! * 0.9
  ) {
    advice.push({
      figure: `${rate(answersPerSecond)} were answered of ${rate(plan.ratePerSecond!)} due`,
      advice: `the endpoint does not keep up with ${plural(plan.concurrency, 'connection')}: lower --rate, or raise --concurrency to see if it is the connections`,
    })
  }
  const { ms: p99, slower } = percentileOf(latency, 99)
  if (latency.count < enoughForP99 && (thresholds.some(restsOnFew) || hasTail(run, p99))) {
    advice.push({
      figure: `of ${plural(latency.count, 'latency', 'latencies')} ${slower === 0 ? 'none was' : plural(slower, 'was', 'were')} slower than the p99`,
      advice: `to rely on p99 and beyond, measure more: --requests ${enoughForP99} or a longer --duration`,
    })
  }
  if (ownDelayMs > Math.max(10, p50)) {
    advice.push({
      figure: `the monitor itself sent up to ${ms(ownDelayMs)} late`,
      advice: 'this machine is busy, and the latencies hold that delay: run it where it is not',
    })
  }
  if (!keepAlive) {
    advice.push({
      figure: `each of ${requests} requests opened its own HTTP connection (--no-keepalive)`,
      advice: 'browsers keep theirs: leave the option out for what users see',
    })
  }
  return advice
}

const restsOnFew = ({ figure }: ThresholdResult) => figure === 'p99' || figure === 'p99.9'

/** About half of what the closed loop reached, round. */
function suggested(perSecond: number): number {
  const half = Math.max(1, perSecond / 2)
  const power = 10 ** Math.floor(Math.log10(half))
  return Math.max(1, Math.floor(half / power) * power)
}
