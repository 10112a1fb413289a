/**
 * A count of what is in use, that heals itself.
 *
 * In workerd a request can end at any await, and nothing of it runs afterwards: what it counted up is never
 * counted down. So each entry expires by the clock (`now` in ms), unless it is renewed.
 */
export interface Leased {
  expiresAt: number
}

export class Leases {
  readonly #entries = new Set<Leased>()
  readonly #ttlMs: number

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs
  }

  add(now: number): Leased {
    const entry = { expiresAt: now + this.#ttlMs }
    this.#entries.add(entry)
    return entry
  }

  renew(entry: Leased, now: number): void {
    entry.expiresAt = now + this.#ttlMs
    this.#entries.add(entry)
  }

  remove(entry: Leased): void {
    this.#entries.delete(entry)
  }

  size(now: number): number {
    for (const entry of this.#entries) if (entry.expiresAt <= now) this.#entries.delete(entry)
    return this.#entries.size
  }
}
