/**
 * What to do: each piece of advice beside the measured figure that it rests on.
 *
 * Every rule needs a figure of its own; one that would say something about every run says nothing.
 */
import type { Benchmark } from './benchmark.ts'
import type { Check } from './checks.ts'
import type { LatencyFigures } from './latencies.ts'
import type { PerformancePage } from './performance-page.ts'
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
}

export function adviceFor({ page, benchmark }: Seen): Advice[] {
  return [
    ...(benchmark ? failures(benchmark) : []),
    ...(page ? routes(page) : []),
    ...(benchmark ? [...where(benchmark, page), ...tail(benchmark), ...method(benchmark)] : []),
  ]
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

const median = ({ percentiles }: LatencyFigures) => percentiles[0]!.ms ?? 0

/** Which part of an answer's time is the largest, where it is long. */
function where({ split, service }: Benchmark, page: PerformancePage | null): Advice[] {
  if (!split) return []
  const advice: Advice[] = []
  const all = median(service)
  const [network, query] = [median(split.network), median(split.query)]
  const { count } = split.connect
  // Locally nothing pools in between, and the page says so.
  const local = page?.recommendations.some(text => text.startsWith('The HYPERDRIVE binding leads straight'))
  if (count > 0 && median(split.connect) > slowConnectMs && !local) {
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

function tail({ latency }: Benchmark): Advice[] {
  const [p50, p99] = [
    median(latency),
    latency.percentiles.find(({ percentile }) => percentile === 99)?.ms ?? 0,
  ]
  if (latency.count < 100 || p99 < 10 * p50 || p99 - p50 < worthMs) return []
  return [
    {
      figure: `p99 is ${ms(p99)}, ${Math.round(p99 / p50)} times the p50 of ${ms(p50)}`,
      advice: 'something stalls now and then: cold starts, checkpoints, locks, or a queue for connections',
    },
  ]
}

/** What the figures can't tell because of how they were made. */
function method({
  loop,
  plan,
  latency,
  answersPerSecond,
  ownDelayMs,
  tookMs,
  ended,
  requests,
  split,
  keepAlive,
}: Benchmark): Advice[] {
  if (latency.count === 0) return []
  const advice: Advice[] = []
  const p50 = median(latency)
  if (loop === 'closed') {
    advice.push({
      figure: `closed loop, ${plural(plan.concurrency, 'connection')}, ${rate(answersPerSecond)}`,
      advice: `a stall would hardly show in these percentiles; measure at the rate of your users, for example --rate ${suggested(answersPerSecond)} --duration 30s`,
    })
  } else if (ended === null && requests / (tookMs / 1000) < plan.ratePerSecond! * 0.9 && tookMs > 2_000) {
    advice.push({
      figure: `${rate(answersPerSecond)} were answered of ${rate(plan.ratePerSecond!)} due`,
      advice: `the endpoint does not keep up with ${plural(plan.concurrency, 'connection')}: lower --rate, or raise --concurrency to see if it is the connections`,
    })
  }
  if (latency.count < enoughForP99) {
    const p99 = latency.percentiles.find(({ percentile }) => percentile === 99)!
    advice.push({
      figure: `${plural(latency.count, 'latency', 'latencies')}: ${p99.slower === 0 ? 'none was' : plural(p99.slower, 'was', 'were')} slower than the p99`,
      advice: `to rely on p99 and beyond, measure more: --requests ${enoughForP99} or a longer --duration`,
    })
  }
  if (ownDelayMs > Math.max(10, p50)) {
    advice.push({
      figure: `the monitor itself sent up to ${ms(ownDelayMs)} late`,
      advice: 'this machine is busy, and the latencies hold that delay: run it where it is not',
    })
  }
  if (!keepAlive && split) {
    advice.push({
      figure: `each of ${requests} requests opened its own HTTP connection (--no-keepalive)`,
      advice: 'browsers keep theirs: leave the option out for what users see',
    })
  }
  return advice
}

/** About half of what the closed loop reached, round. */
function suggested(perSecond: number): number {
  const half = Math.max(1, perSecond / 2)
  const power = 10 ** Math.floor(Math.log10(half))
  return Math.max(1, Math.floor(half / power) * power)
}
