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
 * Not here: when it commits, and what becomes of the cache (cache/).
 */
import type { Catalogue, Oid } from '../catalogue/index.ts'
import type { KeyColumn } from './reading.ts'

/** In which names a client writes. */
export interface WriteContext {
  readonly catalogue: Catalogue
  /** Schemas in their order, as `current_schemas(true)` gives them. */
  readonly searchPath: readonly string[]
}

/** All of these together; a statement that only reads has none. */
export interface Writes {
  /** Relations any rows of which may have changed, their partitions, children and ancestors included. */
  readonly tables: readonly Oid[]
  /** Of relations that are not in `tables`: rows that may have changed, or come or gone. */
  readonly rows: readonly RowWrite[]
  /** Relations that are not in `tables`, to which rows were added: none that was there has changed. */
  readonly inserts: readonly Oid[]
  /** A sentence for a user: why more may have changed than is said here. */
  readonly opaque: string | null
  /** It may have changed what is known of the database: the catalogue, rights, what else statements mean. */
  readonly ddl: boolean
  /** A transaction may end within it: what was written before may be seen by others before it is done. */
  readonly commits: boolean
}

/** The row with this key; if a value can't be read for certain, any row of the relation. */
export interface RowWrite {
  readonly relation: Oid
  /** In the primary key's order. */
  readonly key: readonly WrittenKey[]
}

/** `valueType` is 0 for a parameter: what the client declared, or else the key's. */
export interface WrittenKey extends KeyColumn {
  /** It is compared with the column as it is; or it becomes the column's value, which may round it or cut it off. */
  readonly by: 'comparison' | 'assignment'
}

export const writesNothing: Writes = {
  tables: [],
  rows: [],
  inserts: [],
  opaque: null,
  ddl: false,
  commits: false,
}
