/**
 * Whether the answer to what nobody has asked before is worth keeping.
 *
 * To keep an answer costs a gateway about as much as to pass it on, and where no question comes again that is lost. So
 * answers are kept on credit: each takes one, each hit brings `worthOfHit`. With none left an answer is kept when its
 * question comes for the second time, which the store knows (sketch.ts): the third time is a hit, and pays for others.
 */

/** Answers that are kept for one hit: below 6 % of hits nothing is gained. */
const worthOfHit = 16
const most = 2_048

export class Credit {
  #left = most

  get isLeft(): boolean {
    return this.#left > 0
  }

  onHit(): void {
    this.#left = Math.min(most, this.#left + worthOfHit)
  }

  onKept(): void {
    if (this.#left > 0) this.#left--
  }
}
