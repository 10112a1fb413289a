/** A gateway that caches, for a test. */

import { SharedCache } from '../../packages/gateway/src/read-cache.ts'
import { Plans } from '../../packages/gateway/src/sql/plans.ts'
import { startGateway, type TestGateway } from './gateway.ts'

/** No stream tells of others' writes. */
export const byAge: Parameters<typeof startGateway>[1] = {
  invalidation: {
    ...{ publication: 'there_is_none', mayChange: false, refreshMs: 1_000 },
    ...{ heartbeatMs: 1_000, silenceMs: 10_000, idleMs: 300_000 },
  },
}

export async function startCachingGateway(
  ...[url, origin = {}, options, surroundings]: Parameters<typeof startGateway>
): Promise<TestGateway> {
  const plans = await Plans.load()
  return startGateway(url, origin, options, {
    planOf: (bytes, start, end, asciiSafe) => plans.planOf(bytes, start, end, asciiSafe),
    cache: new SharedCache(plans.parser, { mostBytes: 64_000_000, maxResultBytes: 1_000_000 }),
    ...surroundings,
  })
}
