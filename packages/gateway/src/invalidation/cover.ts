/**
 * The stream and the control connection, from their logins to the loss of one: they live and end together, for what one
 * shows is worth nothing without the other.
 *
 *     examining ─▶ creating ─▶ starting ─▶ checking ─▶ running ──loss, silence, a refusal──▶ over
 *     publication  replication   copy       the same      └▶ what the stream shows is told (telling.ts)
 *                  slot          both       server?
 *
 * On the control connection one question is asked at a time:
 *
 *     publication   looked at, or changed (publication-watch.ts)
 *     holder        whom the beginning waits for
 *     look          what new snapshots see
 *
 * Bytes, answers and the time go in; what is to be done comes out. What the stream tells goes to the sink.
 * Not here: connections, and what follows a loss (invalidation.ts).
 */
import type { ErrorFields } from '@sluice/wire'
import { standbyStatusUpdate } from '@sluice/wire/pgoutput'
import { behind, elsewhere, type Failure, lost, refused, silent } from './failure.ts'
import { oldTransactionSql, readOldTransaction } from './old-transaction.ts'
import type { Fit } from './publication.ts'
import { type Looked, PublicationWatch, type PublicationWatchOptions } from './publication-watch.ts'
import type { InvalidationSink, KnownTables } from './sink.ts'
import type { InvalidationPhase, OldTransaction } from './status.ts'
import { Stream, type StreamEvent } from './stream.ts'
import { Telling } from './telling.ts'
import type { Transaction, TransactionSink } from './transaction.ts'

export interface CoverOptions extends PublicationWatchOptions {
  readonly heartbeatMs: number
  /** Nothing came for so long after a mark was put in: the stream is lost. */
  readonly silenceMs: number
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
type Question = 'publication' | 'holder' | 'look'

const holderMs = 1_000
/** A stream farther behind than this tells no more than an answer's age does. */
const mostDelayMs = 60_000
/** A deadline that is looked at later than this was missed by us, not by the server. */
const lateMs = 500

export class Cover implements TransactionSink {
  readonly #options: CoverOptions
  readonly #stream: Stream
  readonly #telling: Telling
  readonly #watch: PublicationWatch
  #step: Step = 'examining'
  #asked: Question | null = null
  #actions: CoverAction[] = []
  #now = 0
  #startedAt = 0
  #ackedAt = 0
  /** When something came of the stream. */
  #heardAt = 0
  #holderAt = -Infinity
  #heldBy: OldTransaction | null = null

  constructor(options: CoverOptions, newestOpaque: number) {
    const { slot, publication, known, sink, heartbeatMs } = options
    this.#options = options
    this.#watch = new PublicationWatch(options)
    this.#stream = new Stream({ slot, publication, known, sink: this })
    this.#telling = new Telling({
      ...{ known, sink, token: slot, heartbeatMs },
      onPublicationChange: () => this.#watch.hurry(),
    })
    this.#telling.opaque(newestOpaque)
  }

  /** Tables left out of the publication and why, and what would mend it; null before it was looked at. */
  get publication(): Fit | null {
    return this.#watch.fit
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
      if (!('error' in answer)) this.#onAnswer(question, answer.rows)
      else if (question === 'publication') this.#onPublication(this.#watch.refused(answer.error))
      else this.#fail(refused(answer.error))
    })
  }

  /** An opaque commit: its number is told when it has passed. */
  opaque(number: number, now: number): CoverAction[] {
    return this.#do(now, () => this.#telling.opaque(number))
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
      const { outSince } = this.#telling
      if (outSince !== null && now - outSince >= mostDelayMs) this.#fail(behind(mostDelayMs))
      // The event loop stood still: what has come meanwhile is still to be read.
      else if (now - due > lateMs) this.#heardAt = now
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
        const { unsettled, covered, waiting: tables } = this.#telling
        return {
          ...{ at: 'running', forMs: now - this.#startedAt },
          ...{ delayMs: this.#telling.delayMs(now), boundMs: this.#telling.boundMs(now) },
          ...{ unsettled, covered, quarantine: tables > 0 ? { tables, heldBy } : null },
          ddl: this.#watch.fit?.ddl ?? 'polled',
        }
      }
      default:
        return this.#step satisfies never
    }
  }

  // TransactionSink

  onTransaction(transaction: Transaction): void {
    this.#telling.shown(transaction, this.#now)
  }

  onMark(mark: string): void {
    this.#telling.cameOut(mark, this.#now)
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
    if (this.#step === 'running') this.#telling.tell()
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
        this.#watch.hurry()
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

  #onAnswer(question: Question, rows: readonly (readonly (string | null)[])[]): void {
    switch (question) {
      case 'publication':
        this.#onPublication(this.#watch.answered(rows, this.#now))
        break
      case 'holder':
        this.#heldBy = readOldTransaction(rows[0])
        this.#holderAt = this.#now + holderMs
        break
      case 'look':
        this.#telling.looked(rows, this.#now)
        break
      default:
        question satisfies never
    }
  }

  #onPublication(looked: Looked): void {
    switch (looked.is) {
      case 'changing':
      case 'same':
        break
      case 'failed':
        this.#fail(looked.failure)
        break
      case 'fit':
        if (this.#step === 'examining') {
          this.#step = 'creating'
          this.#actions.push({ do: 'write', bytes: this.#stream.create() })
        } else if (looked.slot) this.#published(looked.fit)
        else this.#fail(elsewhere())
        break
      default:
        looked satisfies never
    }
  }

  #published({ covered }: Fit): void {
    if (this.#step === 'checking') {
      this.#step = 'running'
      this.#startedAt = this.#now
      this.#options.sink.onEpoch()
    }
    this.#telling.published(covered)
  }

  #ask(): void {
    if (this.#asked !== null || this.#step === 'over') return
    const due = this.#due()
    const isDue = (question: Question) => due[question] <= this.#now
    if (isDue('publication')) this.#send('publication', this.#watch.question())
    else if (isDue('holder')) this.#send('holder', oldTransactionSql)
    else if (isDue('look')) this.#send('look', this.#telling.look(this.#now))
  }

  #send(question: Question, sql: string): void {
    this.#asked = question
    this.#actions.push({ do: 'ask', sql })
  }

  /** When each question is to be asked. */
  #due(): Record<Question, number> {
    const isWaiting = this.#telling.waiting > 0
    const isRunning = this.#step === 'running'
    const isExamining = isRunning || this.#step === 'examining' || this.#step === 'checking'
    return {
      publication: isExamining ? this.#watch.deadline() : Infinity,
      holder: this.#step === 'creating' || isWaiting ? this.#holderAt : Infinity,
      look: isRunning ? this.#telling.deadline() : Infinity,
    }
  }

  #silentAt(): number {
    const since = this.#step === 'starting' ? this.#heardAt : this.#telling.outSince
    if (since === null) return Infinity
    return Math.min(Math.max(since, this.#heardAt) + this.#options.silenceMs, since + mostDelayMs)
  }

  #acknowledge(lsn: bigint): void {
    this.#ackedAt = this.#now
    this.#actions.push({ do: 'write', bytes: standbyStatusUpdate(lsn) })
  }

  #fail(failure: Failure): void {
    if (this.#step === 'over') return
    const ran = this.#step === 'running'
    this.#step = 'over'
    this.#actions.push({ do: 'fail', failure })
    if (ran) this.#telling.end()
  }
}
