/**
 * A running stream: what it shows is told, and from when on it is to be relied on.
 *
 *     transactions ─▶ settling ──────────▶ told twice
 *     marks ────────▶ marks ─────────────▶ opaque commits have passed; how far the stream is behind
 *     publication ──▶ coverage ──────────▶ tables are covered, one by one
 *                         ▲
 *     looks ──snapshots───┘  what new snapshots see, with a mark if one is due; at once while something is unsettled,
 *                            later and later while that does not change
 *
 * Not here: where all this comes from (cover.ts).
 */
import { quoteLiteral } from '../sql/quote.ts'
import { Coverage } from './coverage.ts'
import { Marks } from './marks.ts'
import { Settling } from './settling.ts'
import type { InvalidationSink, KnownTables, SchemaObject } from './sink.ts'
import { Snapshot } from './snapshot.ts'
import { markPrefix, type Transaction } from './transaction.ts'

export interface TellingOptions {
  readonly known: KnownTables
  readonly sink: InvalidationSink
  /** Tells the marks of this stream from all others. */
  readonly token: string
  readonly heartbeatMs: number
  /** The publication may have changed. */
  onPublicationChange(): void
}

const longestPauseMs = 50
/** pg_publication, pg_publication_rel, pg_publication_namespace. */
const publicationClasses: ReadonlySet<number | null> = new Set([6104, 6106, 6237])

export class Telling {
  readonly #options: TellingOptions
  readonly #settling: Settling
  readonly #coverage = new Coverage()
  readonly #marks: Marks
  #lookAt = -Infinity
  #pauseMs = 0
  #askedAt = 0
  /** When the look was asked for that was answered last. */
  #lookedAt = 0
  /** What the sink takes to be covered. */
  #covered: ReadonlySet<number> = new Set()

  constructor(options: TellingOptions) {
    const { known, sink, token, heartbeatMs } = options
    this.#options = options
    this.#marks = new Marks({ token, heartbeatMs })
    this.#settling = new Settling(known, {
      onChanges: changes => sink.onChanges(changes),
      onSchema: objects => this.#onSchema(objects),
    })
  }

  get unsettled(): number {
    return this.#settling.unsettled
  }

  get covered(): number {
    return this.#covered.size
  }

  /** Tables in quarantine. */
  get waiting(): number {
    return this.#coverage.waiting
  }

  delayMs(now: number): number {
    return this.#marks.delayMs(now)
  }

  /**
   * What became visible longer ago than this was told. Not shown: it is behind no mark that has come out. Not settled: the
   * last look was asked for before.
   */
  boundMs(now: number): number {
    const unseenMs = this.unsettled > 0 ? now - this.#lookedAt : 0
    return Math.max(this.#options.heartbeatMs + this.delayMs(now), unseenMs)
  }

  /** Since when a mark is on its way. */
  get outSince(): number | null {
    return this.#marks.outSince
  }

  opaque(number: number): void {
    this.#marks.opaque(number)
  }

  shown(transaction: Transaction, now: number): void {
    this.#settling.shown(transaction)
    this.#pauseMs = 0
    this.#lookAt = now
  }

  cameOut(mark: string, now: number): void {
    this.#marks.cameOut(mark, this.#settling.position, now)
  }

  /** The publication was looked at: it tells of these tables. */
  published(tables: ReadonlyMap<number, string>): void {
    this.#coverage.published(tables)
  }

  /** When to look. */
  deadline(): number {
    const isLooking = this.waiting > 0 || this.unsettled > 0
    return Math.min(isLooking ? this.#lookAt : Infinity, this.#marks.deadline() ?? Infinity)
  }

  /** Each look brings a snapshot, so that the newest one is never far behind. */
  look(now: number): string {
    this.#askedAt = now
    const due = this.#marks.deadline()
    if (due === null || due > now) return 'SELECT pg_current_snapshot()'
    const mark = quoteLiteral(this.#marks.put(now))
    return `SELECT pg_current_snapshot(), pg_logical_emit_message(true, '${markPrefix}', ${mark})`
  }

  looked(rows: readonly (readonly (string | null)[])[], now: number): void {
    const snapshot = new Snapshot(rows[0]![0]!)
    const before = this.unsettled
    this.#lookedAt = this.#askedAt
    this.#settling.probed(snapshot)
    // Before a mark has come out it is not proved that the stream shows what happens.
    if (this.#marks.any) this.#coverage.probed(snapshot)
    this.#pauseMs = this.unsettled < before ? 0 : Math.min(longestPauseMs, Math.max(1, 2 * this.#pauseMs))
    this.#lookAt = now + this.#pauseMs
  }

  /** Tells the sink what has come of all that was heard. */
  tell(): void {
    const { sink, known } = this.#options
    const passed = this.#marks.passed(this.#settling.settledTo)
    if (passed !== null) sink.onPassed(passed)
    const before = this.#covered
    const { covered } = this.#coverage
    if (covered === before) return
    this.#covered = covered
    const moved = [...covered].filter(table => !before.has(table))
    for (const table of before) if (!covered.has(table)) moved.push(table)
    if (moved.length === 0) return
    const reached = moved.flatMap(table => [table, ...known.ancestorsOf(table)])
    sink.onChanges(reached.map(relation => ({ relation, rows: 'any' })))
    sink.onCovered(covered)
  }

  /** The stream is over: nothing is covered any more. */
  end(): void {
    const { sink } = this.#options
    if (this.#covered.size > 0) sink.onCovered(new Set())
    sink.onEpoch()
  }

  #onSchema(objects: readonly SchemaObject[] | 'any'): void {
    // What is told first is not visible yet: the second telling leads to a look at the publication that sees it.
    this.#options.onPublicationChange()
    if (objects === 'any' || objects.some(({ classId }) => publicationClasses.has(classId)))
      this.#coverage.doubt()
    this.#options.sink.onSchema(objects)
  }
}
