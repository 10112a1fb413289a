/**
 * What a session's questions have in common, as one number: a session asks for it anew when its user, role or settings
 * have changed, and writes it into each key.
 *
 * Bounded: of more contexts than `most` the one that was asked for longest ago is forgotten. It gets another number when
 * it comes back, so that its answers are not found: a number never means two contexts.
 */

export interface Context {
  /** What tells it from the database of the same name at another origin. */
  readonly origin: string
  readonly database: string
  readonly sessionUser: string
  /** Values by name: all on which an answer may depend. */
  readonly settings: Iterable<readonly [name: string, value: string]>
}

export class Contexts {
  readonly #most: number
  /** In the order in which they were asked for last. */
  readonly #numbers = new Map<string, number>()
  #newest = 0

  /** @param most 10,000: some megabytes, and more than tenants whose setting is in the key in most applications */
  constructor(most: number = 10_000) {
    this.#most = most
  }

  numberOf({ origin, database, sessionUser, settings }: Context): number {
    const name = JSON.stringify([
      origin,
      database,
      sessionUser,
      [...settings].sort(([a], [b]) => (a < b ? -1 : 1)),
    ])
    const number = this.#numbers.get(name) ?? ++this.#newest
    this.#numbers.delete(name)
    this.#numbers.set(name, number)
    if (this.#numbers.size > this.#most) {
      const [oldest] = this.#numbers.keys()
      this.#numbers.delete(oldest!)
    }
    return number
  }
}
