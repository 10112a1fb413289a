/** The origin moves: a primary takes no writes any more, a name leads elsewhere. The cases FA3 and FA4. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type Postgres, startPostgres } from '@sluice/dev'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { VirtualClock } from '../support/memory-transport.ts'
import { freshDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

async function queried(url: string, ...statements: string[]): Promise<unknown[][]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    let rows: unknown[][] = []
    for (const text of statements) rows = (await client.query({ text, rowMode: 'array' })).rows
    return rows
  } finally {
    await client.end()
  }
}

/** One address, behind which another server may stand for new connections. */
async function startSwitch() {
  const target = { port: 0 }
  const server = createServer(near => {
    const far = connect(target.port, '127.0.0.1')
    near.on('error', () => far.destroy()).pipe(far)
    far.on('error', () => near.destroy()).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { target, port: (server.address() as AddressInfo).port, stop: () => server.close() }
}

describe('FA3: a primary that takes no writes any more', () => {
  let old: Postgres
  let next: Postgres
  let between: Awaited<ReturnType<typeof startSwitch>>
  let clock: VirtualClock
  let gateway: TestGateway
  let a: RawClient
  let b: RawClient

  beforeAll(async () => {
    const start = () => startPostgres({ settings: { fsync: 'off' } })
    ;[old, next] = await Promise.all([start(), start()])
    const { password } = new URL(old.url)
    await queried(next.url, `alter role sluice password '${decodeURIComponent(password)}'`)
    between = await startSwitch()
    for (const { url } of [old, next]) await queried(urlOf(url), 'create table t (x int primary key)')
  })
  afterAll(async () => {
    between.stop()
    await Promise.all([old.stop(), next.stop()])
  })

  /** With the password that both have. */
  const urlOf = (url: string) => {
    const common = new URL(url)
    common.password = new URL(old.url).password
    return common.href
  }

  beforeEach(async () => {
    for (const { url } of [old, next]) await queried(urlOf(url), 'truncate t')
    between.target.port = old.port
    clock = new VirtualClock()
    const behind = new URL(old.url)
    behind.port = String(between.port)
    gateway = await startGateway(behind.href, { connectionLimit: 2 }, {}, { clock })
    a = await rawClient(gateway.url)
    b = await rawClient(gateway.url)
    return async () => {
      a.destroy()
      b.destroy()
      const ticking = setInterval(() => clock.advance(100), 1)
      await gateway.stop()
      clearInterval(ticking)
      await queried(
        old.url,
        'set transaction_read_only = off',
        'alter system reset default_transaction_read_only',
        'select pg_reload_conf()',
      )
      await vi.waitUntil(() => says('off'), { timeout: 10_000 })
    }
  })

  const says = async (word: string) =>
    (await queried(old.url, 'show default_transaction_read_only'))[0]![0] === word

  async function fence(): Promise<void> {
    await queried(old.url, 'alter system set default_transaction_read_only = on', 'select pg_reload_conf()')
    await vi.waitUntil(() => says('on'), { timeout: 10_000 })
  }

  const insert = (client: RawClient, x: number) => client.query(`insert into t values (${x})`)
  const refused = ['E 25006', 'Z I']
  const done = ['C(INSERT 0 1)', 'Z I']

  /** Backends take a new configuration one after the other: writes may still be taken. Which were. */
  async function untilRefused(client: RawClient, from: number): Promise<number[]> {
    for (const taken: number[] = []; ; taken.push(from++)) {
      const heard = await insert(client, from)
      if (heard[0] === refused[0]) return taken
      expect(heard).toEqual(done)
    }
  }

  /** Writes until the new one has been written to; PostgreSQL refuses once at most. Which writes were taken. */
  async function untilMoved(client: RawClient): Promise<number[]> {
    const taken: number[] = []
    let refusals = 0
    for (let x = 100; ; x++) {
      const heard = await insert(client, x)
      if (heard[0] === done[0]) taken.push(x)
      else expect([heard, ++refusals]).toEqual([refused, 1])
      if ((await written())[1]!.length > 0) return taken
    }
  }

  const written = async () => {
    const both = [old, next].map(({ url }) => queried(urlOf(url), 'select x from t order by x'))
    return (await Promise.all(both)).map(rows => rows.flat())
  }

  test('costs one error at most; then all connections lead to the new one', async () => {
    await a.query('begin')
    expect(await insert(b, 1)).toEqual(done)
    await a.query('commit')
    await fence()
    between.target.port = next.port
    const taken = await untilMoved(a)
    expect(await insert(b, 2)).toEqual(done)
    const [left, reached] = await written()
    expect(reached).toContain(2)
    expect([...left!, ...reached!].sort()).toEqual([1, 2, ...taken].sort())
  })

  test('is left within 5 s of the name leading elsewhere', async () => {
    expect(await insert(a, 1)).toEqual(done)
    await fence()
    const late = await untilRefused(a, 100)
    for (const x of [2, 3, 4]) expect(await insert(a, x)).toEqual(refused)
    between.target.port = next.port
    clock.advance(5_000)
    expect(await insert(a, 5)).toEqual(refused)
    expect(await insert(a, 6)).toEqual(done)
    expect(await insert(b, 7)).toEqual(done)
    expect(await written()).toEqual([
      [1, ...late],
      [6, 7],
    ])
  })

  test('takes who listens along', async () => {
    await a.query('listen news')
    await fence()
    between.target.port = next.port
    await untilMoved(b)
    await a.until(() => a.notices.includes('notifications may have been lost'))
    await queried(urlOf(next.url), 'notify news')
    await a.until(() => a.notifications.length > 0)
  })

  test('a client that wants to read only, and writes, costs nobody a connection', async () => {
    const pid = () => b.query('select pg_backend_pid()')
    const before = await pid()
    await a.query('begin read only')
    expect(await insert(a, 1)).toEqual(['E 25006', 'Z E'])
    await a.query('rollback')
    await a.query('set default_transaction_read_only = on')
    expect(await insert(a, 1)).toEqual(refused)
    await a.query('reset all')
    expect(await pid()).toEqual(before)
  })
})

describe('FA4: a name that leads elsewhere', async () => {
  const database = await freshDatabase()
  let clock: VirtualClock
  let gateway: TestGateway
  let told: readonly (readonly string[] | null)[]
  let looked: number

  beforeEach(async () => {
    clock = new VirtualClock()
    looked = 0
    told = [['127.0.0.1', '::1']]
    const lookup = async (host: string) => {
      expect(host).toBe('localhost')
      const answer = told[looked++ % told.length]!
      if (answer === null) throw new Error('getaddrinfo ENOTFOUND localhost')
      return answer
    }
    const url = new URL(database.url)
    url.hostname = 'localhost'
    gateway = await startGateway(url.href, { connectionLimit: 3 }, {}, { clock, lookup })
    const clients = await Promise.all([1, 2, 3].map(() => rawClient(gateway.url)))
    for (const client of clients) await client.query('begin')
    for (const client of clients) {
      await client.query('commit')
      client.destroy()
    }
    return async () => {
      const ticking = setInterval(() => clock.advance(100), 1)
      await gateway.stop()
      clearInterval(ticking)
    }
  })

  /** How many connections are open after each 5 s. */
  async function sizes(count: number): Promise<number[]> {
    const seen: number[] = []
    for (let n = 0; n < count; n++) {
      for (let ms = 0; ms < 5_000; ms += 500) {
        clock.advance(500)
        await new Promise(setImmediate)
      }
      seen.push(gateway.gateway.backends[0]!.pools[0]!.size)
    }
    return seen
  }

  test('connections to the address that vanished retire one after the other', async () => {
    expect(new Set(await sizes(20))).toEqual(new Set([3]))
    told = [['127.0.0.2']]
    const seen = await sizes(30)
    expect(seen.slice(0, 10)).toEqual(Array(10).fill(3))
    expect(seen.filter((size, at) => size !== seen[at - 1])).toEqual([3, 2, 1, 0])
    await using client = await rawClient(gateway.url)
    expect(await client.query('select 1')).toContain('D(1)')
  })

  test('a record that rotates, and look-ups that fail, close none', async () => {
    told = [['127.0.0.2'], ['127.0.0.1', '::1'], ['127.0.0.3']]
    expect(new Set(await sizes(40))).toEqual(new Set([3]))
    told = [null]
    expect(new Set(await sizes(40))).toEqual(new Set([3]))
  })
})
