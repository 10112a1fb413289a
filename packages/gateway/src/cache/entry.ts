/**
 * One answer that was kept: its question, and what the origin said.
 *
 *     │ key │ 1 │ 2 │ T │ D D D … │ C │ Z │        one block of bytes
 *           │   │   │   └ rowsAt  │   └ readyAt
 *           │   │   └ descriptionAt (nothing between it and rowsAt: no description was asked for)
 *           │   └ bindCompleteAt  └ commandCompleteAt
 *           └ parseCompleteAt
 *
 * What a client asks for is as a rule one run of that: all after the key for Parse, Bind, Describe, Execute, Sync; from
 * bindCompleteAt without the Parse; from descriptionAt for a simple Query. A Bind and Execute without a Describe takes
 * two: BindComplete, and all from rowsAt.
 */
import { bindComplete, parseComplete, readyForQuery } from '@sluice/wire'
import { Kept } from './kept.ts'
import type { Question } from './key.ts'
import type { Asked, Stamps } from './stamps.ts'

const ready = readyForQuery('I')

/** After a refresh that brought no other answer none begins for so long; after each further one, twice as long. */
const shortestPauseMs = 1_000
const longestPauseMs = 60_000

/** What the origin said. */
export interface Said {
  /** RowDescription, DataRow…, CommandComplete, in parts as they came. */
  readonly parts: readonly Uint8Array[]
  /** Counted over all parts. */
  readonly rowsAt: number
  readonly commandCompleteAt: number
}

/** What a question is about. */
export interface Subject {
  /** Stands for the statement's shape in counts: its plan. */
  readonly shape: object
  /** The tables that it reads: their settings say how old an answer may be. */
  readonly tables: readonly number[]
}

export class Entry extends Kept {
  readonly subject: Subject
  readonly rowsAt: number
  readonly commandCompleteAt: number
  /** How long the origin took: what each hit saves. */
  readonly tookMs: number
  /** To whoever has looked it up last: it is past its age, and may be served while another is fetched. */
  stale = false
  /** From when on another may be fetched; infinity while one is. */
  #refreshAt = Number.NEGATIVE_INFINITY
  #pauseMs = shortestPauseMs

  constructor(
    question: Question,
    subject: Subject,
    stamps: Stamps,
    asked: Asked,
    { said, tookMs }: { readonly said: Said; readonly tookMs: number },
  ) {
    super(question, stamps, asked, [parseComplete(), bindComplete(), ...said.parts, ready])
    this.subject = subject
    this.rowsAt = this.descriptionAt + said.rowsAt
    this.commandCompleteAt = this.descriptionAt + said.commandCompleteAt
    this.tookMs = tookMs
  }

  /** What a look-up has found. */
  get is(): 'hit' {
    return 'hit'
  }

  get parseCompleteAt(): number {
    return this.saidAt
  }

  get bindCompleteAt(): number {
    return this.saidAt + parseComplete().length
  }

  get descriptionAt(): number {
    return this.bindCompleteAt + bindComplete().length
  }

  get readyAt(): number {
    return this.bytes.length - ready.length
  }

  /** It has a RowDescription. */
  get describes(): boolean {
    return this.rowsAt > this.descriptionAt
  }

  /** @returns true for one: it fetches another answer, and nobody else does until it gives the lease back */
  takeLease(now: number): boolean {
    if (now < this.#refreshAt) return false
    this.#refreshAt = Number.POSITIVE_INFINITY
    return true
  }

  /** The refresh is over. If it brought another answer, that has taken this one's place, and nobody asks any more. */
  giveBackLease(now: number): void {
    this.#refreshAt = now + this.#pauseMs
    this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs)
  }
}
