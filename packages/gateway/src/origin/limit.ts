/**
 * How many connections may be open at one origin, over all pools that share the limit.
 *
 * Who waits longest is served first, whichever pool it waits in: a connection of another pool that is idle is closed
 * for it, and one that comes back is, as long as its own pool has more than an even share. (Without the share two
 * busy pools would close each other's connections at each transaction.)
 */
import type { Pool } from './pool.ts'
import { WaitOrder } from './wait-order.ts'

export class Limit {
  max: number
  /** Connections that are open or being opened. */
  open = 0
  readonly #waiting = new WaitOrder<Pool>()
  /** Pools that had an idle connection; whether they still have one is seen when it is wanted. */
  readonly #idle = new Set<Pool>()

  constructor(max: number) {
    this.max = max
  }

  get full(): boolean {
    return this.open >= this.max
  }

  /** Somebody waits in a pool. */
  get isWaitedFor(): boolean {
    return this.#waiting.size > 0
  }

  /** Whether somebody waits in the pool has changed. */
  onWaiting(pool: Pool): void {
    if (pool.waiting > 0) this.#waiting.enter(pool)
    else this.#waiting.leave(pool)
  }

  /** The pool has a connection that nobody uses. */
  onIdle(pool: Pool): void {
    this.#idle.add(pool)
  }

  /** The pool is closed. */
  leave(pool: Pool): void {
    this.#waiting.leave(pool)
    this.#idle.delete(pool)
  }

  /** Makes room for one connection of a pool by closing an idle one of another. */
  yieldTo(pool: Pool): boolean {
    for (const other of this.#idle) {
      if (other === pool) continue
      if (other.closeIdle()) return true
      this.#idle.delete(other)
    }
    return false
  }

  /** A place is free: who waits longest may open a connection first. */
  onRoom(): void {
    while (!this.full) {
      const next = this.#waiting.first(pool => pool.opensMore)
      if (!next) return
      next.grow()
    }
  }

  /**
   * Of the pools that want more than they have, the one that should get the connection that `pool` gives back.
   *
   * Those that are passed over have connections, so there are never more of them than connections, however many wait.
   */
  hungrierThan(pool: Pool): Pool | null {
    const waiting = this.#waiting
    const others = waiting.size - (waiting.has(pool) ? 1 : 0)
    const share = this.max / (others + 1)
    if (others === 0 || pool.size <= share) return null
    const since = pool.oldestWait
    const found = waiting.first(
      // From `pool` itself on nobody waits longer.
      other => other.oldestWait >= since || other.size + 1 <= Math.max(1, share),
    )
    return found && found.oldestWait < since ? found : null
  }
}
