/** A gateway that caches, for a test. */

import { SharedCache } from '../../packages/gateway/src/read-cache.ts'
import { Plans } from '../../packages/gateway/src/sql/plans.ts'
import { startGateway, type TestGateway } from './gateway.ts'

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
