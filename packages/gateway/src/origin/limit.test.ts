import { expect, test } from 'vitest'
import { type Client, PoolLab } from '../../../../test/support/pool-lab.ts'
import type { Pool } from './pool.ts'

test('who waits gets the place of a connection that is idle in another pool', async () => {
  const lab = new PoolLab(2)
  const [busy, other] = [lab.pool({ name: 'busy' }), lab.pool({ name: 'other' })]
  const clients = [lab.client(busy), lab.client(busy)]
  await lab.logIn()
  busy.release(clients[0]!.server!)
  const waiting = lab.client(other)
  await lab.logIn()
  expect(clients[0]!.server!.closed).toBe(true)
  expect(waiting.server).not.toBeNull()
  expect([busy.size, other.size, lab.limit.open]).toEqual([1, 1, 2])
})

test('a place that becomes free goes to who waits longest, in whichever pool', async () => {
  const lab = new PoolLab(2)
  const pools = ['a', 'b', 'c'].map(name => lab.pool({ name }))
  const [a, b, c] = pools as [Pool, Pool, Pool]
  const first = lab.client(a, 'a1')
  lab.client(a, 'a2')
  await lab.logIn()
  for (const [pool, name] of [
    [c, 'c1'],
    [b, 'b1'],
    [a, 'a3'],
  ] as const) {
    lab.clock.advance(10)
    lab.client(pool, name)
  }
  first.server!.destroy(new Error('the server closed the connection'))
  await lab.logIn()
  expect(lab.served).toEqual(['a1', 'a2', 'c1'])
})

test('a connection that comes back goes to a pool that has less than its share, until it has that', async () => {
  const lab = new PoolLab(4)
  const [rich, poor] = [lab.pool({ name: 'rich' }), lab.pool({ name: 'poor' })]
  const held = [1, 2, 3, 4].map(() => lab.client(rich))
  await lab.logIn()
  for (let n = 0; n < 10; n++) {
    held.push(lab.client(n % 2 === 0 ? poor : rich))
    lab.clock.advance(1)
  }
  const sizes: number[][] = []
  for (const { server } of held) {
    if (rich.all.has(server!)) rich.release(server!)
    else poor.release(server!)
    await lab.logIn()
    sizes.push([rich.size, poor.size])
  }
  expect(sizes.slice(0, 8)).toEqual([[3, 1], [3, 1], ...Array(6).fill([2, 2])])
  expect(lab.logins).toBe(6)
})

test('FA6: three users with 15 busy clients each on 10 connections wait about as long as each other', async () => {
  const lab = new PoolLab(10)
  const pools = ['a', 'b', 'c'].map(name => lab.pool({ name }))
  const waits = pools.map(() => [] as number[])
  interface Lane {
    of: number
    since: number
    client: Client
    busyUntil: number
  }
  const ask = (of: number): Lane => ({
    ...{ of, since: lab.clock.now(), busyUntil: 0 },
    client: lab.client(pools[of]!),
  })
  const lanes = Array.from({ length: 45 }, (_, n) => ask(Math.floor(n / 15)))
  for (let ms = 0; ms < 2_000; ms++) {
    if (lab.attempts.length > 0) await lab.logIn()
    lab.clock.advance(1)
    if (ms % 100 === 0) for (const pool of pools) pool.sweep(lab.clock.now())
    const now = lab.clock.now()
    for (const [at, lane] of lanes.entries()) {
      const { client, of } = lane
      if (!client.server) continue
      if (lane.busyUntil === 0) {
        waits[of]!.push(now - lane.since)
        // Statements take 3 to 12 ms.
        lane.busyUntil = now + 3 + ((at * 7 + ms) % 10)
      } else if (now >= lane.busyUntil) {
        pools[of]!.release(client.server)
        lanes[at] = ask(of)
      }
    }
  }
  const late = waits.map(of => of.toSorted((a, b) => a - b)[Math.floor(of.length * 0.99)]!)
  expect(Math.max(...late) / Math.min(...late)).toBeLessThanOrEqual(2)
  expect(lab.limit.open).toBe(10)
})

test('more pools than places take turns', async () => {
  const lab = new PoolLab(1)
  const pools = ['a', 'b', 'c'].map(name => lab.pool({ name }))
  const holding = pools.map((pool, n) => lab.client(pool, 'abc'[n]))
  for (let turn = 0; turn < 9; turn++) {
    await lab.logIn()
    const at = holding.findIndex(({ server }) => server !== null)
    lab.clock.advance(10)
    const { server } = holding[at]!
    holding[at] = lab.client(pools[at]!, 'abc'[at])
    pools[at]!.release(server!)
  }
  expect(lab.served.join('')).toBe('abcabcabc')
})
