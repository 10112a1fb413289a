/**
 * Marks: messages of our own through the WAL, which come out of the stream behind all that was committed before.
 *
 *     due ──put in──▶ on its way ──comes out──▶ its delay is known; the opaque commits before it are shown,
 *                                                and have passed when all that was shown by then is settled
 *
 * One is on its way at a time; what asks for one meanwhile shares the next. Without an opaque commit there is one in
 * every heartbeat: it measures how far the stream is behind, and shows that it lives.
 */
export interface MarksOptions {
  /** Tells our marks from those of others, and from those of a stream before. */
  readonly token: string
  readonly heartbeatMs: number
}

export class Marks {
  readonly #options: MarksOptions
  #count = 0
  #onItsWay: { text: string; since: number; dueSince: number; opaque: number } | null = null
  #heartbeatAt = -Infinity
  #delayMs: number | null = null
  /** The newest opaque commit, the newest for which a mark was put in, and the newest that has passed. */
  #opaque = 0
  #marked = 0
  #passed = 0
  /** Shown: with how many transactions had been shown by then. */
  #shown: { readonly opaque: number; readonly position: number }[] = []

  constructor(options: MarksOptions) {
    this.#options = options
  }

  /** One has come out since the beginning. */
  get any(): boolean {
    return this.#delayMs !== null
  }

  /** Since when one is on its way. */
  get outSince(): number | null {
    return this.#onItsWay?.since ?? null
  }

  /**
   * Of the last one; or for how long one has been due that has not come out, if that is more. What is not shown by now
   * was committed no longer ago than this and a heartbeat.
   */
  delayMs(now: number): number {
    const dueSince = this.#onItsWay?.dueSince ?? this.#dueSince(now)
    return Math.max(this.#delayMs ?? 0, now - dueSince)
  }

  opaque(number: number): void {
    this.#opaque = Math.max(this.#opaque, number)
  }

  /** When one is to be put in; null while one is on its way. */
  deadline(): number | null {
    if (this.#onItsWay) return null
    return this.#opaque > this.#marked ? -Infinity : this.#heartbeatAt
  }

  /** The mark that is put in now. */
  put(now: number): string {
    const dueSince = this.#dueSince(now)
    const text = `${this.#options.token} ${++this.#count}`
    this.#onItsWay = { text, since: now, dueSince, opaque: this.#opaque }
    this.#marked = this.#opaque
    this.#heartbeatAt = now + this.#options.heartbeatMs
    return text
  }

  /** A mark came out, ours or another's, when the stream had shown so many transactions. */
  cameOut(text: string, position: number, now: number): void {
    if (this.#onItsWay?.text !== text) return
    const { since, opaque } = this.#onItsWay
    this.#delayMs = now - since
    this.#onItsWay = null
    this.#shown.push({ opaque, position })
  }

  /**
   * The newest opaque commit that has passed now that all transactions up to this one are settled; null if none did
   * that had not before.
   */
  passed(settledTo: number): number | null {
    const before = this.#passed
    while (this.#shown.length > 0 && this.#shown[0]!.position <= settledTo)
      this.#passed = this.#shown.shift()!.opaque
    return this.#passed > before ? this.#passed : null
  }

  /** The one of this heartbeat; the first one is due when it is put in. */
  #dueSince(now: number): number {
    return this.#count === 0 ? now : Math.min(now, this.#heartbeatAt)
  }
}
