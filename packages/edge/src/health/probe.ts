/**
 * Readiness: one query for all who ask at the same time.
 *
 *     nobody asks ──▶ leased to one request ──result──▶ fresh for a second ──▶ nobody asks
 *                         └─ its owner died, and the timer that renewed the lease: who waits asks itself
 *
 * On Workers a promise dies with the request that owns it, so nobody awaits another's: who comes while a probe is
 * under way looks for its result now and then, and keeps a deadline of its own.
 */
import type { DatabaseError, RouteName } from '../index.ts'

export interface Readiness {
  readonly ready: boolean
  readonly route: RouteName | null
  /** Coarse on purpose: the page is open to everybody. */
  readonly reason: string | null
}

/** A result serves whoever asks within this time after it, in ms: probes come in bursts, seconds apart. */
const freshMs = 1_000
const lookEveryMs = 20
/** How soon a probe whose owner died is asked again: a small part of the deadline. */
const leaseMs = 500

interface Shared {
  leasedUntil: number
  result: Readiness | undefined
  resultAt: number
}

/** By what the answer depends on: the env's binding object or URL. */
const probes = new Map<unknown, Shared>()
const maxProbes = 20

export async function sharedReadiness(
  key: unknown,
  deadlineMs: number,
  ask: (deadlineMs: number) => Promise<Readiness>,
): Promise<Readiness> {
  const shared = sharedFor(key)
  const giveUpAt = Date.now() + deadlineMs
  for (;;) {
    const now = Date.now()
    if (shared.result && now - shared.resultAt < freshMs) return shared.result
    if (now >= giveUpAt) return { ready: false, route: null, reason: 'timeout' }
    if (shared.leasedUntil <= now) {
      const renew = () => {
        shared.leasedUntil = Date.now() + leaseMs
      }
      renew()
      const beat = setInterval(renew, leaseMs / 5)
      try {
        const result = await ask(giveUpAt - now)
        shared.result = result
        shared.resultAt = Date.now()
        return result
      } finally {
        clearInterval(beat)
        shared.leasedUntil = 0
      }
    }
    await new Promise(resolve => setTimeout(resolve, lookEveryMs))
  }
}

function sharedFor(key: unknown): Shared {
  let shared = probes.get(key)
  if (shared === undefined) {
    shared = { leasedUntil: 0, result: undefined, resultAt: 0 }
    if (probes.size >= maxProbes) probes.delete(probes.keys().next().value)
    probes.set(key, shared)
  }
  return shared
}

/** One word for what went wrong, without hosts, roles or databases. */
export function coarseReason({ reason, code }: DatabaseError): string {
  switch (reason) {
    case 'no-route':
    case 'bad-url':
    case 'driver-missing':
    case 'nodejs-compat':
      return 'not configured'
    case 'connect-deadline':
    case 'query-deadline':
      return 'timeout'
    case 'refused':
      return code === '53300' || code === '57P03' || code === '58000' ? 'busy' : 'refused'
    case 'pool-exhausted':
      return 'busy'
    case 'connect-failed':
      return 'unreachable'
    case 'connection-lost':
      return 'connection lost'
    default:
      return 'query failed'
  }
}
