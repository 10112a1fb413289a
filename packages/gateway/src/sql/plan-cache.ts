/**
 * Plans by shape, bounded in bytes. Of two shapes with one hash the newer takes the place; the price of a lost plan is to
 * judge a text again.
 */
import { Generations } from './generations.ts'
import type { StatementPlan } from './plan.ts'
import type { Shape } from './shape.ts'

interface Entry {
  readonly shape: Uint8Array
  readonly plan: StatementPlan
}

/** What an entry takes besides its shape and the names in its plan: objects and its place in the map. */
const entryBytes = 500

export class PlanCache {
  readonly #entries: Generations<number, Entry>

  constructor(mostBytes: number) {
    this.#entries = new Generations(mostBytes, bytesOf)
  }

  get size(): number {
    return this.#entries.size
  }

  get(shape: Shape): StatementPlan | undefined {
    const entry = this.#entries.get(shape.hash)
    return entry && isShape(entry.shape, shape) ? entry.plan : undefined
  }

  set(shape: Shape, plan: StatementPlan): void {
    this.#entries.set(shape.hash, { shape: shape.bytes.slice(0, shape.length), plan })
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
