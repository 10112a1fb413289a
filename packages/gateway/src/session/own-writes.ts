/**
 * What a client's transaction has written, and the moments at which the client may learn that it is committed: before
 * each of them what was written is bumped.
 *
 *     INSERT … ──sent──▶ WriteSet ──CommandComplete that may tell of a commit──▶ bumped
 *                                 ──error or notice, of code that may commit───▶ bumped
 *                                 ──ReadyForQuery, idle────────────────────────▶ bumped, forgotten
 *                                 ──the connection is lost─────────────────────▶ bumped: it may have been committed
 *
 * What is sent before the answers to what came before it may be of the same transaction or of another one: each *part*
 * has the exchanges that are of one for sure, and is told and forgotten with the last of them.
 *
 * A simple Query's last CommandComplete comes behind its commit, and so does that of COMMIT; that of another statement
 * in a series may come before, and tells nothing, but then a bump too many costs a miss.
 * Source: PostgreSQL's src/backend/tcop/postgres.c, exec_simple_query and exec_execute_message.
 */
import type { Values } from '../origin/values.ts'
import type { StatementPlan } from '../sql/plan.ts'
import { type WriteAs, WriteSet, type Writings } from '../sql/writing/index.ts'
import { type Writes, type Written, writesNothing } from '../sql/writing.ts'
import type { Asker, Asking } from './asking.ts'
import type { BoundValues } from './bound-values.ts'

/** Where it is noted what is written in one database: there, whatever way a client comes by, answers of it are kept. */
export interface WriteNotes {
  readonly writings: Writings
  /** In which names this client writes; null while nothing is known of the database. */
  namesOf(asking: Asking): WriteAs | null
  /** A client is about to learn that this may be committed. */
  commit(writes: WriteSet): void
  /** A client is about to hear a notification: what it tells of may not have come by the stream. */
  onNotified(): void
}

/** Where a statement's text is, and what is bound to its parameters. */
export interface Sent {
  /** Null: not a statement but a FunctionCall, or a text of which only the beginning is there. */
  readonly plan: StatementPlan | null
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly values: BoundValues | null
  /** As declared in its Parse; 0: left to the server. */
  parameterType(number: number): number
}

/** When a statement is sent. */
export interface Moment {
  /** The number of its exchange. */
  readonly exchange: number
  /** Nothing else is in flight. */
  readonly isAlone: boolean
  /** A transaction was open when the last answer came. */
  readonly isInBlock: boolean
  /** Null if only the server knows what the client's settings are. */
  readonly wants: Values | null
  readonly told: Values
}

/** Exchanges of one transaction. */
interface Part {
  /** The last one. */
  exchange: number
  readonly set: WriteSet
  /** A SET LOCAL, which nothing of the client's wants tells of: what names mean only the server knows. */
  namesMoved: boolean
}

const unknown = (plan: StatementPlan | null): Writes => ({
  ...writesNothing,
  opaque: plan
    ? 'what names mean is not known yet'
    : 'a function was called by its oid, or a text is longer than is read',
  ddl: plan?.changesSchema ?? true,
  commits: true,
})
/** What a transaction has done that was open when noting began: caching was switched on within it. */
const unnoted: Writes = {
  ...writesNothing,
  ...{ opaque: 'caching was off when its transaction began', ddl: true },
}
const nothingWritten: Written = { tables: [], rows: [], inserts: [] }

export class OwnWrites {
  readonly #notes: WriteNotes
  readonly #asker: Asker
  /** In the order in which they are sent; of what is answered, that of the open transaction. */
  readonly #parts: Part[] = []
  /** One that is over: most clients have one at a time. */
  #spare: Part | null = null

  /** @param inBlock a transaction is open, of which nothing was noted */
  constructor(notes: WriteNotes, asker: Asker, inBlock: boolean) {
    this.#notes = notes
    this.#asker = asker
    if (!inBlock) return
    const part = { exchange: 0, set: new WriteSet(), namesMoved: false }
    part.set.add(unnoted, nothingWritten)
    this.#parts.push(part)
  }

  /**
   * A statement is about to be sent.
   *
   * @returns true if what answers it may tell of a commit before ReadyForQuery does
   */
  onSent({ plan, bytes, start, end, values, parameterType }: Sent, moment: Moment): boolean {
    const { writings } = this.#notes
    const { wants, told, isInBlock } = moment
    const part = this.#partOf(moment)
    const isKnown = wants !== null && !part.namesMoved
    const names = isKnown ? this.#notes.namesOf(this.#asker.asking(wants, told)) : null
    if (names) part.set.judgedBy(names.catalogue)
    const writes = names && plan ? writings.writesOf(plan, bytes, start, end, names) : unknown(plan)
    if (writes.movesNames) part.namesMoved = true
    if (writes !== writesNothing) {
      const parameter = (number: number) => values?.value(number) ?? null
      part.set.add(writes, writings.writtenBy(writes, bytes, start, end, { parameter, parameterType }))
    }
    return (writes.commits || !isInBlock) && this.#parts.some(({ set }) => !set.isEmpty)
  }

  /** The client is about to learn something of this exchange that may mean that the transaction is committed. */
  onTold(exchange: number): void {
    for (const part of this.#parts) {
      if (part.exchange > exchange) return
      if (part.set.isEmpty) continue
      this.#notes.commit(part.set)
      part.set.told = true
    }
  }

  /** With this exchange the transaction is over. */
  onOver(exchange: number): void {
    for (let part = this.#parts[0]; part && part.exchange <= exchange; part = this.#parts[0]) {
      this.#notes.commit(part.set)
      this.#parts.shift()
      this.#spare = part
    }
  }

  /** Of what is in flight nobody knows whether it is committed. */
  onLost(): void {
    this.onOver(Number.POSITIVE_INFINITY)
  }

  #partOf({ exchange, isAlone }: Moment): Part {
    const last = this.#parts.at(-1)
    if (last && (isAlone || last.exchange === exchange)) {
      last.exchange = exchange
      return last
    }
    const part = this.#spare ?? { exchange, set: new WriteSet(), namesMoved: false }
    this.#spare = null
    part.exchange = exchange
    part.set.clear()
    part.namesMoved = last?.namesMoved ?? false
    this.#parts.push(part)
    return part
  }
}
