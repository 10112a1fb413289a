/**
 * Workers: the connections of one request, alarm, cron or queue event.
 *
 *     open ──end()──▶ ended       idle connections close at once, held ones as they are given back
 *
 * `end()` comes when the handler, and what it handed to `waitUntil`, are done; a cursor that is still read by
 * a streaming answer keeps its connection until it is through.
 */
import { Pool } from '../pool.ts'
import type { Route } from '../route.ts'
import type { Scope } from './scope.ts'

export class RequestScope implements Scope {
  open = true
  readonly avoid = new Set<Route>()
  /** What the handler gave to `waitUntil` and is not done yet. */
  readonly later = new Set<Promise<unknown>>()
  readonly #pools = new Map<Route, Pool>()

  pool(route: Route): Pool {
    let pool = this.#pools.get(route)
    if (pool === undefined) {
      // Hyperdrive bounds its own connections to the origin; on the direct route nobody else does.
      const limit = route.name === 'direct' ? route.settings.maxConnections : Number.POSITIVE_INFINITY
      pool = new Pool(route, { share: true, limit })
      this.#pools.set(route, pool)
      if (!this.open) pool.close()
    }
    return pool
  }

  finishesAfter(promise: Promise<unknown>): void {
    const noted = Promise.resolve(promise).catch(() => {})
    this.later.add(noted)
    noted.then(() => this.later.delete(noted))
  }

  end(): void {
    this.open = false
    for (const pool of this.#pools.values()) pool.close()
  }
}
