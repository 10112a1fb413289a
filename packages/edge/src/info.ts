/** What getConnectionInfo tells: counters that are read, never asked of the database. */
import type { BreakerState } from './breaker.ts'
import type { RouteName } from './errors.ts'
import type { Latency } from './latency.ts'
import type { Route } from './route.ts'

/** Over the last 512 samples, in ms. */
export type LatencySummary = NonNullable<ReturnType<Latency['summary']>>

export interface RouteInfo {
  readonly name: RouteName
  readonly breaker: BreakerState['at']
  /** When an open breaker's next trial is due, ISO 8601; null while it is not open. */
  readonly nextTrial: string | null
  /** Statements and transactions that went another way because of this route. */
  readonly fallbacks: number
  /** In ms; null before the first sample. */
  readonly connectLatency: LatencySummary | null
  readonly queryLatency: LatencySummary | null
  readonly lastError: { readonly message: string; readonly code: string; readonly at: string } | null
}

export interface ConnectionInfo {
  readonly totalConnections: number
  readonly hyperdriveConnections: number
  readonly directConnections: number
  readonly drizzleInstances: number
  readonly sockets: {
    readonly open: number
    readonly opened: number
    readonly reused: number
    readonly failed: number
  }
  readonly routes: readonly RouteInfo[]
}

type HandleCounts = Pick<ConnectionInfo, 'hyperdriveConnections' | 'directConnections' | 'drizzleInstances'>

export function infoOf(
  counts: HandleCounts,
  hyperdrive: readonly Route[],
  direct: readonly Route[],
): ConnectionInfo {
  const routes = [...hyperdrive, ...direct]
  const now = Date.now()
  const sum = (of: (route: Route) => number) => routes.reduce((total, route) => total + of(route), 0)
  return {
    totalConnections: counts.hyperdriveConnections + counts.directConnections,
    ...counts,
    sockets: {
      open: sum(route => route.open.size(now)),
      opened: sum(route => route.opened),
      reused: sum(route => route.reused),
      failed: sum(route => route.failures),
    },
    routes: routes.map(route => infoOfRoute(route, now)),
  }
}

function infoOfRoute(route: Route, now: number): RouteInfo {
  const state = route.breaker.state(now)
  return {
    name: route.name,
    breaker: state.at,
    nextTrial: state.at === 'open' ? new Date(state.nextTrialAt).toISOString() : null,
    fallbacks: route.fallbacks,
    connectLatency: rounded(route.latency.connect.summary()),
    queryLatency: rounded(route.latency.query.summary()),
    lastError: route.lastError ?? null,
  }
}

/** To a hundredth of a millisecond: more digits are noise to read. */
function rounded(summary: LatencySummary | null): LatencySummary | null {
  if (summary === null) return null
  const { count, p50, p95, p99, max } = summary
  const round = (ms: number) => Math.round(ms * 100) / 100
  return { count, p50: round(p50), p95: round(p95), p99: round(p99), max: round(max) }
}
