import { errorResponse, query } from '@sluice/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import { inTransaction, PoolLab } from '../../../../test/support/pool-lab.ts'
import { ask } from './own-query.ts'
import { LoginRefused, type Pool } from './pool.ts'

const refusedConnection = new Error('connect ECONNREFUSED 10.0.0.1:5432')
const wrongPassword = new LoginRefused({
  ...{ severity: 'FATAL', code: '28P01', message: 'password authentication failed for user "app"' },
})
const tooMany = new LoginRefused({ severity: 'FATAL', code: '53300', message: 'sorry, too many clients' })

let lab: PoolLab
let pool: Pool
beforeEach(() => {
  lab = new PoolLab()
  pool = lab.pool()
})

describe('waiting', () => {
  test('who came first is served first', async () => {
    const clients = ['a', 'b', 'c', 'd', 'e', 'f'].map(name => lab.client(pool, name))
    await lab.logIn()
    expect(lab.served).toEqual(['a', 'b', 'c'])
    for (const client of clients.slice(0, 3)) pool.release(client.server!)
    expect(lab.served).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  test('who leaves is passed over', async () => {
    const [first] = [lab.client(pool, 'a'), lab.client(pool, 'b'), lab.client(pool, 'c')]
    await lab.logIn()
    const leaver = lab.client(pool, 'd')
    lab.client(pool, 'e')
    pool.leave(leaver)
    pool.release(first.server!)
    expect(lab.served).toEqual(['a', 'b', 'c', 'e'])
  })

  test('who needs none any more when the turn comes hands it on, however many they are', async () => {
    const crowded = lab.pool({ queueLimit: 20_000 })
    const [first] = ['a', 'b', 'c'].map(name => lab.client(crowded, name))
    await lab.logIn()
    for (let i = 0; i < 10_000; i++) {
      const client = lab.client(crowded)
      client.onServer = server => crowded.release(server)
    }
    const last = lab.client(crowded, 'last')
    crowded.release(first!.server!)
    expect(last.server).toBe(first!.server)
    expect([crowded.waiting, crowded.idle]).toEqual([0, 0])
  })

  test('who waits longer than wait_timeout is told the pool, its size, the time and the cure', async () => {
    for (const name of ['a', 'b', 'c']) lab.client(pool, name)
    await lab.logIn()
    const early = lab.client(pool)
    await lab.pass(5_000, pool)
    const late = lab.client(pool)
    await lab.pass(5_000, pool)
    expect(early.refusal).toMatchObject({
      code: '53300',
      message: 'no server connection of pool app@shop (at most 3) became free within 10 s',
      hint: expect.stringContaining('origin_connection_limit'),
      routine: 'sluice',
    })
    expect(late.refusal).toBeNull()
    expect(pool.waiting).toBe(1)
  })

  test('who would make the queue too long is refused at once', () => {
    const short = lab.pool({ queueLimit: 2 })
    lab.client(short)
    lab.client(short)
    expect(lab.client(short).refusal).toMatchObject({
      code: '53300',
      message: '2 clients wait already for one of the 3 server connections of pool app@shop',
    })
  })

  test('a connection that has what is wanted is taken before others, else the one that was used last', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map(name => lab.client(pool, name))
    await lab.logIn()
    const paris = a!.server!.has.with([['TimeZone', 'Europe/Paris']])
    a!.server!.has = paris
    for (const client of [a!, b!, c!]) pool.release(client.server!)
    expect(pool.checkout(a!, paris)).toBe(a!.server)
    expect(pool.checkout(b!, paris)).toBe(c!.server)
  })
})

describe('what no client waits for', () => {
  test('takes what is idle, or opens one and comes after all clients', async () => {
    lab.background(pool, 'refresh')
    const client = lab.client(pool, 'a')
    expect(lab.logins).toBe(1)
    await lab.logIn()
    expect(lab.served).toEqual(['a'])
    const next = lab.client(pool, 'b')
    pool.release(client.server!)
    await lab.logIn()
    expect(lab.served).toEqual(['a', 'b', 'refresh'])
    pool.release(next.server!)
    expect(lab.background(pool)?.server).toBe(next.server)
  })

  test('gets none while clients wait, of any user, or all that may be open are in use', async () => {
    const other = lab.pool({ name: 'other@shop' })
    for (const name of ['a', 'b', 'c']) lab.client(pool, name)
    expect(lab.background(pool)).toBeNull()
    expect(lab.background(other)).toBeNull()
    await lab.logIn()
    expect(lab.background(pool)).toBeNull()
    expect(lab.logins).toBe(3)
  })

  test('is given up when no connection can be opened, or when it leaves', async () => {
    const refresh = lab.background(pool)
    await lab.attempts[0]!.fails(refusedConnection)
    expect(refresh?.refusal).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') })
    expect(lab.background(pool)).toBeNull()
    await lab.pass(2_000, pool)
    const leaver = lab.background(pool)!
    pool.leave(leaver)
    await lab.logIn()
    expect(leaver.server).toBeNull()
    expect(pool.idle).toBe(1)
  })
})

describe('growing and shrinking', () => {
  test('it opens as many as are wanted, four at a time, up to the limit', async () => {
    lab = new PoolLab(6)
    pool = lab.pool()
    for (let n = 0; n < 10; n++) lab.client(pool)
    expect(lab.attempts.length).toBe(4)
    await lab.attempts[0]!.succeeds()
    expect(lab.attempts.length).toBe(4)
    await lab.logIn()
    expect(pool.size).toBe(6)
    expect(pool.waiting).toBe(4)
  })

  test('min_size is opened before anyone asks, and the limit comes before it', async () => {
    pool = lab.pool({ minSize: 5 })
    pool.sweep(lab.clock.now())
    await lab.logIn()
    expect([pool.size, pool.idle]).toEqual([3, 3])
  })

  test('what is idle for longer than idle_timeout is closed, down to min_size', async () => {
    pool = lab.pool({ minSize: 1, idleTimeoutMs: 1_000 })
    const clients = ['a', 'b', 'c'].map(name => lab.client(pool, name))
    await lab.logIn()
    for (const client of clients) pool.release(client.server!)
    await lab.pass(900, pool)
    expect(pool.size).toBe(3)
    await lab.pass(200, pool)
    expect(pool.size).toBe(1)
    expect(lab.limit.open).toBe(1)
  })

  test('one that is older than max_lifetime is closed when it is given back, or when it is idle', async () => {
    pool = lab.pool({ maxLifetimeMs: 1_000 })
    const [held, idle] = [lab.client(pool), lab.client(pool)]
    await lab.logIn()
    pool.release(idle.server!)
    await lab.pass(1_200, pool)
    expect([held.server!.closed, idle.server!.closed]).toEqual([false, true])
    pool.release(held.server!)
    expect(held.server!.closed).toBe(true)
    expect(pool.size).toBe(0)
  })

  test('lives end at different times, so that not all are opened anew together', async () => {
    let chance = 0
    pool = lab.pool({ maxLifetimeMs: 1_000, random: () => (chance += 0.3) })
    const clients = [lab.client(pool), lab.client(pool), lab.client(pool)]
    await lab.logIn()
    const ends = clients.map(({ server }) => server!.retireAt - lab.clock.now())
    expect(new Set(ends).size).toBe(3)
    for (const end of ends) expect(Math.abs(end - 1_000)).toBeLessThanOrEqual(100)
  })
})

describe('what comes back', () => {
  test('in a transaction, or with an answer owed, is closed and never given on', async () => {
    const [open, owing] = [lab.client(pool), lab.client(pool)]
    await lab.logIn()
    ask(open.server!, 'begin', () => {})
    open.server!.onData(inTransaction)
    owing.server!.send(query('select 1'))
    for (const { server } of [open, owing]) {
      pool.release(server!)
      expect(server!.closed).toBe(true)
    }
    expect([pool.size, lab.limit.open]).toEqual([0, 0])
  })

  test('is kept back while a cancel request for it is on its way', async () => {
    const first = lab.client(pool, 'a')
    await lab.logIn()
    const { server } = first
    server!.cancelling++
    pool.release(server!)
    expect(pool.idle).toBe(0)
    pool.afterCancel(server!)
    expect(pool.idle).toBe(1)
  })

  test('one that the server takes leave of is given to nobody, though its end was not heard yet', async () => {
    const first = lab.client(pool, 'a')
    await lab.logIn()
    pool.release(first.server!)
    first.server!.onData(
      errorResponse({ severity: 'FATAL', code: '57P01', message: 'terminating connection' }),
    )
    expect([pool.idle, pool.size]).toEqual([0, 0])
  })

  test('one whose login was under way when all were retired is given to nobody: another is opened', async () => {
    const lab = new PoolLab()
    const pool = lab.pool()
    const client = lab.client(pool)
    pool.retireAll()
    const before = await lab.attempts[0]!.succeeds()
    expect(before.closed).toBe(true)
    expect(client.server).toBeNull()
    const after = await lab.attempts[0]!.succeeds()
    expect(client.server).toBe(after)
  })

  test('one that ended right behind its login is not counted', async () => {
    const client = lab.client(pool)
    const server = await lab.attempts[0]!.succeeds({ andEnds: true })
    expect([client.server, server.closed]).toEqual([null, true])
    expect([pool.size, lab.limit.open]).toEqual([0, 0])
  })
})

describe('an origin that is down', () => {
  test('is tried again with growing pauses, by one login for all', async () => {
    for (let n = 0; n < 3; n++) lab.client(pool)
    for (const attempt of [...lab.attempts]) await attempt.fails(refusedConnection)
    const tries: number[] = []
    for (let ms = 0; ms < 4_000; ms += 100) {
      await lab.pass(100, pool)
      expect(lab.attempts.length).toBeLessThanOrEqual(1)
      for (const attempt of [...lab.attempts]) {
        tries.push(ms)
        await attempt.fails(refusedConnection)
      }
    }
    const pauses = tries.slice(1).map((at, n) => at - tries[n]!)
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b))
    expect(tries.length).toBeLessThan(6)
  })

  test('is waited for until connect_timeout, then its clients are told why', async () => {
    const client = lab.client(pool)
    await lab.attempts[0]!.fails(refusedConnection)
    while (client.refusal === null) {
      await lab.pass(100, pool)
      await lab.attempts[0]?.fails(refusedConnection)
    }
    expect(lab.clock.now()).toBeGreaterThanOrEqual(6_000)
    expect(client.refusal).toMatchObject({
      code: '08006',
      message: expect.stringContaining(refusedConnection.message),
      hint: expect.stringContaining('sluice check'),
    })
  })

  test('that did not answer for connect_timeout is not waited for twice', async () => {
    const client = lab.client(pool)
    await lab.pass(5_000, pool)
    await lab.attempts[0]!.fails(new Error('10.0.0.1:5432 did not answer within 5 s'))
    expect(client.refusal).toMatchObject({ code: '08006' })
  })

  test('and comes back serves those who waited', async () => {
    const [a, b] = [lab.client(pool), lab.client(pool)]
    for (const attempt of [...lab.attempts]) await attempt.fails(refusedConnection)
    await lab.pass(2_000, pool)
    await lab.logIn()
    expect([a.server, b.server]).not.toContain(null)
  })

  test('is told once when it begins, and once when it ends', async () => {
    const told: string[] = []
    pool = lab.pool({
      onOutage: cause => told.push(cause.message),
      onRecovery: afterMs => told.push(`again, after ${afterMs} ms`),
    })
    lab.client(pool)
    await lab.attempts[0]!.fails(refusedConnection)
    await lab.pass(1_000, pool)
    await lab.attempts.at(-1)!.fails(refusedConnection)
    await lab.pass(4_000, pool)
    await lab.attempts.at(-1)!.succeeds()
    expect(told).toEqual([refusedConnection.message, 'again, after 5000 ms'])
  })

  test('once does not make a later outage look old', async () => {
    const [held, waiting] = [lab.client(pool, 'a'), lab.client(pool, 'b')]
    await lab.attempts[0]!.succeeds()
    await lab.attempts[0]!.fails(refusedConnection)
    pool.release(held.server!)
    expect(waiting.server).not.toBeNull()
    await lab.pass(60_000, pool)
    waiting.server!.destroy(new Error('the origin restarts'))
    const next = lab.client(pool)
    await lab.attempts[0]!.fails(refusedConnection)
    expect(next.refusal).toBeNull()
  })

  test('a refusal that time will not end is passed on at once, in its own words, and tried once a second', async () => {
    const client = lab.client(pool)
    await lab.attempts[0]!.fails(wrongPassword)
    expect(client.refusal).toMatchObject({ code: '28P01', message: wrongPassword.message })
    let tries = 0
    for (let ms = 0; ms < 10_000; ms += 100) {
      lab.client(pool)
      for (const attempt of [...lab.attempts]) {
        tries++
        await attempt.fails(wrongPassword)
      }
      await lab.pass(100, pool)
    }
    expect(tries).toBeLessThanOrEqual(10)
  })

  test('one that has no room for now is waited for', async () => {
    const client = lab.client(pool)
    await lab.attempts[0]!.fails(tooMany)
    expect(client.refusal).toBeNull()
    await lab.pass(2_000, pool)
    await lab.logIn()
    expect(client.server).not.toBeNull()
  })
})

test('a pool that closes lets what is held go on, and opens nothing more', async () => {
  const [held, idle] = [lab.client(pool), lab.client(pool)]
  await lab.logIn()
  pool.release(idle.server!)
  pool.close()
  expect([held.server!.closed, idle.server!.closed]).toEqual([false, true])
  lab.client(pool)
  await lab.pass(5_000, pool)
  expect(lab.attempts).toEqual([])
  pool.release(held.server!)
  expect(held.server!.closed).toBe(true)
})
