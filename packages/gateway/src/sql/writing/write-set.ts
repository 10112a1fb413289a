/**
 * What a transaction has written so far, statement by statement: what is to be bumped when it has committed.
 *
 *     table, any row     `tables`     bumps the table's slot, and that of any of its rows
 *     a row              `rows`       bumps the table's slot, and the row's
 *     rows added         `inserts`    bumps the table's slot, and that of any row for want of one for rows that are not there
 *
 * What was rolled back to a savepoint stays in it: a bump too many costs a miss.
 */
import type { Catalogue, Oid } from '../../catalogue/index.ts'
import type { Writes, Written } from '../writing.ts'

export const definitionsChanged = 'what names mean has changed while its transaction ran'

/** Of one table; with more, all of it counts: as in the stream. */
const mostRows = 1_000

export class WriteSet {
  /** Why more may have been written than is known here; the first reason. */
  opaque: string | null = null
  ddl = false
  /** What it says was bumped before, for all that could be known then: it is one transaction nevertheless. */
  told = false
  /** By which all of it was judged; null while nothing was. */
  catalogue: Catalogue | null = null
  readonly #tables = new Set<Oid>()
  readonly #inserts = new Set<Oid>()
  readonly #rows = new Map<Oid, (readonly string[])[]>()

  /** Before the statement is sent: it may have run, whatever becomes of the connection. */
  add({ opaque, ddl }: Writes, { tables, rows, inserts }: Written): void {
    this.opaque ??= opaque
    this.ddl ||= ddl
    for (const relation of tables) this.#addTable(relation)
    for (const relation of inserts) if (!this.#tables.has(relation)) this.#inserts.add(relation)
    for (const { relation, key } of rows) this.#addRow(relation, key)
  }

  /** A statement was judged by this catalogue, whether or not it writes. */
  judgedBy(catalogue: Catalogue): void {
    if (this.catalogue !== null && this.catalogue !== catalogue) this.opaque ??= definitionsChanged
    this.catalogue = catalogue
  }

  get isEmpty(): boolean {
    return this.#tables.size + this.#inserts.size + this.#rows.size === 0 && this.opaque === null && !this.ddl
  }

  get tables(): Iterable<Oid> {
    return this.#tables
  }

  /** None of them in `tables`, but `rows` may have some of their rows. */
  get inserts(): Iterable<Oid> {
    return this.#inserts
  }

  get rows(): ReadonlyMap<Oid, readonly (readonly string[])[]> {
    return this.#rows
  }

  /** The transaction is over: rolled back, or committed and told. */
  clear(): void {
    this.opaque = null
    this.ddl = false
    this.told = false
    this.catalogue = null
    this.#tables.clear()
    this.#inserts.clear()
    this.#rows.clear()
  }

  #addTable(relation: Oid): void {
    this.#tables.add(relation)
    this.#inserts.delete(relation)
    this.#rows.delete(relation)
  }

  #addRow(relation: Oid, key: readonly string[]): void {
    if (this.#tables.has(relation)) return
    const keys = this.#rows.get(relation)
    if (keys === undefined) this.#rows.set(relation, [key])
    else if (keys.length < mostRows) keys.push(key)
    else this.#addTable(relation)
  }
}
