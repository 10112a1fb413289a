/**
 * One connection to the origin: a socket, the exchanges in flight on it, and what it *has*.
 *
 *     has          parameters and role that differ from those it started with
 *     statements   what is prepared on it under names of the gateway's, the least recently used first
 *     unnamed      whose unnamed statement is on it; null if there is none for sure
 *     reported     what ParameterStatus said
 *
 * What it has is believed when the server has said so; a session that can't tell asks (session/probe.ts).
 * Not here: who gets it when (pool.ts), how it was opened (dial.ts).
 */
import { type ErrorFields, parseErrorFields, terminate } from '@sluice/wire'
import type { ScramKeys } from '@sluice/wire/authentication'
import { Pipeline, type ServerVoice } from '../exchange/index.ts'
import type { Socket, SocketHandler } from '../transport/transport.ts'
import type { Address } from './dial.ts'
import type { Statement } from './statement.ts'
import { Values } from './values.ts'

/** Who holds the connection, between checkout and release. */
export interface Holder {
  /** The connection takes bytes again. */
  onServerDrain(): void
  /** What the server sent has been read; `settled`: nothing that was sent owes an answer. Once more is harmless. */
  onFed(settled: boolean): void
  /** The connection is gone. Owners of exchanges were told before. */
  onServerGone(cause: Error): void
  /** The body of a NotificationResponse is from `start` to `end`. */
  onServerNotification(bytes: Uint8Array, start: number, end: number): void
}

/** For who holds it for no longer than exchanges take, which hear of its end by themselves. */
export const deafHolder: Holder = {
  onServerDrain() {},
  onFed() {},
  onServerGone() {},
  onServerNotification() {},
}

/** Who hears of a connection's life: its pool. */
export interface Keeper {
  /** It is gone, and its owners were told. */
  onGone(server: ServerConnection, cause: Error): void
  onNotification(server: ServerConnection, bytes: Uint8Array, start: number, end: number): void
  /** The server became a standby: what was opened to the primary leads to it no longer. */
  onDemoted?(): void
}

export interface ServerKey {
  readonly processId: number
  readonly secretKey: Uint8Array
}

/** The server said why it closes. */
export class LastWords extends Error {
  readonly fields: ErrorFields

  constructor(fields: ErrorFields) {
    super(fields.message)
    this.fields = fields
  }
}

/** Why a connection ended, if the last ErrorResponse on it, or none, was `said`. */
export const explained = (cause: Error, said: ErrorFields | null): Error =>
  said?.severity === 'FATAL' || said?.severity === 'PANIC' ? new LastWords(said) : cause

export class ServerConnection implements SocketHandler, ServerVoice {
  readonly pipeline = new Pipeline(this)
  readonly key: ServerKey | null
  /** Of the host that took the login: a cancel request goes there. */
  readonly address: Address
  readonly openedAt: number
  /** What its login yielded: what logs in again without the password. */
  readonly scramKeys: ScramKeys | null
  has: Values = Values.none
  reported: Values
  readonly statements = new Set<Statement>()
  /** Prepared on it, and of no use to anyone any more. */
  readonly leftovers: Statement[] = []
  unnamed: object | null = null
  holder: Holder | null = null
  /** Whose values of sequences (lastval, currval) are in its session; null: nobody's. */
  sequencesOf: object | null = null
  /** Since when it is as it is: held, or idle. */
  since = 0
  /** Cancel requests that are on their way to it. */
  cancelling = 0
  /** When it has lived long enough. */
  retireAt = Infinity
  /** It is not given to anyone any more. */
  retired = false
  closed = false
  /** The server does not read as fast as it is sent to: what was flushed has not gone out yet. */
  full = false

  readonly #socket: Socket
  readonly #keeper: Keeper
  readonly #startedWith: ReadonlyMap<string, string>
  /** What the server said at its end, which explains the end. */
  #lastWords: ErrorFields | null = null
  /** What goes out with the next flush, and where in each of these what is meant begins and ends. */
  readonly #out: Uint8Array[] = []
  readonly #bounds: number[] = []
  #afterFeed: (() => void)[] = []

  constructor(
    socket: Socket,
    keeper: Keeper,
    {
      address,
      key,
      reported,
      now,
      scramKeys = null,
    }: {
      address: Address
      key: ServerKey | null
      reported: Values
      now: number
      scramKeys?: ScramKeys | null
    },
  ) {
    this.#socket = socket
    this.#keeper = keeper
    this.key = key
    this.address = address
    this.scramKeys = scramKeys
    this.reported = reported
    this.#startedWith = reported.byName
    this.openedAt = now
    this.since = now
    socket.handler = this
  }

  /** Nothing that was sent owes an answer, and no transaction is open: someone else may have it. */
  get clean(): boolean {
    return this.pipeline.settled && this.pipeline.status === 'I' && this.#out.length === 0
  }

  /** The server takes no writes: it is a standby, or fenced off. What a client has set counts for nothing. */
  get readOnly(): boolean {
    const is = this.reported.byName
    if (is.get('in_hot_standby') === 'on') return true
    return !this.has.byName.has(defaultReadOnly) && is.get(defaultReadOnly) === 'on'
  }

  /** It took writes before. */
  get demoted(): boolean {
    const was = this.#startedWith
    // As a rule it reports what it has reported at its start.
    if (this.reported.byName === was || !this.readOnly) return false
    return was.get('in_hot_standby') === 'off' && was.get(defaultReadOnly) === 'off'
  }

  /** DISCARD ALL or DEALLOCATE ALL has run. */
  forgetStatements(): void {
    this.statements.clear()
    this.leftovers.length = 0
  }

  get pending(): number {
    return this.#socket.pending
  }

  /** Where it leads: what its name led to when it was opened. */
  get remoteAddress(): string {
    return this.#socket.remoteAddress
  }

  /**
   * Bytes go out together, at the next flush. Those that lie behind each other, untouched messages, stay one piece:
   * of a chunk that passes whole, no view is made on the way.
   */
  send(bytes: Uint8Array, start: number = 0, end: number = bytes.length): void {
    const out = this.#out
    const bounds = this.#bounds
    if (out.length > 0 && out[out.length - 1] === bytes && bounds[bounds.length - 1] === start)
      bounds[bounds.length - 1] = end
    else {
      out.push(bytes)
      bounds.push(start, end)
    }
  }

  /** @returns false to ask for a pause, as long as it is full: `onServerDrain` tells the end */
  flush(): boolean {
    const out = this.#out
    if (out.length === 0) return !this.full
    const bytes =
      out.length === 1 ? part(out[0]!, this.#bounds[0]!, this.#bounds[1]!) : joined(out, this.#bounds)
    out.length = 0
    this.#bounds.length = 0
    this.full = !this.#socket.write(bytes)
    return !this.full
  }

  /** Calls when the chunk that is being read is read: what stands behind an answer in it belongs to the same owner. */
  afterFeed(call: () => void): void {
    this.#afterFeed.push(call)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Closes it in order; its owners, if there are any, lose it. */
  close(cause: Error): void {
    if (this.closed) return
    this.#socket.write(terminate())
    this.#socket.end()
    this.#gone(cause)
  }

  /** Closes it at once: what is on it can't be trusted or waited for. */
  destroy(cause: Error): void {
    if (this.closed) return
    this.#socket.destroy()
    this.#gone(cause)
  }

  // SocketHandler

  onData(chunk: Uint8Array): void {
    if (this.closed) return
    try {
      // One that has nothing more to say may be given on at once: nobody would resume it.
      if (!this.pipeline.feed(chunk) && !this.pipeline.settled) this.#socket.pause()
      if (this.#afterFeed.length > 0) {
        const calls = this.#afterFeed
        this.#afterFeed = []
        for (const call of calls) call()
      }
      this.holder?.onFed(this.pipeline.settled)
    } catch (error) {
      // Whoever stumbled over what it said: it can't be understood, and costs its owners this connection, no more.
      this.destroy(error as Error)
    }
  }

  onDrain(): void {
    this.full = false
    this.holder?.onServerDrain()
  }

  onEnd(): void {
    this.#socket.end()
    this.#gone(new Error('the server closed the connection'))
  }

  onClose(error: Error | null): void {
    this.#gone(error ?? new Error('the server closed the connection'))
  }

  // ServerVoice

  onParameterStatus(name: string, value: string): void {
    this.reported = this.reported.with([[name, value]])
    if (name === 'in_hot_standby' && this.demoted) this.#keeper.onDemoted?.()
  }

  onNotification(bytes: Uint8Array, start: number, end: number): void {
    this.holder?.onServerNotification(bytes, start, end)
    this.#keeper.onNotification(this, bytes, start, end)
  }

  onUnasked(bytes: Uint8Array, start: number, end: number): void {
    this.#lastWords = parseErrorFields(bytes, start, end)
    this.retired = true
    // Nobody must get it in the moment before its end is heard.
    if (this.holder === null) this.afterFeed(() => this.close(new Error('the server closes the connection')))
  }

  #gone(cause: Error): void {
    if (this.closed) return
    this.closed = true
    const told = this.#lastWords ? new LastWords(this.#lastWords) : cause
    this.pipeline.lost(told)
    this.holder?.onServerGone(told)
    this.#keeper.onGone(this, told)
  }
}

const defaultReadOnly = 'default_transaction_read_only'

const part = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end)

function joined(parts: readonly Uint8Array[], bounds: readonly number[]): Uint8Array {
  let length = 0
  for (let i = 0; i < parts.length; i++) length += bounds[2 * i + 1]! - bounds[2 * i]!
  const whole = new Uint8Array(length)
  let at = 0
  for (let i = 0; i < parts.length; i++) {
    const bytes = part(parts[i]!, bounds[2 * i]!, bounds[2 * i + 1]!)
    whole.set(bytes, at)
    at += bytes.length
  }
  return whole
}
