/**
 * The best route for one statement or one transaction.
 *
 *     HYPERDRIVE ──breaker open, or no connection──▶ direct
 *
 * What moves to the next route is the smallest thing that can: a statement that was not sent, a transaction whose
 * BEGIN brought nothing to run. It was sent nowhere, so it runs once, on whichever route takes it, and the
 * function around it is not run again: no statement before it is repeated, nor anything else the function did.
 */
import { context } from './context.ts'
import { DatabaseError, type Reason } from './errors.ts'
import type { Admission, Route } from './route.ts'
import type { Scope } from './scope/scope.ts'

/** Failures of the way, not of the statement. */
const failuresOfTheWay: ReadonlySet<Reason> = new Set<Reason>([
  'bad-url',
  'connect-failed',
  'connect-deadline',
  'refused',
  'connection-lost',
])

const mayMoveOn = (error: unknown): error is DatabaseError =>
  error instanceof DatabaseError && error.sent === 'no' && failuresOfTheWay.has(error.reason)

/**
 * Tries `attempt` on each route in turn until one takes it.
 * @param attempt must throw an error with `sent: 'no'` only if nothing of it was sent on the route
 */
export async function onBestRoute<T>(
  routes: readonly Route[],
  scope: Scope,
  attempt: (route: Route, admission: Admission) => Promise<T>,
): Promise<T> {
  const last = routes.length - 1
  let before: DatabaseError | undefined
  for (let place = 0; place <= last; place++) {
    const route = routes[place]!
    if (place === last) {
      // The last way is always tried: refusing it would help nobody.
      const { admission } = admit(route)
      try {
        return await attempt(route, admission)
      } catch (error) {
        throw before && mayMoveOn(error) ? bothFailed(error, before) : error
      }
    }
    if (scope.avoid?.has(route)) continue
    const { word, admission } = admit(route)
    if (word === 'no') {
      route.fallbacks++
      continue
    }
    try {
      return await attempt(route, admission)
    } catch (error) {
      if (!mayMoveOn(error) || context().run?.signal.aborted) throw error
      route.fallbacks++
      scope.avoid?.add(route)
      before = error
    }
  }
  throw new Error('a bug in sluice: no route was given')
}

function admit(route: Route): { word: 'go' | 'trial' | 'no'; admission: Admission } {
  const at = Date.now()
  const word = route.breaker.admit(at, Math.random())
  return { word, admission: { at, trial: word === 'trial' } }
}

function bothFailed(error: DatabaseError, before: DatabaseError): DatabaseError {
  const { code, reason, route, retryable, hint } = error
  return new DatabaseError(`${error.message}; before that, ${before.message}`, {
    code,
    reason,
    route,
    retryable,
    cause: error.cause ?? before,
    ...(hint && { hint }),
  })
}
