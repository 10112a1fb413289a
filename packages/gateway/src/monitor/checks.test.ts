import { describe, expect, test } from 'vitest'
import type { Answer } from './answer.ts'
import { check, type PageName, pagePath } from './checks.ts'

const timestamp = '2026-11-25T03:16:58.655Z'
const noStore = { 'cache-control': 'no-store', 'content-type': 'application/json' }

const answered = (status: number, body: unknown, headers: Record<string, string> = noStore): Answer => ({
  ...{ kind: 'answered', status, headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const checked = (page: PageName, answer: Answer, token = false) =>
  check({ page, path: `/api/health${pagePath[page]}`, answer, tookMs: 12, token }).check

const verdictOf = (page: PageName, answer: Answer, token = false) => {
  const { verdict, findings } = checked(page, answer, token)
  return [verdict, ...findings]
}

const page = (given: { performance?: object; [field: string]: unknown } = {}) => ({
  connections: { totalConnections: 1, hyperdriveConnections: 1, directConnections: 0, drizzleInstances: 0 },
  timestamp,
  recommendations: [],
  ...given,
  performance: {
    queryLatency: '2ms',
    connectionType: 'Hyperdrive (Edge Pooling)',
    usingHyperdrive: true,
    hyperdriveConfig: { configured: true, bindingAvailable: true },
    ...given.performance,
  },
})
const directly = { connectionType: 'Direct Connection', usingHyperdrive: false }

describe('healthy', () => {
  test.each<[PageName, unknown]>([
    ['health', { status: 'ok', timestamp }],
    ['live', { status: 'ok', alive: true, timestamp }],
    ['ready', { status: 'ok', ready: true, route: 'direct', reason: null, timestamp }],
    ['performance', page()],
    [
      'performance',
      page({
        performance: { ...directly, hyperdriveConfig: { configured: false, bindingAvailable: false } },
      }),
    ],
  ])('%s', (name, body) => {
    expect(verdictOf(name, answered(200, body))).toEqual(['healthy'])
  })
})

describe('unhealthy', () => {
  const trial = '2026-11-25T03:17:00.000Z'
  const open = { name: 'hyperdrive', breaker: 'open', nextTrial: trial, fallbacks: 3 }

  test.each<[string, PageName, Answer, string]>([
    [
      'not ready',
      'ready',
      answered(503, { status: 'error', ready: false, route: null, reason: 'unreachable', timestamp }),
      'not ready: unreachable',
    ],
    [
      'no query answered',
      'performance',
      answered(
        503,
        page({ performance: { queryLatency: null, connectionType: 'Unavailable', usingHyperdrive: false } }),
      ),
      'no query was answered',
    ],
    [
      'a binding that is not used',
      'performance',
      answered(200, page({ performance: directly, routes: [open] })),
      `the HYPERDRIVE binding is there, but the queries went directly; its breaker is open, next trial at ${trial}`,
    ],
    [
      'a page that calls every connection Hyperdrive',
      'performance',
      answered(200, page({ performance: { ...directly, connectionType: 'Hyperdrive (Edge Pooling)' } })),
      'usingHyperdrive is false, but connectionType is "Hyperdrive (Edge Pooling)"',
    ],
    [
      'an answer that caches may keep',
      'health',
      answered(200, { status: 'ok', timestamp }, { 'cache-control': 'max-age=60' }),
      'Cache-Control is "max-age=60", no-store expected: a cache may answer in its place',
    ],
    [
      'an error page of what stands in front',
      'health',
      answered(502, '<html><title>Bad gateway</title>', { 'content-type': 'text/html' }),
      '502, with an HTML page ("Bad gateway")',
    ],
    ['too many requests', 'health', answered(429, 'slow down', {}), '429: too many requests'],
    ['no answer in time', 'health', { kind: 'timed out' }, 'no answer within 12 ms'],
    [
      'a closed port',
      'health',
      { kind: 'failed', why: 'connection refused', detail: 'connect ECONNREFUSED 127.0.0.1:1' },
      'connection refused (connect ECONNREFUSED 127.0.0.1:1)',
    ],
  ])('%s', (_, name, answer, finding) => {
    const [verdict, ...findings] = verdictOf(name, answer)
    expect(verdict).toBe('unhealthy')
    expect(findings).toContain(finding)
  })
})

describe('not ours', () => {
  test.each<[string, Answer, string[]]>([
    [
      'an HTML page with status 200',
      answered(200, '<!doctype html><title>My shop</title>', { 'content-type': 'text/html; charset=utf-8' }),
      [`200, but with an HTML page ("My shop"): not the page's JSON`],
    ],
    [
      'a redirect',
      answered(302, '', { location: 'https://example.com/login' }),
      ['a redirect (302) to https://example.com/login: give the URL it leads to'],
    ],
    [
      'another status',
      answered(404, 'Not found', { 'content-type': 'text/plain' }),
      ['404, with text/plain: Not found: the page is not there'],
    ],
    ['an empty answer', answered(200, '', {}), [`200, but with an empty answer: not the page's JSON`]],
    [
      'a JSON without the fields, named one by one',
      answered(200, {
        performance: { queryLatency: 2, connectionType: 'x', hyperdriveConfig: 'yes' },
        connections: { totalConnections: -1, hyperdriveConnections: 1, directConnections: 0 },
        timestamp: 'yesterday',
        recommendations: [1],
      }),
      [
        'performance.queryLatency: a text or null expected, 2 came',
        'performance.usingHyperdrive: missing',
        'performance.hyperdriveConfig: an object expected, "yes" came',
        'connections.totalConnections: a count expected, -1 came',
        'connections.drizzleInstances: missing',
        'timestamp: a time (ISO 8601) expected, "yesterday" came',
        'recommendations: a list of nothing but texts expected, a list came',
      ],
    ],
    ['a JSON that is no object', answered(200, '[]'), ['the answer: an object expected, an empty list came']],
  ])('%s', (_, answer, findings) => {
    expect(verdictOf('performance', answer)).toEqual(['not ours', ...findings])
  })

  test('401 says where a token goes, or that it was not accepted', () => {
    const answer = answered(401, { status: 'error', message: 'this page demands a token' })
    expect(verdictOf('performance', answer)).toEqual([
      'not ours',
      '401: it wants a token: --token, or SLUICE_HEALTH_TOKEN in the environment',
    ])
    expect(verdictOf('performance', answer, true)).toEqual(['not ours', '401: the token was not accepted'])
  })
})

describe('a page that is made to break the monitor gets the same verdict as any other', () => {
  const html = { 'content-type': 'text/html' }
  const nested = `{"status":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  test.each<[string, Answer, string]>([
    [
      'JSON nested so deep that it can’t be written again',
      answered(200, nested),
      'status: "ok" or "error" expected, a list came',
    ],
    [
      'a title that never ends',
      answered(200, `<title>${' '.repeat(250_000)}`, html),
      "200, but with an HTML page: not the page's JSON",
    ],
    [
      'titles that never begin',
      answered(200, '<title '.repeat(40_000), html),
      "200, but with an HTML page: not the page's JSON",
    ],
    [
      'an answer that was cut off',
      { ...answered(200, 'x'.repeat(100)), cut: true } as Answer,
      `200, but with application/json of more than 256 kB: ${'x'.repeat(60)}...: not the page's JSON`,
    ],
    [
      'an answer that is compressed all the same',
      answered(200, '\u001f\ufffd', { 'content-encoding': 'gzip' }),
      "200, but with a compressed answer (gzip), which was not asked for: not the page's JSON",
    ],
  ])('%s', (_, answer, finding) => {
    expect(verdictOf('health', answer).slice(0, 2)).toEqual(['not ours', finding])
  })
})
