/**
 * Every transaction is told twice: when the stream shows it, and when new snapshots see it.
 *
 *     commit record written ─▶ WAL flushed ─▶ (synchronous standbys) ─▶ visible to new snapshots
 *                                  │ the stream may show it                   │ a probe shows it
 *                                  ▼                                          ▼
 *                               told once                              told again: settled
 *
 * A statement that is sent between the two reads the old rows after the first telling, and nothing would end its answer.
 * Why the second one does: let an answer's snapshot not see the transaction. On one primary visibility only grows, so
 * its statement was sent before the probe that sees the transaction was answered, hence before the second telling; its
 * stamp is older than that, and it is dropped. The order of the stream is never used.
 *
 * By the same argument one telling is enough if a probe that was answered *before* it sees the transaction already.
 * Ancestors and keys are looked up at each telling: what is sent after a new catalogue was read, and does not see the
 * transaction, is met by a second telling that knows the new catalogue.
 *
 * No clock: how often to probe is said in cover.ts.
 */
import type { Change, InvalidationSink, KnownTables } from './sink.ts'
import type { Snapshot } from './snapshot.ts'
import type { KeyedChange, Transaction } from './transaction.ts'

export type Told = Pick<InvalidationSink, 'onChanges' | 'onSchema'>

export class Settling {
  readonly #known: KnownTables
  readonly #told: Told
  /** In the order of the stream. */
  #unsettled: { readonly transaction: Transaction; readonly position: number }[] = []
  #newest: Snapshot | null = null
  #position = 0

  constructor(known: KnownTables, told: Told) {
    this.#known = known
    this.#told = told
  }

  /** Of transactions that were told once. */
  get unsettled(): number {
    return this.#unsettled.length
  }

  /** How many the stream has shown. */
  get position(): number {
    return this.#position
  }

  /** All of them up to this one are settled. */
  get settledTo(): number {
    const [oldest] = this.#unsettled
    return oldest ? oldest.position - 1 : this.#position
  }

  /** The stream shows a transaction. */
  shown(transaction: Transaction): void {
    this.#position++
    this.#tell(transaction)
    if (!this.#newest?.sees(transaction.xid)) this.#unsettled.push({ transaction, position: this.#position })
  }

  /** A probe was answered. */
  probed(snapshot: Snapshot): void {
    this.#newest = snapshot
    if (this.#unsettled.length === 0) return
    const before = this.#unsettled
    this.#unsettled = before.filter(({ transaction }) => !snapshot.sees(transaction.xid))
    for (const { transaction } of before) if (snapshot.sees(transaction.xid)) this.#tell(transaction)
  }

  #tell({ changes, schema }: Transaction): void {
    if (schema === 'any' || schema.length > 0) this.#told.onSchema(schema)
    if (changes.length > 0) this.#told.onChanges(changes.flatMap(change => this.#reach(change)))
  }

  /** The change, and what it is to the tables above. */
  #reach({ relation, key, rows }: KeyedChange): Change[] {
    const isKeyStill = rows === 'any' || sameKey(key, this.#known.keyOf(relation))
    const above = [...this.#known.ancestorsOf(relation)]
    return [
      { relation, rows: isKeyStill ? rows : 'any' },
      ...above.map((ancestor): Change => ({ relation: ancestor, rows: 'any' })),
    ]
  }
}

const sameKey = (one: readonly string[] | null, other: readonly string[] | null) =>
  one === other || (one !== null && other !== null && one.join('\0') === other.join('\0'))
