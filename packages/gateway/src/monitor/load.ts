/**
 * When the benchmark sends: the arrival schedule, without I/O.
 *
 *     due ──▶ waiting ──▶ sent ──▶ settled
 *                └─ no connection became free within the time-out: expired, never sent
 *
 * With a rate ("open loop"), request n is due at start + n / rate, whatever the server does. While it stalls, requests
 * go on falling due and wait for a connection, and their latency counts from when they were due: so the stall is seen
 * by as many requests as users would have sent. Without a rate ("closed loop"), each connection sends its next request
 * when it has its answer: a stall is seen once a connection, and hidden from every percentile. The report says which.
 *
 * Invariants: (1) at most `concurrency` requests are under way; (2) all that fell due is sent or counted as expired;
 * (3) no request is waited for longer than the time-out after it was due, so a run ends.
 * Not here: what came of the requests (tally.ts), sockets and timers (run.ts).
 * Source: Gil Tene's "coordinated omission", as wrk2 corrects it.
 */
export interface LoadPlan {
  /** null: until the duration is over. */
  readonly requests: number | null
  /** null: until all requests were sent. */
  readonly durationMs: number | null
  /** null: closed loop. */
  readonly ratePerSecond: number | null
  readonly concurrency: number
  readonly timeoutMs: number
}

/** One request that is to be sent now. */
export interface Sending {
  readonly dueAt: number
  readonly sentAt: number
  readonly giveUpAt: number
}

/** If nothing at all has succeeded by then, more of the same tells nothing new. */
export const hopelessAfter = 20

export class Load {
  readonly plan: LoadPlan
  readonly startedAt: number
  /** How many fell due, and were sent or expired. */
  taken = 0
  settled = 0
  inFlight = 0
  /** Never sent: no connection became free in time. */
  expired = 0
  /** How late the monitor itself was, at most: a connection was free, and its timer was not on time. */
  ownDelayMs = 0
  /** Why it ended before its plan, if it did. */
  ended: 'stopped' | 'hopeless' | null = null
  #succeeded = 0
  /** Since when a connection has been free; what is due before that has waited for the server, not for us. */
  #freeSince: number

  constructor(plan: LoadPlan, startedAt: number) {
    this.plan = plan
    this.startedAt = startedAt
    this.#freeSince = startedAt
  }

  /** The next request to send at `now`, if there is one; a spare call does no harm. */
  take(now: number): Sending | null {
    const { concurrency, timeoutMs, ratePerSecond } = this.plan
    while (this.inFlight < concurrency && this.#isLeft(now)) {
      const dueAt = ratePerSecond === null ? now : this.#dueAt(this.taken)
      if (dueAt > now) return null
      this.taken++
      if (dueAt + timeoutMs <= now) {
        this.expired++
        continue
      }
      this.ownDelayMs = Math.max(this.ownDelayMs, now - Math.max(dueAt, this.#freeSince))
      this.inFlight++
      return { dueAt, sentAt: now, giveUpAt: dueAt + timeoutMs }
    }
    return null
  }

  settle(succeeded: boolean, now: number): void {
    if (this.inFlight === this.plan.concurrency) this.#freeSince = now
    this.inFlight--
    this.settled++
    if (succeeded) this.#succeeded++
    else if (this.#succeeded === 0 && this.settled >= hopelessAfter) this.ended ??= 'hopeless'
  }

  /** Sends nothing more. */
  stop(): void {
    this.ended ??= 'stopped'
  }

  isOver(now: number): boolean {
    return this.inFlight === 0 && !this.#isLeft(now)
  }

  /** When to call `take` again although nothing was settled, or null. */
  wakeAt(now: number): number | null {
    if (this.inFlight >= this.plan.concurrency || !this.#isLeft(now)) return null
    return this.plan.ratePerSecond === null ? null : this.#dueAt(this.taken)
  }

  /** How much of the plan is done, from 0 to 1. */
  part(now: number): number {
    const { requests, durationMs } = this.plan
    const byCount = requests === null ? 0 : (this.settled + this.expired) / requests
    const byTime = durationMs === null ? 0 : (now - this.startedAt) / durationMs
    return Math.min(1, Math.max(byCount, byTime))
  }

  #isLeft(now: number): boolean {
    if (this.ended !== null) return false
    const { requests, durationMs, ratePerSecond } = this.plan
    if (requests !== null && this.taken >= requests) return false
    if (durationMs === null) return true
    // With a rate, all that falls due within the duration is sent, however late.
    return ratePerSecond === null
      ? now - this.startedAt < durationMs
      : this.taken < Math.ceil((durationMs * ratePerSecond) / 1000)
  }

  #dueAt(number: number): number {
    return this.startedAt + (number * 1000) / this.plan.ratePerSecond!
  }
}
