/**
 * The newest catalogue of a database, as long as it is known to be the newest.
 *
 *     unknown ──read──▶ known ──fingerprint the same, every `refreshMs`──▶ known
 *        ▲                │ ▲
 *        │                │ └──the same── in doubt ◀── something ran that may have been DDL; nobody looked for too long
 *        └────────────────┴── another fingerprint; DDL was seen
 *
 * Who asks while it is not known hears null, and it is being read: nothing waits. It is looked after only while somebody
 * asks, and some time after that, so that a database that nobody uses is left alone.
 *
 * Not here: DDL that this gateway or the stream sees; they call `forget`, or `doubt`.
 */
import type { Catalogue } from './catalogue.ts'
import { type Fingerprint, isSameFingerprint, readFingerprint } from './fingerprint.ts'
import type { Query } from './query.ts'
import { readCatalogue } from './read.ts'

export interface LatestOptions {
  readonly query: Query
  /** How often the fingerprint is asked for, and so how old a change may be that nobody told of. */
  readonly refreshMs: () => number
  /** Something has changed that answers and descriptions may depend on. */
  onChange(): void
  /** Server connections that are open start with other settings than new ones. Told behind `onChange`. */
  onRoleSettings?(): void
}

/**
 * After the last question. Of a page that is opened every few seconds each question would be the first else, and none
 * answered from what is kept; what was kept longer ago is as a rule too old, `max_age` being a minute.
 */
const lookedAfterMs = 60_000
/** After a question that failed. */
const pauseMs = 1_000

export class LatestCatalogue {
  readonly #options: LatestOptions
  #known: Catalogue | null = null
  /** Of the one that was known last, if nothing has been said to have changed since. */
  #fingerprint: Fingerprint | null = null
  #roleSettings: string | null = null
  /** When the question was asked whose answer was the last to say that it is the newest. */
  #sureAt = -Infinity
  #askedAt = -Infinity
  #askedForAt = -Infinity
  #asking = false
  #notBefore = -Infinity
  #failure: string | null = null
  /** How often it was forgotten: an answer to a question from before is none. */
  #changes = 0

  constructor(options: LatestOptions) {
    this.#options = options
  }

  /** The catalogue; null while it is not known. */
  get(now: number): Catalogue | null {
    this.#askedForAt = now
    if (this.#known !== null && now - this.#sureAt <= 2 * this.#options.refreshMs()) return this.#known
    this.sweep(now)
    return null
  }

  /** What it says may not be so any more. */
  forget(): void {
    this.#changes++
    this.#known = null
    this.#fingerprint = null
    this.#options.onChange()
  }

  /** Something ran that may have changed it: nobody hears of it before it was looked at again. */
  doubt(): void {
    this.#changes++
    this.#sureAt = -Infinity
    this.#askedAt = -Infinity
  }

  /** The one that was known last, which may be in doubt; null after DDL. Who takes it will hear of a change. */
  get last(): Catalogue | null {
    return this.#known
  }

  /** Why it could not be read the last time; null if it could. */
  get failure(): string | null {
    return this.#failure
  }

  /** What a timer does from time to time. */
  sweep(now: number): void {
    const refreshMs = this.#options.refreshMs()
    const isAskedFor = now - this.#askedForAt <= Math.max(lookedAfterMs, 2 * refreshMs)
    const isDue = this.#known ? now - this.#askedAt >= refreshMs : true
    if (!this.#asking && isAskedFor && isDue && now >= this.#notBefore) void this.#ask(now)
  }

  async #ask(now: number): Promise<void> {
    const { query, onChange, onRoleSettings } = this.#options
    const changes = this.#changes
    const known = this.#known
    this.#asking = true
    this.#askedAt = now
    try {
      const isSame = known !== null && isSameFingerprint(await readFingerprint(query), known.fingerprint)
      const found = isSame ? known : await readCatalogue(query)
      this.#failure = null
      if (changes !== this.#changes) return
      const { fingerprint } = found
      if (this.#fingerprint !== null && !isSameFingerprint(this.#fingerprint, fingerprint)) onChange()
      if (this.#roleSettings !== null && this.#roleSettings !== fingerprint.roleSettings) onRoleSettings?.()
      this.#known = found
      this.#fingerprint = fingerprint
      this.#roleSettings = fingerprint.roleSettings
      this.#sureAt = now
    } catch (error) {
      this.#failure = error instanceof Error ? error.message : String(error)
      // Whoever asks hears null meanwhile.
      if (changes === this.#changes) this.#known = null
      this.#notBefore = now + pauseMs
    } finally {
      this.#asking = false
    }
  }
}
