import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import {
  Authentication,
  backendMessageName,
  MessageScanner,
  PasswordMessage,
  Query,
  sslRequest,
  startupMessage,
  watch,
} from '@sluice/wire'
import pg from 'pg'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { FaultProxy } from './fault-proxy.ts'
import { freshDatabase, startTlsPostgres } from './postgres.ts'

const database = await freshDatabase()

beforeEach(async () => {
  await database.query('drop table if exists paid; create table paid (id int)')
})

async function proxied(): Promise<FaultProxy> {
  const proxy = await FaultProxy.start(database.url)
  onTestFinished(() => proxy.stop())
  return proxy
}

/** A connected client whose connection may be lost without ending the process. */
async function clientOf(proxy: FaultProxy): Promise<pg.Client> {
  const client = new pg.Client(proxy.url)
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

const connecting = (proxy: FaultProxy) =>
  clientOf(proxy).then(
    () => 'connected',
    error => error,
  )
const rowsPaid = async () => (await database.query('select count(*)::int as count from paid'))[0].count

/** What a promise has become after a while: a dark connection is seen by what does not happen. */
const stillPending = (promise: Promise<unknown>) =>
  Promise.race([
    promise.then(
      () => 'settled',
      () => 'settled',
    ),
    pause(150, 'pending'),
  ])

/** A message whose body is one string of less than 250 bytes: Query, PasswordMessage. */
const message = (type: number, text: string) =>
  Buffer.from([type, 0, 0, 0, 5 + text.length, ...Buffer.from(`${text}\0`)])

async function rawSocket(proxy: FaultProxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

describe('a proxy without a fault', () => {
  test('passes everything on, large values both ways included', async () => {
    const client = await clientOf(await proxied())
    const large = 'x'.repeat(5_000_000)
    expect((await client.query('select $1::text as value', [large])).rows).toEqual([{ value: large }])
  })

  test('lets the one who sends wait for the one who does not read', async () => {
    const proxy = await proxied()
    const socket = await rawSocket(proxy)
    socket.write(startupMessage({ user: 'clear_text', database: database.name }))
    socket.write(message(PasswordMessage, 'clear_text'))
    await proxy.until(({ connections }) => connections[0]?.startUpFlights !== undefined)
    socket.pause()
    socket.write(message(Query, `select repeat('x', 1000000) from generate_series(1, 200)`))
    await proxy.saw('select repeat')
    await pause(300)
    const held = proxy.connections[0]!.bytesToClient
    expect(held).toBeLessThan(100_000_000)
    let received = 0
    socket.on('data', chunk => {
      received += chunk.length
    })
    socket.resume()
    await proxy.until(({ connections }) => connections[0]!.bytesToClient > 200_000_000)
    while (received < 200_000_000) await once(socket, 'data')
  })

  test('tells the statements in order, those of prepared statements as often as they ran', async () => {
    const proxy = await proxied()
    const client = await clientOf(proxy)
    await client.query('select 1')
    await client.query({ name: 'two', text: 'select $1::int', values: [2] })
    await client.query({ name: 'two', text: 'select $1::int', values: [3] })
    const [connection] = proxy.connections
    expect(connection!.statements).toEqual(['select 1', 'select $1::int'])
    expect(connection!.ran).toEqual(['select 1', 'select $1::int', 'select $1::int'])
    expect(connection!.parameters?.get('database')).toBe(database.name)
    expect(proxy.count('SELECT $1')).toBe(2)
    expect(proxy.count(/1$/)).toBe(1)
  })

  test('counts connections, those accepted and those open', async () => {
    const proxy = await proxied()
    const client = new pg.Client(proxy.url)
    await client.connect()
    await clientOf(proxy)
    await client.end()
    await proxy.until(({ open }) => open === 1)
    expect(proxy.accepted).toBe(2)
  })

  test('counts flights: a query is one, a transaction three', async () => {
    const proxy = await proxied()
    const client = await clientOf(proxy)
    const connection = proxy.connections[0]!
    expect(connection.flights).toBe(connection.startUpFlights)
    const flightsOf = async (act: () => Promise<unknown>) => {
      const before = connection.flights
      await act()
      return connection.flights - before
    }
    expect(await flightsOf(() => client.query('select $1::int', [1]))).toBe(1)
    expect(
      await flightsOf(async () => {
        await client.query('begin')
        await client.query('select 1')
        await client.query('commit')
      }),
    ).toBe(3)
  })

  test('makes the server as far as it is told, in each direction', async () => {
    const proxy = await proxied()
    const client = await clientOf(proxy)
    proxy.latencyMs = { toServer: 30, toClient: 50 }
    const start = performance.now()
    await client.query('select 1')
    expect(performance.now() - start).toBeGreaterThanOrEqual(79)
  })

  test('keeps the bytes in order while the latency changes', async () => {
    const proxy = await proxied()
    const client = await clientOf(proxy)
    proxy.latencyMs = { toServer: 40, toClient: 0 }
    const first = client.query(`select pg_sleep(0.01), 'first' as value`)
    await proxy.saw('select pg_sleep')
    proxy.latencyMs = { toServer: 0, toClient: 0 }
    const second = client.query(`select 'second' as value`)
    expect([(await first).rows[0].value, (await second).rows[0].value]).toEqual(['first', 'second'])
  })

  test('passes a CancelRequest on', async () => {
    const proxy = await proxied()
    const client = await clientOf(proxy)
    const sleeping = expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' })
    // A request that comes before the statement has begun is no request at all.
    await vi.waitFor(async () => {
      const running = await database.query(`select from pg_stat_activity where query = 'select pg_sleep(60)'`)
      expect(running).toHaveLength(1)
    }, 5_000)
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
    const socket = await rawSocket(proxy)
    const request = new DataView(new ArrayBuffer(16))
    for (const [index, value] of [16, 80_877_102, processID, secretKey].entries())
      request.setInt32(index * 4, value)
    socket.write(new Uint8Array(request.buffer))
    await sleeping
    expect(proxy.connections.map(({ kind }) => kind)).toEqual(['session', 'cancel'])
  })
})

describe('TLS', () => {
  test('is refused by the proxy itself, so that it sees the statements', async () => {
    const proxy = await proxied()
    const client = new pg.Client({ connectionString: proxy.url, ssl: { rejectUnauthorized: false } })
    await expect(client.connect()).rejects.toThrow('The server does not support SSL connections')
  })

  test('or passed on, and then out of sight', async () => {
    await using server = await startTlsPostgres()
    await using proxy = await FaultProxy.start(server.url, { tls: 'pass' })
    const client = new pg.Client({ connectionString: proxy.url, ssl: { ca: server.ca } })
    await client.connect()
    await client.query('select 1')
    await client.end()
    expect(proxy.statements).toEqual([])
  })

  test('or passed on and refused by the server: the client may go on without', async () => {
    await using proxy = await FaultProxy.start(database.url, { tls: 'pass' })
    const socket = await rawSocket(proxy)
    socket.write(sslRequest())
    expect(String((await once(socket, 'data'))[0])).toBe('N')
    socket.write(startupMessage({ user: 'clear_text', database: database.name }))
    expect((await once(socket, 'data'))[0][0]).toBe(Authentication)
    expect(proxy.connections[0]!.parameters?.get('user')).toBe('clear_text')
  })
})

describe('connecting', () => {
  test('refused: nobody listens, until it listens again on the same port', async () => {
    const proxy = await proxied()
    const before = await clientOf(proxy)
    await proxy.refuse()
    expect(await connecting(proxy)).toMatchObject({ code: 'ECONNREFUSED' })
    await before.query('select 1')
    const port = proxy.port
    await proxy.listen()
    expect(proxy.port).toBe(port)
    expect(await connecting(proxy)).toBe('connected')
  })

  test('hang: accepted, and never a word', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'hang' }
    const attempt = new pg.Client({ connectionString: proxy.url, connectionTimeoutMillis: 200 }).connect()
    await expect(attempt).rejects.toThrow(/timeout/)
    await proxy.until(({ open }) => open === 0)
    expect(proxy.connections[0]!.bytesToClient).toBe(0)
  })

  test('close: closed as soon as accepted', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'close' }
    expect(await connecting(proxy)).toMatchObject({
      message: expect.stringMatching(/terminated|ECONNRESET|EPIPE/),
    })
  })

  test.each(['StartupMessage', 'Authentication'] as const)('closed cleanly after %s', async after => {
    const proxy = await proxied()
    proxy.fault = { is: 'closeAtStartUp', after }
    expect(await connecting(proxy)).toMatchObject({ message: expect.stringMatching(/terminated/) })
    expect(proxy.connections[0]!.bytesToClient > 0).toBe(after === 'Authentication')
    await database.connectionsFallTo(0)
  })

  test('an error in answer to the StartupMessage arrives with all its fields', async () => {
    const proxy = await proxied()
    proxy.fault = {
      is: 'refuseAtStartUp',
      error: { code: '57P03', message: 'going away', hint: 'come back' },
    }
    expect(await connecting(proxy)).toMatchObject({ severity: 'FATAL', code: '57P03', hint: 'come back' })
  })

  test('a fault with `times` happens so often, and failNext to so many connections', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'refuseAtStartUp', error: { code: '53300', message: 'full' }, times: 1 }
    expect(await connecting(proxy)).toMatchObject({ code: '53300' })
    expect(await connecting(proxy)).toBe('connected')
    proxy.failNext({ is: 'refuseAtStartUp', error: { code: '58000', message: 'gone' } })
    expect(await connecting(proxy)).toMatchObject({ code: '58000' })
    expect(await connecting(proxy)).toBe('connected')
    expect(proxy.faults).toBe(2)
  })

  test('start-up is held back for as long as asked', async () => {
    const proxy = await proxied()
    proxy.startUpDelayMs = 120
    const start = performance.now()
    expect(await connecting(proxy)).toBe('connected')
    expect(performance.now() - start).toBeGreaterThanOrEqual(119)
  })
})

describe('the first statement refused', () => {
  const error = { code: '58000', message: 'Failed to acquire a connection from the pool' }

  test.each([
    ['a simple query', undefined],
    ['an extended one', [1]],
  ])('%s gets the error, the server never sees it, and the session goes on', async (_kind, values) => {
    const proxy = await proxied()
    proxy.fault = { is: 'refuseFirstStatement', error, then: 'ReadyForQuery' }
    const client = await clientOf(proxy)
    const insert = values ? 'insert into paid values ($1)' : 'insert into paid values (1)'
    await expect(client.query(insert, values)).rejects.toMatchObject(error)
    expect(await rowsPaid()).toBe(0)
    await client.query(insert, values)
    expect(await rowsPaid()).toBe(1)
  })

  test('a statement that came with the password is answered after start-up', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'refuseFirstStatement', error, then: 'ReadyForQuery' }
    const socket = await rawSocket(proxy)
    socket.write(
      Buffer.concat([
        startupMessage({ user: 'clear_text', database: database.name }),
        message(PasswordMessage, 'clear_text'),
        message(Query, 'insert into paid values (1)'),
      ]),
    )
    const heard: string[] = []
    const scanner = new MessageScanner(watch({ noted: 'all others' }))
    socket.on('data', chunk => scanner.feed(chunk, type => heard.push(backendMessageName(type))))
    const answers = () => heard.filter(name => name !== 'ParameterStatus')
    while (answers().length < 6) await once(socket, 'data')
    expect(answers()).toEqual([
      'Authentication',
      'Authentication',
      'BackendKeyData',
      'ReadyForQuery',
      'ErrorResponse',
      'ReadyForQuery',
    ])
    expect(await rowsPaid()).toBe(0)
  })

  test('or is the last thing that the client hears', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'refuseFirstStatement', error, then: 'close' }
    const client = await clientOf(proxy)
    const ended = new Promise(resolve => client.once('end', resolve))
    await expect(client.query('select 1')).rejects.toMatchObject(error)
    await ended
  })
})

describe('cut at a statement', () => {
  async function pay(proxy: FaultProxy, values?: unknown[]): Promise<unknown> {
    const client = await clientOf(proxy)
    await client.query('begin')
    await client.query('insert into paid values (1)')
    return client.query('commit', values).then(
      () => 'committed',
      error => error,
    )
  }

  test('before it is forwarded: COMMIT did not run', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'cut', at: 'COMMIT', moment: 'before' }
    expect(await pay(proxy)).toBeInstanceOf(Error)
    await database.connectionsFallTo(0)
    expect(await rowsPaid()).toBe(0)
  })

  test.each(['reset', 'close'] as const)('answered: COMMIT did run, and no one was told (%s)', async by => {
    const proxy = await proxied()
    proxy.fault = { is: 'cut', at: 'COMMIT', moment: 'answered', by }
    expect(await pay(proxy)).toMatchObject({
      message: by === 'reset' ? /ECONNRESET/ : /terminated/,
    } satisfies {
      message: RegExp
    })
    expect(await rowsPaid()).toBe(1)
  })

  test('answered, with an Execute: the exchange ends at its Sync', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'cut', at: 'insert into paid', moment: 'answered' }
    const client = await clientOf(proxy)
    await expect(client.query('insert into paid values ($1)', [1])).rejects.toThrow()
    expect(await rowsPaid()).toBe(1)
  })

  test('forwarded: the server has the statement', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'cut', at: /insert/, moment: 'forwarded' }
    const client = await clientOf(proxy)
    await expect(client.query('insert into paid values ($1)', [1])).rejects.toThrow()
    await database.connectionsFallTo(0)
    expect(await rowsPaid()).toBe(1)
  })

  test('what was pipelined before it is answered, what comes after it is not', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'cut', at: 'select 2', moment: 'answered' }
    const client = new pg.Client({ connectionString: proxy.url, pipeline: true } as pg.ClientConfig)
    client.on('error', () => {})
    await client.connect()
    const answers = await Promise.allSettled([1, 2, 3].map(n => client.query(`select ${n} as n`)))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  test('all open connections at once', async () => {
    const proxy = await proxied()
    const client = await clientOf(proxy)
    const sleeping = expect(client.query('select pg_sleep(60)')).rejects.toThrow(/ECONNRESET/)
    await proxy.saw('select pg_sleep')
    proxy.cut()
    await sleeping
  })
})

describe('dark', () => {
  test('after a statement was forwarded: it runs, nobody answers, the socket stays open', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'dark', at: 'insert', moment: 'forwarded' }
    const client = await clientOf(proxy)
    const paid = client.query('insert into paid values (1)')
    paid.catch(() => {})
    await proxy.until(({ connections }) => connections[0]!.dark)
    expect(await stillPending(paid)).toBe('pending')
    expect(proxy.open).toBe(1)
    expect(await rowsPaid()).toBe(1)
  })

  test('before it is forwarded: it does not run', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'dark', at: 'insert', moment: 'before' }
    const client = await clientOf(proxy)
    const paid = client.query('insert into paid values (1)')
    paid.catch(() => {})
    expect(await stillPending(paid)).toBe('pending')
    expect(await rowsPaid()).toBe(0)
  })

  test('after so many messages', async () => {
    const proxy = await proxied()
    proxy.fault = { is: 'dark', at: { message: 3 }, moment: 'before' }
    const client = await clientOf(proxy)
    await client.query('select 1')
    await client.query('select 2')
    expect(await stillPending(client.query('select 3').catch(() => {}))).toBe('pending')
  })

  test('when told: what is open goes dark, what comes is answered', async () => {
    const proxy = await proxied()
    const old = await clientOf(proxy)
    proxy.goDark()
    expect(await stillPending(old.query('select 1').catch(() => {}))).toBe('pending')
    expect(await connecting(proxy)).toBe('connected')
  })
})

test('waiting in vain tells what was waited for and what was seen', async () => {
  const proxy = await proxied()
  proxy.patienceMs = 50
  const client = await clientOf(proxy)
  await client.query('select 1')
  await expect(proxy.saw('COMMIT')).rejects.toThrow(
    'waited in vain for 1 × COMMIT; the proxy saw ["select 1"]',
  )
})
