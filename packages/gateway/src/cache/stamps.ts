/**
 * Stamps: whether an answer is still that of the database.
 *
 *     what may change          slot                 counters
 *     table 16385          ──▶ 1,204 ────────────▶ │ … │ 7 │ … │
 *     its row id = 7       ──▶ 733,120 ──────────▶ │ … │ 2 │ … │      an answer that read row 7 was sent at 2 + 0 + …
 *     the schema, the epoch──▶ 17, 18 ───────────▶ │ … │ 0 │ … │
 *
 * Each thing that an answer can depend on has a slot, by hash, in one fixed array of counters. Whoever learns that it
 * changed adds one: nothing is searched for, nothing deleted, and how much can change takes no memory. An answer's
 * *stamp* is the sum of its slots' counters at the moment it was asked for at the origin, modulo 2^32; it is *current*
 * while the sum is the same. Store, hit and join ask this one question. Two things in one slot cost a miss, never a
 * wrong answer.
 *
 * Why a sum is enough: counters only grow, so it comes back to what it was after 2^32 bumps of one answer's slots, no
 * fewer. Answers live for a day at most (`mostAgeMs` in freshness.ts): that would be 49,700 bumps each second.
 *
 * An *opaque* commit is one whose tables can't be told. Such commits are numbered. An answer that was asked for after
 * the newest of them has seen it; an older one is served again once that commit has *passed*: the stream has shown all
 * that it changed, so that the slots tell.
 *
 *     what reads      depends on                      what changes        bumps
 *     a table         `table`                         a row               `table`, and `row` of its old and its new key
 *     a row by key    `row`, `anyRow` of its table    rows past counting  `table`, `anyRow`
 *
 * Rows, tables and databases have regions of their own in the array: a busy table of many rows hits each row's slot now
 * and then, and must not hit those on which everything depends.
 *
 * Not here: who bumps, and why twice (invalidation/).
 */

/** 4 MB: with a million rows written between two reads of one, every second read still finds its answer. */
const slotCount = 1 << 20
const databaseSlots = 1 << 12
const tableSlots = 1 << 16

/** The counters of a process: what threads share. */
export type Counters = Uint32Array<SharedArrayBuffer>

export const makeCounters = (): Counters => new Uint32Array(new SharedArrayBuffer(4 * slotCount))

/** What an answer depends on, besides its database's schema and epoch. */
export type Slots = readonly number[]

/** A row by the values of its primary key, in the key's order, as PostgreSQL prints them. */
export interface ReadRow {
  readonly relation: number
  readonly key: readonly string[]
}

/** When something was asked for at the origin, and what the answer depends on. */
export interface Asked {
  readonly at: number
  readonly slots: Slots
  readonly stamp: number
  /** The newest opaque commit of that moment. */
  readonly opaque: number
}

/** The stamps of one database. */
export class Stamps {
  readonly #counters: Counters
  readonly #seed: number
  readonly #schema: number
  readonly #epoch: number
  #newestOpaque = 0
  #passedOpaque = 0

  /**
   * @param seed of the slots' hashes, a 32-bit number: the same in all threads, another for each database, and not to
   *   be foreseen, lest someone writes to the rows that share a slot
   */
  constructor(counters: Counters, seed: number) {
    this.#counters = counters
    this.#seed = seed | 0
    this.#schema = mixed(this.#seed, 1) & (databaseSlots - 2)
    this.#epoch = this.#schema + 1
  }

  /** @param name of origin and database: those of another name have other slots */
  static of(counters: Counters, seed: number, name: string): Stamps {
    return new Stamps(counters, mixedText(mixed(seed | 0, 5), name))
  }

  /** The slot of a table as a whole, by its oid. */
  table(relation: number): number {
    return databaseSlots + (mixed(mixed(this.#seed, relation), 2) & (tableSlots - 1))
  }

  /** The slot of all rows of a table that stand for themselves: bumped in place of more of them than one counts. */
  anyRow(relation: number): number {
    return databaseSlots + (mixed(mixed(this.#seed, relation), 3) & (tableSlots - 1))
  }

  /** @param key the values of the primary key's columns, in its order, as PostgreSQL prints them */
  row(relation: number, key: readonly string[]): number {
    let hash = mixed(this.#seed, relation)
    for (const value of key) hash = mixedText(hash, value)
    return rowsFrom + ((mixed(hash, 4) >>> 0) % (slotCount - rowsFrom))
  }

  /** What an answer depends on that reads these tables, and of others these rows. */
  slotsOf(tables: readonly number[], rows: readonly ReadRow[]): number[] {
    const slots = tables.map(table => this.table(table))
    for (const { relation, key } of rows) slots.push(this.row(relation, key), this.anyRow(relation))
    return slots
  }

  /** A table has changed: these of its rows, by their old and new keys, or any. */
  change(relation: number, rows: readonly (readonly string[])[] | 'any'): void {
    this.bump(this.table(relation))
    if (rows === 'any') this.bump(this.anyRow(relation))
    else for (const key of rows) this.bump(this.row(relation, key))
  }

  /** What has this slot has changed. */
  bump(slot: number): void {
    Atomics.add(this.#counters, slot, 1)
  }

  /** Anything that is said by the catalogue may have changed. */
  bumpSchema(): void {
    this.bump(this.#schema)
  }

  /** Nothing of what was learnt so far counts any more: the stream was lost, or is another one. */
  bumpEpoch(): void {
    this.bump(this.#epoch)
  }

  /** To be called when the question is sent, not before: what is bumped until then is in the answer. */
  ask(slots: Slots, at: number): Asked {
    return { at, slots, stamp: this.sum(slots), opaque: this.#newestOpaque }
  }

  /** The stamp of what is asked for now. */
  sum(slots: Slots): number {
    const counters = this.#counters
    let sum = counters[this.#schema]! + counters[this.#epoch]!
    for (let at = 0; at < slots.length; at++) sum += counters[slots[at]!]!
    return sum >>> 0
  }

  current(stamp: number, slots: Slots): boolean {
    return this.sum(slots) === stamp
  }

  /** The number of the newest opaque commit: what is asked for now sees it. */
  get newestOpaque(): number {
    return this.#newestOpaque
  }

  /**
   * A commit of which nobody can tell what it changed; called before its client hears of it.
   *
   * @returns its number, to be passed when the stream has shown all of it
   */
  commitOpaque(): number {
    return ++this.#newestOpaque
  }

  /** All opaque commits up to this number have been shown by the stream, and what it showed is settled. */
  pass(number: number): void {
    if (number > this.#passedOpaque) this.#passedOpaque = Math.min(number, this.#newestOpaque)
  }

  /** False while a commit may have changed what an answer says that was asked for when `opaque` was the newest. */
  seen(opaque: number): boolean {
    return opaque >= this.#newestOpaque || this.#passedOpaque >= this.#newestOpaque
  }
}

const rowsFrom = databaseSlots + tableSlots

/** Murmur3's finalizer: each bit of both changes half of the bits. */
function mixed(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ value, 0x9e3779b1)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

function mixedText(hash: number, text: string): number {
  let mixedIn = mixed(hash, text.length)
  for (let at = 0; at < text.length; at++) mixedIn = Math.imul(mixedIn ^ text.charCodeAt(at), 0x01000193)
  return mixedIn
}
