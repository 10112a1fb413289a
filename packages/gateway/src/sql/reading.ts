/**
 * What a statement reads, and whether its answer may be kept: the question that the cache asks of each text.
 *
 *     bytes ──▶ literals apart ──known?──▶ Verdict          once for texts that differ in their literals only,
 *                    │ no                     │              a search_path, a role, the parameters' types
 *                    └──parser──▶ reading/ ───┘              and a catalogue
 *                                             ▼
 *     literals and parameters ──────▶ dependencies()        each time: a map look-up and the rules for values
 *                                             ▼
 *                              tables and rows for the stamp, or why not
 *
 * Invariants: (1) what is not understood is not cached, with a sentence that says what; (2) functions, operators, casts,
 * and the functions that read literals and print columns are judged by the origin's own pg_proc, as PostgreSQL would
 * resolve them; (3) an answer depends on nothing but `reads`, `rows`, the catalogue, and what stands in the key: database,
 * session user, role, the parameters that change what PostgreSQL's own functions say, and `settings`.
 * Not here: whether the tables' changes are published (invalidation/), transactions, sizes and ages (cache/).
 */
import type { Catalogue, Oid } from '../catalogue/index.ts'

/** As whom a client asks, and in which names. */
export interface ReadContext {
  readonly catalogue: Catalogue
  /** Schemas in their order, as `current_schemas(true)` gives them: with pg_catalog where it is implied. */
  readonly searchPath: readonly string[]
  /** current_user. */
  readonly role: string
  /** `cache_stable`: what stable functions answer is kept, except for what tells the time or of the session. */
  readonly stable: boolean
}

/** Hyperdrive's words. */
export type Refusal =
  | 'uncacheable'
  | 'volatile'
  | 'notaquery'
  | 'multiplestatements'
  | 'parseerror'
  | 'oversizedquery'

export type Verdict = Cacheable | NotCacheable

export interface NotCacheable {
  readonly cacheable: false
  readonly status: Refusal
  /** A sentence for a user: which function, which table, which rule. */
  readonly why: string
}

export interface Cacheable {
  readonly cacheable: true
  /**
   * Every table a change of which may change the answer, those of `rows` left out. Views are resolved. A partition or an
   * inheritance child is not named if its parent is: who hears of a change bumps the table and its `ancestors`.
   */
  readonly reads: readonly Oid[]
  /** Tables of which at most one row can matter: the one with this key. */
  readonly rows: readonly RowRead[]
  /** Parameters that policies and views read by current_setting: their values belong to the key. */
  readonly settings: readonly string[]
  /** Values that are read as dates and times, of which 'now' and its like must not be kept. */
  readonly times: readonly ValueAt[]
  /** What no stream tells of: the answer can only be kept by its age. Empty for ordinary tables. */
  readonly unseen: readonly string[]
}

/** A literal by its place among the text's literals, from 0, or a parameter by its number, from 1. */
export type ValueAt = { readonly literal: number } | { readonly parameter: number }

export interface RowRead {
  readonly relation: Oid
  /** In the primary key's order. */
  readonly key: readonly KeyColumn[]
}

export interface KeyColumn {
  readonly column: string
  /** Whose text forms are compared: int2, int4, int8, uuid, text, varchar. */
  readonly type: Oid
  readonly value: ValueAt
  /** What the value is read as: the key's type, or one that compares with it (numeric with int4). */
  readonly valueType: Oid
}

/** What a stamp is made of. */
export interface Dependencies {
  readonly tables: readonly Oid[]
  /** Key values in the primary key's order, in the text form in which PostgreSQL prints them. */
  readonly rows: readonly { readonly relation: Oid; readonly key: readonly string[] }[]
}
