/**
 * The breaker of one route: after some connections failed in a row, nobody waits for the route any more.
 *
 *              failuresToOpen failures                due, to one caller
 *     closed ──────────────────────────▶ open ─────────────────────────▶ half-open ─┐ lease over:
 *        ▲            failed()            ▲ ▲           admit()           │  │  ▲───┘ admit() lends it again
 *        │                       failed() │ └────── failed() by the trial ┘  │
 *        │ the first report after         │                                  │ succeeded() by the trial
 *        └───────────────────────── returning ◀──────────────────────────────┘
 *             returnMs                admits a growing share
 *
 * Invariants: (1) at most one trial is alive; it is a lease, judged by the clock, for its owner may die without
 * a word. (2) Who may not go is told so at once. (3) A report counts only for a call that was admitted since the
 * state began: one that comes later says nothing about the route as it is now. (4) Time and one successful
 * trial lead from every state to closed.
 *
 * Not here: what a connection failure is (the SQL's errors are none), the clock, the log.
 */

export interface BreakerOptions {
  /** Consecutive connection failures that open it: one alone is bad luck. */
  failuresToOpen: number
  /** Wait before the first trial. It doubles with each opening until traffic is fully back; jitter takes up to half off. */
  firstBackoffMs: number
  /** A minute: after a longer one a route that is back stays unused for no reason. */
  maxBackoffMs: number
  /** How long a trial may take before another caller gets one: twice the default connect deadline. */
  trialLeaseMs: number
  /** How long the return of traffic takes, so that a pool that has just started is not run over. */
  returnMs: number
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

const closed = (failures = 0): BreakerState => ({ at: 'closed', failures })

/** The end of the return is a matter of time alone. */
const settled = (state: BreakerState, now: number) =>
  state.at === 'returning' && now >= state.fullAt ? closed() : state

export class Breaker {
  readonly #options: BreakerOptions
  #state = closed()
  /** Only calls that were admitted from here on are evidence. */
  #since = Number.NEGATIVE_INFINITY
  /** How often it opened since it was last closed. */
  #openings = 0

  constructor(options?: Partial<BreakerOptions>) {
    this.#options = {
      failuresToOpen: 3,
      firstBackoffMs: 1000,
      maxBackoffMs: 60_000,
      trialLeaseMs: 10_000,
      returnMs: 5000,
      ...options,
    }
  }

  /** 'go' and 'trial' use the route and report how connecting went; 'no' takes another route at once. */
  admit(now: number, random: number): 'go' | 'trial' | 'no' {
    const state = this.#state
    switch (state.at) {
      case 'closed':
        return 'go'
      case 'returning':
        // A tenth at once: on Workers the clock may stand still, and somebody has to go first.
        return random < Math.max(0.1, (now - state.since) / (state.fullAt - state.since)) ? 'go' : 'no'
      case 'open':
        if (now < state.nextTrialAt) return 'no'
        break
      case 'half-open':
        if (now < state.trialExpiresAt) return 'no'
        break
      default:
        state satisfies never
    }
    this.#since = now
    this.#state = {
      at: 'half-open',
      failures: state.failures,
      trialExpiresAt: now + this.#options.trialLeaseMs,
    }
    return 'trial'
  }

  /**
   * A connection was made.
   * @param admittedAt the `now` that `admit` was given: without it a late report is taken for a fresh one
   */
  succeeded(now: number, wasTrial: boolean, admittedAt = now): Change | undefined {
    return this.#report(now, wasTrial, admittedAt)
  }

  /** A connection could not be made. `admittedAt` as in `succeeded`. */
  failed(now: number, wasTrial: boolean, random: number, admittedAt = now): Change | undefined {
    return this.#report(now, wasTrial, admittedAt, random)
  }

  /** For people to read. */
  state(now: number): BreakerState {
    return { ...settled(this.#state, now) }
  }

  /** @param random given with a failure */
  #report(now: number, wasTrial: boolean, admittedAt: number, random?: number): Change | undefined {
    const { failuresToOpen, firstBackoffMs, maxBackoffMs, returnMs } = this.#options
    const from = this.#state.at
    const state = settled(this.#state, now)
    const failures = state.failures + 1
    if (state.at === 'closed' && from !== 'closed') this.#openings = 0
    const open = (): BreakerState => ({
      at: 'open',
      failures,
      nextTrialAt: now + Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#openings++) * (1 - random! / 2),
    })

    let next = state
    if (admittedAt >= this.#since) {
      switch (state.at) {
        case 'closed':
          next = random === undefined ? closed() : failures < failuresToOpen ? closed(failures) : open()
          break
        case 'half-open':
          if (!wasTrial) break
          if (random === undefined) {
            this.#since = now
            next = { at: 'returning', failures: 0, since: now, fullAt: now + returnMs }
          } else next = open()
          break
        case 'returning':
          if (random !== undefined) next = open()
          break
        case 'open':
          break
        default:
          state satisfies never
      }
    }
    this.#state = next
    return next.at === from ? undefined : { from, to: next.at, failures: next.failures }
  }
}
