/** What can be set of a manager, with the reason of each default. */
import type { BreakerState } from './breaker.ts'
import type { Driver, DriverName } from './drivers/driver.ts'
import { type NeonOptions, neonDriver } from './drivers/neon.ts'
import { pgDriver } from './drivers/pg.ts'
import { postgresDriver } from './drivers/postgres.ts'
import type { RouteName } from './errors.ts'
import { isWorkerd } from './runtime.ts'
import type { Target } from './url.ts'

export interface QueryEvent {
  readonly route: RouteName
  readonly text: string
  /** Only with `reportParameters: true`: parameters are your users' data. */
  readonly params?: readonly (string | null)[]
  readonly ms: number
  readonly rowCount: number | null
  readonly error?: Error
}

export interface RouteChange {
  readonly route: RouteName
  readonly from: BreakerState['at']
  readonly to: BreakerState['at']
  /** The error that opened the breaker; no secrets. */
  readonly cause?: Error
}

export interface ManagerOptions {
  /**
   * Which driver speaks to PostgreSQL: 'pg' (node-postgres), 'postgres' (postgres.js) or 'neon'. Default: 'pg', and
   * 'neon' on the direct route when its URL names a Neon host. A Hyperdrive binding never gets Neon's driver.
   */
  driver?: DriverName
  neon?: NeonOptions
  /** How long a route may take to connect before the next one is tried, in ms. Default 5000: a dead route holds a request no longer. */
  connectDeadlineMs?: number
  /** How long a statement may take, waiting for its connection included, in ms. Default 30000, half of Hyperdrive's limit. */
  queryDeadlineMs?: number
  /** Connections to the database itself for each isolate or process. Default 20: a fallback must not bury the origin. */
  maxConnections?: number
  /** A pooled connection that was idle for longer is not used again, in ms. Default 60000: below what proxies and serverless databases allow. */
  idleMs?: number
  /** A connection that is older is not used again, in ms. Default 30 minutes, so that a changed DNS name or role is seen. */
  lifetimeMs?: number
  /** Whether sockets belong to a request or live for the process. Default: what the runtime demands ('request' on Workers). */
  sockets?: 'request' | 'process'
  /** Called after each statement: for logs and traces. What it throws is printed and changes nothing. */
  onQuery?: (event: QueryEvent) => void
  /** Called when a route's breaker changes its state. */
  onRouteChange?: (change: RouteChange) => void
  /** Adds parameters to `onQuery`'s events. Default false. */
  reportParameters?: boolean
  /** Where one line for each change of a route's state goes. Default console.warn. */
  log?: (line: string) => void
}

/** Options with their defaults filled in, and what follows from them. */
export interface Settings {
  readonly connectDeadlineMs: number
  readonly queryDeadlineMs: number
  readonly maxConnections: number
  readonly idleMs: number
  readonly lifetimeMs: number
  readonly perRequest: boolean
  readonly onQuery: ManagerOptions['onQuery']
  readonly onRouteChange: ManagerOptions['onRouteChange']
  readonly reportParameters: boolean
  readonly log: (line: string) => void
  driverFor(route: RouteName, target: Target): Driver
}

/** A hook of the user's that fails must not turn a statement that succeeded into one that did not. */
function unharmed<Value>(hook: (value: Value) => unknown): (value: Value) => void {
  const complain = (error: unknown) => console.error('sluice: a hook failed:', error)
  return value => {
    try {
      const result = hook(value)
      if (result instanceof Promise) result.catch(complain)
    } catch (error) {
      complain(error)
    }
  }
}

export function settingsOf(options: ManagerOptions): Settings {
  const neon = neonDriver(options.neon)
  const tcp = options.driver === 'postgres' ? postgresDriver : pgDriver
  return {
    connectDeadlineMs: options.connectDeadlineMs ?? 5_000,
    queryDeadlineMs: options.queryDeadlineMs ?? 30_000,
    maxConnections: options.maxConnections ?? 20,
    idleMs: options.idleMs ?? 60_000,
    lifetimeMs: options.lifetimeMs ?? 30 * 60_000,
    perRequest: options.sockets === undefined ? isWorkerd : options.sockets === 'request',
    onQuery: options.onQuery && unharmed(options.onQuery),
    onRouteChange: options.onRouteChange && unharmed(options.onRouteChange),
    reportParameters: options.reportParameters ?? false,
    log: unharmed(options.log ?? (line => console.warn(line))),
    driverFor: (route, target) => {
      if (route !== 'direct') return tcp
      const useNeon = options.driver === 'neon' || (options.driver === undefined && target.isNeon)
      return useNeon ? neon : tcp
    },
  }
}
