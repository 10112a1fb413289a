/**
 * How long one call may take: a deadline, the caller's AbortSignal, and the end of its run, in one object.
 *
 * The signal is made only for those who wait (connecting, queueing): on a warm connection a statement costs a
 * timer and nothing else.
 */
import {
  badParameter,
  type DatabaseError,
  globalScope,
  queryAborted,
  queryDeadline,
  type RouteName,
  type Sent,
} from './errors.ts'

/** What a timer can count, some 24 days: a longer one would end at once. */
const longestMs = 2 ** 31 - 1

export class Limit {
  /** Why it ended; undefined while it runs. */
  ended: 'deadline' | 'abort' | undefined
  readonly deadlineMs: number
  readonly #timer: ReturnType<typeof setTimeout>
  readonly #parents: (AbortSignal | undefined)[]
  #controller: AbortController | undefined
  #listener: (() => void) | undefined
  #cause: unknown

  constructor(deadlineMs: number, ...parents: (AbortSignal | undefined)[]) {
    if (!(deadlineMs > 0)) throw badParameter('a deadline is a number of milliseconds above 0')
    this.deadlineMs = Math.min(deadlineMs, longestMs)
    this.#parents = parents
    try {
      this.#timer = setTimeout(() => this.#end('deadline', undefined), this.deadlineMs)
    } catch (cause) {
      // A call begins here, so here is where workerd says that it belongs to no request.
      throw globalScope(cause)
    }
    for (const parent of parents) {
      if (parent === undefined) continue
      if (parent.aborted) this.#end('abort', parent.reason)
      else parent.addEventListener('abort', this.#onParent, { once: true })
    }
  }

  readonly #onParent = (event: Event): void => {
    this.#end('abort', (event.target as AbortSignal).reason)
  }

  #end(why: 'deadline' | 'abort', cause: unknown): void {
    if (this.ended) return
    this.ended = why
    this.#cause = cause
    this.clear()
    this.#controller?.abort(this.error(undefined, 'no'))
    this.#listener?.()
  }

  /** For those who wait. Its reason is the error of a statement that was not sent. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.ended && !this.#controller.signal.aborted) this.#controller.abort(this.error(undefined, 'no'))
    return this.#controller.signal
  }

  /** What the caller is told. A sealed run's own error passes as it is. */
  error(route: RouteName | undefined, sent: Sent): DatabaseError {
    if (this.ended === 'deadline') return queryDeadline(route, this.deadlineMs, sent)
    const cause = this.#cause
    if (isSealed(cause)) return cause
    return queryAborted(route, cause, sent)
  }

  /** One listener, called when the limit ends; at once if it has. */
  whenEnded(listener: (() => void) | undefined): void {
    this.#listener = listener
    if (this.ended) listener?.()
  }

  /** Must be called when the call is over. */
  clear(): void {
    clearTimeout(this.#timer)
    for (const parent of this.#parents) parent?.removeEventListener('abort', this.#onParent)
  }
}

const isSealed = (cause: unknown): cause is DatabaseError =>
  (cause as DatabaseError | undefined)?.reason === 'run-sealed'

/** The promise, unless the signal aborts first; then `late` gets what comes after all. */
export function within<T>(promise: Promise<T>, signal: AbortSignal, late?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false
    const abort = () => {
      over = true
      reject(signal.reason as Error)
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise
      .then(
        value => (over ? late?.(value) : resolve(value)),
        error => reject(error as Error),
      )
      .finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Waits, unless the signal aborts first. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error)
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    signal.addEventListener('abort', abort, { once: true })
  })
}
