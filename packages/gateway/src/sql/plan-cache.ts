/**
 * Plans by shape, bounded in bytes.
 *
 * What was used since the last look stays when room is made, so that a hit writes one field and moves nothing: the
 * oldest that was not used goes ("second chance"). Of two shapes with one hash the newer takes the place; the price of a
 * lost plan is to judge a text again.
 */
import type { StatementPlan } from './plan.ts'
import type { Shape } from './shape.ts'

interface Entry {
  readonly shape: Uint8Array
  readonly plan: StatementPlan
  used: boolean
}

/** What an entry takes besides its shape and the names in its plan: objects and its place in the map. */
const entryBytes = 500

export class PlanCache {
  readonly #mostBytes: number
  readonly #entries = new Map<number, Entry>()
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get size(): number {
    return this.#entries.size
  }

  get(shape: Shape): StatementPlan | undefined {
    const entry = this.#entries.get(shape.hash)
    if (entry === undefined || !isShape(entry.shape, shape)) return undefined
    entry.used = true
    return entry.plan
  }

  set(shape: Shape, plan: StatementPlan): void {
    this.#drop(shape.hash)
    const entry = { shape: shape.bytes.slice(0, shape.length), plan, used: false }
    this.#entries.set(shape.hash, entry)
    this.#bytes += bytesOf(entry)
    while (this.#bytes > this.#mostBytes) this.#makeRoom()
  }

  #makeRoom(): void {
    const [oldest] = this.#entries
    if (oldest === undefined) return
    const [hash, entry] = oldest
    if (!entry.used) {
      this.#drop(hash)
      return
    }
    entry.used = false
    this.#entries.delete(hash)
    this.#entries.set(hash, entry)
  }

  #drop(hash: number): void {
    const entry = this.#entries.get(hash)
    if (entry === undefined) return
    this.#entries.delete(hash)
    this.#bytes -= bytesOf(entry)
  }
}

function isShape(known: Uint8Array, { bytes, length }: Shape): boolean {
  if (known.length !== length) return false
  for (let at = 0; at < length; at++) if (known[at] !== bytes[at]) return false
  return true
}

function bytesOf({ shape, plan }: Entry): number {
  let names = 0
  for (const name of plan.functions) names += name.length
  for (const name of plan.mentions ?? []) names += name.length
  for (const name of plan.customSettings) names += name.length
  for (const { channel } of plan.channels) names += channel.length
  for (const { name } of plan.named) names += name.length
  return entryBytes + shape.length + 2 * names
}
