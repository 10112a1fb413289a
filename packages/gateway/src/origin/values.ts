/**
 * Values of parameters, by name, as one thing that is compared by identity: equal values are the same object.
 *
 *     what a client wants  ─┐                               what it was last told ─┐
 *                           ├─ the same: nothing to replay                         ├─ the same: nothing to tell
 *     what a connection has ┘                           what the server reported  ─┘
 *
 * So the questions of the hot path are single comparisons.
 */
import { WeakTable } from './weak-table.ts'

export class Values {
  readonly byName: ReadonlyMap<string, string>

  private constructor(byName: ReadonlyMap<string, string>) {
    this.byName = byName
  }

  static readonly none: Values = new Values(new Map())

  static of(values: Iterable<readonly [string, string]>): Values {
    const sorted = [...new Map(values)].sort(([a], [b]) => (a < b ? -1 : 1))
    if (sorted.length === 0) return Values.none
    const key = sorted.map(([name, value]) => `${name}\0${value}`).join('\0\0')
    const known = interned.get(key)
    if (known) return known
    const made = new Values(new Map(sorted))
    interned.set(key, made)
    return made
  }

  with(others: Iterable<readonly [string, string]>): Values {
    return Values.of([...this.byName, ...others])
  }

  /** What is here and is not the same in `other`. */
  *since(other: Values): Iterable<readonly [string, string]> {
    for (const [name, value] of this.byName) if (other.byName.get(name) !== value) yield [name, value]
  }
}

const interned = new WeakTable<Values>()
