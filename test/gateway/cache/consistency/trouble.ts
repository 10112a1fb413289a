/** What happens to the origin and the streams while clients read and write. */
import { setTimeout as pause } from 'node:timers/promises'
import { below, oneOf } from '../../fuzz/mutate.ts'
import type { World } from './world.ts'

export const troubles = [
  'none',
  'a slow standby',
  'a held standby',
  'delays',
  'streams end',
  'connections end',
  'a restart',
] as const
export type Trouble = (typeof troubles)[number]

/** @param isOver nobody writes any more */
export async function cause(
  trouble: Trouble,
  { origin, gateways }: World,
  random: () => number,
  isOver: () => boolean,
): Promise<void> {
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
    case 'streams end':
      await briefly()
      await origin.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'walsender' and application_name <> 'standby'`)
      break
    case 'connections end':
      await briefly()
      oneOf(random, gateways).origin.cut()
      break
    case 'a restart':
      await briefly()
      await origin.restart(oneOf(random, ['stop', 'kill'] as const))
      break
    default:
      trouble satisfies never
  }
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
