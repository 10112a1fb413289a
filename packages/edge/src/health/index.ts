/**
 * `@sluice/edge/health`: the guide's four health routes, for any framework or none.
 *
 *     GET /api/health, /api/health/live          the process answers; no database is asked
 *     GET /api/health/ready                      one query on the best route, shared, within 2 s
 *     GET /api/health/database-performance       measured: latency, route, advice
 *
 * The first two touch no database, so that a frequent probe lets a scale-to-zero database sleep.
 */
import { DatabaseError, type Ways } from '../index.ts'
import type { Measurement } from '../measure.ts'
import type { ExecutionContext } from '../scope/run.ts'
import { type HealthOptions, managerOf, pathOf } from './options.ts'
import { coarseReason, type Readiness, sharedReadiness } from './probe.ts'
import { ms, recommendationsFor } from './recommendations.ts'
import { tokenState } from './token.ts'

export type { HealthOptions } from './options.ts'

const maxSamples = 20

/**
 * Answers a health request; undefined for any other path, so that `(await handleHealth(request, env, ctx)) ?? …` goes on.
 */
export async function handleHealth(
  request: Request,
  env: Ways,
  ctx?: ExecutionContext,
  options: HealthOptions = {},
): Promise<Response | undefined> {
  const { pathname, searchParams } = new URL(request.url)
  const base = pathOf(options)
  if (pathname !== base && !pathname.startsWith(`${base}/`)) return undefined
  const answer = routes[pathname.slice(base.length).replace(/\/$/, '')]
  if (answer === undefined) return undefined
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return json(405, { status: 'error', message: 'health routes take GET' }, { Allow: 'GET, HEAD' })
  }
  return managerOf(options).run(env, ctx, () => answer({ request, env, options, searchParams }))
}

interface Asked {
  readonly request: Request
  readonly env: Ways
  readonly options: HealthOptions
  readonly searchParams: URLSearchParams
}

const routes: Record<string, (asked: Asked) => Promise<Response>> = {
  '': async () => json(200, { status: 'ok', timestamp: timestamp() }),
  '/live': async () => json(200, { status: 'ok', alive: true, timestamp: timestamp() }),
  '/ready': ready,
  '/database-performance': performancePage,
}

async function ready({ env, options }: Asked): Promise<Response> {
  const deadlineMs = options.readyDeadlineMs ?? 2_000
  const readiness = await sharedReadiness(env.HYPERDRIVE ?? env.DATABASE_URL, deadlineMs, left =>
    askReadiness(env, options, left),
  )
  return json(readiness.ready ? 200 : 503, {
    status: readiness.ready ? 'ok' : 'error',
    ...readiness,
    timestamp: timestamp(),
  })
}

async function askReadiness(env: Ways, options: HealthOptions, deadlineMs: number): Promise<Readiness> {
  try {
    const { route } = await managerOf(options).measure(env, { deadlineMs })
    return { ready: true, route, reason: null }
  } catch (error) {
    const known = error instanceof DatabaseError
    return {
      ready: false,
      route: (known && error.route) || null,
      reason: known ? coarseReason(error) : 'query failed',
    }
  }
}

async function performancePage({ request, env, options, searchParams }: Asked): Promise<Response> {
  const token = await tokenState(request, env, options.token)
  if (token === 'missing') {
    return json(
      401,
      { status: 'error', message: 'this page demands a token' },
      { 'WWW-Authenticate': 'Bearer' },
    )
  }
  const samples = samplesOf(searchParams)
  if (samples === undefined) {
    return json(400, { status: 'error', message: `samples is a number from 1 to ${maxSamples}` })
  }
  const manager = managerOf(options)
  let measured: Measurement | undefined
  let failure: unknown
  try {
    measured = await manager.measure(env, { samples })
  } catch (error) {
    failure = error
  }
  const info = manager.getConnectionInfo()
  const configured = env.HYPERDRIVE !== undefined && env.HYPERDRIVE !== null
  const meanMs = measured && measured.queryMs.reduce((sum, each) => sum + each, 0) / measured.queryMs.length
  const usingHyperdrive = measured?.route === 'hyperdrive'
  const recommendations = recommendationsFor(configured, measured, info)
  if (failure !== undefined) {
    const reason = failure instanceof DatabaseError ? coarseReason(failure) : 'query failed'
    recommendations.unshift(
      `The database could not be reached (${reason}): run checkConfig(env) to see which route fails and why`,
    )
  }
  const { totalConnections, hyperdriveConnections, directConnections, drizzleInstances, sockets } = info
  const body = {
    performance: {
      queryLatency: meanMs === undefined ? null : ms(meanMs),
      connectionType:
        measured === undefined
          ? 'Unavailable'
          : usingHyperdrive
            ? 'Hyperdrive (Edge Pooling)'
            : 'Direct Connection',
      usingHyperdrive,
      hyperdriveConfig: { configured, bindingAvailable: configured },
      connectLatency: measured?.connectMs == null ? null : ms(measured.connectMs),
      samples: measured?.queryMs.length ?? 0,
    },
    connections: { totalConnections, hyperdriveConnections, directConnections, drizzleInstances },
    sockets,
    // An error's text names hosts and roles: for the bearer of the token only.
    routes: info.routes.map(({ lastError, ...route }) => ({
      ...route,
      lastError: lastError && (token === 'given' ? lastError : { code: lastError.code, at: lastError.at }),
    })),
    timestamp: timestamp(),
    recommendations,
    ...(token === 'given' && failure instanceof DatabaseError && { error: failure.message }),
  }
  return json(
    measured ? 200 : 503,
    body,
    measured && meanMs !== undefined ? { 'Server-Timing': serverTiming(measured, meanMs) } : {},
  )
}

/** Cloudflare adds `cfWorker` by itself: these names are others. */
function serverTiming({ connectMs, route }: Measurement, queryMs: number): string {
  const parts = [`query;dur=${queryMs.toFixed(1)};desc="${route}"`]
  if (connectMs !== null) parts.unshift(`connect;dur=${connectMs.toFixed(1)}`)
  return parts.join(', ')
}

function samplesOf(searchParams: URLSearchParams): number | undefined {
  const given = searchParams.get('samples')
  if (given === null) return 1
  const samples = Number(given)
  return Number.isInteger(samples) && samples >= 1 && samples <= maxSamples ? samples : undefined
}

const timestamp = () => new Date().toISOString()

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'Cache-Control': 'no-store', ...headers } })
}
