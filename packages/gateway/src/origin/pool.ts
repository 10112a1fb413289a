/**
 * The server connections of one (origin, database, user), and who waits for one.
 *
 *              checkout                 release
 *     idle ──────────────▶ held ──────────────────▶ idle          the newest first, so that the others grow old
 *      ▲                                  │
 *      └── opened, a few at a time        └─▶ the first that waits
 *
 * It grows on demand from `minSize` to what its limit allows, and shrinks again (sweep). A connection is released
 * only if nothing it was sent owes an answer and it is outside a transaction; every other one is closed.
 *
 * A database that can't be reached is tried again with growing pauses, shared by all who wait; they are refused once it
 * has been down for `connectTimeoutMs`, or at once if the origin's refusal will not change by trying again.
 *
 * Not here: opening a connection (dial.ts, handed in), what it must have before a client may use it (session/).
 */
import type { ErrorFields } from '@sluice/wire'
import type { Clock } from '../transport/clock.ts'
import type { Limit } from './limit.ts'
import { loginRefused, originDown, queueFull, type Refusal, waitedTooLong } from './refusal.ts'
import type { Keeper, ServerConnection } from './server-connection.ts'
import { Statements } from './statement.ts'
import { Values } from './values.ts'

/** Who waits for a connection. Exactly one of the two is called, unless it leaves before. */
export interface Waiter {
  onServer(server: ServerConnection): void
  onRefused(refusal: Refusal): void
}

/** The origin answered the login with an ErrorResponse. */
export class LoginRefused extends Error {
  readonly fields: ErrorFields
  constructor(fields: ErrorFields) {
    super(fields.message)
    this.fields = fields
  }
}

export interface PoolOptions {
  /** For messages: user@database. */
  readonly name: string
  readonly minSize: number
  /** How many may wait. */
  readonly queueLimit: number
  readonly waitTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  /** How many prepared statements of the gateway's one connection keeps. */
  readonly statementLimit: number
  /** Opens a connection and logs in. Rejects with LoginRefused if the origin said no. */
  readonly open: (keeper: Keeper, signal: AbortSignal) => Promise<ServerConnection>
  readonly clock: Clock
  readonly limit: Limit
  /** The server does not take writes any more: what else leads to it is of no use, either. */
  readonly onDemoted?: () => void
  /** No connection could be opened: told once, until one could again. */
  readonly onOutage?: (cause: Error) => void
  readonly onRecovery?: (afterMs: number) => void
  /** From 0 to 1, for jitter. */
  readonly random: () => number
}

/** Logins at a time: a crowd that comes back after a restart must not keep the database down. */
const loginsAtATime = 4
const shortestPauseMs = 50
const longestPauseMs = 2_000
/** How often names are looked up anew because of writes that fail: about as soon as a new primary takes them. */
const lookAgainMs = 5_000

export class Pool implements Keeper {
  /** May be changed: what comes next goes by it. */
  options: PoolOptions
  readonly statements = new Statements()
  /** What a connection reports at its start; empty before the first one. */
  startValues: Values = Values.none

  readonly #all = new Set<ServerConnection>()
  readonly #idle: ServerConnection[] = []
  readonly #waiting = new Map<Waiter, number>()
  /** They take what no client wants. */
  readonly #background = new Set<Waiter>()
  /** Whom it is offered to may give it back at once: the cache has answered meanwhile. */
  #offer: { readonly server: ServerConnection; cameBack: boolean } | null = null
  #opening = 0
  /** No connection could be opened, since when and for what reason last. */
  #outage: { since: number; failures: number; cause: string } | null = null
  /** Ends the pause after a failed try. */
  #endPause: (() => void) | null = null
  /** When all connections were retired because of a write that failed. */
  #lookedAgainAt = -Infinity
  /** How often all were retired. */
  #generation = 0
  readonly #closing = new AbortController()

  constructor(options: PoolOptions) {
    this.options = options
  }

  get name(): string {
    return this.options.name
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#all.size + this.#opening
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get idle(): number {
    return this.#idle.length
  }

  get all(): ReadonlySet<ServerConnection> {
    return this.#all
  }

  /** When the first of those who wait began to; Infinity if nobody waits. */
  get oldestWait(): number {
    for (const since of this.#waiting.values()) return since
    return Infinity
  }

  /**
   * A connection at once, best one that has what is wanted; or null, and the waiter is called later.
   */
  checkout(waiter: Waiter, wants: Values): ServerConnection | null {
    const server = this.#takeIdle(wants)
    if (server === null) this.#wait(waiter)
    return server
  }

  /** There is a connection that no client wants: one is idle, or could be opened and nobody waits. */
  get hasSpare(): boolean {
    const { limit } = this.options
    return this.#idle.length > 0 || (!limit.isWaitedFor && !limit.full && this.#mayOpen)
  }

  /**
   * The same as `checkout` for work that no client waits for, if there is a connection to spare. One that has to be
   * opened first goes to a client that comes meanwhile, and a try that fails is the only one.
   */
  checkoutSpare(waiter: Waiter, wants: Values): ServerConnection | null {
    const server = this.#takeIdle(wants)
    if (server === null) {
      this.#background.add(waiter)
      void this.#open()
    }
    return server
  }

  #takeIdle(wants: Values): ServerConnection | null {
    const idle = this.#idle
    for (let i = idle.length - 1; i >= 0; i--) {
      const server = idle[i]!
      if (server.has !== wants) continue
      // The newest as a rule, which needs no list of what is taken out.
      if (i === idle.length - 1) idle.pop()
      else idle.splice(i, 1)
      return server
    }
    return idle.pop() ?? null
  }

  /** It waits no longer. */
  leave(waiter: Waiter): void {
    if (this.#background.delete(waiter)) return
    this.#waiting.delete(waiter)
    this.options.limit.onWaiting(this)
  }

  /** Gives a connection back. */
  release(server: ServerConnection): void {
    server.holder = null
    if (this.#offer?.server === server) {
      this.#offer.cameBack = true
      return
    }
    while (this.#keeps(server)) {
      const waiter = this.#nextWaiter
      if (waiter === null) {
        this.#idle.push(server)
        this.options.limit.onIdle(this)
        return
      }
      if (this.#isTakenBy(waiter, server)) return
    }
  }

  /** It is good for the next one; else it is closed, or comes back later. */
  #keeps(server: ServerConnection): boolean {
    if (server.closed) return false
    if (!server.clean) {
      server.destroy(new Error('it was given back with an answer or a transaction open'))
      return false
    }
    if (server.cancelling > 0) return false // afterCancel gives it back.
    if (server.demoted) this.onDemoted()
    const { limit, clock } = this.options
    server.since = clock.now()
    if (server.retired || server.since > server.retireAt) {
      server.close(new Error('it was retired'))
      return false
    }
    const hungrier = limit.full ? limit.hungrierThan(this) : null
    if (hungrier) server.close(new Error(`its place went to pool ${hungrier.name}`))
    return !hungrier
  }

  get #nextWaiter(): Waiter | null {
    for (const waiter of this.#waiting.keys()) return waiter
    if (!this.options.limit.isWaitedFor) for (const waiter of this.#background) return waiter
    return null
  }

  /** One by one, not one within the other: thousands may wait for what the cache has by now. */
  #isTakenBy(waiter: Waiter, server: ServerConnection): boolean {
    const outer = this.#offer
    const offer = { server, cameBack: false }
    this.leave(waiter)
    this.#offer = offer
    waiter.onServer(server)
    this.#offer = outer
    return !offer.cameBack
  }

  /** A cancel request for it is over: what it could hit has ended or been hit. */
  afterCancel(server: ServerConnection): void {
    server.cancelling--
    if (server.holder === null) this.release(server)
  }

  /** Closes one that is idle, for another pool. */
  closeIdle(): boolean {
    const oldest = this.#idle.shift()
    if (!oldest) return false
    oldest.close(new Error('its place went to another pool'))
    return true
  }

  /** What a timer does from time to time: late waiters are refused, old connections closed, missing ones opened. */
  sweep(now: number): void {
    const { waitTimeoutMs, idleTimeoutMs, minSize, limit } = this.options
    for (const [waiter, since] of this.#waiting) {
      if (now - since < waitTimeoutMs) break
      this.leave(waiter)
      waiter.onRefused(
        this.#outage && this.#all.size === 0
          ? originDown(this.name, this.#outage.cause, now - this.#outage.since)
          : waitedTooLong(this.name, limit.max, now - since),
      )
    }
    for (const server of [...this.#idle]) {
      const old = server.retired || now > server.retireAt
      if (!old && (now - server.since < idleTimeoutMs || this.#all.size <= minSize)) continue
      this.#idle.splice(this.#idle.indexOf(server), 1)
      server.close(new Error('it was idle, or old'))
    }
    this.#grow(true)
  }

  /** No connection of before is used again, nor one that is being opened: each is closed when it is given back. */
  retireAll(): void {
    this.#generation++
    for (const server of this.#all) server.retired = true
    for (const server of this.#idle.splice(0)) server.close(new Error('it was retired'))
  }

  /** Retires one of the connections that lead nowhere, if there are any: not all at once, for each is opened anew. */
  retireOne(leadsNowhere: (server: ServerConnection) => boolean): void {
    for (const server of this.#all)
      if (!server.retired && leadsNowhere(server)) {
        server.retired = true
        return
      }
  }

  /**
   * A write has failed because the server takes none. A name leads elsewhere by now, perhaps: from time to time all
   * connections are opened anew for that.
   */
  onReadOnly(server: ServerConnection): void {
    const now = this.options.clock.now()
    if (!server.readOnly || now - this.#lookedAgainAt < lookAgainMs) return
    this.#lookedAgainAt = now
    this.retireAll()
  }

  /** Closes what is idle and opens nothing more; what is held goes on. */
  close(): void {
    this.#closing.abort()
    this.#endPause?.()
    this.options.limit.leave(this)
    this.retireAll()
  }

  // Keeper

  onGone(server: ServerConnection): void {
    if (!this.#all.delete(server)) return
    this.options.limit.open--
    const at = this.#idle.indexOf(server)
    if (at !== -1) this.#idle.splice(at, 1)
    this.options.limit.onRoom()
  }

  onNotification(): void {}

  onDemoted(): void {
    this.retireAll()
    this.options.onDemoted?.()
  }

  /** More wait than connections are being opened, and it would open one, if there were room. */
  get opensMore(): boolean {
    return this.#opening < this.#waiting.size && this.#mayOpen
  }

  /** Opens what is wanted, as far as the limit goes. */
  grow(): void {
    this.#grow()
  }

  #wait(waiter: Waiter): void {
    const { queueLimit, limit, clock } = this.options
    if (this.#waiting.size >= queueLimit) {
      waiter.onRefused(queueFull(this.name, limit.max, this.#waiting.size))
      return
    }
    this.#waiting.set(waiter, clock.now())
    limit.onWaiting(this)
    this.#grow()
  }

  /** Opens connections for those who wait, and with `fill` those that make up the least size. */
  #grow(fill = false): void {
    const { limit, minSize } = this.options
    while (this.opensMore || (fill && this.size < minSize && this.#mayOpen)) {
      if (!limit.full) void this.#open()
      // Whose connection is closed calls us from within: what is wanted is looked at anew.
      else if (!this.opensMore || !limit.yieldTo(this)) return
    }
  }

  get #mayOpen(): boolean {
    if (this.#closing.signal.aborted || this.#endPause) return false
    // While it is not known to be up again, one tries for all.
    return this.#opening < (this.#outage ? 1 : loginsAtATime)
  }

  async #open(): Promise<void> {
    const { limit, open, clock, maxLifetimeMs, random } = this.options
    const began = clock.now()
    const generation = this.#generation
    this.#opening++
    limit.open++
    let server: ServerConnection
    try {
      server = await open(this, this.#closing.signal)
      if (server.closed) throw new Error('the server closed the connection right after the login')
    } catch (error) {
      this.#opening--
      limit.open--
      this.#failed(error as Error, began)
      return
    }
    this.#opening--
    this.#all.add(server)
    // Jitter: connections that were opened together must not all be opened anew together.
    server.retireAt = clock.now() + maxLifetimeMs * (0.9 + 0.2 * random())
    if (generation !== this.#generation) server.retired = true
    if (this.#outage) this.options.onRecovery?.(clock.now() - this.#outage.since)
    this.#outage = null
    this.startValues = server.reported
    this.release(server)
    this.#grow()
  }

  #failed(error: Error, began: number): void {
    const { clock, connectTimeoutMs, random } = this.options
    if (this.#closing.signal.aborted) return
    const now = clock.now()
    if (!this.#outage) this.options.onOutage?.(error)
    const outage = this.#outage ?? { since: began, failures: 0, cause: '' }
    outage.failures++
    outage.cause = error.message
    this.#outage = outage
    const lasts = error instanceof LoginRefused && !passes(error.fields.code)
    const refusal = lasts
      ? loginRefused(this.name, error.fields)
      : originDown(this.name, error.message, now - outage.since)
    // What no client waits for does not wait for a better time.
    for (const waiter of this.#background) {
      this.leave(waiter)
      waiter.onRefused(refusal)
    }
    if (lasts || (this.#all.size === 0 && now - outage.since >= connectTimeoutMs)) this.#refuseAll(refusal)
    if (this.#endPause) return
    // An origin that says no is not asked more often than once in a second: some count such tries, and ban who tries.
    const pauseMs = lasts
      ? longestPauseMs
      : Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.min(outage.failures, 10))
    this.#endPause = clock.after(pauseMs * (0.5 + random()), () => {
      this.#endPause = null
      this.#grow(true)
      // Nobody asks any more, so nobody knows how long it lasts.
      if (this.#opening === 0) this.#outage = null
    })
  }

  #refuseAll(refusal: Refusal): void {
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    this.options.limit.onWaiting(this)
    for (const waiter of waiting) waiter.onRefused(refusal)
  }
}

/** Refusals that time alone may end: too many connections, starting up, shutting down. */
const passes = (code: string) => code === '53300' || code.startsWith('57P0')
