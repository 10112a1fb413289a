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
 * A statement is judged in the names that hold when it is sent: those that the client wants, or has set for the
 * transaction (`locals`). Where these can't be told for sure, all behind it is opaque, up to the transaction's end: a value
 * that is computed, a ROLLBACK TO that may take one back, one that is set while code of the transaction may still look
 * for names (a trigger at the commit, a cursor).
 *
 * A simple Query's last CommandComplete comes behind its commit, and so does that of COMMIT; that of another statement
 * in a series may come before, and tells nothing, but then a bump too many costs a miss.
 * Source: PostgreSQL's src/backend/tcop/postgres.c, exec_simple_query and exec_execute_message.
 */
import type { Values } from '../origin/values.ts'
import type { StatementPlan } from '../sql/plan.ts'
import { type Setting, type WriteAs, WriteSet, type Writings } from '../sql/writing/index.ts'
import { type NamesMoved, type Writes, type Written, writesNothing } from '../sql/writing.ts'
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
  /** Null: a FunctionCall, what a PREPARE made, or a text of which only the beginning is there. */
  readonly plan: StatementPlan | null
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly values: BoundValues | null
  /** As declared in its Parse; 0: left to the server. */
  parameterType(number: number): number
  /** It is run before anything else is, or never. */
  isRunNext(): boolean
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
  /** What was set for the transaction until here. */
  locals: Locals
  /** Code of it looks for names, and may do so later on. */
  runsInPath: boolean
}

const unknown = (plan: StatementPlan | null): Writes => ({
  ...writesNothing,
  opaque: plan
    ? 'what names mean is not known yet'
    : 'a function was called by its oid, a statement of a PREPARE was bound, or a text is longer than is read',
  ddl: plan?.changesSchema ?? true,
  commits: true,
})
/** What a transaction has done that was open when noting began: caching was switched on within it. */
const unnoted: Writes = {
  ...writesNothing,
  ...{ opaque: 'caching was off when its transaction began', ddl: true },
}
/** Settings for the rest of the transaction; `unknown`: only the server knows them. */
type Locals = readonly Setting[] | 'unknown'
const noLocals: readonly Setting[] = []
const movedWithin =
  'the search_path or the role was set, or set back, while code of the transaction may look for names'

/**
 * What is sent behind something in flight, of another exchange, is in its transaction only if that one was open before;
 * if it fails, so does this, up to a ROLLBACK.
 */
const localsBehind = (locals: Locals, isInBlock: boolean): Locals =>
  locals.length === 0 || isInBlock ? locals : 'unknown'

const valuesOf = ({ values, parameterType }: Sent) => ({
  parameter: (number: number) => values?.value(number) ?? null,
  parameterType,
})

const nothingWritten: Written = { tables: [], rows: [], inserts: [] }

export class OwnWrites {
  readonly #notes: WriteNotes
  readonly #asker: Asker
  /** In the order in which they are sent; of what is answered, that of the open transaction. */
  readonly #parts: Part[] = []
  /** One that is over: most clients have one at a time. */
  #spare: Part | null = null
  /** What the client wants with what was set for the transaction: made once for many statements. */
  #within: { readonly wants: Values; readonly locals: Locals; readonly values: Values } | null = null

  /** @param inBlock a transaction is open, of which nothing was noted */
  constructor(notes: WriteNotes, asker: Asker, inBlock: boolean) {
    this.#notes = notes
    this.#asker = asker
    if (!inBlock) return
    const set = new WriteSet()
    set.add(unnoted, nothingWritten)
    this.#parts.push({ exchange: 0, set, locals: noLocals, runsInPath: false })
  }

  /** What is sent next may stand in a transaction that has set names of its own: they are not what the client wants. */
  get movesNames(): boolean {
    const { locals = noLocals } = this.#parts.at(-1) ?? {}
    return locals.length > 0
  }

  /**
   * A statement is about to be sent.
   *
   * @returns true if what answers it may tell of a commit before ReadyForQuery does
   */
  onSent(sent: Sent, moment: Moment): boolean {
    const { plan, bytes, start, end } = sent
    const { writings } = this.#notes
    const part = this.#partOf(moment)
    const names = this.#namesIn(part, moment)
    if (names) part.set.judgedBy(names.catalogue)
    const writes = names && plan ? writings.writesOf(plan, bytes, start, end, names) : unknown(plan)
    if (writes !== writesNothing) {
      part.set.add(writes, writings.writtenBy(writes, bytes, start, end, valuesOf(sent)))
      if (writes.movesNames !== null) this.#move(part, writes.movesNames, sent)
      part.runsInPath ||= writes.runsInPath
    }
    return (writes.commits || !moment.isInBlock) && this.#parts.some(({ set }) => !set.isEmpty)
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

  #partOf({ exchange, isAlone, isInBlock }: Moment): Part {
    const last = this.#parts.at(-1)
    if (last && (isAlone || last.exchange === exchange)) {
      last.exchange = exchange
      return last
    }
    const part = this.#spare ?? { exchange, set: new WriteSet(), locals: noLocals, runsInPath: false }
    this.#spare = null
    part.exchange = exchange
    part.set.clear()
    part.locals = localsBehind(last?.locals ?? noLocals, isInBlock)
    part.runsInPath = last?.runsInPath ?? false
    this.#parts.push(part)
    return part
  }

  /** Null if only the server knows. */
  #namesIn({ locals }: Part, { wants, told }: Moment): WriteAs | null {
    if (wants === null || locals === 'unknown') return null
    if (locals.length === 0) return this.#notes.namesOf(this.#asker.asking(wants, told))
    if (this.#within?.wants !== wants || this.#within.locals !== locals)
      this.#within = { wants, locals, values: wants.with(locals) }
    return this.#notes.namesOf(this.#asker.asking(this.#within.values, told))
  }

  #move(part: Part, how: NamesMoved, sent: Sent): void {
    const { bytes, end, plan, start } = sent
    if (how === 'back') {
      if (part.locals.length === 0) return
      // What stands behind it in the same text was judged in names that are no more.
      if (plan?.statements !== 1) part.set.opaque ??= movedWithin
      part.locals = 'unknown'
      return
    }
    if (part.runsInPath) part.set.opaque ??= movedWithin
    const isTold = how !== 'unknown' && part.locals !== 'unknown' && sent.isRunNext()
    const set = isTold ? this.#notes.writings.setBy(how, bytes, start, end, valuesOf(sent)) : 'unknown'
    part.locals =
      set === 'unknown' || part.locals === 'unknown' ? 'unknown' : [...new Map([...part.locals, ...set])]
  }
}
