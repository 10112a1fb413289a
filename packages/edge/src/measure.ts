/**
 * One measurement of the path to the database, for health pages: which route served it, how long connecting took,
 * how long each query.
 */
import { onBestRoute } from './best.ts'
import type { Answer, Statement } from './drivers/driver.ts'
import {
  connectDeadline,
  connectionLost,
  DatabaseError,
  isConnectionLoss,
  noRoute,
  type RouteName,
} from './errors.ts'
import { Limit } from './limit.ts'
import type { AcquireOptions } from './pool.ts'
import type { Route } from './route.ts'
import { enterScope, type Scope } from './scope/scope.ts'

export interface Measurement {
  /** The route that answered these very queries. */
  readonly route: RouteName
  /** In ms; null where an open connection was used, or the driver needs none. */
  readonly connectMs: number | null
  readonly queryMs: readonly number[]
  /**
   * As in local development, PostgreSQL is on the machine of who connects to it: the Worker (`'straight'`), or a gateway
   * that pools (`'pooled'`). Null: it is elsewhere.
   */
  readonly local: 'straight' | 'pooled' | null
}

const probe: Statement = {
  text: "select coalesce(inet_client_addr() << '127.0.0.0/8' or inet_client_addr() = '::1', true), pg_backend_pid()",
  params: [],
  rowMode: 'array',
  decoderFor: () => text => text,
}

export interface MeasureOptions {
  /** How many queries, one after another. Default 1. */
  samples?: number
  /** How long all of it may take, in ms. */
  deadlineMs?: number
}

export async function measure(
  routes: readonly Route[],
  { samples = 1, deadlineMs }: MeasureOptions,
): Promise<Measurement> {
  if (routes[0] === undefined) throw noRoute()
  const { settings } = routes[0]
  const giveUpAt = performance.now() + (deadlineMs ?? settings.queryDeadlineMs)
  const { scope, leave } = enterScope(settings.perRequest)
  try {
    return await onBestRoute(routes, scope, async (route, admission) => {
      // So that a dead first route leaves time for the next.
      const share = (giveUpAt - performance.now()) / (routes.length - routes.indexOf(route))
      const connectDeadlineMs = Math.min(settings.connectDeadlineMs, 0.9 * share)
      const limit = new Limit(share)
      const { signal } = limit
      try {
        return await measureOn(
          route,
          { admission, connectDeadlineMs, nested: false, signal },
          scope,
          samples,
          limit,
        )
      } catch (error) {
        throw onlyRead(error, route, limit)
      } finally {
        limit.clear()
      }
    })
  } finally {
    leave()
  }
}

/** What was sent only read: a connection that failed under it is no reason not to measure the next route. */
function onlyRead(error: unknown, route: Route, { deadlineMs }: Limit): unknown {
  if (!(error instanceof DatabaseError)) return error
  if (error.reason === 'query-deadline') return connectDeadline(route.name, route.target(), deadlineMs)
  if (isConnectionLoss(error)) return connectionLost(error.cause ?? error, route.name, route.target(), 'no')
  return error
}

async function measureOn(
  route: Route,
  options: AcquireOptions,
  scope: Scope,
  samples: number,
  limit: Limit,
): Promise<Measurement> {
  const { oneShot } = route.driver
  if (oneShot) {
    const timed = await repeat(samples, () => oneShot(route.target(), probe, limit.signal))
    return { route: route.name, connectMs: null, ...told(timed, undefined) }
  }
  const pool = scope.pool(route)
  const began = performance.now()
  const connection = await pool.acquire('exclusive', options)
  const connectMs = connection.uses > 1 ? null : performance.now() - began
  try {
    const timed = await repeat(samples, () => connection.run(probe, limit, options.admission))
    return { route: route.name, connectMs, ...told(timed, connection.processId) }
  } finally {
    pool.release(connection)
  }
}

interface Timed {
  readonly queryMs: readonly number[]
  readonly answer: Answer | undefined
}

async function repeat(samples: number, ask: () => Promise<Answer>): Promise<Timed> {
  const queryMs: number[] = []
  let answer: Answer | undefined
  for (let sample = 0; sample < samples; sample++) {
    const began = performance.now()
    answer = await ask()
    queryMs.push(performance.now() - began)
  }
  return { queryMs, answer }
}

/** Whose backend answers is not whose login it was: something pools in between. */
function told({ queryMs, answer }: Timed, processId: number | undefined) {
  const [[local, backend] = []] = (answer?.rows ?? []) as string[][]
  const pooled = processId !== undefined && String(processId) !== backend
  return { queryMs, local: local !== 't' ? null : pooled ? 'pooled' : 'straight' } as const
}
