/**
 * Clients write and read through two gateways that cache and directly, while streams are silent or end, the origin restarts
 * and a synchronous standby is slow; and no answer is older than it may be.
 *
 * SLUICE_CONSISTENCY_SECONDS=600 runs so long in place of a minute; SLUICE_CONSISTENCY_SEED takes other choices. When they
 * fall is not the seed's.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { oneOf, seeded } from '../fuzz/mutate.ts'
import { faults } from './consistency/faults.ts'
import { Origin } from './consistency/origin.ts'
import { cause, type Trouble, troubles } from './consistency/trouble.ts'
import { World } from './consistency/world.ts'

const seconds = Number(process.env.SLUICE_CONSISTENCY_SECONDS ?? 60)
const seed = Number(process.env.SLUICE_CONSISTENCY_SEED ?? 1)

/** Of each gateway; and in a round so many writes of each writer. */
const crowd = { readers: 6, writers: 2, writersOutside: 4, writes: 8, hidden: 0.1 }

let origin: Origin
beforeAll(async () => {
  origin = await Origin.start()
})
afterAll(() => origin[Symbol.asyncDispose]())

test(
  'no answer is older than what the gateway has acknowledged, or than its bound; none is torn, none stays wrong',
  async () => {
    const random = seeded(seed)
    await using world = await World.start(origin, crowd, random)
    const { failures, history } = world
    const happened = new Map<Trouble, number>()
    const end = performance.now() + seconds * 1_000
    for (let round = 0; performance.now() < end && history.violations.length === 0; round++) {
      // Each of them, and then by chance; most rounds are quiet.
      const trouble =
        troubles[round] ?? (random() < 0.5 ? oneOf(random, troubles.slice(0, 4)) : oneOf(random, troubles))
      happened.set(trouble, (happened.get(trouble) ?? 0) + 1)
      await world.round(isOver => cause(trouble, world, random, isOver))
    }
    const { answers, share } = world.fromCache
    console.log(
      `seed ${seed}: ${history.reads} reads, ${answers} from the cache (${Math.round(100 * share)} %), ${history.writes} writes, ${world.notifications} notifications`,
      ...[happened, failures],
    )
    expect(history.violations).toEqual([])
    expect(share).toBeGreaterThan(0.05)
  },
  (seconds + 120) * 1_000,
)

describe('the checker finds it if', () => {
  afterEach(() => vi.restoreAllMocks())

  test.each(faults.map(fault => [fault.is, fault] as const))(
    '%s',
    async (_, { isHidden, plant, trouble }) => {
      const random = seeded(seed)
      await using world = await World.start(origin, { ...crowd, ...(isHidden && { hidden: 0.8 }) }, random)
      plant(world.gateways[0]!)
      const { history } = world
      const end = performance.now() + 60_000
      while (history.violations.length === 0 && performance.now() < end)
        await world.round(isOver => cause(trouble, world, random, isOver))
      expect(history.violations).not.toEqual([])
    },
    120_000,
  )
})
