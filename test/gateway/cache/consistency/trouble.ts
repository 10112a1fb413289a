/** What happens to the origin and the streams while clients read and write. */
import { setTimeout as pause } from 'node:timers/promises'
import { below, oneOf } from '../../fuzz/mutate.ts'
import { silenceMs, type World } from './world.ts'

export const troubles = [
  'none',
  'a slow standby',
  'a held standby',
  'delays',
  'streams are silent',
  'streams end',
  'connections end',
  'a restart',
] as const
export type Trouble = (typeof troubles)[number]

/** @param isOver nobody writes any more */
export async function cause(
  trouble: Trouble,
  world: World,
  random: () => number,
  isOver: () => boolean,
): Promise<void> {
  const { origin, gateways } = world
  const { standby } = origin
  const briefly = () => pause(10 + below(random, 60))
  standby.delayMs = trouble === 'a slow standby' ? 1 + below(random, 5) : 0
  for (const { origin } of gateways) origin.latencyMs = trouble === 'none' ? none : lateNowAndThen(random)
  switch (trouble) {
    case 'none':
    case 'a slow standby':
    case 'delays':
      break
    case 'a held standby':
      while (!isOver()) {
        standby.hold()
        await briefly()
        standby.release()
        await briefly()
      }
      break
    case 'streams are silent':
      await briefly()
      await silence(await origin.streams(), below(random, 2 * silenceMs))
      break
    case 'streams end':
      await briefly()
      await origin.query(
        `select pg_terminate_backend(pid) from unnest(array[${await origin.streams()}]::int[]) pid`,
      )
      break
    case 'connections end':
      await briefly()
      oneOf(random, gateways).origin.cut()
      break
    case 'a restart':
      await briefly()
      await restart(world, oneOf(random, ['stop', 'kill'] as const))
      break
    default:
      trouble satisfies never
  }
}

/** The server's processes stand still: their connections live. */
async function silence(processes: readonly number[], forMs: number): Promise<void> {
  const tell = (signal: NodeJS.Signals) => {
    for (const id of processes)
      try {
        process.kill(id, signal)
      } catch {
        // It has ended.
      }
  }
  tell('SIGSTOP')
  await pause(forMs)
  tell('SIGCONT')
}

async function restart({ history, origin }: World, how: 'stop' | 'kill'): Promise<void> {
  await origin.restart(how)
  if (how === 'kill') history.forget()
}

const none = { toServer: 0, toClient: 0 }

/** On each connection by itself: an answer is overtaken by what is told of a later change. */
const lateNowAndThen = (random: () => number) => ({
  get toServer() {
    return random() < 0.2 ? below(random, 5) : 0
  },
  get toClient() {
    return random() < 0.25 ? below(random, 30) : 0
  },
})
