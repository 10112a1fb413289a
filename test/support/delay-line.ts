/**
 * What was put in comes out in the same order, each thing a given time later; without a delay and with nothing
 * waiting, at once. One direction of a link with a length.
 */
export class DelayLine {
  readonly #waiting: { due: number; deliver: () => void }[] = []
  #timer: NodeJS.Timeout | undefined

  put(delayMs: number, deliver: () => void): void {
    const last = this.#waiting.at(-1)
    if (delayMs <= 0 && last === undefined) {
      deliver()
      return
    }
    this.#waiting.push({ due: Math.max(performance.now() + delayMs, last?.due ?? 0), deliver })
    this.#arm()
  }

  /** Forgets what is still under way. */
  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waiting.length = 0
  }

  #arm(): void {
    const first = this.#waiting[0]
    if (first === undefined || this.#timer !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        const now = performance.now()
        while (this.#waiting.length > 0 && this.#waiting[0]!.due <= now) this.#waiting.shift()!.deliver()
        this.#arm()
      },
      Math.max(0, first.due - performance.now()),
    )
  }
}
