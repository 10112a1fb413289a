/**
 * The same program, directly and through the gateway: whatever clients say, each hears what PostgreSQL itself would say.
 *
 *     DIFFERENTIAL_RUNS=20000 DIFFERENTIAL_SEED=7 npx vitest run test/gateway/differential.test.ts
 *
 * And the same through a gateway that caches, with programs that ask again and again: without a stream, so that nothing
 * but what clients do themselves ends an answer.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SharedCache } from '../../packages/gateway/src/read-cache.ts'
import { Plans } from '../../packages/gateway/src/sql/plans.ts'
import { byAge, startCachingGateway } from '../support/caching-gateway.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { createDatabase } from '../support/postgres.ts'
import { rawClient } from '../support/raw-client.ts'
import { Comparison, type Start } from './differential/compare.ts'
import type { Program } from './differential/program.ts'
import { askingPrograms, programs } from './differential/programs.ts'
import { dropRoles, makeRoles } from './differential/schema.ts'

// The same programs at each run of CI, so that one that fails there fails here; others by the environment.
const numRuns = (ofCi: number) => Number(process.env.DIFFERENTIAL_RUNS ?? ofCi)
const seed = Number(process.env.DIFFERENTIAL_SEED ?? 1)

describe("clients can't tell the gateway from PostgreSQL", () => {
  const pooling = numRuns(150)
  test(`that pools (${pooling} programs, seed ${seed})`, { timeout: timeoutOf(pooling) }, () =>
    compare(startGateway, programs(), pooling),
  )

  const runs = numRuns(40)
  test(`that caches (${runs} programs, seed ${seed})`, { timeout: timeoutOf(runs) }, async () => {
    const cache = new SharedCache((await Plans.load()).parser, sizes)
    const { counts } = cache.cache.total
    const programsAsked = { hit: 0, miss: 0 }
    const start: Start = async (url, origin) => {
      const gateway = await startCachingGateway(url, { ...origin, ...byAge, caching }, {}, { cache })
      await knowsCatalogue(gateway, () => counts.hit)
      // One of each.
      programsAsked.hit--
      programsAsked.miss--
      return gateway
    }
    await compare(start, askingPrograms(), runs)
    programsAsked.hit += counts.hit
    programsAsked.miss += counts.miss
    const { hit, miss } = programsAsked
    console.info(`${hit} questions were answered from the cache, ${miss} by the origin`)
    expect(hit / (hit + miss)).toBeGreaterThan(0.25)
  })
})

const sizes = { mostBytes: 64_000_000, maxResultBytes: 1_000_000 }

/** What depends on the client and its settings is kept, too: it stands in the key. */
const caching = {
  ...{ disabled: false, maxAgeMs: 60_000, staleWhileRevalidateMs: 15_000, maxAgeUntoldMs: 0 },
  ...{ stable: true, withoutStream: null },
}

const timeoutOf = (runs: number) => 60_000 + runs * 4_000

/** It is read when the first client asks. */
async function knowsCatalogue({ url }: TestGateway, hits: () => number): Promise<void> {
  await using client = await rawClient(url)
  const before = hits()
  while (hits() === before) await client.query('select')
}

async function compare(start: Start, some: fc.Arbitrary<Program>, runs: number): Promise<void> {
  const databases = [await createDatabase(), await createDatabase()] as const
  await databases[0].query(makeRoles)
  const comparison = await Comparison.of(start, databases[0].url, databases[1].url)
  try {
    const run = await fc.check(
      fc.asyncProperty(some, async program => {
        const difference = await comparison.difference(program)
        if (difference === null) return
        // Shrinking need not wait as long.
        comparison.patienceMs = 1_000
        throw new Error(difference)
      }),
      // What is not shrunk to its end is told, too.
      { seed, numRuns: runs, interruptAfterTimeLimit: 0.8 * timeoutOf(runs), markInterruptAsFailure: true },
    )
    if (!run.failed) return
    const where = `after ${run.numRuns} programs of seed ${seed}, shrunk ${run.numShrinks} times`
    throw new Error(`${where}: ${(run.errorInstance as Error | null)?.message ?? 'they took too long'}`)
  } finally {
    comparison.close()
    await databases[0].drop()
    await databases[1].query(dropRoles)
    await databases[1].drop()
  }
}
