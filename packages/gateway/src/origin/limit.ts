/**
 * How many connections may be open at one origin, over all pools that share the limit.
 *
 * Who waits longest is served first, whichever pool it waits in: a connection of another pool that is idle is closed
 * for it, and one that comes back is, as long as its own pool has more than an even share. (Without the share two
 * busy pools would close each other's connections at each transaction.)
 */
import type { Pool } from './pool.ts'

export class Limit {
  max: number
  /** Connections that are open or being opened. */
  open = 0
  readonly #pools = new Set<Pool>()

  constructor(max: number) {
    this.max = max
  }

  join(pool: Pool): void {
    this.#pools.add(pool)
  }

  leave(pool: Pool): void {
    this.#pools.delete(pool)
  }

  get full(): boolean {
    return this.open >= this.max
  }

  /** Makes room for one connection of a pool by closing an idle one of another. */
  yieldTo(pool: Pool): boolean {
    for (const other of this.#pools) if (other !== pool && other.closeIdle()) return true
    return false
  }

  /** A place is free: who waits longest may open a connection first. */
  onRoom(): void {
    const pools = [...this.#pools].sort((a, b) => (a.oldestWait < b.oldestWait ? -1 : 1))
    for (const pool of pools) pool.grow()
  }

  /** Of the pools that want more than they have, the one that should get the connection that `pool` gives back. */
  hungrierThan(pool: Pool): Pool | null {
    const wanting = [...this.#pools].filter(other => other === pool || other.waiting > 0)
    const share = this.max / wanting.length
    let found: Pool | null = null
    for (const other of wanting)
      if (
        other !== pool &&
        pool.size > share &&
        other.size + 1 <= Math.max(1, share) &&
        (pool.waiting === 0 || other.oldestWait < pool.oldestWait) &&
        (found === null || other.oldestWait < found.oldestWait)
      )
        found = other
    return found
  }
}
