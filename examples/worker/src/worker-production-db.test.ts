import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { FaultProxy } from '../../../test/support/fault-proxy.ts'
import { atOnce, type Platform, startPlatform, tally } from '../test/platform.ts'

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
afterEach(async () => {
  proxy.fault = null
  await proxy.listen()
})
afterAll(() => proxy[Symbol.asyncDispose]())

test('GET / says what to try, and all of it works', async () => {
  const { body } = await platform.get('/')
  expect(body.data.preferredRoute).toBe('hyperdrive')
  for (const path of body.data.try) {
    const response = await fetch(platform.url + path)
    expect([path, response.status]).toEqual([path, 200])
    await response.body?.cancel()
  }
})

test('what is not there is a 404 in the same envelope', async () => {
  const { status, body } = await platform.get('/api/nothing')
  expect(status).toBe(404)
  expect(body).toEqual({ success: false, message: 'there is no GET /api/nothing; GET / lists what there is' })
  expect((await platform.post('/api/search', {})).status).toBe(404)
})

test.each(['/api/health', '/api/health/live', '/api/health/ready', '/api/health/database-performance'])(
  'the library’s %s answers',
  async path => {
    const response = await fetch(platform.url + path)
    expect(response.status).toBe(200)
    await response.body?.cancel()
  },
)

test('all queries of one request go over one connection', async () => {
  const before = proxy.accepted
  // Behind the last page the list asks twice.
  await platform.get('/api/pitches?page=1000')
  expect(proxy.accepted - before).toBe(1)
})

describe('while the database is down', () => {
  const requests: [name: string, ask: () => ReturnType<Platform['get']>][] = [
    ['GET /api/pitches', () => platform.get('/api/pitches')],
    ['GET /api/pitches/1', () => platform.get('/api/pitches/1')],
    ['GET /api/search', () => platform.get('/api/search?q=sea')],
    ['GET /api/creator/dashboard', () => platform.get('/api/creator/dashboard', { as: 1 })],
    ['GET /api/investor/dashboard', () => platform.get('/api/investor/dashboard', { as: 2 })],
    ['POST /api/pitches/save', () => platform.post('/api/pitches/save', { pitchId: 1 }, { as: 2 })],
    ['POST /api/follow', () => platform.post('/api/follow', { userId: 1 }, { as: 2 })],
    [
      'POST /api/investment/express-interest',
      () => platform.post('/api/investment/express-interest', { pitchId: 1 }, { as: 2 }),
    ],
    [
      'POST /api/investments',
      () =>
        platform.post('/api/investments', { pitchId: 1, amount: 250 }, { as: 2, key: crypto.randomUUID() }),
    ],
    [
      'POST /api/analytics/track',
      () => platform.post('/api/analytics/track', { pitchId: 1, sessionId: crypto.randomUUID() }),
    ],
  ]

  /** Nothing of hosts, users, SQL or stacks. */
  const internals = /127\.0\.0\.1|localhost|postgres|sluice|select|insert|sql|\.ts|at \w+ \(/i

  test.each(requests)('%s is a 503 with a plain message', async (_, ask) => {
    await proxy.refuse()
    const { status, headers, body } = await ask()
    expect(status).toBe(503)
    expect(body).toEqual({
      success: false,
      message: 'the database is out of reach; please try again shortly',
    })
    expect(JSON.stringify(body)).not.toMatch(internals)
    expect(headers.get('Retry-After')).toBe('5')
  })

  test.each(['57P03', '53300', '08004'])('so is a start-up that is refused with %s', async code => {
    proxy.fault = { is: 'refuseAtStartUp', error: { code, message: 'host 10.0.0.7 says no to user admin' } }
    const { status, body } = await platform.get('/api/pitches')
    expect(status).toBe(503)
    expect(JSON.stringify(body)).not.toMatch(/10\.0\.0\.7|admin/)
  })

  test('a write whose answer is lost on every route is a 503 that says so', async () => {
    proxy.fault = { is: 'cut', at: /insert into saved_pitches/, moment: 'answered' }
    const { status, body } = await platform.post('/api/pitches/save', { pitchId: 1 }, { as: 2 })
    expect(status).toBe(503)
    expect(body.message).toMatch(/whether your change was made is unknown/)
  })

  test('a bad request is still a 400', async () => {
    await proxy.refuse()
    expect((await platform.get('/api/pitches?page=0')).status).toBe(400)
  })

  test('and when it is back, so is the platform', async () => {
    await proxy.refuse()
    await atOnce(10, () => platform.get('/api/pitches'))
    await proxy.listen()
    await expect
      .poll(async () => (await platform.get('/api/pitches/trending')).status, { timeout: 15_000 })
      .toBe(200)
  })

  test('the log names the path and holds no password', async () => {
    await proxy.refuse()
    await platform.get('/api/pitches')
    expect(platform.log()).toContain('"path":"/api/pitches"')
    expect(platform.log()).not.toContain(decodeURIComponent(new URL(proxy.url).password))
  })
})

test('an error of ours is a 500 that gives nothing away', async () => {
  await platform.sql('alter table notifications rename to notifications_gone')
  const { status, body } = await platform.get('/api/creator/dashboard', { as: 1 })
  await platform.sql('alter table notifications_gone rename to notifications')
  expect(status).toBe(500)
  expect(body).toEqual({ success: false, message: 'something went wrong on our side' })
  expect(platform.log()).toContain('42P01')
})

test('fifty requests of all kinds at once go well', async () => {
  const paths = [
    '/api/pitches',
    '/api/pitches/trending',
    '/api/pitches/2',
    '/api/search?q=night',
    '/api/creator/dashboard?userId=1',
  ]
  const answers = await atOnce(50, index => platform.get(paths[index % paths.length]!))
  expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 50 })
})
