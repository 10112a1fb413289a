/**
 * The connections of one route for one owner: a process, or one request on Workers.
 *
 *     take() ─────────────▶ idle connection, at once
 *     acquire() ─▶ idle │ open another │ wait, first come first served ─▶ release() hands over
 *
 * The two owners differ in one flag, `share`: a process opens up to its limit, then its callers wait in line; a request
 * shares one connection among its statements, opens another only while the first is held by a transaction or cursor,
 * and where its isolate has no room left asks again, since nothing that it awaits may be another request's.
 *
 * A caller that holds a connection already (a statement beside its own transaction) may pass the limit, to twice it,
 * and goes before the others: it would wait for itself.
 *
 * Invariants: (1) a connection is held by one caller at a time; (2) nobody waits while an idle connection is
 * there; (3) every wait ends, by hand-over, by the pool's deadline, or by the caller's signal.
 * There are no timers for idle connections: their age is judged by the clock when they are taken.
 */
import type { ServerConnection } from './connection.ts'
import { DatabaseError, poolExhausted } from './errors.ts'
import { pause } from './limit.ts'
import type { Admission, Route } from './route.ts'

export type HeldFor = 'statement' | 'exclusive'

export interface PoolPolicy {
  /** True for a request's pool: statements share one connection. */
  readonly share: boolean
  /** The most connections, over all pools of the route in this isolate. Infinity for none. */
  readonly limit: number
}

interface Waiter {
  readonly heldFor: HeldFor
  readonly nested: boolean
  take(connection: ServerConnection): void
  fail(error: unknown): void
}

export interface AcquireOptions {
  readonly signal: AbortSignal
  readonly admission: Admission
  /** The caller holds a connection already: it may pass the limit, or it would wait for itself. */
  readonly nested: boolean
  /** Less than the manager's connectDeadlineMs, for callers with a short deadline of their own. */
  readonly connectDeadlineMs?: number | undefined
}

export class Pool {
  readonly #route: Route
  readonly #policy: PoolPolicy
  readonly #idle: ServerConnection[] = []
  readonly #held = new Set<ServerConnection>()
  readonly #waiters = new Set<Waiter>()
  readonly #nestedWaiters = new Set<Waiter>()
  #opening = 0
  #openingForWaiters = 0
  #closed = false

  constructor(route: Route, policy: PoolPolicy) {
    this.#route = route
    this.#policy = policy
  }

  /** An idle connection, if there is one: the whole cost of a warm statement. */
  take(heldFor: HeldFor): ServerConnection | undefined {
    const { idleMs, lifetimeMs } = this.#route.settings
    const now = Date.now()
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined) return undefined
      const young = now - connection.idleSince <= idleMs && now - connection.openedAt <= lifetimeMs
      if (connection.usable && young) return this.#hold(connection, heldFor)
      this.#discard(connection)
    }
  }

  /** @throws DatabaseError `pool-exhausted`, or why no connection could be opened; the signal's reason. */
  async acquire(heldFor: HeldFor, options: AcquireOptions): Promise<ServerConnection> {
    const connection = this.take(heldFor)
    if (connection) return connection
    if (this.#mayOpen(options.nested)) return this.#open(heldFor, options)
    return this.#wait(heldFor, options)
  }

  /** Gives a connection back. What is not idle by then is closed. */
  release(connection: ServerConnection): void {
    if (!this.#held.delete(connection)) return
    connection.heldFor = undefined
    if (connection.status !== 'I') connection.markUnusable()
    const now = Date.now()
    const old = now - connection.openedAt > this.#route.settings.lifetimeMs
    const reusable = connection.usable && !connection.retired && !old
    // Opened past the limit for a caller that held another: only such a caller may have it next. Handed to one that
    // holds nothing yet, it would be held while its holder waits for one more, and soon all would wait.
    const past = this.#size >= this.#policy.limit
    const next = this.#next()
    const waiter = reusable && next && (next.nested || !past) ? next : undefined
    if (waiter) waiter.take(this.#hold(connection, waiter.heldFor))
    else if (reusable && !past && !this.#closed) {
      connection.idleSince = now
      this.#idle.push(connection)
      return
    } else this.#discard(connection)
    this.#serveWaiters()
  }

  /** Closes what is idle now, and the rest as it is given back. */
  close(): void {
    this.#closed = true
    for (const connection of this.#idle.splice(0)) this.#discard(connection)
  }

  get #size(): number {
    return this.#idle.length + this.#held.size + this.#opening
  }

  #mayOpen(nested: boolean): boolean {
    if (this.#policy.share) {
      if (this.#opening > 0 && !nested) return false
      for (const { heldFor } of this.#held) if (heldFor === 'statement') return false
      return true
    }
    return this.#size < (nested ? 2 : 1) * this.#policy.limit
  }

  #hold(connection: ServerConnection, heldFor: HeldFor): ServerConnection {
    if (connection.uses++ > 0) this.#route.reused++
    connection.heldFor = heldFor
    this.#held.add(connection)
    return connection
  }

  #discard(connection: ServerConnection): void {
    connection.close()
    this.#route.open.remove(connection.lease)
  }

  async #open(heldFor: HeldFor, options: AcquireOptions): Promise<ServerConnection> {
    this.#opening++
    let connection: ServerConnection
    try {
      connection = await this.#connect(options)
    } catch (error) {
      this.#opening--
      if (this.#isWorthWaiting(error)) return this.#wait(heldFor, options)
      if (options.signal.aborted) this.#serveWaiters()
      else this.#failWaiters(error)
      throw error
    }
    this.#opening--
    const taken = this.#hold(connection, heldFor)
    this.#serveWaiters()
    return taken
  }

  /** Connects once there is room: below the isolate's limit, and when a full server has room again. */
  async #connect(options: AcquireOptions): Promise<ServerConnection> {
    const { signal, admission, nested } = options
    const route = this.#route
    const policy = this.#policy
    const connectDeadlineMs = options.connectDeadlineMs ?? route.settings.connectDeadlineMs
    const giveUpAt = Date.now() + connectDeadlineMs
    // A request's pool shares its limit with other requests, and no promise may cross between them: so ask again.
    const limit = policy.share ? (nested ? 2 : 1) * policy.limit : Number.POSITIVE_INFINITY
    for (let waitMs = 5; ; waitMs = Math.min(2 * waitMs, 200)) {
      if (route.open.size(Date.now()) < limit) {
        try {
          return await route.connect(signal, admission, connectDeadlineMs)
        } catch (error) {
          if (!isFull(error) || route.name !== 'direct' || Date.now() + 2 * waitMs > giveUpAt) throw error
          waitMs = Math.max(waitMs, 50)
        }
      } else if (Date.now() > giveUpAt) {
        throw poolExhausted(route.name, limit, connectDeadlineMs)
      }
      await pause(waitMs * (0.5 + Math.random()), signal)
    }
  }

  #wait(heldFor: HeldFor, { signal, nested }: AcquireOptions): Promise<ServerConnection> {
    const route = this.#route
    const policy = this.#policy
    // A request waits for its own statements, which have deadlines of their own.
    const waitMs = policy.share ? route.settings.queryDeadlineMs : route.settings.connectDeadlineMs
    const waiters = nested ? this.#nestedWaiters : this.#waiters
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        waiters.delete(waiter)
        end()
      }
      const waiter: Waiter = {
        heldFor,
        nested,
        take: connection => settle(() => resolve(connection)),
        fail: error => settle(() => reject(error as Error)),
      }
      const abort = () => waiter.fail(signal.reason)
      const timer = setTimeout(() => waiter.fail(poolExhausted(route.name, this.#size, waitMs)), waitMs)
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      waiters.add(waiter)
    })
  }

  /** First come, first served, but those who hold a connection already go before: others wait for theirs. */
  #next(): Waiter | undefined {
    const [nested] = this.#nestedWaiters
    if (nested) return nested
    const [other] = this.#waiters
    return other
  }

  /** Opens for those who wait, when room has come without a connection to hand over. */
  #serveWaiters(): void {
    while (this.#openingForWaiters < this.#waiters.size + this.#nestedWaiters.size) {
      const { nested } = this.#next()!
      if (!this.#mayOpen(nested)) return
      this.#openForWaiter(nested)
    }
  }

  async #openForWaiter(nested: boolean): Promise<void> {
    this.#opening++
    this.#openingForWaiters++
    const { signal } = new AbortController()
    const opened = await this.#connect({ signal, admission: { at: Date.now(), trial: false }, nested }).then(
      connection => ({ connection }),
      (error: unknown) => ({ error }),
    )
    this.#opening--
    this.#openingForWaiters--
    if ('connection' in opened) {
      const waiter = this.#next()
      if (waiter) waiter.take(this.#hold(opened.connection, waiter.heldFor))
      else {
        this.#held.add(opened.connection)
        this.release(opened.connection)
      }
    } else if (!this.#isWorthWaiting(opened.error)) this.#failWaiters(opened.error)
  }

  /** A full server, while this process has connections to it: one of them will come free. */
  #isWorthWaiting(error: unknown): boolean {
    return isFull(error) && this.#size > 0 && !this.#policy.share
  }

  /**
   * Tells those who wait that no connection could be opened, so that they take another way: all of them where nothing
   * else can serve them, or they would fail the same way one deadline later each; else one for each failure.
   */
  #failWaiters(error: unknown): void {
    const all = this.#policy.share || this.#size === 0
    if (all) for (const waiter of [...this.#nestedWaiters, ...this.#waiters]) waiter.fail(error)
    else {
      this.#next()?.fail(error)
      this.#serveWaiters()
    }
  }
}

/** The server has no connection left (too_many_connections). */
const isFull = (error: unknown) =>
  error instanceof DatabaseError && error.code === '53300' && error.reason === 'refused'
