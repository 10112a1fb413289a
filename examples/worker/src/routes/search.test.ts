import { beforeAll, expect, test } from 'vitest'
import { type Platform, startPlatform } from '../../test/platform.ts'

let platform: Platform
beforeAll(async () => {
  platform = await startPlatform()
})

interface Card {
  id: number
  title: string
  logline: string
  genre: string
  estimatedBudget: string
}

const find = async (query: Record<string, string>): Promise<Card[]> =>
  (await platform.get(`/api/search?${new URLSearchParams(query)}`)).body.data.pitches

test('finds words in all their forms, in title and logline', async () => {
  const found = await find({ q: 'ferries' })
  expect(found.length).toBeGreaterThan(0)
  for (const { id } of found) {
    const [row] = await platform.sql(
      `select title || ' ' || logline || ' ' || short_synopsis as text from pitches where id = $1`,
      [id],
    )
    expect(row.text).toMatch(/ferr(y|ies)/i)
  }
})

test('a title weighs more than a logline', async () => {
  await platform.sql(
    `insert into pitches (user_id, title, logline, genre, format, status, published_at) values
       (1, 'The Zeppelin', 'Older, and named after it.', 'Drama', 'Film', 'published', '2020-01-01'),
       (1, 'Airborne', 'Newer, with a zeppelin in its logline.', 'Drama', 'Film', 'published', '2026-01-01')`,
  )
  expect((await find({ q: 'zeppelins' })).map(({ title }) => title)).toEqual(['The Zeppelin', 'Airborne'])
})

test('understands quotes and a minus', async () => {
  const phrase = await find({ q: '"night train"' })
  const without = await find({ q: 'night -train' })
  expect(phrase.length).toBeGreaterThan(0)
  expect(without.length).toBeGreaterThan(0)
  const phraseIds = new Set(phrase.map(({ id }) => id))
  expect(without.filter(({ id }) => phraseIds.has(id))).toEqual([])
})

test('keeps to genre and budget', async () => {
  const found = await find({ genre: 'Horror', minBudget: '1000000', maxBudget: '4000000.00' })
  expect(found.length).toBeGreaterThan(0)
  for (const { genre, estimatedBudget } of found) {
    expect(genre).toBe('Horror')
    expect(Number(estimatedBudget)).toBeGreaterThanOrEqual(1_000_000)
    expect(Number(estimatedBudget)).toBeLessThanOrEqual(4_000_000)
  }
})

test('shows neither drafts nor private pitches', async () => {
  const found = await find({ genre: 'Drama' })
  const rows = await platform.sql('select distinct status, visibility from pitches where id = any($1)', [
    found.map(({ id }) => id),
  ])
  expect(new Set(rows.map(row => row.status))).toEqual(new Set(['published']))
  expect(rows.map(row => row.visibility)).not.toContain('private')
})

test.each([`'; drop table pitches; --`, `") | !! & <->`, `%' or 1=1`, 'the of and', '\\', '🎬'])(
  'whatever people type is a search: %s',
  async q => {
    const { status, body } = await platform.get(`/api/search?${new URLSearchParams({ q })}`)
    expect(status).toBe(200)
    expect(body.data.pitches).toBeInstanceOf(Array)
  },
)

test.each([
  ['q', { q: 'x'.repeat(201) }, 'must have at most 200 characters'],
  ['q', { q: 'a\0b' }, 'must not contain the character U+0000'],
  ['genre', { genre: 'Western' }, expect.stringMatching(/^must be one of/)],
  ['minBudget', { minBudget: 'cheap' }, expect.stringMatching(/^must be an amount of 0 or more/)],
  ['minBudget', { minBudget: '-5' }, expect.stringMatching(/^must be an amount of 0 or more/)],
  ['maxBudget', { maxBudget: '1e9' }, expect.stringMatching(/^must be an amount of 0 or more/)],
  ['maxBudget', { minBudget: '10', maxBudget: '9' }, 'must not be below minBudget'],
  ['limit', { limit: '51' }, 'must be a whole number from 1 to 50'],
])('a wrong %s is a 400: %j', async (field, query, message) => {
  const { status, body } = await platform.get(
    `/api/search?${new URLSearchParams(query as Record<string, string>)}`,
  )
  expect(status).toBe(400)
  expect(body.errors).toEqual([{ field, message }])
})

test('the index on the search vector is used', async () => {
  const plan = await platform.sql(
    `explain select id from pitches where search @@ websearch_to_tsquery('english', 'lighthouse')`,
  )
  expect(plan.map(row => row['QUERY PLAN']).join('\n')).toContain('pitches_search_idx')
})
