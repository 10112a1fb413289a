/**
 * Where clients come in: sockets of the listener are taken through startup and login, and handed on as admitted ones.
 *
 *     socket ─▶ Startup (what it says is done here) ─▶ admit(socket, client)
 *                  │ handshake: TLS     │ lookup, prove: accounts     │ cancel: keys
 */
import { randomBytes } from 'node:crypto'
import { type ErrorFields, errorResponse } from '@sluice/wire'
import type { Clock } from '../transport/clock.ts'
import { hangUp } from '../transport/hang-up.ts'
import type { ServerTls, Socket, SocketHandler } from '../transport/transport.ts'
import type { Accounts } from './accounts.ts'
import { fatal } from './refusal.ts'
import { type Admitted, Startup, type StartupAction } from './startup.ts'

export interface DoorOptions {
  /** Null: the gateway has no certificate. Asked for each client, as is the time-out: a reload may change them. */
  readonly tls: () => ServerTls | null
  readonly accounts: Pick<Accounts, 'lookup' | 'prove'>
  readonly clock: Clock
  readonly loginTimeoutMs: () => number
  /** What users who do not exist are made of: the same at each start, so that a restart tells nobody who exists. */
  readonly mockSecret: Uint8Array
  cancel(processId: number, secretKey: Uint8Array): Promise<void>
  admit(socket: Socket, client: Admitted): void
}

export class Door {
  readonly #options: DoorOptions
  readonly #waiting = new Set<Entry>()
  /** For whom there is no room. */
  readonly #leaving = new Set<Entry>()

  constructor(options: DoorOptions) {
    this.#options = options
  }

  /** Clients that are not in yet. */
  get waiting(): number {
    return this.#waiting.size
  }

  open(socket: Socket): void {
    const entry = new Entry(socket, this.#options, null, () => this.#waiting.delete(entry))
    this.#waiting.add(entry)
  }

  /**
   * Lets a client come as far as to hear why it can't come in: before its answer to SSLRequest libpq takes no error for
   * the server's. A request to cancel is heard as ever. A crowd hears it at once.
   */
  turnAway(socket: Socket, why: ErrorFields): void {
    if (this.#leaving.size >= mostLeaving) {
      socket.write(errorResponse(why))
      hangUp(socket, this.#options.clock)
      return
    }
    const entry = new Entry(socket, this.#options, why, () => this.#leaving.delete(entry))
    this.#leaving.add(entry)
  }

  /** Turns away all who are not in yet. */
  close(): void {
    for (const entry of [...this.#waiting, ...this.#leaving]) entry.end()
  }
}

/** Each costs a handshake at most, and login_timeout. */
const mostLeaving = 100

class Entry implements SocketHandler {
  readonly #socket: Socket
  readonly #options: DoorOptions
  readonly #startup: Startup
  readonly #tls: ServerTls | null
  readonly #turnedAway: ErrorFields | null
  readonly #done: () => void
  readonly #cancelTimer: () => void
  #over = false

  constructor(socket: Socket, options: DoorOptions, turnedAway: ErrorFields | null, done: () => void) {
    this.#socket = socket
    this.#options = options
    this.#turnedAway = turnedAway
    this.#done = done
    this.#tls = options.tls()
    this.#startup = new Startup({ tls: this.#tls !== null, randomBytes, mockSecret: options.mockSecret })
    const timeoutMs = options.loginTimeoutMs()
    this.#cancelTimer = options.clock.after(timeoutMs, () =>
      this.#act([{ do: 'refuse', error: tooSlow(timeoutMs) }]),
    )
    socket.handler = this
  }

  onData(chunk: Uint8Array): void {
    this.#act(this.#startup.feed(chunk))
  }

  onDrain(): void {}

  onEnd(): void {
    this.end()
  }

  onClose(): void {
    this.#finish()
  }

  end(): void {
    this.#finish()
    hangUp(this.#socket, this.#options.clock)
  }

  /** It is no longer at the door. */
  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    this.#cancelTimer()
    this.#done()
    return true
  }

  #act(actions: readonly StartupAction[]): void {
    for (const action of actions) {
      if (this.#over) return
      switch (action.do) {
        case 'send':
          this.#socket.write(action.bytes)
          break
        case 'handshake':
          this.#handshake(action.alreadyRead)
          break
        case 'lookup':
          if (this.#turnedAway) {
            this.#act(this.#startup.found({ refusal: this.#turnedAway }))
            break
          }
          this.#options.accounts.lookup(action.user, action.database, this.#socket).then(
            credential => this.#act(this.#startup.found(credential)),
            error => this.#fail(error),
          )
          break
        case 'prove':
          this.#options.accounts.prove(action.user, action.database, action.password).then(
            error => this.#act(this.#startup.judged(error)),
            error => this.#fail(error),
          )
          break
        case 'cancel': {
          const close = () => this.end()
          this.#options.cancel(action.processId, action.secretKey).then(close, close)
          break
        }
        case 'admit':
          this.#finish()
          this.#options.admit(this.#socket, action.client)
          break
        case 'refuse':
          this.#socket.write(errorResponse(action.error))
          this.end()
          break
        case 'close':
          this.end()
          break
        default:
          action satisfies never
      }
    }
  }

  #handshake(alreadyRead: Uint8Array | null): void {
    const tls = this.#tls
    if (!tls) throw new Error('a handshake was begun without a certificate')
    const socket = this.#socket
    const direct = alreadyRead ? { alreadyRead } : {}
    socket.startTls({ ...tls, alpn, ...direct }).then(
      () => {
        // As PostgreSQL: without ALPN it could be the content of another protocol, sent here by who stands between.
        if (alreadyRead && socket.tls?.alpn === null) this.end()
        else this.#startup.secured(socket.tls?.serverCertificate ?? null)
      },
      () => this.#finish(),
    )
  }

  #fail(error: unknown): void {
    this.#act([
      {
        do: 'refuse',
        error: fatal('XX000', `the login could not be judged: ${(error as Error).message}`),
      },
    ])
  }
}

/** What PostgreSQL's protocol is called in ALPN. */
const alpn = ['postgresql']

const tooSlow = (ms: number) =>
  fatal('08006', `the login was not complete within login_timeout (${ms / 1_000} s)`)
