/**
 * Chance that repeats itself: the same seed gives the same numbers on every machine.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, 32-bit integer arithmetic only,
 * so no platform's floating point can change a row.
 */
export class Random {
  #a = 0x9e3779b9
  #b = 0x243f6a88
  #c = 0xb7e15162
  #counter: number

  constructor(seed: number) {
    this.#counter = seed | 0
    for (let warmUp = 0; warmUp < 20; warmUp += 1) this.#next()
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** At least 0, less than 1. */
  fraction(): number {
    return this.#next() / 4_294_967_296
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.fraction() * from.length)]!
  }

  /** `count` different members, in the order in which they stand in `from`. */
  some<T>(from: readonly T[], count: number): T[] {
    const taken = new Set<number>()
    while (taken.size < Math.min(count, from.length)) taken.add(Math.floor(this.fraction() * from.length))
    return from.filter((_, index) => taken.has(index))
  }

  /** One of the names, as often as its share of the sum says. */
  byShare<Name extends string>(shares: Record<Name, number>): Name {
    const entries = Object.entries(shares) as [Name, number][]
    let left = this.between(
      1,
      entries.reduce((sum, [, share]) => sum + share, 0),
    )
    for (const [name, share] of entries) {
      left -= share
      if (left <= 0) return name
    }
    throw new Error('unreachable: the shares were summed above')
  }

  uuid(): string {
    const hex = Array.from({ length: 4 }, () => this.#next().toString(16).padStart(8, '0')).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}

/**
 * Picks with Zipf's law, as attention is spread over titles: the most popular member is picked about twice as
 * often as the second, three times as often as the third. Who is popular is a matter of chance, not of order.
 */
export class Popularity<T> {
  readonly #members: T[]
  readonly #upTo: number[] = []

  constructor(random: Random, members: readonly T[]) {
    this.#members = members
      .map(member => ({ member, place: random.fraction() }))
      .sort((one, other) => one.place - other.place)
      .map(({ member }) => member)
    let sum = 0
    // Not 1/(n+1) itself: the first few would take a third of all.
    for (let rank = 0; rank < members.length; rank += 1) {
      sum += 1 / (rank + 8)
      this.#upTo.push(sum)
    }
  }

  pick(random: Random): T {
    const target = random.fraction() * this.#upTo.at(-1)!
    let low = 0
    let high = this.#upTo.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#upTo[middle]! > target) high = middle
      else low = middle + 1
    }
    return this.#members[low]!
  }
}
