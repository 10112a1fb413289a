/**
 * What a walsender says of a database's changes: the logical decoding plug-in pgoutput, protocol version 1.
 *
 *     CopyData ─▶ w: XLogData ──▶ Begin Relation? Insert | Update | Delete | Truncate | Message … Commit
 *              └▶ k: keepalive
 *
 * Transactions come whole and in the order of their commits. A relation is described before its first change, and
 * again after it was altered. Values come as text.
 *
 * Rows are not read: of a relation, the sink names the columns that it wants, and without any a row costs its header.
 * A message that was too large to be held (`cut`) tells of a row what has come; the rest is unknown.
 *
 * Not here: later versions, which add transactions in progress and prepared ones. They come to who asks for them;
 * without, a large transaction comes when it has committed, and a prepared one at its COMMIT PREPARED.
 * Source: PostgreSQL documentation, "Logical Replication Message Formats" and "Streaming Replication Protocol".
 */
import { ProtocolError } from '../protocol-error.ts'

export interface PgoutputRelation {
  readonly oid: number
  /** '' for pg_catalog. */
  readonly schema: string
  readonly name: string
  /** pg_class.relreplident: d (primary key), n (none), f (the whole row), i (an index). */
  readonly replicaIdentity: string
  /** `key`: a part of the replica identity. */
  readonly columns: readonly { readonly name: string; readonly key: boolean; readonly type: number }[]
}

/**
 * Values of the columns that were asked for, in that order: text, null, or undefined where the message does not tell:
 * a TOASTed value that did not change, or what stood behind the cut.
 */
export type PgoutputRow = readonly (string | null | undefined)[]

export interface PgoutputSink {
  /** @param xid of the top-level transaction, its lower 32 bits */
  onBegin(xid: number): void
  /** @param endLsn where the transaction ends in the WAL */
  onCommit(endLsn: bigint): void
  onRelation(relation: PgoutputRelation): void
  /** Which columns of a relation's rows to read, counted from 0; null if none. Asked at each row. */
  columnsOf(relation: number): readonly number[] | null
  /**
   * A row was inserted (it has a `now`), deleted (a `before`) or updated. The `before` of an update is null if its
   * replica identity did not change. Both are null where no columns were asked for.
   */
  onRow(relation: number, before: PgoutputRow | null, now: PgoutputRow | null): void
  onTruncate(relations: readonly number[]): void
  /** From pg_logical_emit_message. Null if it was cut. The bytes point into the chunk. */
  onMessage(prefix: string, content: Uint8Array | null, transactional: boolean): void
  /** @param walEnd the server has sent all of its WAL up to here */
  onKeepalive(walEnd: bigint): void
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

// What a CopyData holds.
const XLogData = 0x77 // w
const Keepalive = 0x6b // k

// What an XLogData holds.
const Begin = 0x42 // B
const Commit = 0x43 // C
const Delete = 0x44 // D
const Insert = 0x49 // I
const LogicalMessage = 0x4d // M
/** Where a transaction that was replicated to this server came from. */
const Origin = 0x4f // O
const Relation = 0x52 // R
const Truncate = 0x54 // T
/** The name of a type that is not built in. */
const Type = 0x59 // Y
const Update = 0x55 // U

// Parts of a row's message: its replica identity before the change, if that has changed, or the whole row, if that is it.
const oldKey = 0x4b // K
const oldRow = 0x4f // O
const newRow = 0x4e // N

// Kinds of a value.
const nothing = 0x6e // n
const asText = 0x74 // t
const unchanged = 0x75 // u

export class PgoutputDecoder {
  readonly #sink: PgoutputSink
  // The message that is being read.
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  #cut = false

  constructor(sink: PgoutputSink) {
    this.#sink = sink
  }

  /**
   * Takes the body of one CopyData.
   *
   * @param cut the body goes on behind `end`, and the rest is not to be had
   * @throws ProtocolError
   */
  copyData(bytes: Uint8Array, start: number, end: number, cut = false): void {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#cut = cut
    const type = this.#byte()
    if (type === XLogData) {
      this.#skip(24)
      this.#logical()
    } else if (type === Keepalive) {
      const walEnd = this.#int64()
      this.#skip(9)
      this.#sink.onKeepalive(walEnd)
    } else throw unknown('a replication stream', type)
    if (this.#at !== this.#end) throw new ProtocolError(`${this.#end - this.#at} bytes too many`)
  }

  #logical(): void {
    const type = this.#byte()
    switch (type) {
      case Begin:
        this.#skip(16)
        this.#sink.onBegin(this.#int32())
        break
      case Commit: {
        this.#skip(9)
        const endLsn = this.#int64()
        this.#skip(8)
        this.#sink.onCommit(endLsn)
        break
      }
      case Relation:
        this.#relation()
        break
      case Insert:
      case Update:
      case Delete:
        this.#row(type)
        break
      case Truncate:
        this.#truncate()
        break
      case LogicalMessage:
        this.#message()
        break
      case Origin:
        this.#skip(8)
        this.#text()
        break
      case Type:
        this.#skip(4)
        this.#text()
        this.#text()
        break
      default:
        throw unknown('pgoutput', type)
    }
  }

  #relation(): void {
    const oid = this.#int32()
    const schema = this.#text()
    const name = this.#text()
    const replicaIdentity = String.fromCharCode(this.#byte())
    const columns = Array.from({ length: this.#int16() }, () => {
      const key = (this.#byte() & 1) !== 0
      const name = this.#text()
      const type = this.#int32()
      this.#skip(4)
      return { name, key, type }
    })
    this.#sink.onRelation({ oid, schema, name, replicaIdentity, columns })
  }

  #row(type: number): void {
    const relation = this.#int32()
    const columns = this.#sink.columnsOf(relation)
    if (columns === null) {
      this.#at = this.#end
      this.#sink.onRow(relation, null, null)
      return
    }
    let before: PgoutputRow | null = null
    let now: PgoutputRow | null = null
    let part = this.#byte()
    if (type !== Insert && (part === oldKey || part === oldRow)) {
      before = this.#tuple(columns)
      // Behind a cut the new row, which there is, is as unknown as the rest.
      if (type === Update) part = this.#cut && this.#at === this.#end ? newRow : this.#byte()
    }
    if (type !== Delete) {
      if (part !== newRow) throw unknown('a row', part)
      now = this.#tuple(columns)
    } else if (before === null) throw unknown('a deleted row', part)
    this.#sink.onRow(relation, before, now)
  }

  #tuple(columns: readonly number[]): PgoutputRow {
    const row: (string | null | undefined)[] = columns.map(() => undefined)
    if (this.#cut && this.#end - this.#at < 2) return this.#goneFrom(row)
    const count = this.#int16()
    for (let column = 0; column < count; column++) {
      // What a value needs is looked at before it is read: nothing is unread behind the cut.
      if (this.#cut && this.#end - this.#at < 5) return this.#goneFrom(row)
      const wanted = columns.indexOf(column)
      const kind = this.#byte()
      if (kind === nothing) {
        if (wanted !== -1) row[wanted] = null
      } else if (kind === asText) {
        const length = this.#int32()
        if (this.#cut && length > this.#end - this.#at) return this.#goneFrom(row)
        const start = this.#at
        this.#skip(length)
        if (wanted !== -1) row[wanted] = utf8.decode(this.#bytes.subarray(start, this.#at))
      } else if (kind !== unchanged) throw unknown('a value', kind)
    }
    return row
  }

  #goneFrom(row: PgoutputRow): PgoutputRow {
    this.#at = this.#end
    return row
  }

  #truncate(): void {
    const count = this.#int32()
    this.#skip(1)
    if (count * 4 !== this.#end - this.#at)
      throw new ProtocolError(`a TRUNCATE of ${count} tables does not name them`)
    this.#sink.onTruncate(Array.from({ length: count }, () => this.#int32()))
  }

  #message(): void {
    const transactional = (this.#byte() & 1) !== 0
    this.#skip(8)
    const prefix = this.#text()
    const length = this.#int32()
    if (this.#cut) {
      this.#at = this.#end
      this.#sink.onMessage(prefix, null, transactional)
      return
    }
    const start = this.#at
    this.#skip(length)
    this.#sink.onMessage(prefix, this.#bytes.subarray(start, this.#at), transactional)
  }

  #skip(count: number): void {
    if (count > this.#end - this.#at)
      throw new ProtocolError('a message of the replication stream ends early')
    this.#at += count
  }

  #byte(): number {
    this.#skip(1)
    return this.#bytes[this.#at - 1]!
  }

  #int16(): number {
    return (this.#byte() << 8) | this.#byte()
  }

  /** Unsigned: oids and xids are, and no length is so large. */
  #int32(): number {
    return ((this.#int16() << 16) | this.#int16()) >>> 0
  }

  #int64(): bigint {
    return (BigInt(this.#int32()) << 32n) | BigInt(this.#int32())
  }

  #text(): string {
    const start = this.#at
    const end = this.#bytes.indexOf(0, start)
    this.#skip((end === -1 ? this.#end : end) - start + 1)
    return utf8.decode(this.#bytes.subarray(start, end))
  }
}

const unknown = (where: string, byte: number) =>
  new ProtocolError(`0x${byte.toString(16).padStart(2, '0')} means nothing in ${where}`)
