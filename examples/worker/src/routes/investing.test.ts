import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FaultProxy } from '../../../../test/support/fault-proxy.ts'
import { atOnce, type Platform, startPlatform, tally } from '../../test/platform.ts'

let platform: Platform
let proxy: FaultProxy
let investors: number[]

beforeAll(async () => {
  platform = await startPlatform({
    before: async url => {
      proxy = await FaultProxy.start(url)
      return proxy.url
    },
  })
  const rows = await platform.sql(
    `select id from users where user_type = 'investor' and is_active and id <> 2 order by id limit 50`,
  )
  investors = rows.map(row => row.id)
})
afterEach(() => {
  proxy.fault = null
})
afterAll(() => proxy[Symbol.asyncDispose]())

const figure = async (text: string, parameters?: unknown[]) =>
  Number(Object.values((await platform.sql(text, parameters))[0])[0])

/** A pitch of user 1 that looks for `goal`. */
const pitchSeeking = async (goal: number, minimum: number): Promise<number> => {
  const { body } = await platform.post(
    '/api/pitches',
    {
      title: 'Sought After',
      logline: 'Fifty strangers want the last seat in the boat.',
      genre: 'Thriller',
      format: 'Film',
      fundingGoal: goal,
      minimumInvestment: minimum,
    },
    { as: 1 },
  )
  return body.data.id
}

/** What was sold of a pitch, what is left of it, and how often its owner was told. */
const books = async (pitchId: number) => {
  const [row] = await platform.sql(
    `select
       (select count(*)::int from investments where pitch_id = p.id) as investments,
       (select coalesce(sum(amount), 0)::text from investments where pitch_id = p.id) as sold,
       remaining_amount::text as left,
       (select count(*)::int from notifications where related_id = p.id and type = 'investment') as told
     from pitches p where id = $1`,
    [pitchId],
  )
  return row
}

const invest = (pitchId: number, amount: unknown, as: number, key: string = crypto.randomUUID()) =>
  platform.post('/api/investments', { pitchId, amount }, { as, key })

describe('POST /api/investments', () => {
  test('takes the amount off what is left and tells the owner', async () => {
    const pitchId = await pitchSeeking(10_000, 500)
    const { status, body } = await invest(pitchId, '2500.50', 2)
    expect(status).toBe(201)
    expect(body.data).toMatchObject({
      investment: { pitchId, amount: '2500.50', status: 'pending' },
      remainingAmount: '7499.50',
    })
    expect(await books(pitchId)).toEqual({ investments: 1, sold: '2500.50', left: '7499.50', told: 1 })
  })

  test('twenty clicks at once with one key are one investment, and each is told of it', async () => {
    const pitchId = await pitchSeeking(10_000, 500)
    const key = crypto.randomUUID()
    const answers = await atOnce(20, () => invest(pitchId, 1000, 2, key))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 19, 201: 1 })
    expect(new Set(answers.map(({ body }) => body.data.investment.id)).size).toBe(1)
    expect(await books(pitchId)).toEqual({ investments: 1, sold: '1000.00', left: '9000.00', told: 1 })
  })

  test('fifty investors at once on an amount for seven: seven get it, nothing is oversold', async () => {
    const pitchId = await pitchSeeking(7_000, 1_000)
    const answers = await atOnce(50, index => invest(pitchId, 1_000, investors[index]!))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 201: 7, 409: 43 })
    expect(await books(pitchId)).toEqual({ investments: 7, sold: '7000.00', left: '0.00', told: 7 })
  })

  test('amounts of all sizes at once never sum to more than the goal', async () => {
    const pitchId = await pitchSeeking(20_000, 100)
    await atOnce(50, index => invest(pitchId, 100 + index * 37.5, investors[index]!))
    const { sold, left } = await books(pitchId)
    expect(Number(left)).toBeGreaterThanOrEqual(0)
    expect(Number(sold) + Number(left)).toBe(20_000)
  })

  test('the same key for another amount or pitch is a 422, and nothing changes', async () => {
    const pitchId = await pitchSeeking(10_000, 500)
    const key = crypto.randomUUID()
    await invest(pitchId, 1000, 2, key)
    expect((await invest(pitchId, 2000, 2, key)).status).toBe(422)
    expect((await invest(1, 1000, 2, key)).status).toBe(422)
    expect(await books(pitchId)).toMatchObject({ investments: 1, left: '9000.00' })
  })

  test('two investors may have the same key', async () => {
    const pitchId = await pitchSeeking(10_000, 500)
    const key = crypto.randomUUID()
    const answers = await atOnce(2, index => invest(pitchId, 1000, investors[index]!, key))
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
  })

  test('a key of a refused click can be used again', async () => {
    const pitchId = await pitchSeeking(1_000, 500)
    const key = crypto.randomUUID()
    expect((await invest(pitchId, 1_001, 2, key)).status).toBe(409)
    expect((await invest(pitchId, 1_000, 2, key)).status).toBe(201)
  })

  test('the last remainder may be below the minimum', async () => {
    const pitchId = await pitchSeeking(1_200, 1_000)
    await invest(pitchId, 1_000, 2)
    expect((await invest(pitchId, 200, 2)).status).toBe(201)
  })

  test.each([
    ['before COMMIT is sent on', 'before'],
    ['after COMMIT, before its answer', 'answered'],
  ] as const)('the connection that dies %s: the investment is there once, and told', async (_, moment) => {
    const pitchId = await pitchSeeking(10_000, 500)
    proxy.fault = { is: 'cut', at: /^commit/i, moment, times: 1 }
    const { status, body } = await invest(pitchId, 1_000, 2)
    expect(status).toBe(moment === 'before' ? 201 : 200)
    expect(body.data.investment).toMatchObject({ pitchId, amount: '1000.00' })
    expect(await books(pitchId)).toEqual({ investments: 1, sold: '1000.00', left: '9000.00', told: 1 })
  })

  test.each([
    ['more than is left', 5_001, 2, 409, 'only 5000.00 is left to invest in this pitch'],
    ['less than the minimum', 499, 2, 422, 'amount: the least that this pitch takes is 500.00'],
    ['the owner', 1_000, 1, 403, 'only investors and production companies invest'],
    ['a viewer', 1_000, 4, 403, 'only investors and production companies invest'],
    ['nobody we know', 1_000, 1_000_000, 401, 'X-User-Id: there is no such user, or it is not active'],
  ])('%s is refused, and leaves nothing behind', async (_, amount, as, status, message) => {
    const pitchId = await pitchSeeking(5_000, 500)
    const refused = await invest(pitchId, amount, as)
    expect(refused.status).toBe(status)
    expect(refused.body).toEqual({ success: false, message })
    expect(await books(pitchId)).toEqual({ investments: 0, sold: '0', left: '5000.00', told: 0 })
  })

  test('a company can’t invest in its own pitch', async () => {
    const [pitch] = await platform.sql(
      `select p.id, p.user_id, p.remaining_amount from pitches p join users u on u.id = p.user_id
       where u.user_type = 'production' and u.is_active and p.seeking_investment and p.remaining_amount > 0 limit 1`,
    )
    expect((await invest(pitch.id, pitch.remaining_amount, pitch.user_id)).status).toBe(422)
  })

  test('what is sold out, not on offer, hidden or unknown is refused', async () => {
    const soldOut = await pitchSeeking(500, 500)
    await invest(soldOut, 500, 2)
    expect((await invest(soldOut, 500, 2)).status).toBe(409)
    const [closed] = await platform.sql(
      `select id from pitches where status = 'published' and visibility = 'public' and not seeking_investment limit 1`,
    )
    expect((await invest(closed.id, 500, 2)).status).toBe(409)
    const [draft] = await platform.sql(`select id from pitches where status = 'draft' limit 1`)
    expect((await invest(draft.id, 500, 2)).status).toBe(404)
    expect((await invest(2_000_000_000, 500, 2)).status).toBe(404)
  })

  test.each([
    ['amount', { pitchId: 1 }],
    ['amount', { pitchId: 1, amount: 0 }],
    ['amount', { pitchId: 1, amount: -100 }],
    ['amount', { pitchId: 1, amount: '1,000' }],
    ['amount', { pitchId: 1, amount: '0.001' }],
    ['amount', { pitchId: 1, amount: 1e14 }],
    ['amount', { pitchId: 1, amount: '1); delete from investments; --' }],
    ['pitchId', { amount: 1000 }],
    ['pitchId', { pitchId: 1e10, amount: 1000 }],
    ['terms', { pitchId: 1, amount: 1000, terms: 'x'.repeat(2001) }],
    ['investorId', { pitchId: 1, amount: 1000, investorId: 3 }],
  ])('a wrong %s is a 400: %j', async (field, json) => {
    const { status, body } = await platform.post('/api/investments', json, {
      as: 2,
      key: crypto.randomUUID(),
    })
    expect(status).toBe(400)
    expect(body.errors!.map(error => error.field)).toEqual([field])
  })

  test('without a key it is a 400 that says what the key is for', async () => {
    const { status, body } = await platform.post('/api/investments', { pitchId: 1, amount: 1000 }, { as: 2 })
    expect(status).toBe(400)
    expect(body.message).toBe('Idempotency-Key: is required: a UUID, one for each decision to invest')
  })
})

describe('POST /api/investment/express-interest', () => {
  const express = (json: Record<string, unknown>, as: number) =>
    platform.post('/api/investment/express-interest', json, { as })

  test('twenty clicks at once are one interest, and the owner is told once', async () => {
    const pitchId = await pitchSeeking(10_000, 500)
    const answers = await atOnce(20, () => express({ pitchId, amount: 2500, notes: 'Strong voice.' }, 2))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 19, 201: 1 })
    expect(await figure('select count(*) from investment_interests where pitch_id = $1', [pitchId])).toBe(1)
    expect(
      await figure(`select count(*) from notifications where related_id = $1 and type = 'interest'`, [
        pitchId,
      ]),
    ).toBe(1)
  })

  test('a change of mind replaces it', async () => {
    const pitchId = await pitchSeeking(10_000, 500)
    await express({ pitchId, interestLevel: 'curious' }, 2)
    const { status, body } = await express({ pitchId, amount: 750, interestLevel: 'serious' }, 2)
    expect(status).toBe(200)
    expect(body.data).toMatchObject({ pitchId, amount: '750.00', interestLevel: 'serious' })
    const rows = await platform.sql(
      'select amount, interest_level from investment_interests where pitch_id = $1',
      [pitchId],
    )
    expect(rows).toEqual([{ amount: '750.00', interest_level: 'serious' }])
  })

  test('who may not is told why', async () => {
    const [draft] = await platform.sql(`select id from pitches where status = 'draft' limit 1`)
    expect((await express({ pitchId: 1 }, 4)).status).toBe(403)
    expect((await express({ pitchId: 1 }, 1_000_000)).status).toBe(401)
    expect((await express({ pitchId: draft.id }, 2)).status).toBe(404)
    expect((await express({ pitchId: 2_000_000_000 }, 2)).status).toBe(404)
  })

  test.each([
    ['pitchId', {}],
    ['amount', { pitchId: 1, amount: 'much' }],
    ['interestLevel', { pitchId: 1, interestLevel: 'very' }],
    ['notes', { pitchId: 1, notes: 'a\0b' }],
    ['message', { pitchId: 1, message: 'hello' }],
  ])('a wrong %s is a 400: %j', async (field, json) => {
    const { status, body } = await express(json, 2)
    expect(status).toBe(400)
    expect(body.errors!.map(error => error.field)).toEqual([field])
  })
})
