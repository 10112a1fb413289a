/**
 * What was used lately, by key, within a bound of weight: two generations.
 *
 *     set ──▶ young ──half of the bound is full──▶ old ──the next time──▶ gone
 *               ▲                                   │
 *               └───────────────used────────────────┘
 *
 * What is used at least once while the young generation fills stays. Nothing is ordered, and nothing is taken out one by
 * one, which in a Map that others look for the oldest of costs more than all the rest.
 */
export class Generations<Key, Value> {
  readonly #most: number
  readonly #weigh: (value: Value) => number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  /** Of the young ones. */
  #weight = 0

  /**
   * @param most weight of all; none weighs more than half of it
   * @param weigh each counts as one if it is not given
   */
  constructor(most: number, weigh: (value: Value) => number = () => 1) {
    this.#most = most
    this.#weigh = weigh
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#old.delete(key)
    this.#add(key, old)
    return old
  }

  set(key: Key, value: Value): void {
    const before = this.#young.get(key)
    if (before !== undefined) this.#weight -= this.#weigh(before)
    this.#young.delete(key)
    this.#old.delete(key)
    this.#add(key, value)
  }

  #add(key: Key, value: Value): void {
    const weight = this.#weigh(value)
    if (this.#weight + weight > this.#most / 2) {
      this.#old = this.#young
      this.#young = new Map()
      this.#weight = 0
    }
    this.#young.set(key, value)
    this.#weight += weight
  }
}
