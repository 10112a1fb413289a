/** Node, Bun and Deno: one pool for each route, for as long as the process lives. */
import { Pool } from '../pool.ts'
import type { Route } from '../route.ts'
import type { Scope } from './scope.ts'

/** By route, so that a route that its manager has forgotten takes its pool along. */
const pools = new WeakMap<Route, Pool>()

export const processScope: Scope = {
  avoid: undefined,
  pool(route) {
    let pool = pools.get(route)
    if (pool === undefined) {
      pool = new Pool(route, { share: false, limit: route.settings.maxConnections })
      pools.set(route, pool)
    }
    return pool
  },
}

/** Closes the process's idle connections of a route, and the rest as they are given back. */
export function closeProcessPool(route: Route): void {
  pools.get(route)?.close()
  pools.delete(route)
}
