import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { DriverConnection } from './drivers/driver.ts'
import { settingsOf } from './options.ts'
import { Pool } from './pool.ts'
import { Route } from './route.ts'

/** A route whose connections are made of nothing; each knows its number. */
function line(limit: number, options: { lifetimeMs?: number } = {}, share = false) {
  let opened = 0
  const origin: { refuses: boolean } = { refuses: false }
  const connect = async (): Promise<DriverConnection> => {
    if (origin.refuses) throw new Error('connect ECONNREFUSED')
    opened++
    const silent = { close() {}, destroy() {} }
    return {
      ...silent,
      query: () => Promise.reject(new Error('unused')),
      status: 'I',
      closed: false,
      cancel: undefined,
    }
  }
  const settings = { ...settingsOf(options), driverFor: () => ({ name: 'pg' as const, connect }) }
  const route = new Route('direct', () => 'postgres://ada@localhost/shop', settings)
  const pool = new Pool(route, { share, limit })
  const { signal } = new AbortController()
  const acquire = (nested = false) =>
    pool.acquire('exclusive', { signal, nested, admission: { at: 0, trial: false } })
  const statement = () =>
    pool.acquire('statement', { signal, nested: false, admission: { at: 0, trial: false } })
  return { pool, acquire, statement, origin, opened: () => opened }
}

describe('a pool of a process', () => {
  test('serves those who wait in the order in which they came', async () => {
    const { pool, acquire, opened } = line(1)
    const first = await acquire()
    const order: string[] = []
    const waiting = ['a', 'b', 'c'].map(async name => {
      const connection = await acquire()
      order.push(name)
      pool.release(connection)
    })
    pool.release(first)
    await Promise.all(waiting)
    expect([order, opened()]).toEqual([['a', 'b', 'c'], 1])
  })

  test('serves one who holds a connection already before those who hold none', async () => {
    const { pool, acquire } = line(1)
    const [outer, beyond] = [await acquire(), await acquire(true)]
    const order: string[] = []
    const waiting = [
      acquire().then(connection => [order.push('outer'), pool.release(connection)]),
      acquire(true).then(connection => [order.push('nested'), pool.release(connection)]),
    ]
    pool.release(beyond)
    pool.release(outer)
    await Promise.all(waiting)
    expect(order).toEqual(['nested', 'outer'])
  })

  test('closes a connection beyond its limit rather than give it to one who holds none', async () => {
    const { pool, acquire, opened } = line(1)
    const [outer, beyond] = [await acquire(), await acquire(true)]
    let served = false
    const waiting = acquire().then(connection => {
      served = true
      return connection
    })
    pool.release(beyond)
    await Promise.resolve()
    expect(served).toBe(false)
    pool.release(outer)
    expect(await waiting).toBe(outer)
    expect(opened()).toBe(2)
  })

  test('hands no connection on that is older than its lifetime', async () => {
    const { pool, acquire, opened } = line(1, { lifetimeMs: 1_000 })
    const first = await acquire()
    const waiting = acquire()
    vi.setSystemTime(first.openedAt + 1_001)
    onTestFinished(() => void vi.useRealTimers())
    pool.release(first)
    expect(await waiting).not.toBe(first)
    expect(opened()).toBe(2)
  })
})

describe.each([
  ['a process', false],
  ['a request', true],
] as const)('a pool of %s whose route begins to refuse', (_, share) => {
  test('tells every caller at once, while a transaction still holds a connection', async () => {
    const { acquire, statement, origin } = line(6, {}, share)
    await acquire()
    origin.refuses = true
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, statement))
    expect(outcomes.map(outcome => outcome.status === 'rejected' && outcome.reason.reason)).toEqual(
      Array.from({ length: 5 }, () => 'connect-failed'),
    )
  })
})

test('those who wait when a connection that broke is given back are told that no other can be opened', async () => {
  const { pool, acquire, origin } = line(2)
  const [first, second] = [await acquire(), await acquire()]
  const waiting = Promise.allSettled([acquire(), acquire(), acquire()])
  origin.refuses = true
  first.markUnusable()
  pool.release(first)
  const outcomes = await waiting
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  pool.release(second)
})

test('a pool that closes serves those who wait already, and keeps nothing', async () => {
  const { pool, acquire, opened } = line(1)
  const first = await acquire()
  const waiting = acquire()
  pool.close()
  first.markUnusable()
  pool.release(first)
  pool.release(await waiting)
  expect(opened()).toBe(2)
  expect(pool.take('statement')).toBeUndefined()
})
