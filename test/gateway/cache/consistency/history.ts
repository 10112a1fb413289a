/**
 * What clients have written and read, and which of their reads must not have been.
 *
 * Each row has a version that grows by one with each change, and the balances of all rows always have the same sum.
 *
 *     write ──acknowledged──▶ its version is a floor                    for reads that are sent from then on
 *                              ├ through the gateway that wrote it       at once
 *                              └ through any other                       when its bound has passed
 *     read  ──answered──────▶ each version that it saw is compared with the floor of the moment when it was sent
 *
 * A write whose answer never came is no floor, whether it was committed or not. Who hears a notification that a gateway
 * hands over has been told what is in it: a floor for reads through that gateway. No clock: times are arguments.
 */
import type { Word } from './questions.ts'

/** A gateway by its number; null: directly. */
export type Way = number | null

export interface Read {
  readonly through: number
  readonly sentAt: number
  /**
   * The bound that the gateway named when the read was sent. Null: its stream did not run, so that it may have kept
   * nothing from before, and the read has to see all that was acknowledged.
   */
  readonly boundMs: number | null
  /** What its own segment had written before it. */
  readonly wrote: Versions
}

export type Versions = ReadonlyMap<number, number>

interface Acknowledged {
  readonly at: number
  readonly version: number
}

export class History {
  readonly violations: string[] = []
  reads = 0
  writes = 0
  readonly #sum: number
  /** By way and row, and of all ways by row: versions and times grow. */
  readonly #byWay = new Map<Way, Map<number, Acknowledged[]>>()
  readonly #all = new Map<number, Acknowledged[]>()

  /** @param sum of all balances */
  constructor(sum: number) {
    this.#sum = sum
  }

  /** A client has heard that what it has written is committed. */
  acknowledged(way: Way, versions: Versions, at: number): void {
    this.writes++
    const own = this.#byWay.get(way) ?? new Map<number, Acknowledged[]>()
    this.#byWay.set(way, own)
    for (const [row, version] of versions)
      for (const floors of [own, this.#all]) {
        const before = floors.get(row) ?? []
        if (version > (before.at(-1)?.version ?? 0)) before.push({ at, version })
        floors.set(row, before)
      }
  }

  /** A server that lost its power has lost what was committed without waiting for the disk. */
  forget(): void {
    this.#byWay.clear()
    this.#all.clear()
  }

  answered(read: Read, words: readonly Word[]): void {
    this.reads++
    const { through, sentAt, boundMs, wrote } = read
    const own = this.#byWay.get(through)
    for (const word of words) {
      if ('sum' in word) {
        if (word.sum !== this.#sum) this.#violates(read, `a torn sum: ${word.sum} in place of ${this.#sum}`)
        continue
      }
      const { row, version } = word
      const violates = (floor: number, what: string) => {
        if (version < floor) this.#violates(read, `row ${row} of version ${version}, ${what} ${floor}`)
      }
      violates(wrote.get(row) ?? 0, 'behind a write in the same segment of')
      violates(floorOf(own?.get(row), sentAt), 'when this gateway had acknowledged')
      if (boundMs === null) violates(floorOf(this.#all.get(row), sentAt), 'without a stream, there was')
      else violates(floorOf(this.#all.get(row), sentAt - boundMs), `more than ${Math.ceil(boundMs)} ms after`)
    }
  }

  /** All that was written was told: what a gateway says now is compared with what there is. */
  drained(through: number, says: readonly Word[], is: readonly Word[]): void {
    const [said, there] = [JSON.stringify(says), JSON.stringify(is)]
    if (said !== there)
      this.violations.push(`gateway ${through} says ${said} when all was told, and there is ${there}`)
  }

  #violates({ through, sentAt }: Read, what: string): void {
    this.violations.push(`gateway ${through} at ${sentAt.toFixed(1)} ms: ${what}`)
  }
}

/** The newest version that was acknowledged before a time. */
function floorOf(acknowledged: readonly Acknowledged[] | undefined, before: number): number {
  return acknowledged?.findLast(({ at }) => at < before)?.version ?? 0
}
