import { beforeAll, describe, expect, test } from 'vitest'
import { atOnce, type Platform, startPlatform, tally } from '../../test/platform.ts'

let platform: Platform
beforeAll(async () => {
  platform = await startPlatform()
})

const figure = async (text: string, parameters?: unknown[]) =>
  Number(Object.values((await platform.sql(text, parameters))[0])[0])

const newViewer = async (name: string): Promise<number> =>
  (
    await platform.sql(
      `insert into users (email, username, password_hash, user_type, first_name, last_name)
       values ($1 || '@example.com', $1, '!', 'viewer', 'Vera', 'Viewer') returning id`,
      [name],
    )
  )[0].id

describe('POST /api/pitches/save', () => {
  test('twenty clicks at once save once; unsaving undoes it, also twice', async () => {
    const as = await newViewer('saver')
    const saved = () => figure('select count(*) from saved_pitches where user_id = $1', [as])
    const answers = await atOnce(20, () => platform.post('/api/pitches/save', { pitchId: 1 }, { as }))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 20 })
    expect(answers[0]!.body.data).toEqual({ pitchId: 1, saved: true })
    expect(await saved()).toBe(1)
    for (let click = 1; click <= 2; click += 1) {
      expect(
        (await platform.post('/api/pitches/save', { pitchId: 1, saved: false }, { as })).body.data.saved,
      ).toBe(false)
      expect(await saved()).toBe(0)
    }
  })

  test('an unknown pitch and a draft are a 404', async () => {
    const [draft] = await platform.sql(`select id from pitches where status = 'draft' limit 1`)
    for (const pitchId of [2_000_000_000, draft.id]) {
      expect((await platform.post('/api/pitches/save', { pitchId }, { as: 4 })).status).toBe(404)
    }
  })

  test.each([
    ['pitchId', {}],
    ['pitchId', { pitchId: '1' }],
    ['pitchId', { pitchId: 1.5 }],
    ['pitchId', { pitchId: 2_147_483_648 }],
    ['pitchId', { pitchId: -1 }],
    ['saved', { pitchId: 1, saved: 'no' }],
    ['pitch_id', { pitchId: 1, pitch_id: 1 }],
  ])('a wrong %s is a 400: %j', async (field, json) => {
    const { status, body } = await platform.post('/api/pitches/save', json, { as: 4 })
    expect(status).toBe(400)
    expect(body.errors!.map(error => error.field)).toEqual([field])
  })

  test('99999999999999999999 in JSON is too large, not rounded', async () => {
    const { status } = await platform.post('/api/pitches/save', '{"pitchId":99999999999999999999}', { as: 4 })
    expect(status).toBe(400)
  })

  test('it takes somebody: nobody, an unknown and a locked user are a 401', async () => {
    const [locked] = await platform.sql('select id from users where not is_active limit 1')
    expect((await platform.post('/api/pitches/save', { pitchId: 1 }, { as: locked.id })).status).toBe(401)
    expect((await platform.post('/api/follow', { userId: 1 }, { as: locked.id })).status).toBe(401)
    expect((await platform.post('/api/pitches/save', { pitchId: 1 })).status).toBe(401)
    expect((await platform.post('/api/pitches/save', { pitchId: 1 }, { as: 1_000_000 })).status).toBe(401)
  })
})

describe('POST /api/follow', () => {
  test('twenty clicks at once follow once and tell the person once', async () => {
    const as = await newViewer('follower')
    const answers = await atOnce(20, () => platform.post('/api/follow', { userId: 1 }, { as }))
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 20 })
    expect(await figure('select count(*) from follows where follower_id = $1', [as])).toBe(1)
    const told = await platform.sql(
      `select user_id, message from notifications where type = 'follow' and related_id = $1`,
      [as],
    )
    expect(told).toEqual([{ user_id: 1, message: 'Vera Viewer follows you.' }])
  })

  test('a pitch can be followed, and left again', async () => {
    const as = await newViewer('fan')
    expect((await platform.post('/api/follow', { pitchId: 2 }, { as })).body.data).toEqual({
      pitchId: 2,
      following: true,
    })
    expect(await platform.sql('select pitch_id from follows where follower_id = $1', [as])).toEqual([
      { pitch_id: 2 },
    ])
    const [{ title }] = await platform.sql('select title from pitches where id = 2')
    const told = await platform.sql(
      `select message from notifications where type = 'follow' and related_id = $1`,
      [as],
    )
    expect(told).toEqual([{ message: `Vera Viewer follows “${title}”.` }])
    await platform.post('/api/follow', { pitchId: 2, following: false }, { as })
    expect(await platform.sql('select pitch_id from follows where follower_id = $1', [as])).toEqual([])
  })

  test('nobody follows themselves', async () => {
    expect((await platform.post('/api/follow', { userId: 4 }, { as: 4 })).status).toBe(422)
  })

  test('an unknown user or pitch is a 404, an unknown follower a 401', async () => {
    expect((await platform.post('/api/follow', { userId: 1_000_000 }, { as: 4 })).status).toBe(404)
    expect((await platform.post('/api/follow', { pitchId: 1_000_000 }, { as: 4 })).status).toBe(404)
    expect((await platform.post('/api/follow', { userId: 1 }, { as: 1_000_000 })).status).toBe(401)
  })

  test.each([
    ['userId', {}],
    ['userId', { userId: 1, pitchId: 1 }],
    ['userId', { userId: 'one' }],
    ['following', { userId: 1, following: 1 }],
  ])('a wrong %s is a 400: %j', async (field, json) => {
    const { status, body } = await platform.post('/api/follow', json, { as: 4 })
    expect(status).toBe(400)
    expect(body.errors!.map(error => error.field)).toEqual([field])
  })
})
