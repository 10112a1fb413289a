/** How an origin is cached by default. */
import type { CachingOptions, StreamOptions } from '../../read-cache.ts'

export const caching: CachingOptions = {
  ...{ disabled: false, maxAgeMs: 60_000, staleWhileRevalidateMs: 15_000, maxAgeUntoldMs: 0 },
  ...{ stable: false, withoutStream: null },
}

export const invalidation: StreamOptions = {
  ...{ publication: 'sluice', mayChange: false, refreshMs: 1_000 },
  ...{ heartbeatMs: 1_000, silenceMs: 10_000, idleMs: 300_000 },
}
