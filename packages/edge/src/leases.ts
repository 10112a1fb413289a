/**
 * A count of what is in use, that heals itself.
 *
 *     add ──▶ leased ──beat, beat, …──▶ removed
 *               └─ its request ended, and its timer with it ──▶ expired, by the clock
 *
 * In workerd a request can end at any await, and nothing of it runs afterwards: what it counted up is never
 * counted down. But its timers end with it. So an entry lives as long as a timer of its owner renews it.
 */
export interface Leased {
  expiresAt: number
  beat: ReturnType<typeof setInterval> | undefined
}

/** Short, because others wait for the place; long against the time that one task may keep the isolate busy. */
const leaseMs = 3_000

export class Leases {
  readonly #entries = new Set<Leased>()
  readonly #mayDie: boolean

  /** @param ownersMayDie whether owners are requests; those of a process live as long as it does */
  constructor(ownersMayDie: boolean) {
    this.#mayDie = ownersMayDie
  }

  add(): Leased {
    const entry: Leased = { expiresAt: Number.POSITIVE_INFINITY, beat: undefined }
    const renew = () => {
      entry.expiresAt = Date.now() + leaseMs
      this.#entries.add(entry)
    }
    this.#entries.add(entry)
    if (this.#mayDie) {
      renew()
      entry.beat = setInterval(renew, leaseMs / 3)
    }
    return entry
  }

  remove(entry: Leased): void {
    clearInterval(entry.beat)
    this.#entries.delete(entry)
  }

  size(now: number): number {
    for (const entry of this.#entries) if (entry.expiresAt <= now) this.#entries.delete(entry)
    return this.#entries.size
  }
}
