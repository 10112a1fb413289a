/** How old an answer may be. Age is counted from when it was asked for at the origin. */

export interface Freshness {
  readonly maxAgeMs: number
  /** For so long after that it is served while another is fetched. */
  readonly staleMs: number
}

const hourMs = 3_600_000

/** No answer lives longer, whatever is asked: what stamps.ts stands on. */
export const mostAgeMs = 24 * hourMs

/** As in Hyperdrive: the longest `max_age` where no stream tells of changes. */
export const mostAgeUntoldMs = hourMs

/** What an asker may be served of an answer of this age. */
export function judgeAge(
  ageMs: number,
  { maxAgeMs, staleMs }: Freshness,
  limitMs: number,
): 'fresh' | 'stale' | 'expired' {
  const freshMs = Math.min(maxAgeMs, limitMs)
  if (ageMs < freshMs) return 'fresh'
  return ageMs < Math.min(freshMs + staleMs, mostAgeMs) ? 'stale' : 'expired'
}
