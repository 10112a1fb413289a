/**
 * Recorded sessions, mutated in both directions: a hostile client, a hostile origin. Whatever they send, it is refused
 * with an error, the gateway lives and goes on serving others, nothing of it stays behind, and memory is bounded.
 *
 * All of the gateway but its sockets runs (support/memory-transport.ts). Each input has a number, from which all its
 * chances follow: SLUICE_FUZZ_INPUTS=1000000 tries that many in place of 100,000, SLUICE_FUZZ_FROM=4711 begins there.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeAll, expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { chunked, mutate, oneOf, seeded } from './fuzz/mutate.ts'
import { type Recording, record } from './fuzz/recording.ts'
import { World } from './fuzz/world.ts'

const inputs = Number(process.env.SLUICE_FUZZ_INPUTS ?? 100_000)
const from = Number(process.env.SLUICE_FUZZ_FROM ?? 0)
/** A gateway serves so many inputs; then another one is started, so that a failure is found again in a short time. */
const inputsPerWorld = 2_000
/** What a run may leave behind: caches that are bounded. */
const boundedBytes = 100 * 1_048_576

const database = await freshDatabase()
let recording: Recording

beforeAll(async () => {
  await database.query('create table t (n serial)')
  recording = await record(database.url)
})

test('whatever a client or an origin sends, the gateway lives, and serves others', async () => {
  const all = recording.sessions.flat()
  const reached = { toOrigin: new Map<string, number>(), toClient: new Map<string, number>() }
  const kinds = { client: 0, origin: 0, 'client at login': 0, 'origin at login': 0 }
  const refused = new Map<string, number>()
  let world = await World.start(recording)
  const before = usedBytes()
  for (let input = from; input < from + inputs; input++) {
    if (input % inputsPerWorld === 0) {
      count(reached.toOrigin, world.toOrigin)
      count(reached.toClient, world.toClient)
      count(refused, world.refused)
      await world.stop()
      world = await World.start(recording)
    }
    const random = seeded(input)
    const chance = random()
    const kind =
      chance < 0.55
        ? 'client'
        : chance < 0.8
          ? 'origin'
          : chance < 0.92
            ? 'client at login'
            : 'origin at login'
    kinds[kind]++
    const session = oneOf(random, recording.sessions)
    try {
      if (kind === 'client') await world.hostileClient(chunked(mutate(session, random, all), random), random)
      else if (kind === 'origin') await world.hostileOrigin(session, random)
      else if (kind === 'client at login') await world.hostileLogin(random)
      else await world.hostileOriginLogin(random)
    } catch (error) {
      throw new Error(`input ${input}, hostile ${kind}`, { cause: error })
    }
  }
  count(reached.toOrigin, world.toOrigin)
  count(reached.toClient, world.toClient)
  count(refused, world.refused)
  await world.stop()
  console.log(`${inputs} inputs`, kinds)
  console.log('reached the origin:', shown(reached.toOrigin))
  console.log('reached a client:', shown(reached.toClient))
  console.log('refused with:', shown(refused))
  expect(kinds.client + kinds.origin).toBeGreaterThanOrEqual(inputs / 2)
  expect(usedBytes() - before).toBeLessThan(boundedBytes)
}, 3_600_000)

function count(sum: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [name, times] of more) sum.set(name, (sum.get(name) ?? 0) + times)
}

/** A type that does not exist is shown as `0x..`: there are too many of these. */
const shown = (counts: ReadonlyMap<string, number>) =>
  [...counts]
    .filter(([name]) => !name.startsWith('0x'))
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
    .join(', ')

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function usedBytes(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
