/**
 * Fills: answers on their way from the origin to one client, or to a refresh, which are kept and given to others who
 * ask the same meanwhile.
 *
 *     begin ──▶ joinable ──all of it is there──▶ kept, if its stamp is still current; given to all who wait
 *                  │ the client does not keep up, or the answer is refused
 *                  ▼
 *               alone ──▶ kept or not, but nobody waits for it
 *
 * One fill per key is joinable, the newest. Whoever waits holds no server connection, and hears once: the answer, or
 * that it shall ask the origin by itself. So an error reaches only the client whose statement it was, and a thousand
 * clients with the same question that fails are no queue.
 *
 * A fill that takes long may be long, or stuck on its connection. After `patienceMs`, and again each time that has
 * passed, one of those who wait asks by itself; the others wait on, for its fill.
 *
 * Who waits for an answer that turns out to be too large has waited for nothing: for a while nobody does so again.
 *
 * Whoever joins asked after the fill did, so its stamp must be current then, and need not be later: a change that comes
 * after the question may or may not be in the answer.
 */
import { Entry, type Subject } from './entry.ts'
import type { Key, Question } from './key.ts'
import type { Asked, Slots, Stamps } from './stamps.ts'
import { type Allowance, type Refusal, Tee } from './tee.ts'

export interface FillWaiter {
  /** The answer to what was asked. */
  onAnswer(entry: Entry): void
  /** There will be none: ask the origin, and join no other fill. */
  onNoAnswer(): void
}

export const patienceMs = 1_000

/** For so long an answer that was too large is not expected to be smaller. */
export const largeMs = 60_000
/** Of more large ones the first is forgotten. */
const mostLarge = 1_000

export interface FillsOptions {
  /** The largest answer that is kept: RowDescription to CommandComplete, in bytes. */
  readonly maxResultBytes: number
  /** What all copies on their way may take, in bytes. */
  readonly allowanceBytes: number
}

export class Fills {
  readonly #options: FillsOptions
  readonly #allowance: Allowance
  readonly #underWay = new Set<Fill>()
  /** By hash: of several with one question the newest. */
  readonly #joinable = new Map<number, Fill>()
  /** By hash: until when an answer is taken to be too large. */
  readonly #largeUntil = new Map<number, number>()

  constructor(options: FillsOptions) {
    this.#options = options
    this.#allowance = { left: options.allowanceBytes }
  }

  /** Bytes that are copied of answers on their way. */
  get bytes(): number {
    return this.#options.allowanceBytes - this.#allowance.left
  }

  get size(): number {
    return this.#underWay.size
  }

  /** The fill that answers this question, if one is under way. */
  get(key: Key): Fill | null {
    const fill = this.#joinable.get(key.hash)
    return fill?.answers(key) ? fill : null
  }

  begin(key: Key, form: Form, asked: Asked, stamps: Stamps, keep: (entry: Entry) => void): Fill {
    const tee = new Tee(form.simple, this.#options.maxResultBytes, this.#allowance)
    const onOver = (over: Fill) => this.#remove(over)
    const fill = new Fill(key.copy(), asked, { form, stamps, tee, keep, onOver })
    if (this.#isLarge(fill)) {
      fill.refuse('oversized')
      return fill
    }
    const before = this.get(key)
    if (before?.relayed && form.describes) before.handOver(fill)
    this.#underWay.add(fill)
    this.#joinable.set(key.hash, fill)
    return fill
  }

  /** From time to time: of those who wait for long, one asks by itself. */
  sweep(now: number): void {
    for (const fill of [...this.#underWay]) fill.relay(now)
  }

  #remove(fill: Fill): void {
    const { asked, question, refusal } = fill
    this.#underWay.delete(fill)
    if (this.#joinable.get(question.hash) === fill) this.#joinable.delete(question.hash)
    if (refusal !== 'oversized' || this.#isLarge(fill)) return
    const [first] = this.#largeUntil.keys()
    if (this.#largeUntil.size >= mostLarge) this.#largeUntil.delete(first!)
    this.#largeUntil.set(question.hash, asked.at + largeMs)
  }

  #isLarge({ asked, question }: Fill): boolean {
    return asked.at < (this.#largeUntil.get(question.hash) ?? Number.NEGATIVE_INFINITY)
  }
}

/** What the client asks about, and how. */
export interface Form {
  readonly subject: Subject
  /** By a simple Query, not by a series. */
  readonly simple: boolean
  /** The answer has a RowDescription: always for a simple Query, with a Describe of the portal in a series. */
  readonly describes: boolean
}

interface FillParts {
  readonly form: Form
  readonly stamps: Stamps
  readonly tee: Tee
  keep(entry: Entry): void
  onOver(fill: Fill): void
}

export class Fill {
  readonly question: Question
  readonly asked: Asked
  readonly #parts: FillParts
  #waiters: FillWaiter[] = []
  #alone = false
  #relays = 0
  /** To whom those who waited were handed over. */
  #heir: Fill | null = null

  constructor(question: Question, asked: Asked, parts: FillParts) {
    this.question = question
    this.asked = asked
    this.#parts = parts
  }

  /** What a lookup has found: `join` it. */
  get is(): 'filling' {
    return 'filling'
  }

  get describes(): boolean {
    return this.#parts.form.describes
  }

  get subject(): Subject {
    return this.#parts.form.subject
  }

  get slots(): Slots {
    return this.asked.slots
  }

  /** Nothing that the answer depends on may have changed since it was asked for. */
  get current(): boolean {
    const { asked } = this
    const { stamps } = this.#parts
    return stamps.current(asked.stamp, asked.slots) && stamps.seen(asked.opaque)
  }

  /** Why the answer is not kept; null as long as it may be. */
  get refusal(): Refusal | null {
    return this.#parts.tee.refusal
  }

  /** One who waited was told to ask by itself, and is about to. */
  get relayed(): boolean {
    return this.#relays > 0
  }

  get waiting(): number {
    return this.#waiters.length
  }

  answers({ bytes, length, hash }: Question): boolean {
    const { question } = this
    if (this.#alone || question.hash !== hash || question.length !== length) return false
    for (let at = 0; at < length; at++) if (question.bytes[at] !== bytes[at]) return false
    return true
  }

  // Who asks the origin

  /** Bytes of the answer as they go to the client: copied here as far as they are kept. */
  onBytes(chunk: Uint8Array): void {
    const { tee } = this.#parts
    tee.feed(chunk)
    if (tee.refusal !== null) this.#leaveAlone()
  }

  /** The client does not keep up with its answer: nobody else shall wait for it. */
  onPaused(): void {
    this.#leaveAlone()
  }

  /**
   * All bytes of the answer were told. Whoever waits has the answer also if something has changed by now: it had not when
   * they joined.
   *
   * @returns why it is not kept; null if it may be
   */
  onAnswered(now: number): Refusal | null {
    const { form, keep, stamps, tee } = this.#parts
    const said = tee.end()
    if (said === null) {
      this.#leaveAlone()
      return tee.refusal
    }
    const tookMs = now - this.asked.at
    const entry = new Entry(this.question, form.subject, stamps, this.asked, { said, tookMs })
    const isCurrent = entry.current
    if (isCurrent) keep(entry)
    for (const waiter of this.#end()) waiter.onAnswer(entry)
    return isCurrent ? null : 'changed'
  }

  /** The answer will not come. Again is harmless. */
  onLost(): void {
    this.refuse('lost')
  }

  /** The answer is not to be kept, nor waited for. */
  refuse(refusal: Refusal): void {
    this.#parts.tee.refuse(refusal)
    this.#leaveAlone()
  }

  // Who joins

  join(waiter: FillWaiter): void {
    this.#waiters.push(waiter)
  }

  /** It hears nothing more. */
  leave(waiter: FillWaiter): void {
    const at = this.#waiters.indexOf(waiter)
    if (at >= 0) this.#waiters.splice(at, 1)
    else this.#heir?.leave(waiter)
  }

  relay(now: number): void {
    if (now - this.asked.at < (this.#relays + 1) * patienceMs) return
    this.#relays++
    this.#waiters.shift()?.onNoAnswer()
  }

  /** Those who wait, wait for another: it was asked for later, so it is as good for them. */
  handOver(to: Fill): void {
    to.#waiters.push(...this.#waiters)
    this.#waiters = []
    this.#heir = to
  }

  #leaveAlone(): void {
    if (this.#alone) return
    for (const waiter of this.#end()) waiter.onNoAnswer()
  }

  /** Nobody joins any more. */
  #end(): readonly FillWaiter[] {
    const waiters = this.#waiters
    this.#waiters = []
    this.#alone = true
    this.#parts.onOver(this)
    return waiters
  }
}
