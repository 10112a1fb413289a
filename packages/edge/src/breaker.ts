/**
 * The breaker of one route: after some connections failed in a row, nobody waits for the route any more.
 *
 *              failuresToOpen failures                due, to one caller
 *     closed ──────────────────────────▶ open ─────────────────────────▶ half-open ─┐ lease over:
 *        ▲            failed()            ▲ ▲           admit()           │  │  ▲───┘ admit() lends it again
 *        │                         failed() └────── failed() by the trial ┘  │
 *        │ succeeded() or failed()        │                                  │ succeeded() by the trial
 *        └───────────────────────── returning ◀─────────────────────────────┘
 *           once returnMs are over      admits a growing share
 *
 * Invariants: (1) at most one trial is alive; it is a lease, judged by the clock, for its owner may die without
 * a word. (2) Who may not go is told so at once. (3) A report counts only for a call that was admitted since the
 * state began: what comes later than that says nothing about the route as it is now. (4) Time and one successful
 * trial lead from every state to closed.
 *
 * Not here: what a connection failure is (route.ts); timers and clocks; an error of the SQL is no failure.
 */

export interface BreakerOptions {
  /** Consecutive connection failures that open it. One alone is bad luck. */
  failuresToOpen: number
  /** Wait before the first trial; doubles with each opening until traffic is fully back. Jitter takes up to half off. */
  firstBackoffMs: number
  /** A minute: longer, and a route that is back stays unused for no reason. */
  maxBackoffMs: number
  /** How long a trial may take before another caller gets one: twice the default connect deadline. */
  trialLeaseMs: number
  /** How long the return of traffic takes, so that a pool that has just started is not run over. */
  returnMs: number
}

export const breakerDefaults: Readonly<BreakerOptions> = {
  failuresToOpen: 3,
  firstBackoffMs: 1000,
  maxBackoffMs: 60_000,
  trialLeaseMs: 10_000,
  returnMs: 5000,
}

/** `failures`: connection failures in a row. */
export type BreakerState =
  | { at: 'closed'; failures: number }
  | { at: 'open'; failures: number; nextTrialAt: number }
  | { at: 'half-open'; failures: number; trialExpiresAt: number }
  | { at: 'returning'; failures: number; since: number; fullAt: number }

export interface Change {
  from: BreakerState['at']
  to: BreakerState['at']
  failures: number
}

/** The share of traffic that is let through at once when a route comes back. */
const firstShare = 0.1

export class Breaker {
  readonly #options: BreakerOptions
  #state: BreakerState = { at: 'closed', failures: 0 }
  /** Only calls admitted from here on are evidence. */
  #since = Number.NEGATIVE_INFINITY
  /** How often it opened since it was last closed. */
  #openings = 0

  constructor(options?: Partial<BreakerOptions>) {
    this.#options = { ...breakerDefaults, ...options }
  }

  /** 'go' and 'trial' use the route and report how connecting went; 'no' takes another route at once. */
  admit(now: number, random: number): 'go' | 'trial' | 'no' {
    const state = this.#state
    switch (state.at) {
      case 'closed':
        return 'go'
      case 'open':
        return now < state.nextTrialAt ? 'no' : this.#lend(now)
      case 'half-open':
        return now < state.trialExpiresAt ? 'no' : this.#lend(now)
      case 'returning': {
        const share = (now - state.since) / (state.fullAt - state.since)
        return random < Math.max(firstShare, share) ? 'go' : 'no'
      }
      default:
        return state satisfies never
    }
  }

  /**
   * A connection was made.
   * @param admittedAt the `now` that was given to `admit`: without it a late report can't be told from a fresh one
   */
  succeeded(now: number, wasTrial: boolean, admittedAt = now): Change | undefined {
    const from = this.#state.at
    this.#settle(now)
    const state = this.#state
    switch (state.at) {
      case 'closed':
        state.failures = 0
        break
      case 'half-open':
        if (wasTrial && admittedAt >= this.#since) {
          this.#since = now
          this.#state = { at: 'returning', failures: 0, since: now, fullAt: now + this.#options.returnMs }
        }
        break
      case 'open':
      case 'returning':
        break
      default:
        state satisfies never
    }
    return this.#change(from)
  }

  /** A connection could not be made. `admittedAt` as in `succeeded`. */
  failed(now: number, wasTrial: boolean, random: number, admittedAt = now): Change | undefined {
    const from = this.#state.at
    this.#settle(now)
    const state = this.#state
    if (admittedAt >= this.#since) {
      switch (state.at) {
        case 'closed':
          if (++state.failures >= this.#options.failuresToOpen) this.#open(now, random)
          break
        case 'half-open':
          if (wasTrial) this.#open(now, random)
          break
        case 'returning':
          this.#open(now, random)
          break
        case 'open':
          break
        default:
          state satisfies never
      }
    }
    return this.#change(from)
  }

  /** For people to read. */
  state(now: number): BreakerState {
    const state = this.#state
    return state.at === 'returning' && now >= state.fullAt ? { at: 'closed', failures: 0 } : { ...state }
  }

  #lend(now: number): 'trial' {
    this.#since = now
    this.#state = {
      at: 'half-open',
      failures: this.#state.failures,
      trialExpiresAt: now + this.#options.trialLeaseMs,
    }
    return 'trial'
  }

  #open(now: number, random: number): void {
    const { firstBackoffMs, maxBackoffMs } = this.#options
    const backoffMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#openings++)
    this.#state = {
      at: 'open',
      failures: this.#state.failures + (this.#state.at === 'closed' ? 0 : 1),
      nextTrialAt: now + backoffMs * (1 - random / 2),
    }
  }

  /** The end of the return is a matter of time: it becomes visible with the next report. */
  #settle(now: number): void {
    if (this.#state.at === 'returning' && now >= this.#state.fullAt) {
      this.#state = { at: 'closed', failures: 0 }
      this.#openings = 0
    }
  }

  #change(from: BreakerState['at']): Change | undefined {
    const { at, failures } = this.#state
    return at === from ? undefined : { from, to: at, failures }
  }
}
