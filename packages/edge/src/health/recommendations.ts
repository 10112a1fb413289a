/** What to do, each sentence from a figure that was measured. */
import type { ConnectionInfo, RouteInfo } from '../index.ts'
import type { Measurement } from '../measure.ts'

/** Below this many samples a percentile is an anecdote. */
const enoughSamples = 5
/** A p95 over this is felt by users, in ms. */
const highP95Ms = 250

const ways = {
  straight: 'straight to a PostgreSQL on this machine: nothing pools or caches in between',
  pooled: 'to a gateway on this machine, which pools connections',
}

export function recommendationsFor(
  configured: boolean,
  measured: Measurement | undefined,
  { routes }: ConnectionInfo,
): string[] {
  const advice: string[] = []
  const hyperdrive = busiest(routes, 'hyperdrive')
  const direct = busiest(routes, 'direct')
  if (!configured) {
    advice.push(
      'No HYPERDRIVE binding: add [[hyperdrive]] with binding = "HYPERDRIVE" to wrangler.toml to pool connections at the edge',
    )
  } else if (hyperdrive && hyperdrive.breaker !== 'closed') {
    const way = measured ? ': traffic takes the direct route' : ''
    const trial = hyperdrive.nextTrial ? `; the next trial is at ${hyperdrive.nextTrial}` : ''
    advice.push(
      `Hyperdrive's breaker is ${hyperdrive.breaker}${way}${trial}. Check the Hyperdrive configuration and its origin`,
    )
  } else if (measured?.route === 'direct') {
    advice.push(
      'This measurement fell back to the direct route: check the Hyperdrive configuration and its origin',
    )
  }
  if (measured?.route === 'hyperdrive') {
    advice.push(
      measured.local
        ? `The HYPERDRIVE binding leads ${ways[measured.local]}`
        : 'Hyperdrive enabled - optimal for edge performance',
    )
  }
  const near = hyperdrive?.queryLatency
  const far = direct?.queryLatency
  if (near && far && near.count >= enoughSamples && far.count >= enoughSamples && far.p50 < near.p50) {
    advice.push(
      `Direct queries were faster (p50 ${ms(far.p50)} against ${ms(near.p50)} through Hyperdrive): place the Worker near the database (placement in wrangler.toml) or check Hyperdrive's region`,
    )
  }
  for (const { name, queryLatency, fallbacks } of [hyperdrive, direct].filter(route => route !== undefined)) {
    if (queryLatency && queryLatency.count >= enoughSamples && queryLatency.p95 > highP95Ms) {
      advice.push(
        `Queries on the ${name} route have a p95 of ${ms(queryLatency.p95)}: look for slow statements (pg_stat_statements) and for the distance between Worker and database`,
      )
    }
    if (fallbacks >= enoughSamples) {
      advice.push(
        `${fallbacks} statements fell back from the ${name} route since this isolate started: check its origin and connection limit`,
      )
    }
  }
  return advice
}

const busiest = (routes: readonly RouteInfo[], name: RouteInfo['name']): RouteInfo | undefined =>
  routes
    .filter(route => route.name === name)
    .sort((a, b) => (b.queryLatency?.count ?? 0) - (a.queryLatency?.count ?? 0))[0]

/** Never "0ms": what is below the clock's grain is said to be below a millisecond. */
export const ms = (value: number): string => (value < 1 ? '<1ms' : `${Math.round(value)}ms`)
