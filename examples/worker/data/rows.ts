/**
 * The data set as plain rows: a platform in its third year, the same on every machine.
 *
 * Users come first, then pitches, then what happens between them in the order in which one thing allows the
 * next: requests for an NDA, NDAs, views, interests, investments, notifications. What tables say of each other
 * agrees: a pitch's view_count is the number of its 'page' views, what is left of its goal is the goal less its
 * investments, an approved request has its NDA.
 *
 * Users 1 to 4 are a creator, an investor, a producer and a viewer, and the first pitches are user 1's: the
 * README's examples rely on it.
 *
 * Each file in rows/ makes the rows of one matter. One Random serves them all in this order, so another order makes other
 * rows.
 *
 * Only whole-number arithmetic and dates of its own: no clock, and no Math.exp, which may differ between engines.
 */
import { Popularity, Random } from './random.ts'
import { makeFollows, makeSaved } from './rows/attention.ts'
import { inOrder, numbered, type Row } from './rows/history.ts'
import { makeInvestments } from './rows/investments.ts'
import { makeNdas } from './rows/ndas.ts'
import { notificationRows } from './rows/notifications.ts'
import { makePitches, pitchRows } from './rows/pitches.ts'
import { makeUsers } from './rows/users.ts'
import { makeViews } from './rows/views.ts'

export type { Row } from './rows/history.ts'

export interface Table {
  name: string
  rows: Row[]
}

export function makeRows(seed: number): Table[] {
  const random = new Random(seed)
  const { people, rows: users } = makeUsers(random)
  const pitches = makePitches(random, people)
  const listed = pitches.filter(({ open }) => open)
  const investors = people.filter(({ type }) => type === 'investor' || type === 'production')
  const popular = new Popularity(random, listed)
  const active = new Popularity(random, investors)
  const someone = new Popularity(random, people)

  const { views, pageViews } = makeViews(random, people, listed)
  const { saved, saves } = makeSaved(random, someone, popular)
  const following = makeFollows(random, someone, popular)
  const reading = makeNdas(random, listed, active)
  const investing = makeInvestments(random, people, listed, active)
  const seen = pitchRows(random, pitches, { pageViews, saves, signed: reading.signed })
  const notices = [...following.notices, ...reading.notices, ...investing.notices]

  return [
    { name: 'users', rows: users },
    { name: 'pitches', rows: seen },
    { name: 'investments', rows: numbered(investing.investments) },
    { name: 'investment_interests', rows: numbered(investing.interests) },
    { name: 'ndas', rows: numbered(reading.ndas) },
    { name: 'nda_requests', rows: numbered(reading.requests) },
    { name: 'follows', rows: numbered(following.follows) },
    { name: 'saved_pitches', rows: inOrder(saved).map(({ row }) => row) },
    { name: 'notifications', rows: notificationRows(random, notices) },
    { name: 'pitch_views', rows: views },
  ]
}
