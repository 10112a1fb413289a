/**
 * For how long answers were under suspicion, by cause: from an opaque commit, one whose tables can't be told, until it has
 * passed. What was asked for before is not served meanwhile.
 *
 *     commit 7, 'DO runs code …' ──▶ suspect ──7 or a later one has passed; all that was kept has ended──▶ counted
 */

export interface Suspected {
  readonly cause: string
  readonly commits: number
  readonly ms: number
  /** It goes on. */
  readonly now: boolean
}

interface Cause {
  commits: number
  ms: number
  /** Since when, and which commit ends it. */
  suspect: { readonly since: number; newest: number } | null
}

const otherCauses = 'other causes'

export class Suspicion {
  readonly #most: number
  readonly #causes = new Map<string, Cause>()

  /** @param most causes that are counted by themselves, 100: some name a function or a table */
  constructor(most: number = 100) {
    this.#most = most
  }

  /** A commit. */
  count(why: string): void {
    this.#of(why).commits++
  }

  /** It will pass: a stream runs. Where none does, what was kept before has ended. */
  begin(number: number, why: string, now: number): void {
    const cause = this.#of(why)
    cause.suspect ??= { since: now, newest: number }
    cause.suspect.newest = number
  }

  /** All up to this one have passed. */
  pass(number: number, now: number): void {
    for (const cause of this.#causes.values())
      if (cause.suspect !== null && cause.suspect.newest <= number) end(cause, now)
  }

  /** What was suspect has ended. */
  end(now: number): void {
    for (const cause of this.#causes.values()) end(cause, now)
  }

  causes(now: number): Suspected[] {
    return [...this.#causes].map(([cause, { commits, ms, suspect }]) => ({
      ...{ cause, commits, ms: ms + (suspect ? now - suspect.since : 0) },
      now: suspect !== null,
    }))
  }

  #of(why: string): Cause {
    const name = this.#causes.has(why) || this.#causes.size < this.#most ? why : otherCauses
    let cause = this.#causes.get(name)
    if (!cause) {
      cause = { commits: 0, ms: 0, suspect: null }
      this.#causes.set(name, cause)
    }
    return cause
  }
}

function end(cause: Cause, now: number): void {
  if (cause.suspect === null) return
  cause.ms += now - cause.suspect.since
  cause.suspect = null
}
