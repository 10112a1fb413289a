/**
 * What requests share is never lost with one of them: a request answers early, or its client goes away, while it owns
 * the readiness probe, the breaker's trial or a connection of the bounded route; the next works.
 */
import { beforeEach, expect, test } from 'vitest'
import { inParallel } from '../support/parallel.ts'
import { twoRoutes } from './two-routes.ts'

const maxConnections = 2

const { hyperdrive, direct, worker } = await twoRoutes('orphans', { OPTIONS: { maxConnections } })

let tests = 0
beforeEach(() => {
  tests++
  hyperdrive.fault = null
  direct.fault = null
})

const path = (name: string, options = '') => `${name}?manager=${tests}${options}`
const one = (options = '') => worker.json(path('/query', options))

async function timed<T>(act: () => Promise<T>): Promise<{ answer: T; ms: number }> {
  const began = performance.now()
  const answer = await act()
  return { answer, ms: performance.now() - began }
}

/** Sends a request and goes away as soon as `happened`. */
async function abandon(request: string, happened: Promise<unknown>): Promise<void> {
  const leaving = new AbortController()
  const answer = worker.fetch(request, { signal: leaving.signal }).catch(() => {})
  await happened
  leaving.abort()
  await answer
}

/** workerd by itself lets a request go on when its client has left; on Cloudflare it ends. */
const leave = {
  'by an early answer': async (name: string, options: string) => {
    await worker.json(path(name, `${options}&early=100`))
  },
  'because its client goes away': async (name: string, options: string) => {
    const proxy = options.includes('direct') ? direct : hyperdrive
    const { accepted } = proxy
    await abandon(
      path(name, options),
      proxy.until(() => proxy.accepted > accepted),
    )
  },
}
const ways = Object.keys(leave) as (keyof typeof leave)[]

test.each(ways)(
  'the owner of the readiness probe ends %s: the next probe is answered within its deadline',
  async way => {
    // A readiness is fresh for a second.
    await new Promise(resolve => setTimeout(resolve, 1_000))
    hyperdrive.fault = { is: 'hang' }
    await leave[way]('/ready', '')
    const { answer, ms } = await timed(() => worker.json(path('/ready')))
    expect(answer).toMatchObject({ ready: true, route: 'direct' })
    expect(ms).toBeLessThan(2_000)
  },
)

test('an early answer while it connects on the bounded route leaves its place to the next', async () => {
  direct.fault = { is: 'hang' }
  for (let n = 0; n < maxConnections; n++) await leave['by an early answer']('/query', '&direct')
  direct.fault = null
  const { answer, ms } = await timed(() => inParallel(4, 4, () => one('&direct')))
  expect(answer).toEqual(Array(4).fill([{ one: 1 }]))
  expect(ms).toBeLessThan(5_000)
})

test('an early answer while it holds a connection of the bounded route leaves its place to the next', async () => {
  for (let n = 0; n < maxConnections; n++) {
    const seen = direct.count('select pg_sleep')
    await Promise.all([
      direct.saw('select pg_sleep', seen + 1),
      leave['by an early answer']('/transaction', '&direct'),
    ])
  }
  const { answer, ms } = await timed(() => one('&direct'))
  expect(answer).toEqual([{ one: 1 }])
  expect(ms).toBeLessThan(5_000)
})

test('a connection that is used for longer than a lease keeps its place', async () => {
  const seen = direct.count('select pg_sleep')
  const holding = [1, 2].map(() => worker.json(path('/sleep', '&direct')))
  await direct.saw('select pg_sleep', seen + 2)
  const { answer, ms } = await timed(() => one('&direct'))
  expect(answer).toEqual([{ one: 1 }])
  expect(ms).toBeGreaterThan(3_500)
  await Promise.all(holding)
})

test('the owner of the breaker’s trial ends by an early answer: all go on directly at once, and another trial brings traffic back', async () => {
  hyperdrive.fault = { is: 'close' }
  await inParallel(3, 3, () => one())
  const [{ breaker, nextTrial }] = (await worker.json(path('/info'))).routes
  expect(breaker).toBe('open')
  hyperdrive.fault = { is: 'hang' }
  await new Promise(resolve => setTimeout(resolve, Date.parse(nextTrial) - Date.now() + 50))
  await leave['by an early answer']('/query', '')
  hyperdrive.fault = null
  const { accepted } = hyperdrive
  const { ms } = await timed(() => inParallel(10, 2, () => one()))
  expect(ms).toBeLessThan(2_000)
  expect(hyperdrive.accepted).toBe(accepted)
  // The lease of the trial: twice the connect deadline.
  const trials = setInterval(() => void one().catch(() => {}), 100)
  hyperdrive.patienceMs = 12_000
  await hyperdrive.until(() => hyperdrive.accepted > accepted)
  clearInterval(trials)
  await hyperdrive.until(({ open }) => open === 0)
  expect((await worker.json(path('/info'))).routes[0].breaker).toBe('returning')
}, 30_000)
