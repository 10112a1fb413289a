/**
 * Opens a server connection: an address, TLS, the login, the first host that does.
 *
 *     host, host, … ─▶ socket ─▶ SSLRequest, handshake ─▶ Login ─▶ ServerConnection
 *
 * The next host is tried at once; only when all have failed does the pool pause. Names are looked up each time.
 * Not here: the login's rules (login.ts), pauses and how many at a time (pool.ts).
 */
import { pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { ProtocolError, sslRequest } from '@sluice/wire'
import type { ScramSecret } from '@sluice/wire/authentication'
import type { Clock } from '../transport/clock.ts'
import type { ClientTls, Socket, SocketHandler, Transport } from '../transport/transport.ts'
import { type LoggedIn, Login, type LoginAction } from './login.ts'
import { LoginRefused } from './pool.ts'
import { type Keeper, ServerConnection } from './server-connection.ts'
import { sslAnswer } from './ssl-answer.ts'
import { Values } from './values.ts'

export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/** As in libpq: what is checked of the origin's certificate, and whether plain text will do. */
export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

/** Where an origin is, and how it is spoken to. */
export interface Origin {
  /** Tried in turn. */
  readonly addresses: readonly Address[]
  readonly sslmode: SslMode
  /** PEM; without it the system's authorities. */
  readonly authority?: string
  /** PEM, of ours. */
  readonly certificate?: string
  readonly key?: string
}

export interface DialOptions {
  readonly origin: Origin
  readonly user: string
  readonly database: string
  readonly parameters?: Iterable<readonly [string, string]>
  readonly secret: ScramSecret
  readonly transport: Transport
  readonly clock: Clock
  /** For one host: address, TLS and login together. */
  readonly timeoutMs: number
}

const derive = promisify(pbkdf2)

/**
 * @throws LoginRefused if the origin answered with an ErrorResponse, Error if it could not be reached; of the last host
 */
export function dial(options: DialOptions, keeper: Keeper, signal: AbortSignal): Promise<ServerConnection> {
  return dialWith(options, signal, (socket, login, address) => {
    const server = new ServerConnection(socket, keeper, {
      address,
      key: login.key,
      scramKeys: login.keys,
      reported: Values.of(login.parameters),
      now: options.clock.now(),
    })
    if (login.leftover.length > 0) server.onData(login.leftover)
    return server
  })
}

/**
 * The same for who speaks to the server in another way, as a replication connection does: `begin` takes the socket over,
 * and what stands in `leftover`.
 */
export async function dialWith<Connection>(
  options: DialOptions,
  signal: AbortSignal,
  begin: (socket: Socket, login: LoggedIn, address: Address) => Connection,
): Promise<Connection> {
  let last: unknown
  for (const address of options.origin.addresses) {
    const attempt = new AbortController()
    const abort = () => attempt.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const cancelTimer = options.clock.after(options.timeoutMs, () =>
      attempt.abort(new Error(`${named(address)} did not answer within ${options.timeoutMs / 1_000} s`)),
    )
    try {
      const socket = await openSocket(address, options.origin, options.transport, attempt.signal)
      return begin(socket, await logIn(socket, options, attempt.signal), address)
    } catch (error) {
      last = error
      if (signal.aborted) break
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', abort)
    }
  }
  throw last
}

/** A socket to the origin, encrypted if it shall be: for logins and for cancel requests. */
export async function openSocket(
  address: Address,
  origin: Origin,
  transport: Transport,
  signal: AbortSignal,
): Promise<Socket> {
  const waiting = new FirstBytes()
  const socket = await transport.connect(address, waiting, signal)
  const abort = () => socket.destroy()
  signal.addEventListener('abort', abort, { once: true })
  try {
    const { sslmode } = origin
    // As libpq: what goes through the file system is not encrypted.
    if (sslmode === 'disable' || 'path' in address) return socket
    socket.write(sslRequest())
    const answer = sslAnswer(await waiting.first)
    if (answer === 'plain') {
      if (sslmode === 'prefer') return socket
      throw new Error(`${named(address)} does not speak TLS, and sslmode is ${sslmode}`)
    }
    await socket.startTls(clientTls(address.host, origin))
    return socket
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function clientTls(host: string, { sslmode, authority, certificate, key }: Origin): ClientTls {
  return {
    side: 'client',
    serverName: host,
    // libpq checks the authority under `require` too, if it was given one.
    verify:
      sslmode === 'verify-full'
        ? 'full'
        : sslmode === 'verify-ca' || (sslmode === 'require' && authority)
          ? 'ca'
          : 'none',
    ...(authority === undefined ? {} : { authority }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
  }
}

function logIn(socket: Socket, options: DialOptions, signal: AbortSignal): Promise<LoggedIn> {
  return new Promise((resolve, reject) => {
    const { user, database, secret, parameters = [] } = options
    const login = new Login({ user, database, secret, parameters, tls: socket.tls, randomBytes })
    const abort = () => fail(signal.reason as Error)
    const finish = () => signal.removeEventListener('abort', abort)
    const fail = (error: Error) => {
      finish()
      socket.destroy()
      reject(error)
    }
    const act = (actions: readonly LoginAction[]) => {
      for (const action of actions)
        switch (action.do) {
          case 'send':
            socket.write(action.bytes)
            break
          case 'derive':
            derive(action.password, action.salt, action.iterations, 32, 'sha256').then(
              key => act(login.derived(key)),
              fail,
            )
            break
          case 'ready':
            finish()
            resolve(action.login)
            break
          case 'fail':
            fail(
              action.error.code === '08006'
                ? new Error(action.error.message)
                : new LoginRefused(action.error),
            )
            break
          default:
            action satisfies never
        }
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.handler = {
      onData: chunk => act(login.feed(chunk)),
      onDrain: () => {},
      onEnd: () => act(login.lost()),
      onClose: () => act(login.lost()),
    }
    act(login.start())
  })
}

/** What comes first, for who waits for it. */
class FirstBytes implements SocketHandler {
  #resolve: (chunk: Uint8Array) => void = () => {}
  #reject: (error: Error) => void = () => {}
  readonly first = new Promise<Uint8Array>((resolve, reject) => {
    this.#resolve = resolve
    this.#reject = reject
  })

  constructor() {
    // Nobody waits for it where no answer is asked for.
    this.first.catch(() => {})
  }

  onData(chunk: Uint8Array): void {
    this.#resolve(chunk)
  }

  onDrain(): void {}

  onEnd(): void {
    this.#reject(new ProtocolError('the origin closed the connection instead of an answer'))
  }

  onClose(error: Error | null): void {
    this.#reject(error ?? new ProtocolError('the origin closed the connection instead of an answer'))
  }
}

const named = (address: Address) => ('path' in address ? address.path : `${address.host}:${address.port}`)
