/**
 * The publication, looked at again and again, and changed where we may.
 *
 *     due ─examine─▶ fit ──▶ after `refreshMs` ─state─▶ the same: as before; another one: due
 *      ▲         ├─▶ missing or incomplete, and we may change it ─change─▶ due at once
 *      └─────────└─▶ unfit, or missing and we may not: failed
 *
 * No clock, and no connection: questions come out, and answers and the time go in.
 * Not here: what makes a publication fit (publication.ts), which of its tables are covered (coverage.ts).
 */
import type { ErrorFields } from '@sluice/wire'
import { type Failure, noPublication, refused } from './failure.ts'
import { type Examined, examineSql, type Fit, judge, readExamined } from './publication.ts'
import { publicationStateSql } from './publication-state.ts'

export interface PublicationWatchOptions {
  readonly publication: string
  /** Whether to make it, and to keep in it what can be published. */
  readonly mayChange: boolean
  /** The name of our replication slot. */
  readonly slot: string
  readonly refreshMs: number
}

export type Looked =
  /** The server is to be asked again, before anything else. */
  | { readonly is: 'changing' }
  | { readonly is: 'failed'; readonly failure: Failure }
  /** Nothing is known to have changed; or something has, and it is due. */
  | { readonly is: 'same' }
  /** `slot`: our replication slot is on this server. */
  | { readonly is: 'fit'; readonly fit: Fit; readonly slot: boolean }

/** A change that does not do what was hoped for is not made again and again. */
const changeAgainMs = 5_000

export class PublicationWatch {
  readonly #options: PublicationWatchOptions
  #dueAt = -Infinity
  #changes: string[] = []
  #changed = { to: '', at: -Infinity }
  #changeFailed: ErrorFields | null = null
  #asked: 'examine' | 'state' | 'change' = 'examine'
  /** What was seen when it was found fit; null if it is to be examined, whatever the state is. */
  #state: string | null = null
  #fit: Fit | null = null

  constructor(options: PublicationWatchOptions) {
    this.#options = options
  }

  /** As it was seen last. */
  get fit(): Fit | null {
    return this.#fit
  }

  deadline(): number {
    return this.#dueAt
  }

  /** It may have changed. */
  hurry(): void {
    this.#state = null
    this.#dueAt = -Infinity
  }

  /** What to ask the server now. */
  question(): string {
    const { publication, slot } = this.#options
    const change = this.#changes.shift()
    this.#asked = change !== undefined ? 'change' : this.#state !== null ? 'state' : 'examine'
    switch (this.#asked) {
      case 'change':
        return change!
      case 'state':
        return `SELECT ${publicationStateSql(publication)}`
      case 'examine':
        return examineSql(publication, slot)
      default:
        return this.#asked satisfies never
    }
  }

  answered(rows: readonly (readonly (string | null)[])[], now: number): Looked {
    switch (this.#asked) {
      case 'change':
        return { is: 'changing' }
      case 'state':
        return this.#looked(rows[0]![0]!, now)
      case 'examine':
        return this.#examined(readExamined(rows), now)
      default:
        return this.#asked satisfies never
    }
  }

  refused(error: ErrorFields): Looked {
    if (this.#asked !== 'change') return { is: 'failed', failure: refused(error) }
    // Another gateway may have been faster, or a lock was not to be had: the next look tells.
    this.#changes = []
    this.#changeFailed = error
    return { is: 'changing' }
  }

  #looked(state: string, now: number): Looked {
    if (state === this.#state) this.#dueAt = now + this.#options.refreshMs
    else this.hurry()
    return { is: 'same' }
  }

  #examined(examined: Examined, now: number): Looked {
    const { publication: name, refreshMs, mayChange } = this.#options
    const judged = judge(name, examined)
    switch (judged.is) {
      case 'unfit':
        return { is: 'failed', failure: judged.failure }
      case 'missing': {
        const { ownStatement, statement } = judged
        if (ownStatement !== null && this.#mayChange([ownStatement], now)) return { is: 'changing' }
        return { is: 'failed', failure: noPublication(name, statement, this.#changeFailed) }
      }
      case 'fit':
        this.#fit = judged
        if (this.#mayChange(judged.ownChanges, now)) return { is: 'changing' }
        this.#dueAt = now + refreshMs
        // What is still to be changed is tried again, though nothing has changed.
        this.#state = mayChange && judged.ownChanges.length > 0 ? null : examined.state
        return { is: 'fit', fit: judged, slot: examined.slot }
      default:
        return judged satisfies never
    }
  }

  /** Whether it is to be changed now; then these statements are what is asked next. */
  #mayChange(statements: readonly string[], now: number): boolean {
    const to = statements.join('; ')
    const isAgain = to === this.#changed.to && now < this.#changed.at + changeAgainMs
    if (!this.#options.mayChange || statements.length === 0 || isAgain) return false
    this.#changes = [...statements]
    this.#changed = { to, at: now }
    this.#changeFailed = null
    this.#dueAt = -Infinity
    return true
  }
}
