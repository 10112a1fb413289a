/**
 * Whose connections a call uses: the process's, or the running request's.
 *
 * On Workers a socket belongs to the request that opened it, and nothing that one request awaits may be owned
 * by another. So a request has its own pools (request.ts); elsewhere a pool lives for the process (process.ts).
 * A call that knows no request gets a scope of its own, for itself alone: always right, never shared.
 */
import { context, withContext } from '../context.ts'
import type { Pool } from '../pool.ts'
import type { Route } from '../route.ts'
import { processScope } from './process.ts'
import { RequestScope } from './request.ts'

export interface Scope {
  pool(route: Route): Pool
  /** Routes that failed in this request already: not tried again as long as there is another. */
  readonly avoid: Set<Route> | undefined
}

/** The scope to use now, and how to leave it. */
export function enterScope(perRequest: boolean): { scope: Scope; leave: () => void } {
  const { scope } = context()
  if (scope?.open) return { scope, leave: () => {} }
  if (!perRequest) return { scope: processScope, leave: () => {} }
  const own = new RequestScope()
  return { scope: own, leave: () => own.end() }
}

/** Runs `fn` so that all calls in it share one scope. */
export async function inOneScope<T>(perRequest: boolean, fn: () => Promise<T>): Promise<T> {
  if (!perRequest || context().scope?.open) return fn()
  const own = new RequestScope()
  try {
    return await withContext({ scope: own }, async () => fn())
  } finally {
    own.end()
  }
}
