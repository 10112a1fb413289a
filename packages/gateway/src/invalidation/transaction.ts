/**
 * What the stream says, as transactions: which relations each has changed, and which rows as far as they count.
 *
 *     Begin ─▶ relation ─▶ rows … ─▶ Commit ──▶ onTransaction
 *                └ keyOf: which columns to read; none if rows have no slots, or too many have changed already
 *
 * A key is read only if the stream names rows by it, or by all columns: with another identity the old key is not told.
 * Not here: what becomes of them (settling.ts).
 */
import type { PgoutputRelation, PgoutputRow, PgoutputSink } from '@sluice/wire/pgoutput'
import { readSchemaObjects, schemaPrefix } from './ddl.ts'
import type { Change, KnownTables, RowKey, SchemaObject } from './sink.ts'

/** A committed transaction that matters. */
export interface Transaction {
  /** Its lower 32 bits. */
  readonly xid: number
  readonly changes: readonly KeyedChange[]
  readonly schema: readonly SchemaObject[] | 'any'
}

/** A change, and the key by which its rows were read. */
export interface KeyedChange extends Change {
  readonly key: readonly string[] | null
}

export interface TransactionSink {
  onTransaction(transaction: Transaction): void
  /** A mark has come out, behind everything that was committed before it was put in. */
  onMark(mark: string): void
  onKeepalive(walEnd: bigint): void
  /** The stream has come so far. */
  onPosition(endLsn: bigint): void
}

/** Of one commit; more of them and bumping each costs more than the misses do. */
export const mostRows = 1_000

/** Of the messages that measure the stream (marks.ts). */
export const markPrefix = 'sluice.mark'

interface Changed {
  readonly key: readonly string[] | null
  /** Where the key's columns are. */
  columns: readonly number[] | null
  rows: RowKey[] | 'any'
}

const utf8 = new TextDecoder()

export class TransactionReader implements PgoutputSink {
  readonly #known: KnownTables
  readonly #sink: TransactionSink
  readonly #relations = new Map<number, PgoutputRelation>()
  // Of the transaction that is being read.
  #xid = 0
  #changed = new Map<number, Changed>()
  #schema: SchemaObject[] | 'any' = []
  #marks: string[] = []
  #rows = 0

  constructor(known: KnownTables, sink: TransactionSink) {
    this.#known = known
    this.#sink = sink
  }

  onBegin(xid: number): void {
    this.#xid = xid
    this.#changed = new Map()
    this.#schema = []
    this.#marks = []
    this.#rows = 0
  }

  onRelation(relation: PgoutputRelation): void {
    this.#relations.set(relation.oid, relation)
    // Altered within its transaction: where its columns are is told anew.
    const changed = this.#changed.get(relation.oid)
    if (changed) everyRow(changed)
  }

  columnsOf(relation: number): readonly number[] | null {
    return this.#changedOf(relation).columns
  }

  onRow(relation: number, before: PgoutputRow | null, now: PgoutputRow | null): void {
    const changed = this.#changedOf(relation)
    if (changed.rows === 'any') return
    for (const row of [before, now]) {
      if (row === null) continue
      if (!isKey(row) || ++this.#rows > mostRows) {
        everyRow(changed)
        return
      }
      changed.rows.push(row)
    }
  }

  onTruncate(relations: readonly number[]): void {
    for (const relation of relations) everyRow(this.#changedOf(relation))
  }

  onMessage(prefix: string, content: Uint8Array | null, transactional: boolean): void {
    if (!transactional) return
    if (prefix === markPrefix && content) this.#marks.push(utf8.decode(content))
    if (prefix !== schemaPrefix || this.#schema === 'any') return
    const objects = content && readSchemaObjects(utf8.decode(content))
    if (objects === null) this.#schema = 'any'
    // It changes rows and no definition.
    else
      for (const object of objects)
        if (object.tag === refresh && object.objectId !== null) everyRow(this.#changedOf(object.objectId))
        else this.#schema.push(object)
  }

  onCommit(endLsn: bigint): void {
    const changes = [...this.#changed].map(([relation, { key, rows }]) => ({ relation, key, rows }))
    const schema = this.#schema
    if (changes.length > 0 || schema === 'any' || schema.length > 0)
      this.#sink.onTransaction({ xid: this.#xid, changes, schema })
    for (const mark of this.#marks) this.#sink.onMark(mark)
    this.#sink.onPosition(endLsn)
  }

  onKeepalive(walEnd: bigint): void {
    this.#sink.onKeepalive(walEnd)
  }

  #changedOf(relation: number): Changed {
    let changed = this.#changed.get(relation)
    if (!changed) {
      const key = this.#known.keyOf(relation)
      const columns = key && this.#whereIs(key, this.#relations.get(relation))
      changed = { key, columns, rows: columns && this.#rows <= mostRows ? [] : 'any' }
      if (changed.rows === 'any') changed.columns = null
      this.#changed.set(relation, changed)
    }
    return changed
  }

  #whereIs(key: readonly string[], relation: PgoutputRelation | undefined): readonly number[] | null {
    if (!relation) return null
    const { columns, replicaIdentity } = relation
    const identity = columns.filter(column => column.key)
    const isIdentity =
      replicaIdentity === 'd' &&
      identity.length === key.length &&
      identity.every(({ name }) => key.includes(name))
    if (!isIdentity && replicaIdentity !== 'f') return null
    const where = key.map(name => columns.findIndex(column => column.name === name))
    return where.includes(-1) ? null : where
  }
}

const refresh = 'REFRESH MATERIALIZED VIEW'

function everyRow(changed: Changed): void {
  changed.columns = null
  changed.rows = 'any'
}

const isKey = (row: PgoutputRow): row is readonly string[] => row.every(value => typeof value === 'string')
