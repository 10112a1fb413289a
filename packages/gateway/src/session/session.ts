/**
 * One client's session, from the end of its login to its end.
 *
 *            ┌──────────── released at ReadyForQuery I, nothing owed ────────────┐
 *            ▼                                                                   │
 *     ready ──unit──▶ waiting ──server──▶ preparing ──has what it wants──▶ exchanges in flight ──▶ preparing
 *                     (the pool's queue)  (replay, statements)                                     (probe)
 *
 * One rule decides what is taken of the client's bytes, and when. A *unit* is taken when it is whole (a Query; a
 * series up to its Sync or Flush) and a server connection is there that has what the client wants. Before that nothing
 * of it has left the gateway, so that a client that waits too long or cancels is simply told so. What was sent whole
 * before the end of the client's stream is run, as PostgreSQL would. What is too large to wait for goes on in pieces,
 * and a client that vanishes in the middle of that costs its server connection.
 *
 * The connection goes back when nothing that was sent owes an answer and ReadyForQuery said I, and never else.
 *
 *     client.ts    the client's bytes                        traces.ts    what is left behind
 *     units.ts     the next unit, and what it needs          names.ts     its prepared statements
 *     caching.ts   what the cache has to do with it          life.ts      the phases, and who moves them
 *     exchanges.ts what is in flight                         upkeep.ts    the server connection that is held
 *
 * Here is what holds them together: when something is taken, time-outs and cancels, and how a session ends.
 * Not here: who waits how long (origin/pool.ts), login (front/).
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Flow".
 */
import type { ErrorFields } from '@sluice/wire'
import type { Waiter } from '../origin/pool.ts'
import type { Refusal } from '../origin/refusal.ts'
import { LastWords, type ServerConnection } from '../origin/server-connection.ts'
import type { Values } from '../origin/values.ts'
import type { Socket, SocketHandler } from '../transport/transport.ts'
import { Client } from './client.ts'
import { canceled, idleInTransaction, queryTimedOut, refused, serverLost } from './errors.ts'
import { Exchanges } from './exchanges.ts'
import type { Life, Phase } from './life.ts'
import type { SessionOptions } from './options.ts'
import type { Signal } from './signals.ts'
import { Traces } from './traces.ts'
import { Units } from './units.ts'
import { Upkeep } from './upkeep.ts'

/** What a client's session starts with. */
export interface SessionStart {
  /** Startup parameters, to which a RESET goes back. */
  readonly base: Values
  /** What the client was told by ParameterStatus at its login. */
  readonly told: Values
  /** What it cancels by. */
  readonly key: { readonly processId: number; readonly secretKey: Uint8Array }
}

/** More keep no server busier. What one client sends at once would all be taken at once, and others wait meanwhile. */
const mostInFlight = 200
/** How long a server may take to answer a cancel request. */
const cancelGraceMs = 10_000
/** How long a server may take to answer what the gateway itself asks: as long as query_timeout is by default. */
const ownQueryMs = 60_000

export class Session implements SocketHandler, Waiter, Life {
  readonly key: SessionStart['key']
  readonly options: SessionOptions
  readonly client: Client
  /** Why it keeps its server connection, if it does. */
  readonly traces: Traces
  readonly #upkeep: Upkeep
  readonly #exchanges: Exchanges
  readonly #units: Units
  #phase: Phase = 'ready'
  /** query_timeout has passed, and a cancel request is on its way. */
  #timedOut = false
  /** A FATAL of the server has passed: it was the last thing to say. */
  #fatal = false
  #running = false

  constructor(socket: Socket, options: SessionOptions, { base, told, key }: SessionStart) {
    this.options = options
    this.key = key
    this.client = new Client(socket, told)
    this.traces = new Traces(options, base)
    this.#upkeep = new Upkeep(this)
    this.#exchanges = new Exchanges(this, this.#upkeep)
    this.#units = new Units(this, this.#exchanges, this.#upkeep)
    socket.handler = this
  }

  /** What it was told last. */
  get told(): Values {
    return this.client.told
  }

  get server(): ServerConnection | null {
    return this.#upkeep.server
  }

  get phase(): Phase {
    return this.#phase
  }

  get isIdle(): boolean {
    return this.#phase === 'ready' && this.#exchanges.size === 0
  }

  /** Nothing of it is under way on a server connection: it may be ended without harm. */
  get waiting(): boolean {
    if (this.server !== null) return false
    return this.#phase === 'ready' || this.#phase === 'waiting' || this.#phase === 'joining'
  }

  // SocketHandler: the client

  onData(chunk: Uint8Array): void {
    if (this.#phase === 'over' || this.#phase === 'leaving') return
    this.client.push(chunk)
    this.#run()
  }

  onDrain(): void {
    this.server?.resume()
  }

  onEnd(): void {
    this.client.ended = true
    this.#run()
  }

  onClose(): void {
    this.client.ended = true
    this.client.gone = true
    this.server?.resume()
    this.#run()
  }

  #run(): void {
    if (this.#running || this.#phase === 'over') return
    this.#running = true
    const client = this.client
    const units = this.#units
    try {
      while (this.#takes() && units.takeNext());
    } finally {
      this.#running = false
    }
    const server = this.server
    if (server && !server.flush()) client.pause()
    else if (client.full && !this.#takes()) client.pause()
    else client.resume()
    // Whoever waits, waits on: what was sent before the end is run, as PostgreSQL would.
    if (client.ended && this.#takes()) this.#leave()
  }

  #takes(): boolean {
    if (this.#phase === 'ready') return this.#exchanges.size < mostInFlight
    return this.#phase === 'awaiting' && this.client.streaming > 0
  }

  // Life: what its parts bring about

  checkout(): ServerConnection | null {
    // Before the call: a refusal may come from within it.
    this.#phase = 'waiting'
    const server = this.options.pool.checkout(this, this.traces.wants)
    if (!server) return null
    this.#phase = 'ready'
    return this.#upkeep.take(server) ? server : null
  }

  joins(): void {
    this.#phase = 'joining'
  }

  prepares(): void {
    if (this.#phase !== 'leaving') this.#phase = 'preparing'
  }

  awaits(): void {
    this.#phase = 'awaiting'
  }

  awaited(): void {
    if (this.#phase === 'awaiting') this.#phase = 'ready'
  }

  goOn(): void {
    if (this.#phase === 'leaving') this.#putInOrder()
    else if (this.#phase !== 'over') {
      this.#phase = 'ready'
      this.#run()
    }
  }

  onQuiet(): void {
    const server = this.server
    if (!server || this.#phase === 'preparing' || this.#phase === 'over') return
    this.#timedOut = false
    if (this.#phase === 'leaving') this.#putInOrder()
    else {
      this.#phase = 'ready'
      this.#exchanges.onQuiet(server)
    }
  }

  signal(signal: Signal, processId: number): boolean {
    return this.options.signal(this, signal, processId)
  }

  // Waiter

  onServer(server: ServerConnection): void {
    this.#phase = 'ready'
    if (this.#upkeep.take(server)) this.#run()
  }

  onRefused(refusal: Refusal): void {
    this.#phase = 'ready'
    this.refuse(refusal)
    this.#run()
  }

  // Holder: the server

  onServerDrain(): void {
    this.#run()
  }

  onFed(settled: boolean): void {
    if (settled && this.#exchanges.size === 0) this.onQuiet()
    if ((this.client.there > 0 || this.client.ended) && this.#phase === 'ready') this.#run()
  }

  onServerNotification(bytes: Uint8Array, start: number, end: number): void {
    this.#upkeep.onNotification(bytes, start, end)
  }

  onServerError(fields: ErrorFields): Uint8Array | null {
    const { pool, queryTimeoutMs } = this.options
    if (fields.severity === 'FATAL' || fields.severity === 'PANIC') this.#fatal = true
    if (fields.code === '25006' && this.server) pool.onReadOnly(this.server)
    return this.#timedOut && fields.code === '57014' ? refused(queryTimedOut(queryTimeoutMs)) : null
  }

  /** What the client had on its connection is gone with it: as with a connection of its own, so is its session. */
  onServerGone(cause: Error): void {
    if (this.#phase === 'over') return
    if (!this.#fatal) this.#sayLast(cause instanceof LastWords ? cause.fields : serverLost(cause.message))
    this.#upkeep.onGone()
    this.#end()
  }

  // Time-outs and cancels

  /** A CancelRequest with this client's key. Ends when the origin was told. */
  async cancel(): Promise<void> {
    const server = this.server
    if (this.#phase === 'waiting') {
      this.options.pool.leave(this)
      this.onRefused(canceled())
    } else if (this.#phase === 'joining') {
      this.#exchanges.caching?.leaveFill()
      this.onRefused(canceled())
    } else if (server && this.#upkeep.refusePreparation(canceled())) {
      // A Parse may wait for a lock, as the client's own would.
      await this.#cancelOn(server)
    } else if (this.#phase === 'preparing') {
      // What is under way is ours and goes on; the client's unit waits behind it, if there is one.
      if (!this.#upkeep.readyKept) this.refuseWaiting(canceled())
    } else if (server && this.#exchanges.size > 0) await this.#cancelOn(server)
  }

  #cancelOn(server: ServerConnection): Promise<void> {
    const { pool, cancel } = this.options
    server.cancelling++
    const over = () => pool.afterCancel(server)
    return cancel(server).then(over, over)
  }

  /** What a timer does from time to time. */
  sweep(now: number): void {
    const { prepares, server, since } = this.#upkeep
    if (!server || this.#phase === 'over') return
    const { queryTimeoutMs, idleInTransactionTimeoutMs } = this.options
    const forMs = now - since
    if (prepares || server.pipeline.head?.sink === this.#exchanges) {
      if (queryTimeoutMs === 0 || forMs <= queryTimeoutMs || this.#exchanges.copying) return
      if (!this.#timedOut) {
        this.#timedOut = true
        this.#upkeep.refusePreparation(queryTimedOut(queryTimeoutMs))
        void this.#cancelOn(server)
      } else if (forMs > queryTimeoutMs + cancelGraceMs)
        server.destroy(new Error('it did not answer a cancel request'))
    } else if (this.#phase !== 'ready' || !server.pipeline.settled) {
      if (forMs > ownQueryMs)
        server.destroy(new Error(`it did not answer the gateway within ${ownQueryMs / 1_000} s`))
    } else if (
      this.#phase === 'ready' &&
      server.pipeline.status !== 'I' &&
      idleInTransactionTimeoutMs > 0 &&
      forMs > idleInTransactionTimeoutMs
    )
      this.terminate(idleInTransaction(idleInTransactionTimeoutMs))
  }

  // Errors of ours, and the end

  refuse(refusal: Refusal): void {
    if (this.#phase !== 'leaving' && this.#phase !== 'over') this.#units.refuse(refusal)
  }

  refuseWaiting(refusal: Refusal): void {
    if (this.#units.waits) this.refuse(refusal)
  }

  /** Ends the session with a last word, at once: what is in flight is cancelled and rolled back. */
  terminate(refusal: Refusal): void {
    if (this.#phase === 'over' || this.#phase === 'leaving') return
    this.#sayLast(refusal)
    this.client.hangUp()
    // Nothing more is said, so a client that does not read must not keep it.
    const server = this.server
    server?.resume()
    if (server && (this.#exchanges.size > 0 || this.#upkeep.prepares)) void this.#cancelOn(server)
    this.#leave()
  }

  /** Not in the middle of a message: it would be read as a part of it. */
  #sayLast(refusal: Refusal): void {
    if (!this.server?.pipeline.passing) this.client.say(refused(refusal, 'FATAL'))
  }

  /** Nothing more is taken. */
  #leave(): void {
    if (this.#phase === 'leaving' || this.#phase === 'over') return
    const before = this.#phase
    if (before === 'waiting') this.options.pool.leave(this)
    this.#exchanges.caching?.leaveFill()
    this.#phase = 'leaving'
    const server = this.server
    if (!server) this.#end()
    else if (this.#exchanges.open || this.client.streaming > 0 || this.#exchanges.copying) {
      // In the middle of a series, a message or a COPY: its state can't be told.
      this.#upkeep.drop()
      // First over: what was cut off by the client itself is no news to it.
      this.#end()
      server.destroy(new Error('its client went away in the middle of a series'))
    } else if (this.#exchanges.size === 0 && before !== 'preparing') this.#putInOrder()
  }

  #putInOrder(): void {
    this.#upkeep.putInOrder(() => this.#end())
  }

  #end(): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#exchanges.caching?.end()
    this.#upkeep.end()
    this.client.hangUp()
    this.options.onEnd(this)
  }

  /** The client has had time to close its side. */
  destroy(): void {
    this.client.destroy()
  }
}
