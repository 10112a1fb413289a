/**
 * What a client's transaction has written, and the moments at which the client may learn that it is committed: before
 * each of them what was written is bumped.
 *
 *     INSERT … ──sent──▶ WriteSet ──CommandComplete that may tell of a commit──▶ bumped
 *                                 ──ReadyForQuery, idle────────────────────────▶ bumped, forgotten
 *                                 ──the connection is lost─────────────────────▶ bumped: it may have been committed
 *
 * A simple Query's last CommandComplete comes behind its commit, and so does that of COMMIT; that of another statement
 * in a series may come before, and tells nothing, but then a bump too many costs a miss.
 * Source: PostgreSQL's src/backend/tcop/postgres.c, exec_simple_query and exec_execute_message.
 */
import type { StatementPlan } from '../sql/plan.ts'
import type { ReadAs } from '../sql/reading/index.ts'
import { WriteSet, type Writings } from '../sql/writing/index.ts'
import { type Writes, writesNothing } from '../sql/writing.ts'
import type { BoundValues } from './bound-values.ts'

/** Where a statement's text is, and what is bound to its parameters. */
export interface Sent {
  /** Null: not a statement but a FunctionCall. */
  readonly plan: StatementPlan | null
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly values: BoundValues | null
  /** As declared in its Parse; 0: left to the server. */
  parameterType(number: number): number
}

const unknown = (plan: StatementPlan | null): Writes => ({
  ...writesNothing,
  opaque: plan ? 'what names mean is not known yet' : 'a function was called by its oid',
  ddl: plan?.changesSchema ?? true,
  commits: true,
})

export class OwnWrites {
  readonly #writings: Writings
  readonly #commit: (writes: WriteSet) => void
  readonly #set = new WriteSet()

  /** @param commit called before the client can know of it */
  constructor(writings: Writings, commit: (writes: WriteSet) => void) {
    this.#writings = writings
    this.#commit = commit
  }

  /**
   * A statement is about to be sent.
   *
   * @param names null if it is not known what names mean for this client
   * @returns true if a CommandComplete that answers it may tell of a commit
   */
  onSent(
    { plan, bytes, start, end, values, parameterType }: Sent,
    names: ReadAs | null,
    inBlock: boolean,
  ): boolean {
    const writes = names && plan ? this.#writings.writesOf(plan, bytes, start, end, names) : unknown(plan)
    if (writes !== writesNothing) {
      const parameter = (number: number) => values?.value(number) ?? null
      this.#set.add(writes, this.#writings.writtenBy(writes, bytes, start, end, { parameter, parameterType }))
    }
    return !this.#set.isEmpty && (writes.commits || !inBlock)
  }

  /** The client is about to learn something that may mean that the transaction is committed. */
  onTold(): void {
    if (!this.#set.isEmpty) this.#commit(this.#set)
  }

  /** The transaction is over. */
  onOver(): void {
    if (this.#set.isEmpty) return
    this.#commit(this.#set)
    this.#set.clear()
  }
}
