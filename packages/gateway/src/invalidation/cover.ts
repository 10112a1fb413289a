/**
 * The stream and the control connection, from their logins to the loss of one: they live and end together, for what one
 * shows is worth nothing without the other.
 *
 *     examining ─▶ creating ─▶ starting ─▶ checking ─▶ running ──loss, silence, a refusal──▶ over
 *     publication  replication   copy       the same      │ tables are covered one by one (coverage.ts)
 *                  slot          both       server?       │
 *                                                         └▶ every transaction twice (settling.ts), marks (marks.ts)
 *
 * On the control connection one question is asked at a time:
 *
 *     look      what new snapshots see, with a mark if one is due; at once while something is unsettled, later and later
 *               while that does not change
 *     examine   the publication, when it may have changed and every `refreshMs`
 *     change    the publication, if we may
 *     holder    whom the beginning waits for
 *
 * Bytes, answers and the time go in; what is to be done comes out. What the stream tells goes to the sink.
 * Not here: connections, and what follows a loss (invalidation.ts).
 */
import type { ErrorFields } from '@sluice/wire'
import { standbyStatusUpdate } from '@sluice/wire/pgoutput'
import { quoteLiteral } from '../sql/quote.ts'
import { Coverage } from './coverage.ts'
import { elsewhere, type Failure, lost, noPublication, refused, silent } from './failure.ts'
import { Marks } from './marks.ts'
import { oldTransactionSql, readOldTransaction } from './old-transaction.ts'
import { type Examined, examineSql, type Fit, judge, readExamined } from './publication.ts'
import { Settling } from './settling.ts'
import type { InvalidationSink, KnownTables, SchemaObject } from './sink.ts'
import { Snapshot } from './snapshot.ts'
import type { InvalidationPhase, OldTransaction } from './status.ts'
import { Stream, type StreamEvent } from './stream.ts'
import { markPrefix, type Transaction, type TransactionSink } from './transaction.ts'

export interface CoverOptions {
  readonly publication: string
  /** Whether to make the publication, and to keep in it what can be published. */
  readonly mayChange: boolean
  /** Of the replication slot; nobody else's. */
  readonly slot: string
  readonly heartbeatMs: number
  /** Nothing came for so long after a mark was put in: the stream is lost. */
  readonly silenceMs: number
  readonly refreshMs: number
  readonly known: KnownTables
  readonly sink: InvalidationSink
}

export type CoverAction =
  /** To the stream. */
  | { readonly do: 'write'; readonly bytes: Uint8Array }
  /** On the control connection; the answer goes to {@link Cover.answered}. */
  | { readonly do: 'ask'; readonly sql: string }
  /** Both connections are of no use any more. */
  | { readonly do: 'fail'; readonly failure: Failure }

export type ControlAnswer =
  | { readonly rows: readonly (readonly (string | null)[])[] }
  | { readonly error: ErrorFields }

type Step = 'examining' | 'creating' | 'starting' | 'checking' | 'running' | 'over'
type Question = 'look' | 'examine' | 'change' | 'holder'

const longestPauseMs = 50
const holderMs = 1_000
const changeAgainMs = 5_000
/** A deadline that is looked at later than this was missed by us, not by the server. */
const lateMs = 500
/** pg_publication, pg_publication_rel, pg_publication_namespace. */
const publicationClasses: ReadonlySet<number | null> = new Set([6104, 6106, 6237])

export class Cover implements TransactionSink {
  readonly #options: CoverOptions
  readonly #stream: Stream
  readonly #settling: Settling
  readonly #coverage = new Coverage()
  readonly #marks: Marks
  #step: Step = 'examining'
  #asked: Question | null = null
  #actions: CoverAction[] = []
  #now = 0
  #startedAt = 0
  #ackedAt = 0
  /** When something came of the stream. */
  #heardAt = 0
  // When what is to be asked, and the pause between two looks.
  #lookAt = -Infinity
  #pauseMs = 0
  #examineAt = -Infinity
  #holderAt = -Infinity
  #changes: string[] = []
  #changeAt = -Infinity
  #changeFailed: ErrorFields | null = null
  #heldBy: OldTransaction | null = null
  #fit: Fit | null = null
  /** What the sink takes to be covered. */
  #covered: ReadonlySet<number> = new Set()

  constructor(options: CoverOptions, newestOpaque: number) {
    const { slot, publication, known, sink, heartbeatMs } = options
    this.#options = options
    this.#stream = new Stream({ slot, publication, known, sink: this })
    this.#settling = new Settling(known, {
      onChanges: changes => sink.onChanges(changes),
      onSchema: objects => this.#onSchema(objects),
    })
    this.#marks = new Marks({ token: slot, heartbeatMs })
    this.#marks.opaque(newestOpaque)
  }

  /** Tables left out of the publication and why, and what would mend it; null before it was looked at. */
  get publication(): Fit | null {
    return this.#fit
  }

  get running(): boolean {
    return this.#step === 'running'
  }

  /** Both connections are logged in. */
  start(now: number): CoverAction[] {
    return this.#do(now, () => {})
  }

  /** Takes what the server sent on the replication connection. */
  feed(chunk: Uint8Array, now: number): CoverAction[] {
    return this.#do(now, () => {
      this.#heardAt = now
      for (const event of this.#stream.feed(chunk)) this.#onEvent(event)
    })
  }

  /** Takes the answer to the one question that was asked. */
  answered(answer: ControlAnswer, now: number): CoverAction[] {
    return this.#do(now, () => {
      const question = this.#asked
      this.#asked = null
      if (question === null || this.#step === 'over') return
      if ('error' in answer) this.#onRefused(question, answer.error)
      else this.#onAnswer(question, answer.rows)
    })
  }

  /** An opaque commit: its number is told when it has passed. */
  opaque(number: number, now: number): CoverAction[] {
    return this.#do(now, () => this.#marks.opaque(number))
  }

  /** One of the connections has ended. */
  lost(cause: Error, now: number): CoverAction[] {
    return this.#do(now, () => this.#fail(lost(cause.message)))
  }

  /** Does what is due. Too early a call does no harm. */
  tick(now: number): CoverAction[] {
    return this.#do(now, () => {
      const due = this.#silentAt()
      if (now < due) return
      // The event loop stood still: what has come meanwhile is still to be read.
      if (now - due > lateMs) this.#heardAt = now
      else this.#fail(silent(this.#options.silenceMs))
    })
  }

  /** When to call `tick`; Infinity for never. */
  deadline(): number {
    return Math.min(
      this.#silentAt(),
      this.#asked === null ? Math.min(...Object.values(this.#due())) : Infinity,
    )
  }

  status(now: number): InvalidationPhase {
    const { heartbeatMs } = this.#options
    const heldBy = this.#heldBy
    switch (this.#step) {
      case 'examining':
        return { at: 'opening', step: 'examining', heldBy: null }
      case 'creating':
        return { at: 'opening', step: 'creating', heldBy }
      case 'starting':
      case 'checking':
      case 'over':
        return { at: 'opening', step: 'starting', heldBy: null }
      case 'running': {
        const delayMs = this.#marks.delayMs(now)
        const { waiting: tables } = this.#coverage
        return {
          ...{ at: 'running', forMs: now - this.#startedAt, delayMs, boundMs: heartbeatMs + delayMs },
          ...{ unsettled: this.#settling.unsettled, covered: this.#covered.size },
          quarantine: tables > 0 ? { tables, heldBy } : null,
          ddl: this.#fit?.ddl ?? 'polled',
        }
      }
      default:
        return this.#step satisfies never
    }
  }

  // TransactionSink

  onTransaction(transaction: Transaction): void {
    this.#settling.shown(transaction)
    this.#pauseMs = 0
    this.#lookAt = this.#now
  }

  onMark(mark: string): void {
    this.#marks.cameOut(mark, this.#settling.position, this.#now)
  }

  onKeepalive(walEnd: bigint): void {
    this.#acknowledge(walEnd)
  }

  onPosition(endLsn: bigint): void {
    // A stream that is never idle brings no keepalive.
    if (this.#now - this.#ackedAt >= this.#options.heartbeatMs) this.#acknowledge(endLsn)
  }

  #do(now: number, step: () => void): CoverAction[] {
    this.#now = now
    this.#actions = []
    if (this.#step === 'over') return []
    step()
    if (this.#step === 'running') this.#tell()
    this.#ask()
    return this.#actions
  }

  #onEvent(event: StreamEvent): void {
    switch (event.is) {
      case 'created':
        this.#step = 'starting'
        this.#heldBy = null
        this.#actions.push({ do: 'write', bytes: this.#stream.start() })
        break
      case 'streaming':
        this.#step = 'checking'
        this.#examineAt = -Infinity
        break
      case 'refused':
        this.#fail(refused(event.error))
        break
      case 'ended':
        this.#fail(lost('the server ended the stream'))
        break
      default:
        event satisfies never
    }
  }

  #onRefused(question: Question, error: ErrorFields): void {
    if (question !== 'change') {
      this.#fail(refused(error))
      return
    }
    // Another gateway may have been faster, or a lock was not to be had: the next look at it tells.
    this.#changes = []
    this.#changeFailed = error
    this.#examineAt = -Infinity
  }

  #onAnswer(question: Question, rows: readonly (readonly (string | null)[])[]): void {
    switch (question) {
      case 'look':
        this.#looked(new Snapshot(rows[0]![0]!))
        break
      case 'examine':
        this.#examined(readExamined(rows))
        break
      case 'holder':
        this.#heldBy = readOldTransaction(rows[0])
        this.#holderAt = this.#now + holderMs
        break
      case 'change':
        break
      default:
        question satisfies never
    }
  }

  #looked(snapshot: Snapshot): void {
    const before = this.#settling.unsettled
    this.#settling.probed(snapshot)
    // Before a mark has come out it is not proved that the stream shows what happens.
    if (this.#marks.any) this.#coverage.probed(snapshot)
    const isGettingOn = this.#settling.unsettled < before
    this.#pauseMs = isGettingOn ? 0 : Math.min(longestPauseMs, Math.max(1, 2 * this.#pauseMs))
    this.#lookAt = this.#now + this.#pauseMs
  }

  #examined(examined: Examined): void {
    const { publication: name, refreshMs, mayChange } = this.#options
    // A change that does not do what was hoped for is not made again and again.
    const mayNow = mayChange && this.#now >= this.#changeAt
    const judged = judge(name, examined)
    this.#examineAt = this.#now + refreshMs
    if (judged.is === 'unfit') {
      this.#fail(judged.failure)
      return
    }
    if (judged.is === 'missing') {
      if (mayNow) this.#change([judged.statement])
      else
        this.#fail(this.#changeFailed ? refused(this.#changeFailed) : noPublication(name, judged.statement))
      return
    }
    this.#fit = judged
    const isToChange = mayNow && judged.changes.length > 0
    if (isToChange) this.#change(judged.changes)
    if (this.#step === 'examining' && !isToChange) {
      this.#step = 'creating'
      this.#actions.push({ do: 'write', bytes: this.#stream.create() })
    } else if (this.#step === 'checking' || this.#step === 'running') this.#published(judged, examined.slot)
  }

  #published({ covered }: Fit, isSameServer: boolean): void {
    if (!isSameServer) {
      this.#fail(elsewhere())
      return
    }
    if (this.#step === 'checking') {
      this.#step = 'running'
      this.#startedAt = this.#now
      this.#options.sink.onEpoch()
    }
    this.#coverage.published(covered)
  }

  #change(statements: readonly string[]): void {
    this.#changes = [...statements]
    this.#changeAt = this.#now + changeAgainMs
    this.#changeFailed = null
    this.#examineAt = -Infinity
  }

  #onSchema(objects: readonly SchemaObject[] | 'any'): void {
    // What is told first is not visible yet: the second telling leads to a look that sees it.
    this.#examineAt = -Infinity
    if (objects === 'any' || objects.some(({ classId }) => publicationClasses.has(classId)))
      this.#coverage.doubt()
    this.#options.sink.onSchema(objects)
  }

  /** Tells the sink what has come of all this. */
  #tell(): void {
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

  #ask(): void {
    if (this.#asked !== null || this.#step === 'over') return
    const { publication, slot } = this.#options
    const due = this.#due()
    const isDue = (question: Question) => due[question] <= this.#now
    if (isDue('change')) this.#send('change', this.#changes.shift()!)
    else if (isDue('examine')) this.#send('examine', examineSql(publication, slot))
    else if (isDue('holder')) this.#send('holder', oldTransactionSql)
    else if (isDue('look')) this.#send('look', this.#lookSql())
  }

  #send(question: Question, sql: string): void {
    this.#asked = question
    this.#actions.push({ do: 'ask', sql })
  }

  /** When each question is to be asked. */
  #due(): Record<Question, number> {
    const isWaiting = this.#coverage.waiting > 0
    const isRunning = this.#step === 'running'
    const isLooking = isRunning && (isWaiting || this.#settling.unsettled > 0)
    const isExamining = isRunning || this.#step === 'examining' || this.#step === 'checking'
    return {
      change: this.#changes.length > 0 ? -Infinity : Infinity,
      examine: isExamining ? this.#examineAt : Infinity,
      holder: this.#step === 'creating' || isWaiting ? this.#holderAt : Infinity,
      look: Math.min(
        isLooking ? this.#lookAt : Infinity,
        isRunning ? (this.#marks.deadline() ?? Infinity) : Infinity,
      ),
    }
  }

  /** Each look brings a snapshot, so that the newest one is never far behind. */
  #lookSql(): string {
    const mark = this.#marks.deadline()
    if (mark === null || mark > this.#now) return 'SELECT pg_current_snapshot()'
    const text = quoteLiteral(this.#marks.put(this.#now))
    return `SELECT pg_current_snapshot(), pg_logical_emit_message(true, '${markPrefix}', ${text})`
  }

  #silentAt(): number {
    const since = this.#step === 'starting' ? this.#heardAt : this.#marks.outSince
    return since === null ? Infinity : Math.max(since, this.#heardAt) + this.#options.silenceMs
  }

  #acknowledge(lsn: bigint): void {
    this.#ackedAt = this.#now
    this.#actions.push({ do: 'write', bytes: standbyStatusUpdate(lsn) })
  }

  #fail(failure: Failure): void {
    if (this.#step === 'over') return
    const { sink } = this.#options
    const ran = this.#step === 'running'
    this.#step = 'over'
    this.#actions.push({ do: 'fail', failure })
    if (!ran) return
    if (this.#covered.size > 0) sink.onCovered(new Set())
    sink.onEpoch()
  }
}
