/**
 * The two connections of a cover: what it asks for is done on them, and what comes of them is told to it.
 *
 * The stream is read as fast as it comes: what is to be done of it is done at once, so the socket is never paused, and
 * the server waits for us in TCP. What we write is small and bounded by what the server says.
 */
import type { LoggedIn } from '../origin/login.ts'
import { askWithin } from '../origin/own-query.ts'
import type { Keeper, ServerConnection } from '../origin/server-connection.ts'
import type { Clock } from '../transport/clock.ts'
import type { Socket, SocketHandler } from '../transport/transport.ts'
import type { Cover, CoverAction } from './cover.ts'
import type { Failure } from './failure.ts'

/** How the origin is reached; the connections' settings are in `streamParameters` and `controlParameters`. */
export interface Reach {
  /** Logs in and hands the socket over. @throws what dialWith does */
  stream(begin: (socket: Socket, login: LoggedIn) => void, signal: AbortSignal): Promise<void>
  /** @throws what dial does */
  control(keeper: Keeper, signal: AbortSignal): Promise<ServerConnection>
}

/** Keys come as they are printed in UTF-8; making the replication slot may take as long as others' transactions do. */
export const streamParameters: readonly (readonly [string, string])[] = [
  ['replication', 'database'],
  ['client_encoding', 'UTF8'],
  ['application_name', 'sluice'],
  ['options', '-c search_path=pg_catalog -c statement_timeout=0 -c lock_timeout=0'],
]

/** Its marks must not wait for a synchronous standby, and its questions for nobody's lock. */
export const controlParameters: readonly (readonly [string, string])[] = [
  ['client_encoding', 'UTF8'],
  ['application_name', 'sluice'],
  [
    'options',
    '-c search_path=pg_catalog -c synchronous_commit=local -c lock_timeout=1s -c statement_timeout=0 -c default_transaction_read_only=off',
  ],
]

export interface ConnectionsOptions {
  readonly reach: Reach
  readonly clock: Clock
  /** For an answer on the control connection. */
  readonly answerMs: number
  readonly cover: Cover
  onFailure(failure: Failure): void
  /** Something may have changed in the status. */
  onStep(): void
}

export class Connections implements Keeper {
  readonly #options: ConnectionsOptions
  readonly #closing = new AbortController()
  #socket: Socket | null = null
  #control: ServerConnection | null = null
  #endTimer: () => void = () => {}
  #timerAt = Infinity
  #over = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** @throws what the logins threw */
  async open(): Promise<void> {
    const { reach, cover } = this.#options
    const { signal } = this.#closing
    this.#control = await reach.control(this, signal)
    let leftover: Uint8Array = new Uint8Array(0)
    await reach.stream((socket, login) => {
      socket.handler = this.#handler
      this.#socket = socket
      leftover = login.leftover
    }, signal)
    if (this.#over) {
      this.close()
      return
    }
    if (this.#control.closed) this.onGone(this.#control, new Error('the control connection was lost'))
    this.#do(now => cover.start(now))
    if (leftover.length > 0) this.#handler.onData(leftover)
  }

  opaque(number: number): void {
    this.#do(now => this.#options.cover.opaque(number, now))
  }

  close(): void {
    this.#over = true
    this.#closing.abort(new Error('it is not needed any more'))
    this.#endTimer()
    this.#socket?.destroy()
    this.#control?.close(new Error('it is not needed any more'))
  }

  // Keeper: the control connection

  onGone(_server: ServerConnection, cause: Error): void {
    this.#lost(cause)
  }

  onNotification(): void {}

  onDemoted(): void {
    this.#lost(new Error('the origin became a standby'))
  }

  readonly #handler: SocketHandler = {
    onData: chunk => this.#do(now => this.#options.cover.feed(chunk, now)),
    onDrain: () => {},
    onEnd: () => this.#lost(new Error('the server closed the replication connection')),
    onClose: error => this.#lost(error ?? new Error('the replication connection was closed')),
  }

  #lost(cause: Error): void {
    this.#do(now => this.#options.cover.lost(cause, now))
  }

  #do(step: (now: number) => readonly CoverAction[]): void {
    if (this.#over) return
    const { clock, cover, onStep } = this.#options
    const now = clock.now()
    try {
      for (const action of step(now)) this.#act(action)
    } catch (error) {
      // What can't be understood is as good as lost.
      for (const action of cover.lost(error as Error, now)) this.#act(action)
    }
    this.#setTimer(now)
    onStep()
  }

  #act(action: CoverAction): void {
    switch (action.do) {
      case 'write':
        this.#socket?.write(action.bytes)
        break
      case 'ask':
        this.#ask(action.sql)
        break
      case 'fail':
        this.close()
        this.#options.onFailure(action.failure)
        break
      default:
        action satisfies never
    }
  }

  #ask(sql: string): void {
    const { clock, answerMs: timeoutMs, cover } = this.#options
    askWithin({ clock, timeoutMs }, this.#control!, sql, answer => {
      if ('lost' in answer) this.#lost(answer.lost)
      else this.#do(now => cover.answered(answer, now))
    })
  }

  #setTimer(now: number): void {
    if (this.#over) return
    const { clock, cover } = this.#options
    const at = cover.deadline()
    if (at === this.#timerAt) return
    this.#endTimer()
    this.#timerAt = at
    if (at === Infinity) return
    this.#endTimer = clock.after(Math.max(0, at - now), () => {
      this.#timerAt = Infinity
      this.#do(now => cover.tick(now))
    })
  }
}
