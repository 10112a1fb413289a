/** Time, handed in: tests let it jump. */
export interface Clock {
  /** Milliseconds, from any beginning; never goes back. */
  now(): number
  /** Calls once, in `ms` or later, unless the returned function was called before. */
  after(ms: number, call: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}
