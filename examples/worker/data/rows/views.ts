/** Who looked at which pitch, and how often each page was seen. */
import { Popularity, type Random } from '../random.ts'
import { referrers } from '../words.ts'
import { after, type Happened, instant, numbered, type Row } from './history.ts'
import type { Pitch } from './pitches.ts'
import { address, type Person } from './users.ts'

const viewCount = 100_000

export function makeViews(
  random: Random,
  people: Person[],
  pitches: Pitch[],
): { views: Row[]; pageViews: Map<number, number> } {
  const popular = new Popularity(random, pitches)
  const pageViews = new Map<number, number>()
  const events: Happened[] = []
  while (events.length < viewCount) {
    const pitch = popular.pick(random)
    const session = random.uuid()
    const viewer = random.chance(0.6) ? random.pick(people) : null
    if (viewer === pitch.owner) continue
    const at = after(random, Math.max(pitch.published!, viewer?.joined ?? 0))
    const row = {
      pitch_id: pitch.id,
      viewer_id: viewer?.id ?? null,
      ip_address: random.chance(0.9) ? address(random) : null,
      referrer: random.chance(0.5) ? random.pick(referrers) : null,
    }
    pageViews.set(pitch.id, (pageViews.get(pitch.id) ?? 0) + 1)
    events.push({
      at,
      row: {
        ...row,
        view_type: 'page',
        session_id: null,
        view_duration: null,
        scroll_depth: null,
        viewed_at: instant(at),
      },
    })
    // One in five stays, and the page reports it.
    if (random.chance(0.2) && events.length < viewCount) {
      const seconds = random.between(4, 60) * random.between(1, 8)
      events.push({
        at: at + seconds * 1000,
        row: {
          ...row,
          view_type: random.byShare({ read: 70, trailer: 15, deck: 10, share: 5 }),
          session_id: session,
          view_duration: seconds,
          scroll_depth: Math.min(100, random.between(5, 25) * random.between(1, 6)),
          viewed_at: instant(at + seconds * 1000),
        },
      })
    }
  }
  return { views: numbered(events), pageViews }
}
