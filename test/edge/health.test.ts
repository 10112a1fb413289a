/** The health routes in workerd: what they ask of the database, and that what they say was measured. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { inParallel } from '../support/parallel.ts'
import { runWorker } from '../support/worker.ts'
import { twoRoutes } from './two-routes.ts'

const { database, hyperdrive, direct, worker } = await twoRoutes('health')

let tests = 0
let before = { hyperdrive: 0, direct: 0 }
beforeEach(() => {
  tests++
  hyperdrive.fault = null
  direct.fault = null
  before = { hyperdrive: hyperdrive.accepted, direct: direct.accepted }
})

const opened = () => ({
  hyperdrive: hyperdrive.accepted - before.hyperdrive,
  direct: direct.accepted - before.direct,
})
const ask = (path: string, options = '') => worker.fetch(`/api/health${path}?manager=${tests}${options}`)
const dark = () => {
  hyperdrive.fault = { is: 'hang' }
  direct.fault = { is: 'hang' }
}

async function timed(act: () => Promise<Response>) {
  const began = performance.now()
  const response = await act()
  // biome-ignore lint/suspicious/noExplicitAny: the page's own shape
  return { status: response.status, body: (await response.json()) as any, ms: performance.now() - began }
}

describe.each(['', '/live'])('/api/health%s', path => {
  test('answers at once, without the database, in the dark too', async () => {
    dark()
    const answers = await inParallel(50, 50, () => timed(() => ask(path)))
    for (const { status, body } of answers) {
      expect(status).toBe(200)
      expect(body.status).toBe('ok')
    }
    expect(opened()).toEqual({ hyperdrive: 0, direct: 0 })
  })
})

describe('/api/health/ready', () => {
  // A readiness is fresh for a second.
  beforeEach(() => pause(1_000))

  test('200 probes at once share one query', async () => {
    const asked = hyperdrive.count('select')
    const answers = await inParallel(200, 200, () => timed(() => ask('/ready')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(answers[0]!.body).toMatchObject({ status: 'ok', ready: true, route: 'hyperdrive' })
    expect(hyperdrive.count('select') - asked).toBe(1)
    expect(opened()).toEqual({ hyperdrive: 1, direct: 0 })
  })

  test('200 probes while the database is dark: 503 within the deadline, one connection a route', async () => {
    dark()
    const answers = await inParallel(200, 200, () => timed(() => ask('/ready')))
    for (const { status, body, ms } of answers) {
      expect(status).toBe(503)
      expect(body).toMatchObject({ status: 'error', ready: false, reason: 'timeout' })
      expect(ms).toBeLessThan(2_000 + 500)
    }
    expect(opened()).toEqual({ hyperdrive: 1, direct: 1 })
  })

  test('probes that go on in the dark open no more than one connection a route in each second', async () => {
    dark()
    const began = performance.now()
    await inParallel(20, 20, async lane => {
      await pause(lane * 50)
      while (performance.now() - began < 4_000) expect((await ask('/ready')).status).toBe(503)
    })
    const seconds = (performance.now() - began) / 1_000
    expect(opened().hyperdrive).toBeLessThanOrEqual(Math.ceil(seconds))
    expect(opened().direct).toBeLessThanOrEqual(Math.ceil(seconds))
  })

  test.each([
    ['is dark', { is: 'hang' }],
    ['logs in and never answers', { is: 'dark', at: 'select', moment: 'forwarded' }],
    ['logs in and closes', { is: 'cut', at: 'select', moment: 'answered' }],
  ] as const)(
    'a binding that %s is no outage: ready, by the direct route, within the deadline',
    async (_, fault) => {
      hyperdrive.fault = fault
      const { status, body, ms } = await timed(() => ask('/ready'))
      expect({ status, route: body.route }).toEqual({ status: 200, route: 'direct' })
      expect(ms).toBeLessThan(2_000)
    },
  )

  test.each([
    ['unreachable', { is: 'close' }],
    [
      'busy',
      { is: 'refuseAtStartUp', error: { code: '53300', message: 'too many clients of secret.example' } },
    ],
    ['timeout', { is: 'dark', at: 'select', moment: 'forwarded' }],
  ] as const)('says "%s", and no internals', async (reason, fault) => {
    hyperdrive.fault = fault
    direct.fault = fault
    const { status, body, ms } = await timed(() => ask('/ready'))
    expect(status).toBe(503)
    expect(body.reason).toBe(reason)
    expect(ms).toBeLessThan(2_000 + 500)
    const { hostname, username, port } = new URL(direct.url)
    for (const internal of [hostname, port, username, database.name, 'secret.example']) {
      expect(JSON.stringify({ ...body, timestamp: '' })).not.toContain(internal)
    }
  })
})

describe('/api/health/database-performance', () => {
  test('tells what was measured through the binding, and that no pooler is behind it here', async () => {
    const response = await ask('/database-performance', '&samples=5')
    expect(response.status).toBe(200)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(response.headers.get('Server-Timing')).toMatch(
      /^connect;dur=[\d.]+, query;dur=[\d.]+;desc="hyperdrive"$/,
    )
    // biome-ignore lint/suspicious/noExplicitAny: the page's own shape
    const body = (await response.json()) as any
    expect(body.performance).toMatchObject({
      connectionType: 'Hyperdrive (Edge Pooling)',
      usingHyperdrive: true,
      hyperdriveConfig: { configured: true, bindingAvailable: true },
    })
    expect(body.performance.queryLatency).toMatch(/^(<1|[1-9]\d*)ms$/)
    expect(body.recommendations.join()).toMatch(/straight to a PostgreSQL on this machine/)
    expect(new Date(body.timestamp).toISOString()).toBe(body.timestamp)
    expect(opened()).toEqual({ hyperdrive: 1, direct: 0 })
  })

  test('behind a binding to the gateway it does not say that nothing pools', async () => {
    await using gateway = await startGateway(database.url)
    const through = await runWorker(new URL('../workers/health.ts', import.meta.url), {
      hyperdrives: { HYPERDRIVE: gateway.url },
      bindings: { DATABASE_URL: database.url },
    })
    try {
      const response = await through.fetch('/api/health/database-performance?manager=gateway')
      const { recommendations } = (await response.json()) as { recommendations: string[] }
      expect(recommendations).toEqual([
        'The HYPERDRIVE binding leads to a gateway on this machine, which pools connections',
      ])
    } finally {
      await through.stop()
    }
  })

  test('with an open breaker it tells the route that was taken, and when the binding is tried again', async () => {
    hyperdrive.fault = { is: 'close' }
    for (let n = 0; n < 3; n++) await worker.json(`/query?manager=${tests}`)
    const { body } = await timed(() => ask('/database-performance'))
    expect(body.performance).toMatchObject({
      connectionType: 'Direct Connection',
      usingHyperdrive: false,
      hyperdriveConfig: { configured: true, bindingAvailable: true },
    })
    expect(body.recommendations[0]).toMatch(
      /breaker is open: traffic takes the direct route; the next trial is at \d{4}-/,
    )
  })

  test('a measurement that fell back says so', async () => {
    hyperdrive.fault = { is: 'close' }
    const { body } = await timed(() => ask('/database-performance'))
    expect(body.performance).toMatchObject({ connectionType: 'Direct Connection', usingHyperdrive: false })
    expect(body.recommendations[0]).toMatch(/fell back to the direct route/)
  })

  test('without a binding it recommends one', async () => {
    const { body } = await timed(() => ask('/database-performance', '&direct'))
    expect(body.performance).toMatchObject({
      connectionType: 'Direct Connection',
      usingHyperdrive: false,
      hyperdriveConfig: { configured: false, bindingAvailable: false },
    })
    expect(body.recommendations.join()).toMatch(/No HYPERDRIVE binding/)
  })

  test('no latency is ever 0ms, whatever the clock', async () => {
    const bodies = await inParallel(20, 5, () => timed(() => ask('/database-performance', '&samples=20')))
    for (const { body } of bodies) expect(JSON.stringify(body)).not.toMatch(/"0ms"/)
  })

  test('a far database: connect and query are timed apart', async () => {
    hyperdrive.latencyMs = { toServer: 15, toClient: 15 }
    const response = await ask('/database-performance', '&samples=3')
    hyperdrive.latencyMs = { toServer: 0, toClient: 0 }
    const [, connect, query] = /connect;dur=([\d.]+), query;dur=([\d.]+)/.exec(
      response.headers.get('Server-Timing')!,
    )!
    // Three trips and more against one.
    expect(Number(query)).toBeGreaterThanOrEqual(30)
    expect(Number(connect)).toBeGreaterThanOrEqual(90)
  })

  test('a page that is locked tells nothing without the token, and the last error with it', async () => {
    hyperdrive.fault = { is: 'close' }
    expect((await ask('/database-performance', '&locked')).status).toBe(401)
    expect(opened()).toEqual({ hyperdrive: 0, direct: 0 })
    const response = await worker.fetch(`/api/health/database-performance?manager=${tests}&locked`, {
      headers: { Authorization: 'Bearer open sesame' },
    })
    // biome-ignore lint/suspicious/noExplicitAny: the page's own shape
    const { routes } = (await response.json()) as any
    expect(routes[0].lastError.message).toMatch(/can't connect through the HYPERDRIVE binding/)
  })
})
