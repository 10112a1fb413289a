import { beforeAll, expect, test } from 'vitest'
import { atOnce, type Platform, startPlatform, tally } from '../../test/platform.ts'

let platform: Platform
beforeAll(async () => {
  platform = await startPlatform()
})

const track = (json: unknown, as?: number) =>
  platform.post('/api/analytics/track', json, as === undefined ? {} : { as })

const reports = (sessionId: string) =>
  platform.sql(
    `select view_type, viewer_id, view_duration, scroll_depth from pitch_views where session_id = $1 order by view_type`,
    [sessionId],
  )

test('a report that is sent again and again is one row with the highest figures', async () => {
  const sessionId = crypto.randomUUID()
  const answers = await atOnce(20, index =>
    track({ pitchId: 1, sessionId, viewDuration: index * 10, scrollDepth: 100 - index }, 4),
  )
  expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 20 })
  expect(await reports(sessionId)).toEqual([
    { view_type: 'read', viewer_id: 4, view_duration: 190, scroll_depth: 100 },
  ])
})

test('each kind of report is a row of its own, and none is a view', async () => {
  const sessionId = crypto.randomUUID()
  const [before] = await platform.sql('select view_count from pitches where id = 1')
  for (const viewType of ['read', 'trailer', 'deck', 'share'])
    await track({ pitchId: 1, sessionId, viewType })
  expect((await reports(sessionId)).map(row => row.view_type)).toEqual(['read', 'trailer', 'deck', 'share'])
  expect(await platform.sql('select view_count from pitches where id = 1')).toEqual([before])
})

test('a session is not needed to belong to a user', async () => {
  const sessionId = crypto.randomUUID()
  const { body } = await track({ pitchId: 1, sessionId, scrollDepth: 40 })
  expect(body.data).toEqual({ pitchId: 1, sessionId, viewType: 'read', viewDuration: null, scrollDepth: 40 })
})

test('an unknown pitch and a draft are a 404, an unknown user a 401', async () => {
  const sessionId = crypto.randomUUID()
  const [draft] = await platform.sql(`select id from pitches where status = 'draft' limit 1`)
  expect((await track({ pitchId: 2_000_000_000, sessionId })).status).toBe(404)
  expect((await track({ pitchId: draft.id, sessionId })).status).toBe(404)
  expect((await track({ pitchId: 1, sessionId }, 1_000_000)).status).toBe(401)
})

test.each([
  ['sessionId', { pitchId: 1 }],
  ['sessionId', { pitchId: 1, sessionId: 'mine' }],
  ['pitchId', { sessionId: crypto.randomUUID() }],
  ['viewType', { pitchId: 1, sessionId: crypto.randomUUID(), viewType: 'page' }],
  ['viewDuration', { pitchId: 1, sessionId: crypto.randomUUID(), viewDuration: -1 }],
  ['viewDuration', { pitchId: 1, sessionId: crypto.randomUUID(), viewDuration: 1e12 }],
  ['scrollDepth', { pitchId: 1, sessionId: crypto.randomUUID(), scrollDepth: 101 }],
  ['scrollDepth', { pitchId: 1, sessionId: crypto.randomUUID(), scrollDepth: '50' }],
  ['referrer', { pitchId: 1, sessionId: crypto.randomUUID(), referrer: 'x'.repeat(501) }],
])('a wrong %s is a 400: %j', async (field, json) => {
  const { status, body } = await track(json)
  expect(status).toBe(400)
  expect(body.errors!.map(error => error.field)).toEqual([field])
})
