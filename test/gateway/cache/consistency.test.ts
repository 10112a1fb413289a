/**
 * Clients write and read through two gateways that cache and directly, while streams end, the origin restarts and a
 * synchronous standby is slow; and no answer is older than it may be.
 *
 * SLUICE_CONSISTENCY_SECONDS=600 runs so long in place of 20 s; SLUICE_CONSISTENCY_SEED takes other choices. When they
 * fall is not the seed's.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { oneOf, seeded } from '../fuzz/mutate.ts'
import { cause, type Trouble, troubles } from './consistency/trouble.ts'
import { Origin, World } from './consistency/world.ts'

const seconds = Number(process.env.SLUICE_CONSISTENCY_SECONDS ?? 20)
const seed = Number(process.env.SLUICE_CONSISTENCY_SEED ?? 1)

let origin: Origin
beforeAll(async () => {
  origin = await Origin.start()
})
afterAll(() => origin[Symbol.asyncDispose]())

test(
  'no answer is older than what the gateway has acknowledged, or than its bound; none is torn, none stays wrong',
  async () => {
    const random = seeded(seed)
    const crowd = { readers: 6, writers: 2, writersOutside: 3, writes: 15 }
    await using world = await World.start(origin, crowd, random)
    const { failures, history } = world
    const happened = new Map<Trouble, number>()
    const end = performance.now() + seconds * 1_000
    for (let round = 0; performance.now() < end && history.violations.length === 0; round++) {
      // Each of them, and then by chance; most rounds are quiet.
      const trouble =
        troubles[round] ?? (random() < 0.5 ? oneOf(random, troubles.slice(0, 4)) : oneOf(random, troubles))
      happened.set(trouble, (happened.get(trouble) ?? 0) + 1)
      await world.round(() => cause(trouble, world, random))
    }
    const { answers, share } = world.fromCache
    console.log(
      `seed ${seed}: ${history.reads} reads, ${answers} from the cache (${Math.round(100 * share)} %), ${history.writes} writes`,
      ...[happened, failures],
    )
    expect(history.violations).toEqual([])
    expect(share).toBeGreaterThan(0.2)
  },
  (seconds + 120) * 1_000,
)
