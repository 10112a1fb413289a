import { expect, test } from 'vitest'
import { readMonitorOptions } from './monitor-options.ts'
import { UsageError } from './usage-error.ts'

const read = (line: string, environment: NodeJS.ProcessEnv = {}) => {
  const invocation = readMonitorOptions(line.split(' ').filter(Boolean), environment)
  if (invocation.wants !== 'run') throw new Error('it wants help')
  return invocation
}

test('without any words it measures 200 requests in a closed loop, and allows one failure in a hundred', () => {
  expect(read('')).toEqual({
    ...{ wants: 'run', url: null, json: false, colour: true },
    options: {
      ...{ healthPath: '/api/health', path: null, token: undefined, keepAlive: true },
      ...{
        warmUp: 10,
        requests: 200,
        durationMs: null,
        ratePerSecond: null,
        concurrency: 10,
        timeoutMs: 10_000,
      },
      thresholds: [{ of: 'errors', limitPercent: 1, isDefault: true }],
    },
  })
})

test('every option', () => {
  const line =
    'https://example.com/app/ --path /api/pitches?limit=3 --health-path /status/ --token abc --requests 500 ' +
    '--duration 1.5m --rate 20/s --concurrency 3 --warm-up 0 --timeout 2s --no-keepalive --json --no-color ' +
    '--max-p95 200ms --max-p99.9 1s --max-mean 50ms --max-latency 3s --max-errors 0.5%'
  expect(read(line)).toEqual({
    ...{ wants: 'run', url: 'https://example.com/app', json: true, colour: false },
    options: {
      ...{ healthPath: '/status', path: '/api/pitches?limit=3', token: 'abc', keepAlive: false },
      ...{
        warmUp: 0,
        requests: 500,
        durationMs: 90_000,
        ratePerSecond: 20,
        concurrency: 3,
        timeoutMs: 2_000,
      },
      thresholds: [
        { of: 'latency', percentile: 95, limitMs: 200 },
        { of: 'latency', percentile: 99.9, limitMs: 1_000 },
        { of: 'latency', percentile: 'mean', limitMs: 50 },
        { of: 'latency', percentile: 'max', limitMs: 3_000 },
        { of: 'errors', limitPercent: 0.5, isDefault: false },
      ],
    },
  })
})

test('with a duration alone, it ends the run', () => {
  expect(read('--duration 30s').options).toMatchObject({ requests: null, durationMs: 30_000 })
})

test('the token comes from the environment too, and an empty one is none', () => {
  expect(read('', { SLUICE_HEALTH_TOKEN: 'abc' }).options.token).toBe('abc')
  expect(read('--token def', { SLUICE_HEALTH_TOKEN: 'abc' }).options.token).toBe('def')
  expect(read('', { SLUICE_HEALTH_TOKEN: '' }).options.token).toBe(undefined)
})

test('a token that no header can carry is told before anything is sent, and not shown', () => {
  for (const token of ['abc\n', 'a\u0000c', 'ümläut'])
    expect(() => read('', { SLUICE_HEALTH_TOKEN: token })).toThrow(
      new UsageError(
        "SLUICE_HEALTH_TOKEN can't be sent: it holds a line break, a character beyond ASCII, or a space at an end",
      ),
    )
})

test('paths are written as a browser sends them, and the health pages may live at the root', () => {
  expect(read('--path /käse/../süß?q=ä%20b').options.path).toBe('/s%C3%BC%C3%9F?q=%C3%A4%20b')
  expect(read('--path //example.com/a').options.path).toBe('//example.com/a')
  expect(read('--health-path /').options.healthPath).toBe('')
})

test('errors are limited by share or by number', () => {
  expect(read('--max-errors 5').options.thresholds).toEqual([{ of: 'error count', limit: 5 }])
})

test.each([
  ['example.com', '"example.com" is not a URL: it begins with https:// or http://'],
  ['localhost:8787', '"localhost:8787" is not a URL: it begins with https:// or http://'],
  ['ftp://example.com', '"ftp://example.com" is not a URL'],
  ['ftp://user:secret@example.com', '"...@example.com" is not a URL'],
  ['user:secret@example.com', '"...@example.com" is not a URL: it begins with https:// or http://'],
  ['https://a.example https://user:sec/ret@b.example', 'one URL, not 2: https://a.example ...@b.example'],
  ['https://user:secret@example.com', 'the URL holds a user or password; the monitor sends none'],
  ['https://example.com/?a=1', 'the URL is that of the application: a query belongs to --path'],
  ['https://a.example https://b.example', 'one URL, not 2: https://a.example https://b.example'],
  ['--max-p95 200', '--max-p95 is a time with its unit, as 200ms, 1.5s or 2m, not "200"'],
  ['--duration 0s', '--duration is a time with its unit, as 200ms, 1.5s or 2m, not "0s"'],
  ['--max-errors 101%', '--max-errors is a share, as 1%, or a number of requests, as 5, not "101%"'],
  ['--requests 0', '--requests is a whole number from 1, not "0"'],
  ['--concurrency 1.5', '--concurrency is a whole number from 1 to 1000, not "1.5"'],
  ['--concurrency 1e9', '--concurrency is a whole number from 1 to 1000, not "1e9"'],
  ['--timeout 600h', '--timeout is at most 24h, not "600h"'],
  ['--health-path /a?b=1', '--health-path is a path without a query: "/a?b=1"'],
  [
    '--token geheïm',
    "--token can't be sent: it holds a line break, a character beyond ASCII, or a space at an end",
  ],
  ['--rate fast', '--rate is a number of requests a second, not "fast"'],
  ['--path api', '--path begins with a slash and has no spaces: "api"'],
  ['--max-p42 1s', "Unknown option '--max-p42'"],
  ['--requests -5', "Option '--requests' argument is ambiguous"],
  ['--requests', "Option '--requests <value>' argument missing"],
])('%s is wrong usage', (line, message) => {
  expect(() => read(line)).toThrow(new UsageError(message))
})
