/** The monitor against Workers on @sluice/edge, in workerd, on real PostgreSQL. */
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { startPostgres } from '@sluice/dev'
import { afterAll, expect, test } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { freshDatabase } from '../support/postgres.ts'
import { runWorker } from '../support/worker.ts'
import { reportOf, root, runMonitor, script } from './spawned.ts'

const example = `${root}examples/worker/src/worker-production-db.ts`
const database = await freshDatabase()
const hyperdrive = await FaultProxy.start(database.url)
const worker = await runWorker(example, {
  hyperdrives: { HYPERDRIVE: hyperdrive.url },
  bindings: { DATABASE_URL: database.url },
})
const folder = await mkdtemp(join(tmpdir(), 'sluice-monitor-'))

afterAll(async () => {
  await worker.stop()
  await hyperdrive.stop()
  await rm(folder, { recursive: true })
})

const few = ['--requests', '30', '--concurrency', '3']

test('a healthy Worker: all checks pass, every answer is of its route, and its time is split', async () => {
  const report = await reportOf([worker.url, ...few])
  expect(report).toMatchObject({ verdict: 'healthy', exitCode: 0, reasons: [], interrupted: false })
  expect(report.checks.map(({ path, verdict, status }) => [path, verdict, status])).toEqual([
    ['/api/health', 'healthy', 200],
    ['/api/health/live', 'healthy', 200],
    ['/api/health/ready', 'healthy', 200],
    ['/api/health/database-performance', 'healthy', 200],
  ])
  expect(report.benchmark).toMatchObject({
    ...{ path: '/api/health/database-performance', loop: 'closed', keepAlive: true },
    ...{ requests: 30, succeeded: 30, failed: 0, warmUp: { requests: 3, failed: 0 } },
    routes: [{ what: 'hyperdrive', count: 30 }],
    split: { query: { count: 30 }, network: { count: 30 } },
  })
  expect(report.page).toMatchObject({ usingHyperdrive: true, bindingAvailable: true })
  expect(report.page!.routes.map(({ name, breaker }) => [name, breaker])).toContainEqual([
    'hyperdrive',
    'closed',
  ])
})

test('the script works from another directory, through links, with nothing but the repository’s own Node', async () => {
  const link = join(folder, 'monitor')
  await symlink(script, link)
  await symlink('monitor', join(folder, 'link to the link'))
  const { code, stdout, stderr } = await runMonitor([worker.url, ...few], {
    command: join(folder, 'link to the link'),
    cwd: folder,
    env: { PATH: '/usr/bin:/bin' },
  })
  expect(stderr.trim().split('\n')).toEqual([
    'sluice monitor: checks',
    'sluice monitor: warm-up',
    'sluice monitor: benchmark',
  ])
  expect(stdout).toMatch(/^ {2}ok {2}\/api\/health\/database-performance .*Hyperdrive/m)
  expect(stdout).toContain('closed loop, 3 connections')
  expect(stdout).toMatch(/^ {2}p99\.9 /m)
  // No colours, no redrawn lines, nothing but ASCII.
  expect(stdout.replaceAll('\n', '')).toMatch(/^[\x20-\x7e]*$/)
  expect(stdout.split('\n').filter(line => line.length > 80)).toEqual([])
  expect(stdout).toContain('\nHEALTHY (exit code 0)\n')
  expect(code).toBe(0)
})

test('the script is found through a linked folder too', async () => {
  const link = join(folder, 'linked folder')
  await symlink(dirname(script), link)
  const { code, stdout } = await runMonitor([worker.url, ...few], {
    command: join(link, 'hyperdrive-monitor.sh'),
    cwd: folder,
  })
  expect([code, stdout]).toEqual([0, expect.stringContaining('HEALTHY (exit code 0)')])
})

test('another path is measured with --path, and its failures are counted', async () => {
  const report = await reportOf([worker.url, ...few, '--path', '/api/nothing'])
  expect(report).toMatchObject({
    verdict: 'unhealthy',
    exitCode: 1,
    reasons: [expect.stringMatching(/^errors: 100 %/)],
  })
  expect(report.benchmark).toMatchObject({
    ...{ succeeded: 0, ended: 'hopeless', latency: { count: 0, max: null } },
    statuses: [{ what: '404', count: expect.any(Number) }],
  })
})

test('with an open breaker it says that the binding is there and not used, by figures', async () => {
  hyperdrive.fault = { is: 'close' }
  try {
    for (let tries = 0; tries < 5; tries++) await worker.fetch('/api/health/database-performance')
    const report = await reportOf([worker.url, ...few])
    expect(report).toMatchObject({ verdict: 'unhealthy', exitCode: 1 })
    expect(report.reasons).toEqual([
      expect.stringMatching(
        /database-performance: the HYPERDRIVE binding is there, but the queries went directly; its breaker is (open|half-open)/,
      ),
    ])
    // The application itself is up, by the other route.
    expect(report.benchmark).toMatchObject({ succeeded: 30, routes: [{ what: 'direct', count: 30 }] })
    expect(report.page).toMatchObject({ usingHyperdrive: false, bindingAvailable: true })
    expect(report.page!.routes.find(({ name }) => name === 'direct')!.queryLatency!.count).toBeGreaterThan(30)
    expect(report.recommendations.map(({ figure }) => figure).join()).toMatch(
      /usingHyperdrive is false although the binding is there \(breaker (open|half-open)/,
    )
  } finally {
    hyperdrive.fault = null
  }
})

test('with the database stopped it says so, and does not measure a page that only fails', async () => {
  const postgres = await startPostgres({ settings: { fsync: 'off' } })
  await using lonely = await runWorker(example, {
    hyperdrives: { HYPERDRIVE: postgres.url },
    bindings: { DATABASE_URL: postgres.url },
  })
  await postgres.stop()
  const report = await reportOf([lonely.url, ...few])
  expect(report).toMatchObject({
    ...{ verdict: 'unhealthy', exitCode: 1, benchmark: null },
    noBenchmark: 'the page to measure answers 503',
  })
  expect(report.checks.map(({ verdict, status }) => [verdict, status])).toEqual([
    ['healthy', 200],
    ['healthy', 200],
    ['unhealthy', 503],
    ['unhealthy', 503],
  ])
  expect(report.reasons).toEqual(
    expect.arrayContaining([
      '/api/health/ready: not ready: unreachable',
      '/api/health/database-performance: no query was answered',
    ]),
  )
  expect(report.recommendations.map(({ figure }) => figure).join()).toContain('answered 503')
})

test('a token goes by option or environment, and shows in no output', async () => {
  await using locked = await runWorker(new URL('../workers/monitor.ts', import.meta.url), {
    hyperdrives: { HYPERDRIVE: database.url },
    bindings: { DATABASE_URL: database.url, HEALTH_TOKEN: 'open sesame' },
  })
  const without = await runMonitor([locked.url, ...few])
  expect(without.code).toBe(2)
  expect(without.stdout).toContain('401: it wants a token')
  const wrong = await runMonitor([locked.url, ...few, '--token', 'close sesame'])
  expect(wrong.stdout).toContain('401: the token was not accepted')
  for (const [words, env] of [
    [['--token', 'open sesame'], {}],
    [[], { SLUICE_HEALTH_TOKEN: 'open sesame' }],
  ] as const) {
    const { code, stdout, stderr } = await runMonitor([locked.url, ...few, ...words, '--json'], { env })
    expect(code).toBe(0)
    expect(stdout + stderr + wrong.stdout + wrong.stderr).not.toContain('sesame')
  }
})
