/** Who asked to read what is not public, and who may: an approved request has its NDA. */
import type { Popularity, Random } from '../random.ts'
import { ndaMessages } from '../words.ts'
import { after, dateOf, day, end, type Happened, instant } from './history.ts'
import type { Notice } from './notifications.ts'
import type { Pitch } from './pitches.ts'
import type { Person } from './users.ts'

export interface Ndas {
  requests: Happened[]
  ndas: Happened[]
  /** How many are in force, by pitch. */
  signed: Map<number, number>
  notices: Notice[]
}

export function makeNdas(random: Random, listed: Pitch[], active: Popularity<Person>): Ndas {
  const notices: Notice[] = []
  const requests: Happened[] = []
  const ndas: Happened[] = []
  const signed = new Map<number, number>()
  for (const pitch of listed) {
    if (!pitch.row.require_nda) continue
    const askers = new Set(Array.from({ length: random.between(0, 20) }, () => active.pick(random)))
    askers.delete(pitch.owner)
    for (const asker of askers) {
      const at = after(random, Math.max(pitch.published!, asker.joined))
      const status = random.byShare({ pending: 25, approved: 60, declined: 15 })
      const answered =
        status === 'pending' ? null : Math.min(end, at + random.between(1, 10 * 24) * 3_600_000)
      requests.push({
        at,
        row: {
          pitch_id: pitch.id,
          requester_id: asker.id,
          owner_id: pitch.owner.id,
          status,
          message: random.chance(0.6) ? random.pick(ndaMessages) : null,
          requested_at: instant(at),
          responded_at: answered === null ? null : instant(answered),
        },
      })
      notices.push({
        to: pitch.owner,
        type: 'nda_request',
        title: 'NDA requested',
        message: `${asker.name} asks to read “${pitch.title}”.`,
        relatedId: pitch.id,
        relatedType: 'pitch',
        data: { requesterId: asker.id },
        at,
      })
      if (status !== 'approved') continue
      const expires = answered! + 365 * day
      const expired = expires < end
      if (!expired) signed.set(pitch.id, (signed.get(pitch.id) ?? 0) + 1)
      ndas.push({
        at: answered!,
        row: {
          pitch_id: pitch.id,
          signer_id: asker.id,
          status: expired ? 'expired' : 'approved',
          nda_type: random.byShare({ standard: 85, mutual: 15 }),
          access_granted: !expired,
          signed_at: instant(answered!),
          expires_at: dateOf(expires),
          created_at: instant(at),
        },
      })
    }
  }
  return { requests, ndas, signed, notices }
}
