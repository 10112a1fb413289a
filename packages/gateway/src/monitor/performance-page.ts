/** What the performance page tells, from a body whose fields have been checked (shape.ts). */
import { isObject } from './shape.ts'

export interface PerformancePage {
  readonly queryLatency: string | null
  readonly connectLatency: string | null
  readonly connectionType: string
  readonly usingHyperdrive: boolean
  readonly bindingAvailable: boolean
  readonly connections: Readonly<Record<ConnectionCount, number>>
  /** Not on the guide's own page. */
  readonly sockets: Readonly<Record<SocketCount, number>> | null
  /** Empty where the page does not offer them. */
  readonly routes: readonly PageRoute[]
  readonly recommendations: readonly string[]
}

export type ConnectionCount =
  | 'totalConnections'
  | 'hyperdriveConnections'
  | 'directConnections'
  | 'drizzleInstances'
export type SocketCount = 'open' | 'opened' | 'reused' | 'failed'

export interface PageRoute {
  readonly name: string
  readonly breaker: string
  readonly nextTrial: string | null
  readonly fallbacks: number
  readonly connectLatency: PageLatency | null
  readonly queryLatency: PageLatency | null
  /** SQLSTATE or the like. */
  readonly lastError: string | null
}

/** In ms. */
export interface PageLatency {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

// biome-ignore lint/suspicious/noExplicitAny: its fields have been checked
export function readPerformancePage(body: any): PerformancePage {
  const { performance, connections, sockets, routes, recommendations } = body
  return {
    queryLatency: performance.queryLatency,
    connectLatency: performance.connectLatency ?? null,
    connectionType: performance.connectionType,
    usingHyperdrive: performance.usingHyperdrive,
    bindingAvailable: performance.hyperdriveConfig.bindingAvailable,
    connections: {
      totalConnections: connections.totalConnections,
      hyperdriveConnections: connections.hyperdriveConnections,
      directConnections: connections.directConnections,
      drizzleInstances: connections.drizzleInstances,
    },
    sockets: sockets
      ? { open: sockets.open, opened: sockets.opened, reused: sockets.reused, failed: sockets.failed }
      : null,
    routes: ((routes ?? []) as unknown[]).flatMap(readRoute),
    recommendations,
  }
}

/** A list that some other page calls `routes` is not an error: what is no route of ours is left out. */
function readRoute(route: unknown): PageRoute[] {
  if (!isObject(route) || typeof route.name !== 'string' || typeof route.breaker !== 'string') return []
  const { name, breaker, nextTrial, fallbacks, lastError } = route
  return [
    {
      name,
      breaker,
      nextTrial: typeof nextTrial === 'string' ? nextTrial : null,
      fallbacks: typeof fallbacks === 'number' ? fallbacks : 0,
      connectLatency: readLatency(route.connectLatency),
      queryLatency: readLatency(route.queryLatency),
      lastError: isObject(lastError) && typeof lastError.code === 'string' ? lastError.code : null,
    },
  ]
}

function readLatency(value: unknown): PageLatency | null {
  if (!isObject(value)) return null
  const { count, p50, p95, p99, max } = value
  const all = [count, p50, p95, p99, max]
  return all.every(each => typeof each === 'number') ? ({ count, p50, p95, p99, max } as PageLatency) : null
}
