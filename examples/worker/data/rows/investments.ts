/** Who is interested, and who pays: what is left of a pitch's goal is the goal less its investments. */
import { Popularity, type Random } from '../random.ts'
import { interestNotes, terms } from '../words.ts'
import { after, day, end, type Happened, instant } from './history.ts'
import type { Notice } from './notifications.ts'
import { cents, type Pitch } from './pitches.ts'
import type { Person } from './users.ts'

const investmentCount = 3_000

export interface Investments {
  interests: Happened[]
  investments: Happened[]
  notices: Notice[]
}

/** Takes from what is left of each pitch's goal. */
export function makeInvestments(
  random: Random,
  people: Person[],
  listed: Pitch[],
  active: Popularity<Person>,
): Investments {
  const notices: Notice[] = []
  const interests: Happened[] = []
  const investments: Happened[] = []
  const interested = new Set<string>()
  const seekers = listed.filter(({ goal, published }) => goal > 0 && published! < end - 7 * day)
  const wanted = new Popularity(random, seekers)
  while (investments.length < investmentCount) {
    // The first dozen are user 2's, so that the README's dashboard has something to show.
    const investor = investments.length < 12 ? people[1]! : active.pick(random)
    const pitch = wanted.pick(random)
    if (investor === pitch.owner) continue
    const key = `${investor.id} ${pitch.id}`
    const at = after(random, Math.max(pitch.published!, investor.joined), end - 2 * day)
    const tickets = random.between(1, 4)
    const amount = Math.min(pitch.minimum * tickets, pitch.left)
    if (!interested.has(key)) {
      interested.add(key)
      interests.push({
        at,
        row: {
          investor_id: investor.id,
          pitch_id: pitch.id,
          amount: random.chance(0.8) ? cents(pitch.minimum * tickets) : null,
          interest_level: random.byShare({ curious: 30, moderate: 45, serious: 25 }),
          notes: random.chance(0.5) ? random.pick(interestNotes) : null,
          status: random.chance(0.9) ? 'active' : 'withdrawn',
          created_at: instant(at),
          updated_at: instant(at),
        },
      })
      notices.push({
        to: pitch.owner,
        type: 'interest',
        title: 'An investor is interested',
        message: `${investor.name} is interested in “${pitch.title}”.`,
        relatedId: pitch.id,
        relatedType: 'pitch',
        data: { investorId: investor.id },
        at,
      })
    }
    if (amount < pitch.minimum || random.chance(0.4)) continue
    pitch.left -= amount
    const invested = after(random, at + day)
    const roi = random.between(-3_000, 6_500)
    investments.push({
      at: invested,
      row: {
        investor_id: investor.id,
        pitch_id: pitch.id,
        amount: cents(amount),
        status: random.byShare({ pending: 25, confirmed: 75 }),
        terms: random.chance(0.7) ? random.pick(terms) : null,
        // Amounts are multiples of 250 and roi of 0.01 %: whole cents.
        current_value: ((amount * (10_000 + roi)) / 10_000).toFixed(2),
        documents: random.chance(0.6)
          ? [{ name: 'Term sheet.pdf', url: `https://documents.example.com/${random.uuid()}` }]
          : [],
        roi_percentage: (roi / 100).toFixed(2),
        idempotency_key: random.uuid(),
        created_at: instant(invested),
        updated_at: instant(invested),
      },
    })
    notices.push({
      to: pitch.owner,
      type: 'investment',
      title: 'New investment',
      message: `${investor.name} invests $${amount.toLocaleString('en-US')} in “${pitch.title}”.`,
      relatedId: pitch.id,
      relatedType: 'pitch',
      data: { investorId: investor.id, amount: cents(amount) },
      at: invested,
    })
  }
  return { interests, investments, notices }
}
