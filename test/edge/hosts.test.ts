/** Several hosts in one URL, and servers that say odd things: on Node, on both TCP drivers. */
import { createServer, type Server, type Socket } from 'node:net'
import { createDatabaseManager, DatabaseError } from '@sluice/edge'
import { afterEach, describe, expect, test } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { freshDatabase } from '../support/postgres.ts'

const database = await freshDatabase()
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const managed = (options: Parameters<typeof createDatabaseManager>[0]) => {
  const manager = createDatabaseManager({ log: () => {}, ...options })
  cleanUps.push(() => manager.close())
  return manager
}

async function proxied(): Promise<FaultProxy> {
  const proxy = await FaultProxy.start(database.url)
  cleanUps.push(() => proxy.stop())
  return proxy
}

/** One URL that names both, in this order. */
const both = (first: string, second: string) => {
  const { host } = new URL(first)
  const url = new URL(second)
  return second.replace(`@${url.host}`, `@${host},${url.host}`)
}

/** Answers SSLRequest with 'N' and whatever follows with `answer`. */
async function serverThatSays(answer: Uint8Array): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', data => socket.write(data.length === 8 ? 'N' : answer))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanUps.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `postgres://ada:pw@127.0.0.1:${(server.address() as { port: number }).port}/shop`
}

describe.each(['pg', 'postgres'] as const)('%s', driver => {
  test.each([
    ['accepts and says nothing', { is: 'hang' }],
    ['closes at once', { is: 'close' }],
    ['closes during start-up', { is: 'closeAtStartUp', after: 'StartupMessage' }],
    ['is starting up', { is: 'refuseAtStartUp', error: { code: '57P03', message: 'starting up' } }],
  ] as const)('a first host that %s leaves the second its turn', async (_, fault) => {
    const first = await proxied()
    first.fault = fault
    const sql = managed({ driver, connectDeadlineMs: 2_000 }).getConnection(both(first.url, database.url))
    expect([...(await sql`select 1 as one`)]).toEqual([{ one: 1 }])
    expect(first.accepted).toBeGreaterThan(0)
  })

  test('a wrong password is not tried on the next host', async () => {
    const [first, second] = [await proxied(), await proxied()]
    const url = both(first.url, second.url).replace(/:[^:@/]+@/, ':wrong@')
    const error = await managed({ driver }).getConnection(url)`select 1`.catch((error: unknown) => error)
    expect(error).toMatchObject({ reason: 'refused', code: '28P01' })
    expect(second.accepted).toBe(0)
  })

  test('a cancel goes to the host that runs the statement', async () => {
    const [first, second] = [await proxied(), await proxied()]
    await first.refuse()
    const sql = managed({ driver }).getConnection(both(first.url, second.url))
    await sql`select 1`
    await first.listen()
    await expect(sql`select pg_sleep(30)`.with({ deadlineMs: 200 }).execute()).rejects.toMatchObject({
      reason: 'query-deadline',
    })
    expect(first.accepted).toBe(0)
    const running = await database.query(
      `select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and state = 'active' and pid <> pg_backend_pid()`,
    )
    expect(running).toEqual([])
  })

  test('an idle connection whose end was announced is not used again, not for a moment', async () => {
    const manager = managed({ driver })
    const sql = manager.getConnection(database.url)
    for (let round = 0; round < 30; round++) {
      const [mine] = await sql<{ pid: number }>`select pg_backend_pid() as pid`
      await database.query('select pg_terminate_backend($1)', [mine!.pid])
      // Whether FATAL has come, or the end of the stream behind it, or neither, is left to chance.
      const outcome = await sql`select 1`.then(
        () => 'ok',
        (error: unknown) => error,
      )
      if (outcome !== 'ok') {
        expect(outcome).toBeInstanceOf(DatabaseError)
        expect((outcome as DatabaseError).reason).not.toBe('bad-answer')
      }
    }
  })

  test.each([
    // AuthenticationGSS, which neither driver speaks.
    ['asks for an authentication that the driver does not know', '520000000800000007'],
    // RowDescription of one field, cut in its name.
    ['sends a message that is cut', '52000000080000000053000000ff'],
    ['claims a length of nothing', '5200000000'],
  ])('a server that %s costs one error, and no exception', async (_, hex) => {
    const url = await serverThatSays(Buffer.from(hex, 'hex'))
    const error = await managed({ driver, connectDeadlineMs: 500 }).getConnection(url)`select 1`.catch(
      (error: unknown) => error,
    )
    expect(error).toBeInstanceOf(DatabaseError)
    expect(error).toMatchObject({ sent: 'no', code: '08001' })
  })
})
