import { beforeAll, describe, expect, test } from 'vitest'
import { atOnce, type Platform, startPlatform, tally } from '../../test/platform.ts'
import { formats } from '../db/schema.ts'

const listed = `status = 'published' and visibility <> 'private'`

let platform: Platform
beforeAll(async () => {
  platform = await startPlatform()
})

const figure = async (text: string, parameters?: unknown[]) =>
  Number(Object.values((await platform.sql(text, parameters))[0])[0])

interface Card {
  id: number
  title: string
  format: string
  publishedAt: string
  viewCount: number
}

describe('GET /api/pitches', () => {
  test('gives the newest twenty first, and how many there are', async () => {
    const { status, body } = await platform.get('/api/pitches')
    expect(status).toBe(200)
    expect(body.success).toBe(true)
    const { pitches, ...rest } = body.data
    const total = await figure(`select count(*) from pitches where ${listed}`)
    expect(rest).toEqual({ page: 1, limit: 20, total, pages: Math.ceil(total / 20) })
    const expected = await platform.sql(
      `select id from pitches where ${listed} order by published_at desc, id desc limit 20`,
    )
    expect(pitches.map((pitch: Card) => pitch.id)).toEqual(expected.map(row => row.id))
  })

  test('shows of a creator only what is public', async () => {
    const { body } = await platform.get('/api/pitches?limit=1')
    expect(Object.keys(body.data.pitches[0].creator).sort()).toEqual([
      'companyName',
      'companyVerified',
      'id',
      'name',
    ])
    expect(body.data.pitches[0]).not.toHaveProperty('search')
  })

  test('money and dates keep their form: text with two decimals, ISO 8601', async () => {
    const { body } = await platform.get('/api/pitches?limit=1')
    expect(body.data.pitches[0].estimatedBudget).toMatch(/^\d+\.\d{2}$/)
    expect(new Date(body.data.pitches[0].publishedAt).toISOString()).toBe(body.data.pitches[0].publishedAt)
  })

  test('pages through a format without gap or repetition', async () => {
    const format = encodeURIComponent('Limited Series')
    const first = await platform.get(`/api/pitches?format=${format}&limit=50`)
    const pages = await atOnce(first.body.data.pages, index =>
      platform.get(`/api/pitches?format=${format}&limit=50&page=${index + 1}`),
    )
    const all: Card[] = pages.flatMap(({ body }) => body.data.pitches)
    expect(new Set(all.map(({ format }) => format))).toEqual(new Set(['Limited Series']))
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    expect(all.length).toBe(
      await figure(`select count(*) from pitches where ${listed} and format = 'Limited Series'`),
    )
  })

  test('behind the last page there is nothing, and the total still stands', async () => {
    const { status, body } = await platform.get('/api/pitches?page=1000&format=Film')
    expect(status).toBe(200)
    expect(body.data.pitches).toEqual([])
    expect(body.data.total).toBe(
      await figure(`select count(*) from pitches where ${listed} and format = 'Film'`),
    )
  })

  test('an empty value is a field left out', async () => {
    const { status, body } = await platform.get('/api/pitches?format=&genre=&page=')
    expect(status).toBe(200)
    expect(body.data.page).toBe(1)
  })

  test.each([
    ['format=Opera', 'format', /one of "Film"/],
    ['genre=drama', 'genre', /one of "Comedy"/],
    ['page=0', 'page', /from 1 to 1000/],
    ['page=-1', 'page', /from 1 to 1000/],
    ['page=two', 'page', /whole number/],
    ['page=1.5', 'page', /whole number/],
    ['page=99999999999999999999', 'page', /from 1 to 1000/],
    ['limit=101', 'limit', /from 1 to 100/],
    ['limit=10;drop table pitches', 'limit', /whole number/],
  ])('%s is a 400 that names %s', async (query, field, message) => {
    const { status, body } = await platform.get(`/api/pitches?${query}`)
    expect(status).toBe(400)
    expect(body.success).toBe(false)
    expect(body.errors).toEqual([{ field, message: expect.stringMatching(message) }])
    expect(body.message).toBe(`${field}: ${body.errors![0]!.message}`)
  })

  test('two mistakes are told at once', async () => {
    const { body } = await platform.get('/api/pitches?page=0&limit=0')
    expect(body.errors!.map(({ field }) => field)).toEqual(['page', 'limit'])
  })
})

describe('GET /api/pitches/public', () => {
  test.each([
    ['film', ['Film']],
    ['television', ['Television - Scripted', 'Television - Unscripted']],
    ['limited-series', ['Limited Series']],
    ['shorts', ['Short Film', 'Web Series']],
  ])('tab %s holds its formats', async (tab, expected) => {
    const { body } = await platform.get(`/api/pitches/public?tab=${tab}&limit=100`)
    expect([...new Set(body.data.pitches.map((pitch: Card) => pitch.format))].sort()).toEqual(expected)
  })

  test('without a tab it holds all of them', async () => {
    const { body } = await platform.get('/api/pitches/public?limit=100')
    expect(new Set(body.data.pitches.map((pitch: Card) => pitch.format)).size).toBe(formats.length)
  })

  test('an unknown tab is a 400 that lists the tabs', async () => {
    const { status, body } = await platform.get('/api/pitches/public?tab=opera')
    expect(status).toBe(400)
    expect(body.message).toMatch(/^tab: must be one of "all", "film"/)
  })
})

test('GET /api/pitches/trending gives the most viewed first', async () => {
  const { body } = await platform.get('/api/pitches/trending?limit=10')
  const views = body.data.pitches.map((pitch: Card) => pitch.viewCount)
  expect(views).toHaveLength(10)
  expect(views).toEqual(views.toSorted((one: number, other: number) => other - one))
})

describe('GET /api/pitches/:id', () => {
  test('gives the pitch with its creator', async () => {
    const { status, body } = await platform.get('/api/pitches/1')
    const [row] = await platform.sql(
      `select p.title, p.estimated_budget::text, u.first_name || ' ' || u.last_name as name
       from pitches p join users u on u.id = p.user_id where p.id = 1`,
    )
    expect(status).toBe(200)
    expect(body.data.pitch).toMatchObject({
      id: 1,
      title: row.title,
      estimatedBudget: row.estimated_budget,
      creator: { id: 1, name: row.name },
    })
    expect(JSON.stringify(body)).not.toMatch(/password|@example\.com/)
  })

  test('counts fifty views at once as fifty, each with its row', async () => {
    const before = await figure('select view_count from pitches where id = 2')
    const rows = await figure('select count(*) from pitch_views where pitch_id = 2')
    const answers = await atOnce(50, () => platform.get('/api/pitches/2', { as: 4 }))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 50 })
    expect(await figure('select view_count from pitches where id = 2')).toBe(before + 50)
    expect(await figure('select count(*) from pitch_views where pitch_id = 2')).toBe(rows + 50)
    // Each was told a count of its own: no two views were one.
    expect(new Set(answers.map(({ body }) => body.data.pitch.viewCount)).size).toBe(50)
  })

  test('notes who looked, from where', async () => {
    await platform.get('/api/pitches/3', {
      as: 4,
      headers: { 'CF-Connecting-IP': '2001:db8::7', Referer: 'https://www.example.com/' },
    })
    const [view] = await platform.sql(
      'select viewer_id, host(ip_address) as address, referrer from pitch_views where pitch_id = 3 order by id desc limit 1',
    )
    expect(view).toEqual({ viewer_id: 4, address: '2001:db8::7', referrer: 'https://www.example.com/' })
  })

  test('an address that is none is left out', async () => {
    const { status } = await platform.get('/api/pitches/3', { headers: { 'CF-Connecting-IP': '300.1.2.3' } })
    expect(status).toBe(200)
  })

  test('an owner is not their own audience', async () => {
    const before = await figure('select view_count from pitches where id = 4')
    const { body } = await platform.get('/api/pitches/4', { as: 1 })
    expect(body.data.pitch.viewCount).toBe(before)
    expect(await figure('select view_count from pitches where id = 4')).toBe(before)
  })

  test('HEAD is no view', async () => {
    const before = await figure('select view_count from pitches where id = 5')
    expect((await fetch(`${platform.url}/api/pitches/5`, { method: 'HEAD' })).status).toBe(200)
    expect(await figure('select view_count from pitches where id = 5')).toBe(before)
  })

  test('the long synopsis of a pitch under NDA is for its owner and for those who signed', async () => {
    const [nda] = await platform.sql(
      `select n.pitch_id, n.signer_id, p.user_id from ndas n join pitches p on p.id = n.pitch_id
       where n.access_granted and n.expires_at >= current_date and p.status = 'published' and p.visibility = 'nda' limit 1`,
    )
    const [stranger] = await platform.sql(
      'select id from users where id <> $1 and id not in (select signer_id from ndas where pitch_id = $2) limit 1',
      [nda.user_id, nda.pitch_id],
    )
    const synopsis = async (as?: number) =>
      (await platform.get(`/api/pitches/${nda.pitch_id}`, as === undefined ? {} : { as })).body.data.pitch
        .longSynopsis
    expect(await synopsis()).toBeNull()
    expect(await synopsis(stranger.id)).toBeNull()
    expect(await synopsis(nda.signer_id)).toBeTypeOf('string')
    expect(await synopsis(nda.user_id)).toBeTypeOf('string')
  })

  test('a draft is there for its owner only', async () => {
    const [draft] = await platform.sql(`select id, user_id from pitches where status = 'draft' limit 1`)
    const hidden = await platform.get(`/api/pitches/${draft.id}`)
    expect(hidden.status).toBe(404)
    expect(hidden.body).toEqual({ success: false, message: 'there is no such pitch' })
    expect((await platform.get(`/api/pitches/${draft.id}`, { as: draft.user_id })).status).toBe(200)
  })

  test('an unknown id is a 404', async () => {
    expect((await platform.get('/api/pitches/2000000000')).status).toBe(404)
  })

  test.each([
    'abc',
    '0',
    '-1',
    '1.5',
    '1e3',
    '0x1',
    '2147483648',
    '99999999999999999999',
    "1'%20or%20'1'='1",
    '1;--',
    '%00',
  ])('/api/pitches/%s is a 400', async id => {
    const { status, body } = await platform.get(`/api/pitches/${id}`)
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field: 'id', message: 'must be a whole number from 1 to 2147483647' }])
  })

  test('who asks must be a number, and there', async () => {
    const wrong = await platform.get('/api/pitches/1', { headers: { 'X-User-Id': 'me' } })
    expect(wrong.status).toBe(400)
    expect(wrong.body.errors![0]!.field).toBe('X-User-Id')
    expect((await platform.get('/api/pitches/1', { as: 1_000_000 })).status).toBe(401)
  })
})

describe('POST /api/pitches', () => {
  const pitch = {
    title: 'The Night Ferry',
    logline: 'A ferry that is late by forty years docks with all its passengers.',
    genre: 'Drama',
    format: 'Film',
  }

  test('makes a pitch that everybody can read', async () => {
    const made = await platform.post(
      '/api/pitches',
      {
        ...pitch,
        estimatedBudget: 1_250_000.5,
        fundingGoal: '300000',
        minimumInvestment: 5000,
        tags: ['sea, "fog"', '{}'],
      },
      { as: 1 },
    )
    expect(made.status).toBe(201)
    const { body } = await platform.get(`/api/pitches/${made.body.data.id}`)
    expect(body.data.pitch).toMatchObject({
      ...pitch,
      estimatedBudget: '1250000.50',
      fundingGoal: '300000.00',
      remainingAmount: '300000.00',
      minimumInvestment: '5000.00',
      seekingInvestment: true,
      tags: ['sea, "fog"', '{}'],
      viewCount: 1,
    })
    const found = await platform.get('/api/search?q=ferry%20forty%20years')
    expect(found.body.data.pitches.map(({ id }: Card) => id)).toContain(made.body.data.id)
  })

  test('keeps a draft from others', async () => {
    const made = await platform.post('/api/pitches', { ...pitch, status: 'draft' }, { as: 1 })
    expect(made.body.data.status).toBe('draft')
    expect((await platform.get(`/api/pitches/${made.body.data.id}`)).status).toBe(404)
  })

  test('twenty clicks at once with one key make one pitch', async () => {
    const key = crypto.randomUUID()
    const answers = await atOnce(20, () => platform.post('/api/pitches', pitch, { as: 1, key }))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 19, 201: 1 })
    expect(new Set(answers.map(({ body }) => body.data.id)).size).toBe(1)
    expect(await figure('select count(*) from pitches where idempotency_key = $1', [key])).toBe(1)
  })

  test('a text of SQL is a text', async () => {
    const title = `'); drop table users; -- \\ $1 \${x} %s`
    const made = await platform.post('/api/pitches', { ...pitch, title }, { as: 1 })
    expect(await platform.sql('select title from pitches where id = $1', [made.body.data.id])).toEqual([
      { title },
    ])
  })

  test.each([
    ['title', undefined, 'is required'],
    ['title', '', 'must not be empty'],
    ['title', '   ', 'must not be empty'],
    ['title', 'x'.repeat(201), 'must have at most 200 characters'],
    ['title', 7, 'must be a string'],
    ['title', null, 'must be a string'],
    ['title', 'nul \0 byte', 'must not contain the character U+0000'],
    ['logline', 'short', 'must have at least 10 characters'],
    ['genre', 'Musical', expect.stringMatching(/^must be one of "Comedy"/)],
    ['format', ['Film'], expect.stringMatching(/^must be one of "Film"/)],
    ['estimatedBudget', -1, expect.stringMatching(/^must be an amount above 0/)],
    ['estimatedBudget', 0, expect.stringMatching(/^must be an amount above 0/)],
    ['estimatedBudget', 1e30, expect.stringMatching(/^must be an amount above 0/)],
    ['estimatedBudget', '12345678901234.00', expect.stringMatching(/^must be an amount above 0/)],
    ['estimatedBudget', 0.001, expect.stringMatching(/^must be an amount above 0/)],
    ['estimatedBudget', 'NaN', expect.stringMatching(/^must be an amount above 0/)],
    ['estimatedBudget', { $gt: 0 }, expect.stringMatching(/^must be an amount above 0/)],
    ['minimumInvestment', 5, 'is required with minimumInvestment', 'fundingGoal'],
    ['requireNda', 'yes', 'must be a boolean'],
    ['status', 'archived', 'must be one of "draft", "published"'],
    ['tags', 'sea', 'must be an array'],
    ['tags', Array(11).fill('sea'), 'must have at most 10 entries'],
    ['tags', ['sea', 1], 'must be a string', 'tags.1'],
    ['tagline', 'x', 'is not a field of this request'],
    ['userId', 2, 'is not a field of this request'],
  ])('%s = %j is a 400', async (field, value, message, told: string = field) => {
    const { status, body } = await platform.post('/api/pitches', { ...pitch, [field]: value }, { as: 1 })
    expect(status).toBe(400)
    expect(body.errors).toEqual([{ field: told, message }])
  })

  test('a minimum above the goal is told', async () => {
    const { body } = await platform.post(
      '/api/pitches',
      { ...pitch, fundingGoal: 1000, minimumInvestment: '1000.01' },
      { as: 1 },
    )
    expect(body.errors).toEqual([{ field: 'minimumInvestment', message: 'must not be above fundingGoal' }])
  })

  test.each([
    ['cut off', '{"title": "x"', /^is not JSON: /],
    ['empty', '', /^is not JSON: /],
    ['a list', '[]', /^must be an object$/],
    ['null', 'null', /^must be an object$/],
    ['a text', '"title"', /^must be an object$/],
  ])('a body that is %s is a 400', async (_, body, message) => {
    const answer = await platform.post('/api/pitches', body, { as: 1 })
    expect(answer.status).toBe(400)
    expect(answer.body.errors).toEqual([{ field: 'body', message: expect.stringMatching(message) }])
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp'])(
    'a body of type %s is a 400 that names the header',
    async type => {
      const { status, body } = await platform.post('/api/pitches', pitch, {
        as: 1,
        headers: { 'Content-Type': type },
      })
      expect(status).toBe(400)
      expect(body.errors).toEqual([
        { field: 'Content-Type', message: `must be application/json, not ${type}` },
      ])
    },
  )

  test('a body that is not UTF-8 is a 400', async () => {
    const { status } = await platform.request('/api/pitches', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-User-Id': '1' },
      body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]),
    })
    expect(status).toBe(400)
  })

  test('a body of a megabyte is a 413', async () => {
    const answer = await platform.request('/api/pitches', {
      method: 'POST',
      // It is answered before it is read, and workerd then ends the connection: it must not be the next test's.
      headers: { 'Content-Type': 'application/json', 'X-User-Id': '1', Connection: 'close' },
      body: JSON.stringify({ ...pitch, longSynopsis: 'x'.repeat(1_000_000) }),
    })
    expect(answer.status).toBe(413)
  })

  test('a key that is no UUID is a 400', async () => {
    const { status, body } = await platform.post('/api/pitches', pitch, { as: 1, key: 'again' })
    expect(status).toBe(400)
    expect(body.errors![0]!.field).toBe('Idempotency-Key')
  })

  test('it takes a creator: nobody is a 401, a viewer a 403', async () => {
    expect((await platform.post('/api/pitches', pitch)).status).toBe(401)
    expect((await platform.post('/api/pitches', pitch, { as: 1_000_000 })).status).toBe(401)
    expect((await platform.post('/api/pitches', pitch, { as: 4 })).status).toBe(403)
  })
})
