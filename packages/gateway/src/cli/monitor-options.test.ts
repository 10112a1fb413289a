import { expect, test } from 'vitest'
import { readMonitorOptions } from './monitor-options.ts'

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

test('errors are limited by share or by number', () => {
  expect(read('--max-errors 5').options.thresholds).toEqual([{ of: 'error count', limit: 5 }])
})

test.each([
  ['example.com', '"example.com" is not a URL: it begins with https:// or http://'],
  ['localhost:8787', '"localhost:8787" is not a URL: it begins with https:// or http://'],
  ['ftp://example.com', '"ftp://example.com" is not a URL'],
  ['https://user:secret@example.com', 'the URL holds a user or password; the monitor sends none'],
  ['https://example.com/?a=1', 'the URL is that of the application: a query belongs to --path'],
  ['https://a.example https://b.example', 'one URL, not 2: https://a.example https://b.example'],
  ['--max-p95 200', '--max-p95 is a time with its unit, as 200ms, 1.5s or 2m, not "200"'],
  ['--duration 0s', '--duration is a time with its unit, as 200ms, 1.5s or 2m, not "0s"'],
  ['--max-errors 101%', '--max-errors is a share, as 1%, or a number of requests, as 5, not "101%"'],
  ['--requests 0', '--requests is a whole number from 1, not "0"'],
  ['--concurrency 1.5', '--concurrency is a whole number from 1, not "1.5"'],
  ['--rate fast', '--rate is a number of requests a second, not "fast"'],
  ['--path api', '--path begins with a slash and has no spaces: "api"'],
  ['--max-p42 1s', "Unknown option '--max-p42'"],
  ['--requests', "Option '--requests <value>' argument missing"],
])('%s is wrong usage', (line, message) => {
  expect(() => read(line)).toThrow(message)
})
