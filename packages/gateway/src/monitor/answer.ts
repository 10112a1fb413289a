/** What came of one HTTP request, as a plain value: what all else of the monitor reads. */

export type Answer =
  | Answered
  /** `why` in words that are counted together; `detail` is what the system said. */
  | { readonly kind: 'failed'; readonly why: string; readonly detail: string }
  | { readonly kind: 'timed out' }
  /** We stopped it: no verdict on the server. */
  | { readonly kind: 'cancelled' }

export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Kept only if it was asked for, and then no more of it than `longestBody`. */
  readonly body: string
  /** There was more of it, which was not read. */
  readonly cut?: true
}

/** In bytes. A health page has some thousand; what is longer is none, and may never end. */
export const longestBody = 256 * 1024

/** A redirect is none: what is measured is the endpoint, not where it points. */
export const isSuccess = (answer: Answer): answer is Answered =>
  answer.kind === 'answered' && answer.status >= 200 && answer.status < 300

export interface AskOptions {
  timeoutMs: number
  keepBody: boolean
  signal: AbortSignal
}

/** Whoever can send a GET to the origin under test. Never rejects. */
export type Ask = (path: string, options: AskOptions) => Promise<Answer>

export interface Clock {
  /** In ms, from any start, never backwards. */
  now(): number
  /** Calls once, at about this time; what it returns takes that back. */
  at(time: number, wake: () => void): () => void
}
