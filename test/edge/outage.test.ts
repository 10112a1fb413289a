/** A whole outage of the route behind the binding, under a steady load: who tries it, who waits, how traffic returns. */
import { expect, test } from 'vitest'
import type { Written } from '../workers/writes.ts'
import { twoRoutes } from './two-routes.ts'

const connectDeadlineMs = 1_200

const { database, hyperdrive, direct, worker } = await twoRoutes('writes', { OPTIONS: { connectDeadlineMs } })
await database.query('create table writes (id int, part int)')

let ids = 0
const info = async () => (await worker.json('/info')).routes[0]

/** One write every 25 ms until `over`; all of them, when the last is answered. */
async function steadily(over: Promise<unknown>): Promise<(Written & { began: number })[]> {
  const sent: Promise<Written & { began: number }>[] = []
  const timer = setInterval(() => {
    const began = performance.now()
    sent.push(worker.json<Written>(`/one?id=${ids++}`).then(written => ({ ...written, began })))
  }, 25)
  await over.finally(() => clearInterval(timer))
  return Promise.all(sent)
}

/** When each connection after the first `from` was accepted. */
async function accepts(from: number, count: number): Promise<number[]> {
  const times: number[] = []
  while (times.length < count) {
    await hyperdrive.until(() => hyperdrive.accepted > from + times.length)
    times.push(performance.now())
  }
  return times
}

test('in an outage one request at a time tries the route, and the rest go on directly without waiting', async () => {
  hyperdrive.fault = { is: 'hang' }
  hyperdrive.patienceMs = 15_000
  const opened = async () => {
    while ((await info())?.breaker !== 'open') await new Promise(resolve => setTimeout(resolve, 10))
  }
  for (const { parts, ms } of await steadily(opened())) {
    expect(parts).toEqual({ 1: 'ok' })
    expect(ms).toBeLessThan(connectDeadlineMs + 500)
  }

  const before = hyperdrive.accepted
  const { fallbacks } = await info()
  let trials: number[] = []
  const during = await steadily(
    accepts(before, 3).then(times => {
      trials = times
    }),
  )
  // Back-offs of 1, 2 and 4 s, up to half of each taken off by chance; a trial takes the connect deadline.
  expect(trials[1]! - trials[0]!).toBeGreaterThanOrEqual(connectDeadlineMs + 900)
  expect(trials[2]! - trials[1]!).toBeGreaterThanOrEqual(connectDeadlineMs + 1_900)
  expect(hyperdrive.accepted).toBe(before + 3)
  expect(during.filter(({ parts }) => parts[1] !== 'ok')).toEqual([])
  const waited = during.filter(({ ms }) => ms >= connectDeadlineMs)
  expect(waited.length).toBeLessThanOrEqual(3)
  expect((await info()).fallbacks - fallbacks).toBe(during.length)

  const lines = worker.console.filter(line => line.includes('hyperdrive route'))
  expect(lines.filter(line => line.includes('from closed to open'))).toHaveLength(1)
  expect(lines.filter(line => line.includes('from half-open to open'))).toHaveLength(3)
})

test('when the route is back, one success lets traffic return, a growing share at a time', async () => {
  hyperdrive.fault = null
  const before = hyperdrive.accepted
  const shares: number[] = []
  const measure = async () => {
    await hyperdrive.until(() => hyperdrive.accepted > before)
    for (let second = 0; second < 6; second++) {
      const [near, far] = [hyperdrive.accepted, direct.accepted]
      await new Promise(resolve => setTimeout(resolve, 1_000))
      const [nearNow, farNow] = [hyperdrive.accepted - near, direct.accepted - far]
      shares.push(nearNow / (nearNow + farNow))
    }
  }
  const all = await steadily(measure())
  expect(all.filter(({ parts }) => parts[1] !== 'ok')).toEqual([])
  // The breaker lets it take five seconds.
  expect(shares[0]).toBeLessThan(0.5)
  expect(shares[2]).toBeGreaterThan(shares[0]!)
  expect(shares[5]).toBe(1)
  expect((await info()).breaker).toBe('closed')
  await database.connectionsFallTo(0)
  const [counted] = await database.query(
    'select count(*)::int as rows, count(distinct id)::int as ids from writes',
  )
  expect(counted).toEqual({ rows: ids, ids })
})
