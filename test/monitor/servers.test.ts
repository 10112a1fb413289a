/** The monitor against servers that misbehave, and against pages that are none of ours. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { site } from './pages.ts'
import { reportOf, root, runMonitor, script, startMonitor } from './spawned.ts'

const path = ['--path', '/measured']

test('at a fixed rate a stall is seen by all that fell due in it', async () => {
  // From the arrival of the 50th measured request on, nothing is answered for a second.
  const stallMs = 1_000
  let arrived = 0
  let over: Promise<unknown> | undefined
  const { url } = await site(async (_, response) => {
    if (++arrived === 50) over = pause(stallMs)
    await over
    response.end('{}')
  })
  const words = [
    '--rate',
    '50',
    '--duration',
    '3s',
    '--warm-up',
    '0',
    '--timeout',
    '30s',
    '--concurrency',
    '100',
  ]
  const { benchmark } = await reportOf([url, ...path, ...words])
  expect(benchmark).toMatchObject({ loop: 'open', requests: 150, succeeded: 150 })
  // The 50th waits for a second, the one due 20 ms later 20 ms less, and so on: the p99 of 150 is the second slowest,
  // the p95 the eighth. A busy machine can only make them slower. (The histogram rounds to three digits.)
  const atLeast = (percentile: number, ms: number) =>
    expect(benchmark!.latency.percentiles.find(each => each.percentile === percentile)!.ms).toBeGreaterThan(
      ms * 0.998,
    )
  atLeast(99, stallMs - 20)
  atLeast(95, stallMs - 7 * 20)
  expect(benchmark!.latency.max).toBeGreaterThanOrEqual(stallMs)
})

test('a slow server: time-outs are counted apart, and are in no latency', async () => {
  let asked = 0
  const { url } = await site((_, response) => {
    if (++asked % 5 !== 3) response.end('{}')
  })
  const words = ['--requests', '20', '--concurrency', '1', '--warm-up', '0', '--timeout', '200ms']
  const report = await reportOf([url, ...path, ...words])
  expect(report).toMatchObject({ verdict: 'unhealthy', exitCode: 1 })
  const { succeeded, timedOut, latency } = report.benchmark!
  expect(succeeded + timedOut).toBe(20)
  expect(timedOut).toBeGreaterThanOrEqual(4)
  expect(latency.count).toBe(succeeded)
})

test('a server that closes connections, before and within an answer', async () => {
  let asked = 0
  const { url } = await site((request, response) => {
    asked++
    if (asked % 4 === 1) return request.socket.destroy()
    if (asked % 4 === 2) {
      response.writeHead(200, { 'Content-Length': 100 })
      response.write('half', () => request.socket.destroy())
      return
    }
    response.end('{}')
  })
  const report = await reportOf([url, ...path, '--requests', '20', '--concurrency', '1', '--warm-up', '0'])
  expect(report).toMatchObject({
    ...{ verdict: 'unhealthy', exitCode: 1, reasons: ['errors: 50 %, at most 1 % wanted'] },
    benchmark: {
      ...{ succeeded: 10, failed: 10, timedOut: 0, latency: { count: 10 } },
      errors: [{ what: 'connection closed before the answer was complete', count: 10 }],
    },
  })
})

test('connections are kept alive, unless --no-keepalive', async () => {
  const { url, connections } = await site((_, response) => void response.end('{}'))
  await reportOf([url, ...path, '--requests', '40', '--concurrency', '4'])
  expect(connections()).toBeLessThanOrEqual(4)
  const before = connections()
  const { benchmark } = await reportOf([url, ...path, '--requests', '40', '--no-keepalive', '--warm-up', '0'])
  expect(benchmark).toMatchObject({ succeeded: 40, keepAlive: false })
  // One for each of 40 requests, of four checks, and of the last look.
  expect(connections() - before).toBe(45)
})

describe('pages that are none of ours: exit code 2, and what came instead', () => {
  test.each<[string, Parameters<typeof site>[0], RegExp[]]>([
    [
      'a single-page application',
      (_, response) => {
        response.setHeader('Content-Type', 'text/html; charset=utf-8')
        response.end('<!doctype html><html><head><title>My shop</title></head></html>')
      },
      [/200, but with an HTML page \("My shop"\)/],
    ],
    [
      'a site behind a login',
      (_, response) => void response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end('no'),
      [/401: it wants a token/],
    ],
    [
      'a redirect',
      (_, response) => void response.writeHead(301, { Location: 'https://www.example.com/' }).end(),
      [/a redirect \(301\) to https:\/\/www\.example\.com\//],
    ],
    [
      'a JSON without the fields',
      (_, response) => {
        response.setHeader('Content-Type', 'application/json')
        response.end('{ "status": "ok", "performance": { "queryLatency": 0 } }')
      },
      [
        /\/api\/health: timestamp: missing/,
        /ready: ready: missing/,
        /performance\.queryLatency: a text or null expected, 0 came/,
        /performance\.usingHyperdrive: missing/,
        /connections: missing/,
      ],
    ],
  ])('%s', async (_, answer, expected) => {
    const { url } = await site(answer, { instead: true })
    const report = await reportOf([url])
    expect(report).toMatchObject({ verdict: 'not ours', exitCode: 2, benchmark: null })
    for (const reason of expected) expect(report.reasons.join('\n')).toMatch(reason)
  })
})

test('a closed port: what failed, exit code 1, and one document all the same', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  const report = await reportOf([`http://127.0.0.1:${port}`])
  expect(report).toMatchObject({ verdict: 'unhealthy', exitCode: 1, noBenchmark: 'nothing answers' })
  expect(report.reasons[0]).toMatch(/^\/api\/health: connection refused \(.*ECONNREFUSED/)
})

describe('servers that are made to break the monitor: a document and an exit code all the same', () => {
  test.each<[string, Parameters<typeof site>[0], object]>([
    [
      'a body without an end',
      (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        }
        response.on('drain', more)
        more()
      },
      { verdict: 'not ours', exitCode: 2 },
    ],
    [
      'a body that drips',
      (_, response) => {
        const drops = setInterval(() => response.write(' '), 20)
        response.once('close', () => clearInterval(drops))
      },
      { verdict: 'unhealthy', exitCode: 1 },
    ],
    [
      'headers of 100 kB',
      (_, response) => void response.setHeader('X-Large', 'x'.repeat(100_000)).end('{}'),
      { verdict: 'unhealthy', exitCode: 1 },
    ],
    [
      'JSON that is nested 100,000 deep',
      (_, response) => void response.end(`{"status":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
      { verdict: 'not ours', exitCode: 2 },
    ],
    [
      'an HTML title of nothing but spaces',
      (_, response) => void response.end(`<html><title>${' '.repeat(100_000)}`),
      { verdict: 'not ours', exitCode: 2 },
    ],
    [
      'something that is not HTTP',
      request => void request.socket.end('SSH-2.0-OpenSSH_9.6\r\n'),
      {
        ...{ verdict: 'unhealthy', exitCode: 1 },
        reasons: expect.arrayContaining([expect.stringMatching(/answered with something that is not HTTP/)]),
      },
    ],
  ])('%s', async (_, answer, expected) => {
    const { url } = await site(answer, { instead: true })
    expect(await reportOf([url, '--timeout', '500ms'])).toMatchObject(expected)
  })
})

test('https:// to a port without TLS says so', async () => {
  const { url } = await site((_, response) => void response.end('{}'))
  const { reasons } = await reportOf([url.replace('http:', 'https:')])
  expect(reasons[0]).toBe('/api/health: no TLS there: http:// in place of https://?')
})

test('the token is in no output, whatever a server does with it', async () => {
  const token = 'correct-horse-battery'
  for (const [type, status] of [
    ['text/plain', 200],
    ['application/json', 200],
    ['text/html', 200],
    ['text/plain', 302],
  ] as const) {
    let heard = ''
    const { url } = await site(
      ({ headers }, response) => {
        heard = headers.authorization!
        response.writeHead(status, { 'Content-Type': type, Location: `https://example.com/?${heard}` })
        response.end(type.endsWith('json') ? JSON.stringify({ status: heard }) : `<title>${heard}</title>`)
      },
      { instead: true },
    )
    for (const words of [[url], [url, '--json'], [url, '--token', token]]) {
      const { stdout, stderr } = await runMonitor(words, { env: { SLUICE_HEALTH_TOKEN: token } })
      expect(heard).toBe(`Bearer ${token}`)
      expect(stdout + stderr).not.toContain(token)
      expect(stdout).toContain('(token)')
    }
  }
})

describe('what a server says can’t steer a terminal', () => {
  const title = '\u001b]0;mine\u0007\u009b2J\u202e…'

  test('in the report, nor in the document, which has it all the same', async () => {
    const { url } = await site((_, response) => void response.end(`<html><title>${title}</title>`), {
      instead: true,
    })
    expect((await runMonitor([url])).stdout).toMatch(/^[\n\x20-\x7e]*$/)
    const { stdout } = await runMonitor([url, '--json'])
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/)
    expect(JSON.parse(stdout).reasons[0]).toContain(title)
  })
})

describe('whoever reads may go, and the exit code stays that of the run', () => {
  const few = [...path, '--requests', '20']

  test.each(['stdout', 'stderr'] as const)('%s is closed', async stream => {
    const { url } = await site((_, response) => void response.end('{}'))
    const { child, ended } = startMonitor([url, ...few])
    // What it would have written is not ours to read any more.
    void ended.catch(() => {})
    child[stream].destroy()
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
  })

  test('a report that can’t be written is said, and is no success', async context => {
    context.skip(!existsSync('/dev/full'), 'there is no /dev/full')
    const { url } = await site((_, response) => void response.end('{}'))
    const line = `exec "$0" ${url} --json > /dev/full`
    const { code, stderr } = await runMonitor(['-c', line, script], { command: '/bin/sh' })
    expect(code).toBe(1)
    expect(stderr).toContain("sluice monitor: the report can't be written (ENOSPC)")
  })
})

test('limits are printed beside what was measured', async () => {
  const { url } = await site((_, response) => void response.end('{}'))
  const words = ['--requests', '20', '--max-p95', '1h', '--max-latency', '0.001ms', '--max-errors', '1%']
  const { code, stdout } = await runMonitor([url, ...path, ...words])
  expect(stdout).toMatch(/^ {2}ok +p95 +[\d.]+ m?s +at most 3600\.0 s$/m)
  expect(stdout).toMatch(/^ {2}OVER +max +[\d.]+ m?s +at most <0\.01 ms$/m)
  expect(stdout).toMatch(/^ {2}ok +errors +0 % +at most 1 %$/m)
  expect(stdout).toMatch(/UNHEALTHY \(exit code 1\)\n {2}- max: [\d.]+ m?s, at most <0\.01 ms wanted/)
  expect(code).toBe(1)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s in the middle prints the report of what was measured',
  async signal => {
    let answered = 0
    let enough = () => {}
    const some = new Promise<void>(resolve => {
      enough = resolve
    })
    // The last ones are never answered: what is under way must not hold the report up.
    const { url } = await site((_, response) => {
      if (++answered <= 15) response.end('{}')
      if (answered > 17) enough()
    })
    const { child, ended } = startMonitor([url, ...path, '--duration', '1h', '--json', '--timeout', '1h'])
    await some
    child.kill(signal)
    child.kill(signal)
    const { code, stdout } = await ended
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ interrupted: true, benchmark: { ended: 'stopped', failed: 0 } })
    expect(report.benchmark.succeeded + report.benchmark.warmUp.requests).toBe(15)
    expect(report.benchmark.cancelled).toBe(10)
    expect(code).toBe(report.exitCode)
  },
)

test('SIGINT in the checks and in the warm-up: what was made of it, as one document', async () => {
  for (const [words, instead, noBenchmark] of [
    [[], true, 'stopped before it'],
    [path, false, 'stopped in the warm-up'],
  ] as const) {
    let arrived = () => {}
    const asked = new Promise<void>(resolve => {
      arrived = resolve
    })
    const { url } = await site(() => arrived(), { instead })
    const { child, ended } = startMonitor([url, ...words, '--json'])
    await asked
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      { interrupted: true, benchmark: null, noBenchmark, exitCode: 1 },
    ])
  }
})

describe('the command', () => {
  const bin = `${root}packages/gateway/bin/sluice.js`

  test('runs on a Node that can’t read TypeScript, as Node 20, and passes on what it is told and its exit code', async () => {
    const { url } = await site((_, response) => void response.end('{}'))
    for (const flags of [[], ['--no-experimental-strip-types']]) {
      const words = [...flags, bin, 'monitor', url, ...path, '--requests', '10', '--max-p50', '1us']
      const wrong = await runMonitor(words, { command: process.execPath })
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--max-p50 is a time')])
      const right = await runMonitor([...words.slice(0, -2), '--json'], { command: process.execPath })
      expect([right.code, JSON.parse(right.stdout).verdict]).toEqual([0, 'healthy'])
    }
  })

  test('without a word, or with an unknown one, it tells the words that it knows', async () => {
    for (const [words, code] of [
      [[], 2],
      [['--help'], 0],
      [['montior'], 2],
      [['toString'], 2],
    ] as const) {
      const said = await runMonitor([bin, ...words], { command: process.execPath })
      expect(said.stdout + said.stderr).toMatch(
        /^ {2}monitor {3}whether the path to the database is healthy/m,
      )
      expect(said.code).toBe(code)
    }
  })
})

describe('usage', () => {
  test('what is wrong, and exit code 2; with --json as a document too', async () => {
    const { code, stdout, stderr } = await runMonitor(['example.com'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe(
      'sluice monitor: "example.com" is not a URL: it begins with https:// or http://. --help tells the options.\n',
    )
    const json = await runMonitor(['--rate', 'fast', '--json'])
    expect(json.code).toBe(2)
    expect(JSON.parse(json.stdout)).toEqual({
      ...{ version: 1, verdict: 'usage', exitCode: 2 },
      reasons: ['--rate is a number of requests a second, not "fast"'],
    })
  })

  test('--help tells every option', async () => {
    const { code, stdout } = await runMonitor(['--help'])
    expect(code).toBe(0)
    for (const option of [
      '--requests',
      '--rate',
      '--no-keepalive',
      '--max-p95',
      '--json',
      'SLUICE_HEALTH_TOKEN',
    ]) {
      expect(stdout).toContain(option)
    }
    expect(stdout.split('\n').filter(line => line.length > 80)).toEqual([])
  })

  test('without a URL, and without a running npm start, one clear line', async context => {
    const runs = await access(`${root}.sluice/dev.json`).then(
      () => true,
      () => false,
    )
    // Somebody works in this clone: then the monitor would rightly take theirs.
    context.skip(runs, 'npm start runs here')
    const { code, stderr } = await runMonitor([])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^sluice monitor: no URL was given, and no npm start runs in this clone: .*\n$/)
  })
})
