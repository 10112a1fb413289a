/**
 * What the replication stream tells: plain values, to whoever holds the stamps.
 *
 *     stream ──▶ Invalidation ──onChanges, onSchema──▶ sink    twice for each transaction: shown, and visible
 *                             ──onPassed────────────▶ sink    opaque commits, when nothing before them is unsettled
 *                             ──onCovered───────────▶ sink    for which tables this is to be relied on
 *                             ──onEpoch─────────────▶ sink    what was stored before is not to be relied on
 *
 * To bump is all that a sink has to do: to bump what is bumped already costs a miss at most. All calls are synchronous,
 * and the sink must not call back into the invalidation from within them.
 */

/** The values of a primary key, in the key's order, as its types print them. */
export type RowKey = readonly string[]

/** Something committed has changed this relation: a table, a partition or an ancestor of one, a materialized view. */
export interface Change {
  readonly relation: number
  /** Old and new keys of the rows; `any` if they can't be told, or are too many. An update may name one key twice. */
  readonly rows: readonly RowKey[] | 'any'
}

/** An object that DDL has touched, as the event trigger told it. */
export interface SchemaObject {
  /** As in CommandComplete: `ALTER TABLE`. */
  readonly tag: string
  /** The catalogue that it is in (1259 is pg_class), and its oid there. Null for GRANT and REVOKE: they don't tell. */
  readonly classId: number | null
  readonly objectId: number | null
}

export interface InvalidationSink {
  /** Bump the table of each, and of it the rows named, or `any row`. */
  onChanges(changes: readonly Change[]): void
  /**
   * Bump the schema's version, and read the catalogue anew; until that is read, nothing is to be stored by the old one.
   * `any`: something has changed, and nobody told what.
   */
  onSchema(objects: readonly SchemaObject[] | 'any'): void
  /** The opaque commits up to this number have passed: all that they changed has been told twice. */
  onPassed(number: number): void
  /**
   * The tables (partitions, not their ancestors) and materialized views whose changes are told from here on: of any
   * other relation nothing may be stored but by age. Empty while there is no stream. What comes or goes was bumped.
   */
  onCovered(tables: ReadonlySet<number>): void
  /** Drop everything: the stream was lost, or has begun. */
  onEpoch(): void
}

/** What the newest catalogue that was read says. Asked at each bump. */
export interface KnownTables {
  /** Names of the columns of the primary key in its order, if rows have slots of their own; else null. */
  keyOf(relation: number): readonly string[] | null
  /** Partitioned tables and inheritance parents above it, near and far. */
  ancestorsOf(relation: number): Iterable<number>
}
