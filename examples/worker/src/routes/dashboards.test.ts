import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultProxy } from '../../../../test/support/fault-proxy.ts'
import { type Platform, startPlatform } from '../../test/platform.ts'

let platform: Platform
let proxy: FaultProxy
beforeAll(async () => {
  platform = await startPlatform({
    before: async url => {
      proxy = await FaultProxy.start(url)
      return proxy.url
    },
  })
})
afterAll(() => proxy[Symbol.asyncDispose]())

describe('GET /api/creator/dashboard', () => {
  test('adds up what is in the tables', async () => {
    const { status, body } = await platform.get('/api/creator/dashboard', { as: 1 })
    const [sums] = await platform.sql(
      `select count(*)::int as pitches, sum(view_count)::int as views, sum(funding_goal - remaining_amount)::text as raised,
         count(*) filter (where status = 'draft')::int as drafts
       from pitches where user_id = 1`,
    )
    const [others] = await platform.sql(
      `select
         (select count(*)::int from follows where following_id = 1) as followers,
         (select count(*)::int from notifications where user_id = 1 and not is_read) as "unreadNotifications"`,
    )
    expect(status).toBe(200)
    expect(body.data.totals).toMatchObject(sums)
    expect(body.data).toMatchObject(others)
    expect(body.data.pitches).toHaveLength(10)
    expect(body.data.pitches[0].remainingAmount ?? '0.00').toMatch(/^\d+\.\d{2}$/)
  })

  test('holds requests that wait for an answer, newest first', async () => {
    const [{ owner_id: owner }] = await platform.sql(
      `select owner_id from nda_requests where status = 'pending' group by 1 order by count(*) desc limit 1`,
    )
    const { body } = await platform.get('/api/creator/dashboard', { as: owner })
    const expected = await platform.sql(
      `select id from nda_requests where owner_id = $1 and status = 'pending' order by requested_at desc, id desc limit 10`,
      [owner],
    )
    expect(body.data.pendingNdaRequests.map(({ id }: { id: number }) => id)).toEqual(
      expected.map(row => row.id),
    )
  })

  test('of somebody new is empty, not missing', async () => {
    const [{ id }] = await platform.sql(
      `insert into users (email, username, password_hash, user_type, first_name, last_name)
       values ('new@example.com', 'new', '!', 'creator', 'New', 'Comer') returning id`,
    )
    const { body } = await platform.get('/api/creator/dashboard', { as: id })
    expect(body.data).toMatchObject({
      totals: { pitches: 0, views: 0, raised: '0' },
      pitches: [],
      pendingNdaRequests: [],
      interests: [],
    })
  })
})

describe('GET /api/investor/dashboard', () => {
  test('adds up what is in the tables', async () => {
    const { status, body } = await platform.get('/api/investor/dashboard', { as: 2 })
    const [sums] = await platform.sql(
      `select count(*)::int as investments, sum(amount)::text as invested, sum(current_value)::text as "currentValue"
       from investments where investor_id = 2`,
    )
    expect(status).toBe(200)
    expect(body.data.totals).toMatchObject(sums)
    const byGenre: { investments: number }[] = body.data.byGenre
    expect(byGenre.reduce((sum, { investments }) => sum + investments, 0)).toBe(sums.investments)
    expect(body.data.investments).toHaveLength(10)
  })
})

test.each([
  '/api/creator/dashboard?userId=1',
  '/api/investor/dashboard?userId=2',
  '/api/pitches/1',
  '/api/search?q=sea',
])('%s is one statement, on one connection', async path => {
  const [statements, connections] = [proxy.statements.length, proxy.accepted]
  expect((await platform.get(path)).status).toBe(200)
  expect(proxy.statements.slice(statements)).toHaveLength(1)
  expect(proxy.accepted - connections).toBe(1)
})

test.each(['/api/creator/dashboard', '/api/investor/dashboard'])(
  '%s is for somebody who is there',
  async path => {
    expect((await platform.get(path)).status).toBe(401)
    expect((await platform.get(path, { as: 1_000_000 })).status).toBe(401)
    expect((await platform.get(`${path}?userId=abc`)).status).toBe(400)
    expect((await platform.get(`${path}?userId=2147483648`)).status).toBe(400)
    expect((await platform.get(`${path}?userId=1`)).status).toBe(200)
  },
)
