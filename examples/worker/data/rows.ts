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
 * Only whole-number arithmetic and dates of its own: no clock, and no Math.exp, which may differ between engines.
 */
import type { Format, Genre, Stage } from '../src/db/schema.ts'
import { Popularity, Random } from './random.ts'
import {
  companyNames,
  firstNames,
  fundKinds,
  interestNotes,
  lastNames,
  ndaMessages,
  places,
  productionKinds,
  referrers,
  settings,
  terms,
  voices,
} from './words.ts'

export type Row = Record<string, unknown>

export interface Table {
  name: string
  rows: Row[]
}

const counts = {
  users: 1_200,
  pitches: 2_000,
  views: 100_000,
  follows: 8_000,
  saved: 8_000,
  investments: 3_000,
}

const day = 86_400_000
/** The moment the data set was taken: everything in it happened before. */
const end = Date.UTC(2026, 5, 30, 18)
const start = end - 900 * day

/** Whole seconds: what a form or a log would have written. */
const instant = (time: number) => new Date(Math.floor(time / 1000) * 1000).toISOString()
const dateOf = (time: number) => instant(time).slice(0, 10)
const cents = (amount: number) => `${amount}.00`

/** Some moment after `time`; most things happen soon. */
function after(random: Random, time: number, latest = end): number {
  const wait = random.fraction()
  return time + (latest - time) * wait * wait
}

const genres = Object.keys(voices) as Genre[]

/** Twice as many dramas as romances; few documentaries ask for money on a market of fiction. */
const genreShares: Record<Genre, number> = {
  Comedy: 14,
  Crime: 10,
  Documentary: 8,
  Drama: 22,
  Fantasy: 6,
  Historical: 6,
  Horror: 9,
  Romance: 7,
  'Science Fiction': 8,
  Thriller: 10,
}

const formatShares: Record<Format, number> = {
  Film: 42,
  'Television - Scripted': 20,
  'Television - Unscripted': 7,
  'Limited Series': 13,
  'Short Film': 11,
  'Web Series': 7,
}

/** What such a thing costs, in thousands: the common figures of each format's budgets. */
const budgetsInThousands: Record<Format, number[]> = {
  Film: [
    250, 400, 650, 900, 1_200, 1_800, 2_500, 3_500, 4_000, 5_500, 7_500, 9_000, 12_000, 18_000, 25_000,
    40_000,
  ],
  'Television - Scripted': [1_500, 2_400, 3_600, 5_000, 8_000, 12_000, 16_000, 24_000, 36_000],
  'Television - Unscripted': [180, 300, 450, 800, 1_200, 2_000, 3_500],
  'Limited Series': [2_000, 3_200, 4_800, 7_500, 10_000, 15_000, 22_000, 32_000],
  'Short Film': [8, 12, 20, 35, 50, 80, 120],
  'Web Series': [15, 25, 40, 75, 120, 200, 350],
}

const budgetRanges: [below: number, name: string][] = [
  [50, 'Under $50K'],
  [250, '$50K - $250K'],
  [1_000, '$250K - $1M'],
  [5_000, '$1M - $5M'],
  [15_000, '$5M - $15M'],
  [Number.POSITIVE_INFINITY, 'Over $15M'],
]

const stages: Stage[] = ['concept', 'development', 'pre-production', 'production', 'post-production']

function byShare<Name extends string>(random: Random, shares: Record<Name, number>): Name {
  const entries = Object.entries(shares) as [Name, number][]
  let left = random.between(
    1,
    entries.reduce((sum, [, share]) => sum + share, 0),
  )
  for (const [name, share] of entries) {
    left -= share
    if (left <= 0) return name
  }
  throw new Error('unreachable: the shares were summed above')
}

const plain = (name: string) =>
  name
    .normalize('NFD')
    .replace(/[^a-zA-Z]/g, '')
    .toLowerCase()

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

interface Person {
  id: number
  type: 'creator' | 'investor' | 'production' | 'viewer'
  name: string
  joined: number
}

function makeUsers(random: Random): { people: Person[]; rows: Row[] } {
  const people: Person[] = []
  const rows: Row[] = []
  const taken = new Map<string, number>()
  const first: Person['type'][] = ['creator', 'investor', 'production', 'viewer']
  for (let id = 1; id <= counts.users; id += 1) {
    const type = first[id - 1] ?? byShare(random, { creator: 45, investor: 30, production: 10, viewer: 15 })
    const [firstName, lastName] = [random.pick(firstNames), random.pick(lastNames)]
    const base = `${plain(firstName)}.${plain(lastName)}`
    const namesakes = taken.get(base) ?? 0
    taken.set(base, namesakes + 1)
    const username = namesakes === 0 ? base : `${base}${namesakes + 1}`
    const joined = id <= first.length ? start : start + (end - start) * random.fraction() * 0.9
    const company =
      type === 'production' || (type === 'creator' && random.chance(0.35))
        ? `${random.pick(companyNames)} ${random.pick(productionKinds)}`
        : type === 'investor' && random.chance(0.6)
          ? `${random.pick(companyNames)} ${random.pick(fundKinds)}`
          : null
    people.push({ id, type, name: `${firstName} ${lastName}`, joined })
    rows.push({
      id,
      email: `${username}@example.com`,
      username,
      // No password has this hash: nobody can log in as an example.
      password_hash: '!',
      user_type: type,
      first_name: firstName,
      last_name: lastName,
      company_name: company,
      profile_image_url: random.chance(0.7)
        ? `https://images.example.com/people/${random.uuid()}.webp`
        : null,
      company_verified: company !== null && random.chance(0.6),
      is_active: id <= first.length || random.chance(0.97),
      subscription_tier: byShare(random, { free: 70, pro: 22, studio: 8 }),
      preferred_genres: random.some(genres, random.between(type === 'viewer' ? 0 : 1, 4)),
      last_login_ip: address(random),
      created_at: instant(joined),
      updated_at: instant(after(random, joined)),
    })
  }
  return { people, rows }
}

/** From the blocks that RFC 5737 and RFC 3849 keep for documentation. */
function address(random: Random): string {
  if (random.chance(0.25))
    return `2001:db8:${random.between(1, 4095).toString(16)}::${random.between(1, 65_535).toString(16)}`
  return `${random.pick(['192.0.2', '198.51.100', '203.0.113'])}.${random.between(1, 254)}`
}

interface Pitch {
  id: number
  owner: Person
  title: string
  row: Row
  published: number | null
  open: boolean
  goal: number
  left: number
  minimum: number
}

function titleOf(random: Random, genre: Genre): string {
  const thing = random.pick(voices[genre].things)
  const other = random.pick(voices[genre].things)
  const place = random.pick(places)
  const name = random.pick(firstNames)
  const shapes = [
    `The ${thing}`,
    `The ${random.pick(['Last', 'Lost', 'Other', 'Only'])} ${thing}`,
    `The ${thing} of ${place}`,
    `${thing} in ${place}`,
    `${name} and the ${thing}`,
    `${place}, ${random.pick(['in Winter', 'After Dark', 'Revisited', 'Line', 'Year One', '1974', '1989'])}`,
    `A ${random.pick(['Brief', 'Private', 'Borrowed', 'Perfect', 'Northern'])} ${thing}`,
    `${random.pick(['Goodbye', 'Hello', 'Dear', 'Leaving', 'Finding'])} ${random.pick([name, place])}`,
    thing === other ? `Another ${thing}` : `The ${thing} and the ${other}`,
    `${name}’s ${thing}`,
  ]
  return random.pick(shapes)
}

function loglineOf(random: Random, genre: Genre): string {
  const voice = voices[genre]
  const [who, when, must, stake] = [voice.who, voice.when, voice.must, voice.stake].map(words =>
    random.pick(words),
  ) as [string, string, string, string]
  const place = random.pick(places)
  return capital(
    random.pick([
      `when ${when}, ${who} must ${must} ${stake}.`,
      `after ${when}, ${who} must ${must} ${stake}.`,
      `in ${random.pick(settings)}, ${who} must ${must} ${stake}.`,
      `${place}, today: ${when}, and ${who} must ${must} ${stake}.`,
    ]),
  )
}

function makePitches(random: Random, people: Person[]): Pitch[] {
  const creators = people.filter(({ type }) => type === 'creator' || type === 'production')
  const productive = new Popularity(random, creators)
  const pitches: Pitch[] = []
  for (let id = 1; id <= counts.pitches; id += 1) {
    const example = id <= 5
    const owner = example ? people[0]! : productive.pick(random)
    const genre = byShare(random, genreShares)
    const format = byShare(random, formatShares)
    const status = example ? 'published' : byShare(random, { published: 84, draft: 11, archived: 5 })
    const visibility = example ? 'public' : byShare(random, { public: 80, nda: 15, private: 5 })
    const created = example ? start + id * 20 * day : after(random, owner.joined, end - day)
    const published = status === 'draft' ? null : after(random, created, Math.min(end, created + 60 * day))
    const budget = random.pick(budgetsInThousands[format])
    const seeking = status === 'published' && visibility !== 'private' && (example || random.chance(0.55))
    // A goal is a part of the budget; the rest is soft money, presales and hope. In whole minimum tickets.
    const goal = seeking
      ? Math.ceil((budget * 1_000 * random.pick([20, 25, 30, 40, 50])) / 100 / 1_000) * 1_000
      : 0
    const minimum = seeking ? Math.max(250, Math.floor(goal / random.pick([20, 40, 50, 100]) / 250) * 250) : 0
    const title = titleOf(random, genre)
    const logline = loglineOf(random, genre)
    const [lead, other] = [random.pick(firstNames), random.pick(firstNames)]
    const place = random.pick(places)
    const shortSynopsis = `${lead} comes to ${place} to settle one account and finds another. ${logline}`
    pitches.push({
      id,
      owner,
      title,
      published,
      open: status === 'published' && visibility !== 'private',
      goal,
      left: goal,
      minimum,
      row: {
        id,
        user_id: owner.id,
        title,
        logline,
        description: random.chance(0.8)
          ? `${capital(format.toLowerCase())}, ${genre.toLowerCase()}. Shot on location in ${place}.`
          : null,
        genre,
        format,
        short_synopsis: shortSynopsis,
        long_synopsis: `${shortSynopsis}\n\nIn the middle of the story ${other} makes an offer that ${lead} can’t refuse, and should. The last act returns to ${place}, where nothing that was promised can be kept.`,
        budget_range: budgetRanges.find(([below]) => budget < below)![1],
        estimated_budget: cents(budget * 1_000),
        production_stage: stages[Math.min(random.between(0, 4), random.between(0, 4))],
        visibility,
        status,
        like_count: 0,
        require_nda: visibility === 'nda' || random.chance(0.05),
        seeking_investment: seeking,
        funding_goal: seeking ? cents(goal) : null,
        minimum_investment: seeking ? cents(minimum) : null,
        tags: random.some(voices[genre].tags, random.between(1, 3)),
        visibility_settings: { allowComments: random.chance(0.8), allowDownload: random.chance(0.3) },
        additional_media: Array.from({ length: random.between(0, 3) }, () => ({
          kind: random.pick(['lookbook', 'trailer', 'deck', 'script sample']),
          url: `https://media.example.com/${random.uuid()}`,
        })),
        metadata: {
          comparable: random.some(voices[genre].comparable, 2),
          languages: random.some(['en', 'es', 'fr', 'it', 'ka', 'pl', 'yo'], random.between(1, 2)),
          ...(format === 'Film' || format === 'Short Film'
            ? { minutes: format === 'Film' ? random.between(82, 148) : random.between(6, 28) }
            : { episodes: random.between(4, 10), episodeMinutes: random.pick([25, 30, 45, 50, 60]) }),
        },
        shooting_starts: random.chance(0.3)
          ? `${dateOf(end + random.between(30, 500) * day)}T0${random.between(5, 9)}:${random.pick(['00', '30'])}:00`
          : null,
        published_at: published === null ? null : instant(published),
        created_at: instant(created),
        updated_at: instant(published ?? created),
      },
    })
  }
  return pitches
}

/** Calls `fn` until it has given `count` different keys. */
function distinct(count: number, fn: () => string | undefined): void {
  const seen = new Set<string>()
  while (seen.size < count) {
    const key = fn()
    if (key !== undefined) seen.add(key)
  }
}

interface Notice {
  to: Person
  type: string
  title: string
  message: string
  relatedId: number
  relatedType: string
  data: Row
  at: number
}

function timed<T extends { at: number }>(events: T[]): T[] {
  return events.sort((one, other) => one.at - other.at)
}

function makeViews(
  random: Random,
  people: Person[],
  pitches: Pitch[],
): { views: Row[]; pageViews: Map<number, number> } {
  const popular = new Popularity(random, pitches)
  const pageViews = new Map<number, number>()
  const events: { at: number; row: Row }[] = []
  while (events.length < counts.views) {
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
    if (random.chance(0.2) && events.length < counts.views) {
      const seconds = random.between(4, 60) * random.between(1, 8)
      events.push({
        at: at + seconds * 1000,
        row: {
          ...row,
          view_type: byShare(random, { read: 70, trailer: 15, deck: 10, share: 5 }),
          session_id: session,
          view_duration: seconds,
          scroll_depth: Math.min(100, random.between(5, 25) * random.between(1, 6)),
          viewed_at: instant(at + seconds * 1000),
        },
      })
    }
  }
  return { views: timed(events).map(({ row }, index) => ({ id: index + 1, ...row })), pageViews }
}

export function makeRows(seed: number): Table[] {
  const random = new Random(seed)
  const { people, rows: users } = makeUsers(random)
  const pitches = makePitches(random, people)
  const listed = pitches.filter(({ open }) => open)
  const popular = new Popularity(random, listed)
  const investors = people.filter(({ type }) => type === 'investor' || type === 'production')
  const active = new Popularity(random, investors)
  const someone = new Popularity(random, people)
  const notices: Notice[] = []
  const { views, pageViews } = makeViews(random, people, listed)

  const saved: { at: number; row: Row }[] = []
  const saves = new Map<number, number>()
  const marks = new Set<string>()
  distinct(counts.saved, () => {
    const [user, pitch] = [someone.pick(random), popular.pick(random)]
    const key = `${user.id} ${pitch.id}`
    if (user === pitch.owner || marks.has(key)) return undefined
    marks.add(key)
    saves.set(pitch.id, (saves.get(pitch.id) ?? 0) + 1)
    const at = after(random, Math.max(pitch.published!, user.joined))
    saved.push({ at, row: { user_id: user.id, pitch_id: pitch.id, created_at: instant(at) } })
    return key
  })

  const follows: { at: number; row: Row }[] = []
  const followed = new Set<string>()
  distinct(counts.follows, () => {
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

  const requests: { at: number; row: Row }[] = []
  const ndas: { at: number; row: Row }[] = []
  const signed = new Map<number, number>()
  for (const pitch of listed) {
    if (!pitch.row.require_nda) continue
    const askers = new Set(Array.from({ length: random.between(0, 20) }, () => active.pick(random)))
    askers.delete(pitch.owner)
    for (const asker of askers) {
      const at = after(random, Math.max(pitch.published!, asker.joined))
      const status = byShare(random, { pending: 25, approved: 60, declined: 15 })
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
          nda_type: byShare(random, { standard: 85, mutual: 15 }),
          access_granted: !expired,
          signed_at: instant(answered!),
          expires_at: dateOf(expires),
          created_at: instant(at),
        },
      })
    }
  }

  const interests: { at: number; row: Row }[] = []
  const investments: { at: number; row: Row }[] = []
  const interested = new Set<string>()
  const seekers = listed.filter(({ goal, published }) => goal > 0 && published! < end - 7 * day)
  const wanted = new Popularity(random, seekers)
  while (investments.length < counts.investments) {
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
          interest_level: byShare(random, { curious: 30, moderate: 45, serious: 25 }),
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
        status: byShare(random, { pending: 25, confirmed: 75 }),
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

  const pitchRows = pitches.map(({ id, row, goal, left }) => {
    const views = pageViews.get(id) ?? 0
    return {
      ...row,
      view_count: views,
      like_count: (saves.get(id) ?? 0) + Math.floor((views * random.between(2, 8)) / 100),
      nda_count: signed.get(id) ?? 0,
      remaining_amount: goal > 0 ? cents(left) : null,
    }
  })

  const numbered = (events: { at: number; row: Row }[]) =>
    timed(events).map(({ row }, index) => ({ id: index + 1, ...row }))
  return [
    { name: 'users', rows: users },
    { name: 'pitches', rows: pitchRows },
    { name: 'investments', rows: numbered(investments) },
    { name: 'investment_interests', rows: numbered(interests) },
    { name: 'ndas', rows: numbered(ndas) },
    { name: 'nda_requests', rows: numbered(requests) },
    { name: 'follows', rows: numbered(follows) },
    { name: 'saved_pitches', rows: timed(saved).map(({ row }) => row) },
    {
      name: 'notifications',
      rows: timed(notices).map(({ to, at, type, title, message, relatedId, relatedType, data }, index) => ({
        id: index + 1,
        user_id: to.id,
        type,
        title,
        message,
        related_id: relatedId,
        related_type: relatedType,
        data,
        is_read: random.chance(end - at > 30 * day ? 0.95 : 0.4),
        created_at: instant(at),
      })),
    },
    { name: 'pitch_views', rows: views },
  ]
}
