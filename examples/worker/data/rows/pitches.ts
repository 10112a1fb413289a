/** What is offered: each pitch with its texts and its money. */
import type { Format, Genre, Stage } from '../../src/db/schema.ts'
import { Popularity, type Random } from '../random.ts'
import { firstNames, places, settings, voices } from '../words.ts'
import { after, dateOf, day, end, instant, type Row, start } from './history.ts'
import type { Person } from './users.ts'

const pitchCount = 2_000

export const cents = (amount: number) => `${amount}.00`

export const genres = Object.keys(voices) as Genre[]

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

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

export interface Pitch {
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

export function makePitches(random: Random, people: Person[]): Pitch[] {
  const creators = people.filter(({ type }) => type === 'creator' || type === 'production')
  const productive = new Popularity(random, creators)
  const pitches: Pitch[] = []
  for (let id = 1; id <= pitchCount; id += 1) {
    const example = id <= 5
    const owner = example ? people[0]! : productive.pick(random)
    const genre = random.byShare(genreShares)
    const format = random.byShare(formatShares)
    const status = example ? 'published' : random.byShare({ published: 84, draft: 11, archived: 5 })
    const visibility = example ? 'public' : random.byShare({ public: 80, nda: 15, private: 5 })
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

/** With what happened to them since: what a pitch says of other tables agrees with these. */
export function pitchRows(
  random: Random,
  pitches: Pitch[],
  { pageViews, saves, signed }: Record<'pageViews' | 'saves' | 'signed', Map<number, number>>,
): Row[] {
  return pitches.map(({ id, row, goal, left }) => {
    const views = pageViews.get(id) ?? 0
    return {
      ...row,
      view_count: views,
      like_count: (saves.get(id) ?? 0) + Math.floor((views * random.between(2, 8)) / 100),
      nda_count: signed.get(id) ?? 0,
      remaining_amount: goal > 0 ? cents(left) : null,
    }
  })
}
