/** Real clients come in: a server of this test answers each query with its own text. */
import { execFile } from 'node:child_process'
import { pbkdf2, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import * as wire from '@sluice/wire'
import { makeVerifier } from '@sluice/wire/authentication'
import pg from 'pg'
import postgres from 'postgres'
import { generate } from 'selfsigned'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Credential } from './authenticate.ts'
import { wrongPassword } from './refusal.ts'
import { type Admitted, Startup, type StartupAction } from './startup.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const deriveKey = (password: Uint8Array, salt: Uint8Array, iterations: number) =>
  promisify(pbkdf2)(password, salt, iterations, 32, 'sha256')

// A space that is none in ASCII and a ligature: SASLprep changes both.
const password = 'ge\u00a0heim\ufb01'
const prepared = 'ge heimfi'
const verifier = await makeVerifier(bytes(password), randomBytes(16), deriveKey)
const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
  ...{ keyType: 'ec', algorithm: 'sha256' },
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
})

const users: Record<string, Credential> = {
  scram: { method: 'scram', verifier },
  nobody: { method: 'scram', verifier: null },
  md5: { method: 'md5', stored: password },
  clear: { method: 'password' },
  trusted: { method: 'trust' },
}

let admitted: Admitted[] = []
const cancelled: number[] = []
beforeEach(() => {
  admitted = []
})

function serve(socket: Socket) {
  const startup = new Startup({ tls: true, randomBytes, mockSecret: bytes('a secret') })
  let peer = socket
  const act = (actions: StartupAction[]) => {
    for (const action of actions)
      switch (action.do) {
        case 'send':
          peer.write(action.bytes)
          break
        case 'lookup':
          act(startup.found(users[action.user]!))
          break
        case 'prove': {
          const right = new TextDecoder().decode(action.password) === password
          act(startup.judged(right ? null : wrongPassword(action.user)))
          break
        }
        case 'handshake': {
          socket.off('data', onData).pause()
          if (action.alreadyRead !== null) socket.unshift(action.alreadyRead)
          peer = new TLSSocket(socket, { isServer: true, cert, key, ALPNProtocols: ['postgresql'] })
          peer.on('error', () => {})
          peer.on('data', onData)
          startup.secured(new X509Certificate(cert).raw)
          break
        }
        case 'admit':
          admitted.push(action.client)
          welcome(peer, action.client)
          break
        case 'cancel':
          cancelled.push(action.processId)
          peer.end()
          break
        case 'refuse':
          peer.end(wire.errorResponse(action.error))
          break
        case 'close':
          peer.end()
      }
  }
  const onData = (chunk: Uint8Array) => act(startup.feed(chunk))
  socket.on('data', onData)
  socket.on('error', () => {})

  function welcome(peer: Socket, client: Admitted) {
    peer.off('data', onData)
    peer.write(wire.authenticationOk())
    peer.write(wire.parameterStatus('server_version', '18.4'))
    peer.write(wire.parameterStatus('client_encoding', 'UTF8'))
    peer.write(wire.backendKeyData(42, randomBytes(client.secretKeyBytes)))
    peer.write(wire.readyForQuery('I'))
    const inbox = new wire.Inbox(10_000)
    const answer = (chunk: Uint8Array) => {
      inbox.push(chunk)
      for (let next = inbox.next(); next; next = inbox.next()) {
        if (next.type === wire.Terminate) peer.end()
        if (next.type !== wire.Query) continue
        const text = new TextDecoder().decode(next.body.subarray(0, -1))
        peer.write(wire.rowDescription([{ name: 'text' }]))
        peer.write(wire.dataRow([text]))
        peer.write(wire.commandComplete('SELECT 1'))
        peer.write(wire.readyForQuery('I'))
      }
    }
    answer(client.leftover)
    peer.on('data', answer)
  }
}

const server = createServer(serve).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
afterAll(() => server.close())

const clients: Record<string, (user: string, tls: boolean, password?: string) => Promise<string>> = {
  async 'node-postgres'(user, tls, wrong) {
    const client = new pg.Client({
      ...{ host: 'localhost', port, user, database: 'shop', password: wrong ?? password },
      ...{ ssl: tls && { ca: cert }, enableChannelBinding: true },
    })
    await client.connect()
    const { rows } = await client.query<{ text: string }>('select 1')
    await client.end()
    return rows[0]!.text
  },
  async 'postgres.js'(user, tls, wrong) {
    const sql = postgres({
      // It has no SASLprep.
      ...{
        host: 'localhost',
        port,
        user,
        database: 'shop',
        password: wrong ?? (user === 'scram' ? prepared : password),
      },
      ...{ ssl: tls && { ca: cert }, max: 1, fetch_types: false },
    })
    try {
      const [row] = await sql`select 1`.simple()
      return row!.text
    } finally {
      await sql.end()
    }
  },
  async psql(user, tls, wrong) {
    // SCRAM over TLS only if the channel is bound.
    const binding = tls && user === 'scram' ? { PGCHANNELBINDING: 'require' } : {}
    const { stdout } = await run('psql', ['-XAtc', 'select 1'], {
      env: {
        ...{ PATH: process.env.PATH, LC_ALL: 'C', ...binding, PGSSLMODE: tls ? 'require' : 'disable' },
        ...{ PGHOST: 'localhost', PGPORT: `${port}`, PGUSER: user, PGDATABASE: 'shop' },
        PGPASSWORD: wrong ?? password,
      },
    })
    return stdout.trim()
  },
}
const run = promisify(execFile)
const psqlHere = await run('psql', ['--version']).then(
  () => true,
  () => false,
)

describe.each(Object.entries(clients))('%s', (name, connect) => {
  const absent = name === 'psql' && !psqlHere

  test.skipIf(absent).each([
    ['scram', false, 'scram'],
    ['scram', true, 'scram'],
    ['md5', false, 'md5'],
    ['clear', true, 'password'],
    ['trusted', true, 'trust'],
  ] as const)('comes in as %s (TLS: %s)', async (user, tls, by) => {
    expect(await connect(user, tls)).toBe('select 1')
    expect(admitted).toMatchObject([{ user, database: 'shop', proof: { by } }])
  })

  test.skipIf(absent).each(['scram', 'nobody', 'md5', 'clear'])(
    'hears why it does not come in as %s with a wrong password',
    async user => {
      await expect(connect(user, true, 'falsch')).rejects.toThrow(
        `password authentication failed for user "${user}"`,
      )
      expect(admitted).toEqual([])
    },
  )
})

describe('TLS without a question', () => {
  const secure = async () => {
    const socket = connectTls({ port, host: 'localhost', ca: cert, ALPNProtocols: ['postgresql'] })
    await once(socket, 'secureConnect')
    return socket
  }

  test('lets a client in', async () => {
    const socket = await secure()
    expect(socket.alpnProtocol).toBe('postgresql')
    socket.write(wire.startupMessage({ user: 'trusted' }, wire.protocol32))
    const [answer] = (await once(socket, 'data')) as [Uint8Array]
    expect(answer[0]).toBe(wire.Authentication)
    socket.destroy()
    expect(admitted).toMatchObject([{ user: 'trusted', database: 'trusted', secretKeyBytes: 32 }])
  })

  test('lets a CancelRequest in', async () => {
    const socket = await secure()
    socket.write(wire.cancelRequest(4_711, new Uint8Array(32)))
    await once(socket.resume(), 'end')
    socket.destroy()
    expect(cancelled).toEqual([4_711])
  })
})
