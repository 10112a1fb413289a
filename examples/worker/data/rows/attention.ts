/** Who keeps an eye on what: saved pitches, and follows of people and of pitches. */
import type { Popularity, Random } from '../random.ts'
import { after, type Happened, instant } from './history.ts'
import type { Notice } from './notifications.ts'
import type { Pitch } from './pitches.ts'
import type { Person } from './users.ts'

const savedCount = 8_000
const followCount = 8_000

export function makeSaved(
  random: Random,
  someone: Popularity<Person>,
  popular: Popularity<Pitch>,
): { saved: Happened[]; saves: Map<number, number> } {
  const saved: Happened[] = []
  const saves = new Map<number, number>()
  const marks = new Set<string>()
  distinct(savedCount, () => {
    const [user, pitch] = [someone.pick(random), popular.pick(random)]
    const key = `${user.id} ${pitch.id}`
    if (user === pitch.owner || marks.has(key)) return undefined
    marks.add(key)
    saves.set(pitch.id, (saves.get(pitch.id) ?? 0) + 1)
    const at = after(random, Math.max(pitch.published!, user.joined))
    saved.push({ at, row: { user_id: user.id, pitch_id: pitch.id, created_at: instant(at) } })
    return key
  })
  return { saved, saves }
}

export function makeFollows(
  random: Random,
  someone: Popularity<Person>,
  popular: Popularity<Pitch>,
): { follows: Happened[]; notices: Notice[] } {
  const notices: Notice[] = []
  const follows: Happened[] = []
  const followed = new Set<string>()
  distinct(followCount, () => {
    const follower = someone.pick(random)
    const pitch = popular.pick(random)
    const person = random.chance(0.7)
    const key = person ? `${follower.id} u${pitch.owner.id}` : `${follower.id} p${pitch.id}`
    if (follower === pitch.owner || followed.has(key)) return undefined
    followed.add(key)
    const at = after(random, Math.max(pitch.published!, follower.joined))
    follows.push({
      at,
      row: {
        follower_id: follower.id,
        following_id: person ? pitch.owner.id : null,
        pitch_id: person ? null : pitch.id,
        created_at: instant(at),
      },
    })
    if (person) {
      notices.push({
        to: pitch.owner,
        type: 'follow',
        title: 'New follower',
        message: `${follower.name} follows you.`,
        relatedId: follower.id,
        relatedType: 'user',
        data: { followerId: follower.id },
        at,
      })
    }
    return key
  })
  return { follows, notices }
}

/** Calls `fn` until it has given `count` different keys. */
function distinct(count: number, fn: () => string | undefined): void {
  const seen = new Set<string>()
  while (seen.size < count) {
    const key = fn()
    if (key !== undefined) seen.add(key)
  }
}
