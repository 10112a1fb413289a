/** Who comes in, and how the gateway then comes in at the origin. */
import tls from 'node:tls'
import { startupMessage } from '@sluice/wire'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { OriginOptions } from '../../packages/gateway/src/gateway.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freshDatabase, queryOnce, startTlsPostgres } from '../support/postgres.ts'
import { rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
let gateway: TestGateway
const role = (name: string) => `${name}_${database.name}`

beforeAll(async () => {
  gateway = await startGateway(database.url)
  await database.query(`create role ${role('al')} login password 'pä ss'`)
  await database.query(`create role ${role('old')} login password 'pw' valid until 'yesterday'`)
  await database.query(`create role ${role('off')} nologin password 'pw'`)
})
afterAll(async () => {
  await gateway.stop()
  for (const name of ['al', 'old', 'off']) await database.query(`drop role ${role(name)}`)
})

const whoAmI = async (url: string): Promise<string> =>
  (await queryOnce(url, 'select current_user'))[0].current_user

describe('roles of the origin', () => {
  test('come in by their own password, and are themselves there', async () => {
    expect(await whoAmI(gateway.urlOf(role('al'), 'pä ss'))).toBe(role('al'))
    await expect(whoAmI(gateway.urlOf(role('al'), 'wrong'))).rejects.toMatchObject({ code: '28P01' })
    await expect(whoAmI(gateway.urlOf('nobody', 'pw'))).rejects.toMatchObject({ code: '28P01' })
  })

  test('a changed password works at once, and the old one no longer', async () => {
    await database.query(`alter role ${role('al')} password 'new'`)
    expect(await whoAmI(gateway.urlOf(role('al'), 'new'))).toBe(role('al'))
    await expect(whoAmI(gateway.urlOf(role('al'), 'pä ss'))).rejects.toMatchObject({ code: '28P01' })
  })

  test('a role that is dropped and made anew is met by nothing of the one before', async () => {
    const again = role('again')
    await database.query(`create role ${again} login password 'pw'`)
    expect(await whoAmI(gateway.urlOf(again, 'pw'))).toBe(again)
    await database.query(`drop role ${again}; create role ${again} login password 'pw'`)
    expect(await whoAmI(gateway.urlOf(again, 'pw'))).toBe(again)
    await database.query(`drop role ${again}`)
  })

  test('VALID UNTIL and NOLOGIN are honoured', async () => {
    await expect(whoAmI(gateway.urlOf(role('old'), 'pw'))).rejects.toMatchObject({ code: '28P01' })
    await expect(whoAmI(gateway.urlOf(role('off'), 'pw'))).rejects.toMatchObject({ code: '28000' })
    await expect(whoAmI(gateway.urlOf(role('off'), 'no'))).rejects.toMatchObject({ code: '28P01' })
  })
})

test('an origin’s user who may not read pg_authid knows listed users only', async () => {
  await database.query(`alter role ${role('al')} password 'plain'`)
  const asAl = new URL(database.url)
  asAl.username = role('al')
  asAl.password = 'plain'
  await using narrow = await startGateway(asAl.href)
  expect(await whoAmI(narrow.url)).toBe(role('al'))
  await expect(whoAmI(narrow.urlOf(role('old'), 'pw'))).rejects.toMatchObject({ code: '28P01' })
  await using asked = await startGateway(database.url, {
    roles: { query: 'select usename, passwd from pg_shadow where usename = $1' },
  })
  expect(await whoAmI(asked.urlOf(role('al'), 'plain'))).toBe(role('al'))
})

test.each([['scram'], ['md5'], ['passthrough'], ['trust']] as const)(
  'auth = %s lets nobody in who is not listed, if only who is listed may come in',
  async auth => {
    await database.query(`alter role ${role('al')} password 'plain'`)
    const listed = { name: role('al'), password: 'plain' }
    await using listing = await startGateway(database.url, { auth, roles: 'none', users: [listed] })
    expect(await whoAmI(listing.urlOf(role('al'), 'plain'))).toBe(role('al'))
    expect(await whoAmI(listing.url)).not.toBe(role('al'))
    await using without = await startGateway(database.url, { auth, roles: 'none' })
    await expect(whoAmI(without.urlOf(role('al'), 'plain'))).rejects.toMatchObject({ code: '28P01' })
  },
)

test('passthrough: the origin judges the password', async () => {
  await using open = await startGateway(database.url, { auth: 'passthrough' })
  await database.query(`alter role ${role('al')} password 'clear'`)
  expect(await whoAmI(open.urlOf(role('al'), 'clear'))).toBe(role('al'))
  await expect(whoAmI(open.urlOf(role('al'), 'wrong'))).rejects.toMatchObject({ code: '28P01' })
})

test('of databases that nobody uses any more nothing is kept', async () => {
  await using any = await startGateway(database.url, { anyDatabase: true, idleTimeoutMs: 200 })
  const elsewhere = new URL(any.url)
  elsewhere.pathname = 'postgres'
  await whoAmI(elsewhere.href)
  elsewhere.pathname = 'nowhere'
  await expect(whoAmI(elsewhere.href)).rejects.toMatchObject({ code: '3D000' })
  const client = await rawClient(any.url)
  await client.query('select 1')
  const pools = () => any.gateway.backends.flatMap(backend => backend.pools.map(({ name }) => name))
  await vi.waitFor(() => expect(pools()).toEqual([expect.stringContaining(`@${database.name}`)]), 5_000)
  expect(await client.query('select 2')).toContain('D(2)')
  client.destroy()
  await vi.waitFor(() => expect(pools()).toEqual([]), 5_000)
})

test('a database that does not exist is said at once', async () => {
  await using any = await startGateway(database.url, { anyDatabase: true })
  const nowhere = new URL(any.url)
  nowhere.pathname = 'nowhere'
  await expect(whoAmI(nowhere.href)).rejects.toMatchObject({ code: '3D000' })
  const other = new URL(gateway.url)
  other.pathname = 'nowhere'
  await expect(whoAmI(other.href)).rejects.toMatchObject({ code: '3D000' })
})

test('an origin is called by its binding, too', async () => {
  const bound = new URL(gateway.url)
  bound.pathname = 'HYPERDRIVE'
  expect(await whoAmI(bound.href)).toBe('sluice')
})

test('TLS works without a configured certificate, with channel binding', async () => {
  expect(await whoAmI(`${gateway.url}?sslmode=no-verify`)).toBe('sluice')
  const sql = postgres(gateway.url, { ssl: { rejectUnauthorized: false }, max: 1 })
  expect((await sql`select current_user as me`)[0]?.me).toBe('sluice')
  await sql.end()
})

test('a client sees that it talks to Sluice', async () => {
  await using client = await rawClient(gateway.url)
  expect(client.parameters.get('sluice_version')).toBe('0.1.0')
  expect(client.parameters.get('server_version')).toMatch(/^18/)
})

test('replication connections are refused with a sentence that names the direct URL', async () => {
  await expect(rawClient(gateway.url, { parameters: { replication: 'database' } })).rejects.toMatchObject({
    code: '0A000',
    hint: expect.stringContaining('direct URL'),
  })
})

test('when it stops, idle clients hear 57P01, and a transaction may end first', async () => {
  const stopping = await startGateway(database.url)
  const idle = await rawClient(stopping.url)
  const busy = await rawClient(stopping.url)
  await busy.query('begin')
  const stopped = stopping.stop()
  await idle.until(() => idle.errors.length > 0)
  expect(idle.errors[0]).toMatchObject({ severity: 'FATAL', code: '57P01' })
  expect(await busy.query('select 1')).toContain('D(1)')
  expect(await busy.query('commit')).toContain('Z I')
  await busy.until(() => busy.errors.length > 0)
  expect(busy.errors[0]).toMatchObject({ severity: 'FATAL', code: '57P01' })
  await stopped
})

test('another configuration is taken without dropping a client', async () => {
  await using reloaded = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 300 })
  const client = await rawClient(reloaded.url)
  const other = await rawClient(reloaded.url)
  await client.query('begin')
  expect(await other.query('select 1')).toEqual(['E 53300', 'Z I'])
  reloaded.reload({ connectionLimit: 2, names: ['OTHER', 'HYPERDRIVE'] })
  expect(await client.query('select 1')).toEqual(['T(?column?)', 'D(1)', 'C(SELECT 1)', 'Z T'])
  client.destroy()
  other.destroy()
})

test('after a reload with a higher limit, who waited in vain gets a connection', async () => {
  await using reloaded = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 300 })
  const client = await rawClient(reloaded.url)
  const other = await rawClient(reloaded.url)
  await client.query('begin')
  expect(await other.query('select 1')).toEqual(['E 53300', 'Z I'])
  reloaded.reload({ connectionLimit: 2 })
  expect(await other.query('select 1')).toContain('D(1)')
  expect(await client.query('commit')).toContain('Z I')
  client.destroy()
  other.destroy()
})

describe('TLS at once, without an SSLRequest', () => {
  const handshake = (ALPNProtocols: string[]) =>
    new Promise<string>(resolve => {
      const { port } = new URL(gateway.url)
      const socket = tls.connect({
        port: Number(port),
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ALPNProtocols,
      })
      socket.once('secureConnect', () => {
        socket.write(startupMessage({ user: 'sluice', database: database.name }))
        socket.once('data', chunk => {
          resolve(`${socket.alpnProtocol} ${String.fromCharCode(chunk[0]!)}`)
          socket.destroy()
        })
      })
      socket.once('error', () => resolve('refused'))
      socket.once('close', () => resolve('closed'))
    })

  test('is PostgreSQL’s by ALPN, and nothing else', async () => {
    expect(await handshake(['postgresql'])).toBe('postgresql R')
    expect(await handshake(['h2'])).toBe('refused')
    expect(await handshake([])).toBe('closed')
  })
})

test('who is one too many hears so within TLS, where libpq and drivers take it for the server’s word', async () => {
  await using full = await startGateway(database.url, {}, { maxClients: 1 })
  await using inside = await rawClient(full.url)
  expect(await inside.query('select 1')).toContain('D(1)')
  for (const url of [full.url, `${full.url}?sslmode=no-verify`]) {
    const client = new pg.Client(url)
    await expect(client.connect()).rejects.toMatchObject({
      ...{ code: '53300', hint: 'Raise max_clients in sluice.toml.' },
    })
  }
})

describe('a client whose login was granted and whose session waits for the origin', () => {
  /** The pool's one connection is in a transaction; what startup parameters mean is asked on it. */
  const crowded = async (maxClients: number) => {
    const small = await startGateway(database.url, { connectionLimit: 1 }, { maxClients })
    const holder = await rawClient(small.url)
    await holder.query('begin')
    const second = rawClient(small.url, { parameters: { work_mem: '7MB' } })
    const [pool] = small.gateway.backends[0]!.pools
    await vi.waitUntil(() => pool!.waiting === 1, { timeout: 10_000, interval: 10 })
    return { ...{ small, holder, second }, stop: () => small.stop() }
  }

  test('counts for max_clients', async () => {
    const { small, holder, second, stop } = await crowded(2)
    await expect(rawClient(small.url)).rejects.toMatchObject({ code: '53300' })
    await holder.query('commit')
    await using client = await second
    expect(await client.query('show work_mem')).toContain('D(7MB)')
    await stop()
  })

  test('is turned away by a shutdown, and not left behind', async () => {
    const { holder, second, stop } = await crowded(100)
    const refused = expect(second).rejects.toMatchObject({ code: '57P01' })
    const stopped = stop()
    await holder.query('commit')
    await refused
    await stopped
  })
})

test('of several hosts the first that answers is taken', async () => {
  const { hostname, port } = new URL(database.url)
  await using several = await startGateway(database.url, {
    origin: {
      addresses: [
        { host: hostname, port: 1 },
        { host: hostname, port: Number(port) },
      ],
      sslmode: 'disable',
    },
  })
  expect(await whoAmI(several.url)).toBe('sluice')
})

describe('TLS to the origin', () => {
  test('is as sslmode says', async () => {
    await using origin = await startTlsPostgres()
    const { hostname, port } = new URL(origin.url)
    const addresses = [{ host: hostname, port: Number(port) }]
    const named = [{ host: 'localhost', port: Number(port) }]
    const isEncrypted = async (how: Partial<OriginOptions['origin']>) => {
      await using secure = await startGateway(origin.url, {
        origin: { addresses, sslmode: 'require', ...how },
        connectTimeoutMs: 500,
      })
      const client = await rawClient(secure.url)
      const heard = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
      client.destroy()
      return heard.find(word => word.startsWith('D('))
    }
    expect(await isEncrypted({ sslmode: 'disable' })).toBe('D(f)')
    expect(await isEncrypted({ sslmode: 'prefer' })).toBe('D(t)')
    expect(await isEncrypted({ sslmode: 'require' })).toBe('D(t)')
    expect(await isEncrypted({ sslmode: 'verify-ca', authority: origin.ca })).toBe('D(t)')
    expect(await isEncrypted({ sslmode: 'verify-full', authority: origin.ca, addresses: named })).toBe('D(t)')
    await expect(isEncrypted({ sslmode: 'verify-ca' })).rejects.toMatchObject({ code: '08006' })
  })
})
