/**
 * The same program, directly and through the gateway: whatever clients say, each hears what PostgreSQL itself would say.
 *
 *     DIFFERENTIAL_RUNS=20000 DIFFERENTIAL_SEED=7 npx vitest run test/gateway/differential.test.ts
 */
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { createDatabase, type TestDatabase } from '../support/postgres.ts'
import { Comparison } from './differential/compare.ts'
import { programs } from './differential/programs.ts'
import { dropRoles, makeRoles } from './differential/schema.ts'

// The same programs at each run of CI, so that one that fails there fails here; others by the environment.
const numRuns = Number(process.env.DIFFERENTIAL_RUNS ?? 250)
const seed = Number(process.env.DIFFERENTIAL_SEED ?? 1)

let databases: TestDatabase[] = []
let comparison: Comparison

beforeAll(async () => {
  databases = [await createDatabase(), await createDatabase()]
  await databases[0]!.query(makeRoles)
  comparison = await Comparison.of(databases[0]!.url, databases[1]!.url)
})
afterAll(async () => {
  comparison.close()
  await databases[0]!.drop()
  await databases[1]!.query(dropRoles)
  await databases[1]!.drop()
})

test(`clients can't tell the gateway from PostgreSQL (${numRuns} programs, seed ${seed})`, {
  timeout: 60_000 + numRuns * 2_000,
}, async () => {
  const run = await fc.check(
    fc.asyncProperty(programs(), async program => {
      const difference = await comparison.difference(program)
      if (difference === null) return
      // Shrinking need not wait as long.
      comparison.patienceMs = 1_000
      throw new Error(difference)
    }),
    { seed, numRuns },
  )
  if (!run.failed) return
  const where = `after ${run.numRuns} programs of seed ${seed}, shrunk ${run.numShrinks} times`
  throw new Error(`${where}: ${(run.errorInstance as Error).message}`)
})
