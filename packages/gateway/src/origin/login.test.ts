import { pbkdf2, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { protocol32, sslRequest } from '@sluice/wire'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTlsPostgres, type TlsPostgres } from '../../../../test/support/postgres.ts'
import { writeServerFile } from '../../../../test/support/server-files.ts'
import { type LoggedIn, Login, type LoginAction, type LoginOptions } from './login.ts'
import { sslAnswer } from './ssl-answer.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

type Outcome = Extract<LoginAction, { do: 'ready' | 'fail' }>

/** Logs in over a socket that is open; `derivations` counts how often PBKDF2 was asked for. */
async function logIn(socket: Socket, options: Omit<LoginOptions, 'randomBytes'>) {
  const login = new Login({ ...options, randomBytes })
  let derivations = 0
  const outcome = await new Promise<Outcome>(resolve => {
    const run = (actions: LoginAction[]) => {
      for (const action of actions)
        switch (action.do) {
          case 'send':
            socket.write(action.bytes)
            break
          case 'derive':
            derivations++
            promisify(pbkdf2)(action.password, action.salt, action.iterations, 32, 'sha256').then(key =>
              run(login.derived(key)),
            )
            break
          default:
            resolve(action)
        }
    }
    socket.on('data', chunk => run(login.feed(chunk)))
    socket.on('close', () => run(login.lost()))
    run(login.start())
  })
  socket.destroy()
  return { outcome, derivations }
}

describe('a login at PostgreSQL', () => {
  let postgres: TlsPostgres
  beforeAll(async () => {
    postgres = await startTlsPostgres()
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    await admin.query(`
      create role by_scram login password 'geheim\u00a0\u00ad\ufb01';
      set password_encryption = md5;
      create role by_md5 login password 'geheim';
      reset password_encryption;
      create role by_clear login password 'geheim';
      create role by_trust login`)
    await writeServerFile(
      admin,
      'pg_hba.conf',
      [
        'host all by_md5 all md5',
        'host all by_clear all password',
        'host all by_trust all trust',
        'host all all all scram-sha-256',
      ].join('\n'),
    )
    await admin.query('select pg_reload_conf()')
    await admin.end()
  })
  afterAll(() => postgres.stop())

  async function plain() {
    const socket = connect(postgres.port, '127.0.0.1')
    await once(socket, 'connect')
    return socket
  }

  async function encrypted() {
    const socket = await plain()
    socket.write(sslRequest())
    const [answer] = (await once(socket, 'data')) as [Uint8Array]
    expect(sslAnswer(answer)).toBe('tls')
    const secure = connectTls({ socket, ca: postgres.ca, host: 'localhost' })
    await once(secure, 'secureConnect')
    return { secure, tls: { serverCertificate: secure.getPeerCertificate().raw } }
  }

  const as = (user: string, password?: string) => ({
    ...{ user, database: 'postgres', tls: null },
    secret: { password: password === undefined ? undefined : bytes(password) },
  })
  const loggedIn = ({ outcome }: { outcome: Outcome }): LoggedIn =>
    outcome.do === 'ready' ? outcome.login : expect.unreachable(outcome.error.message)

  test.each([
    ['SCRAM', 'by_scram', 'geheim\u00a0\u00ad\ufb01'],
    ['SCRAM, the password in another form', 'by_scram', 'geheim fi'],
    ['MD5', 'by_md5', 'geheim'],
    ['clear text', 'by_clear', 'geheim'],
    ['nothing', 'by_trust', undefined],
  ])('by %s tells parameters, key and no more', async (_method, user, password) => {
    const login = loggedIn(await logIn(await plain(), as(user, password)))
    expect(login.parameters.get('server_version')).toMatch(/^18/)
    expect(login.parameters.get('session_authorization')).toBe(user)
    expect(login.key?.secretKey).toHaveLength(4)
    expect(login.leftover).toHaveLength(0)
  })

  test('under protocol 3.2 the cancel key is longer', async () => {
    const login = loggedIn(await logIn(await plain(), { ...as('by_trust'), version: protocol32 }))
    expect(login.version).toBe(protocol32)
    expect(login.key?.secretKey).toHaveLength(32)
  })

  test('over TLS binds the channel, and a server that sees another certificate than we refuses', async () => {
    const { secure, tls } = await encrypted()
    loggedIn(await logIn(secure, { ...as('by_scram', 'geheim fi'), tls }))
    const other = await encrypted()
    // Another certificate with the same kind of signature: one byte of the key differs.
    const serverCertificate = Uint8Array.from(other.tls.serverCertificate)
    serverCertificate[serverCertificate.length >> 1]! ^= 1
    const { outcome } = await logIn(other.secure, {
      ...as('by_scram', 'geheim fi'),
      tls: { serverCertificate },
    })
    expect(outcome).toMatchObject({ error: { code: '28000', message: 'SCRAM channel binding check failed' } })
  })

  test('with the keys of an earlier login needs neither a password nor a derivation', async () => {
    const first = await logIn(await plain(), as('by_scram', 'geheim fi'))
    expect(first.derivations).toBe(1)
    const keys = loggedIn(first).keys!
    const second = await logIn(await plain(), { ...as('by_scram'), secret: { keys } })
    expect(second.derivations).toBe(0)
    expect(loggedIn(second).keys).toEqual(keys)
  })

  test('carries settings', async () => {
    const parameters = [
      ['application_name', 'sluice'],
      ['options', '-c TimeZone=Asia/Tokyo'],
    ] as const
    const login = loggedIn(await logIn(await plain(), { ...as('by_trust'), parameters }))
    expect(login.parameters.get('application_name')).toBe('sluice')
    expect(login.parameters.get('TimeZone')).toBe('Asia/Tokyo')
  })

  test.each([
    [
      'a wrong password',
      as('by_scram', 'falsch'),
      '28P01',
      'password authentication failed for user "by_scram"',
    ],
    ['an unknown user', as('nobody', 'x'), '28P01', 'password authentication failed for user "nobody"'],
    [
      'an unknown database',
      { ...as('by_trust'), database: 'nowhere' },
      '3D000',
      'database "nowhere" does not exist',
    ],
    [
      'an unknown setting',
      { ...as('by_trust'), parameters: [['nonsense', '1']] as const },
      '42704',
      'unrecognized configuration parameter "nonsense"',
    ],
  ])('%s fails in the words of the server', async (_what, options, code, message) => {
    const { outcome } = await logIn(await plain(), options)
    expect(outcome).toMatchObject({ do: 'fail', error: { severity: 'FATAL', code, message } })
  })

  test.each([
    [
      'without a password',
      as('by_scram'),
      'the origin asks for a password of user "by_scram", and none is known',
    ],
    ['with a name that holds a NUL', as('by\0trust'), 'the startup parameter "user" is empty or holds a NUL'],
  ])('%s fails in our words', async (_what, options, message) => {
    const { outcome } = await logIn(await plain(), options)
    expect(outcome).toMatchObject({ do: 'fail', error: { message, routine: 'sluice' } })
  })
})

describe('the answer to an SSLRequest', () => {
  test('is yes or no', () => {
    expect(sslAnswer(bytes('S'))).toBe('tls')
    expect(sslAnswer(bytes('N'))).toBe('plain')
  })

  test.each(['SX', 'NX', 'E\0\0\0', 'H', ''])('is not %j', answer => {
    expect(() => sslAnswer(bytes(answer))).toThrow(/TLS/)
  })
})
