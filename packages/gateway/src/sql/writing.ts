/**
 * What a statement writes: which tables and rows have changed when it has committed, and whether that can be told.
 *
 * A statement sets off more than it says. Each thing that it sets off is looked at once, until nothing new comes:
 *
 *     statement ─┬─ a change of a relation ─┬─ partitions, children, parents
 *                │                          ├─ ON DELETE, ON UPDATE ──▶ a change of another relation
 *                │                          ├─ triggers, defaults, checks, policies ──▶ a call
 *                │                          └─ an updatable view ──▶ a change of its table
 *                ├─ a call of a function ───── its body, in SQL or PL/pgSQL ──▶ statements
 *                └─ a view that is read ────── its definition ──▶ a statement
 *
 * Where this ends at something that can't be read (EXECUTE, DO, C, a rule), the write is *opaque*.
 *
 * Invariants: (1) what is not understood is opaque, with a sentence that says what; (2) too much may be said to change,
 * never too little. Two promises are believed, because PostgreSQL and whoever declared them answer for them: a function
 * that is STABLE or IMMUTABLE changes nothing, and neither do the functions of types and indexes.
 * What a statement does by checking foreign keys changes nothing.
 * Not seen: what a session hangs on temporary objects of its own, a trigger or a view that writes.
 * How it is asked: `Writings` in writing/; how a transaction's statements come together: `WriteSet`.
 * Not here: when it commits, and what becomes of the cache (cache/).
 */
import type { Catalogue, Oid } from '../catalogue/index.ts'
import type { Dependencies, RowRead, ValueAt } from './reading.ts'

/** In which names a client writes. */
export interface WriteContext {
  readonly catalogue: Catalogue
  /** Schemas in their order, as `current_schemas(true)` gives them. */
  readonly searchPath: readonly string[]
  /** Some of them may be no part of it: a name means what it does in any of them. */
  readonly maySkip?: boolean
}

/** All of these together; a statement that only reads has none. */
export interface Writes {
  /** Relations any rows of which may have changed, their partitions, children and ancestors included. */
  readonly tables: readonly Oid[]
  /**
   * Of relations that are not in `tables`: rows that may have changed, or come or gone. A parameter's `valueType` is what
   * the text casts it to; 0: what the client declared, or else the key's.
   */
  readonly rows: readonly RowRead[]
  /** Relations that are not in `tables`, to which rows were added: none that was there has changed. */
  readonly inserts: readonly Oid[]
  /** A sentence for a user: why more may have changed than is said here. */
  readonly opaque: string | null
  /** It may have changed what is known of the database: the catalogue, rights, what else statements mean. */
  readonly ddl: boolean
  /** A transaction may end within it: what was written before may be seen by others before it is done. */
  readonly commits: boolean
  /** Behind it names mean something else, if only until the transaction is over. */
  readonly movesNames: NamesMoved | null
  /** Code may run, at the end of the transaction at the latest, whose names are looked for in the search_path of then. */
  readonly runsInPath: boolean
}

/**
 * What is set for the transaction; `unknown` if that can't be told. `back`: what was set before may be so no more, by a
 * ROLLBACK TO, or because the transaction is over.
 */
export type NamesMoved = readonly NameSetting[] | 'unknown' | 'back'

/** The search_path or the role, by SET LOCAL or set_config. */
export interface NameSetting {
  /** A parameter may name another one. */
  readonly name: { readonly constant: string } | { readonly parameter: number }
  /** Null if it is not told. */
  readonly value: readonly Said[] | null
  /** Each part is a name by itself, not quoted. */
  readonly isList: boolean
}

/** A text, wherever it stands. */
export type Said = ValueAt | { readonly constant: string }

/** What a statement with these values has written: what is to be bumped when it has committed. */
export interface Written {
  readonly tables: readonly Oid[]
  /** Key values as in `Dependencies`. */
  readonly rows: Dependencies['rows']
  readonly inserts: readonly Oid[]
}

export const writesNothing: Writes = {
  tables: [],
  rows: [],
  inserts: [],
  opaque: null,
  ddl: false,
  commits: false,
  movesNames: null,
  runsInPath: false,
}
