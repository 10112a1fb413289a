/**
 * One client's questions to the cache.
 *
 *     unit ──▶ key ──▶ found: an answer ──▶ said, and the unit is done; if it is stale, a refresh begins (refreshes.ts)
 *                       │     a fill    ──▶ the client waits for it, without a server connection
 *                       │ nothing
 *                       ▼
 *                   may it be kept? ──no, and why──▶ the origin
 *                       │ slots
 *                       ▼
 *                   the origin, and its answer is kept (a fill), if it is worth it (cache/credit.ts) and the unit is a
 *                   whole exchange
 *
 * What was kept is found by its key alone: the same bytes, asked in the same context, were found fit to be kept, and what
 * they depend on, the catalogue included, is in the answer's stamp. So a hit reads no SQL.
 *
 * It is asked when all of the client's earlier exchanges have answered, never before, so that a client sees what it has
 * written, and each time anew: between a question and the sending of a unit everything may have changed.
 *
 * Not here: when that is, and what is done then (caching.ts); answers (cache/); verdicts (sql/reading/).
 */

import type { Lack, Wanted } from '../cache/cache.ts'
import type { Description } from '../cache/description.ts'
import { type Directive, directiveOf, isMisplaced } from '../cache/directives.ts'
import type { Entry, Subject } from '../cache/entry.ts'
import type { Fill, Form } from '../cache/fills.ts'
import type { Freshness } from '../cache/freshness.ts'
import type { Key, Question } from '../cache/key.ts'
import type { Asked, Slots, Stamps } from '../cache/stamps.ts'
import { type Outcome, outcomeOf, type Status, type Tallies } from '../cache/status.ts'
import type { Refusal } from '../cache/tee.ts'
import type { Catalogue, Oid } from '../catalogue/index.ts'
import type { Values } from '../origin/values.ts'
import type { ReadAs, Readings } from '../sql/reading/index.ts'
import type { Dependencies, Verdict } from '../sql/reading.ts'
import type { Asker, Asking } from './asking.ts'
import { BoundValues } from './bound-values.ts'
import { describedBy } from './description.ts'
import type { WriteNotes } from './own-writes.ts'
import type { ReadUnit } from './read-unit.ts'
import type { Viewer, ViewName } from './shown.ts'
import type { Text } from './text.ts'

/** What the cache is to the sessions of one user in one database. */
export interface ReadCache extends WriteNotes {
  readonly readings: Readings
  readonly stamps: Stamps
  readonly tallies: Tallies
  /** The question that is being asked: of all sessions, for only one at a time asks. */
  readonly key: Key
  readonly now: number
  /** In which names this client reads; null while that is not known. */
  contextOf(asking: Asking): Context | null
  /** Why there is none and will be none before somebody does something; null if it takes a moment only. */
  readonly unreadable: string | null
  /** How old an answer from these tables may be, or why none is kept. */
  freshnessOf(catalogue: Catalogue, tables: Iterable<Oid>): Freshness | string
  /** What there is for `key`: an answer, or one on its way. */
  find(wanted: Wanted): Entry | Fill | null
  /** An answer to `key`, for which nothing was found, is worth keeping. */
  readonly keeps: boolean
  /** Why `find` has found nothing. */
  readonly lack: Lack
  /** The question goes to the origin now. */
  begin(form: Form, asked: Asked): Fill
  /** What a Describe of the statement `key` was answered by. */
  findDescription(): Description | null
  keepDescription(question: Question, asked: Asked, messages: readonly Uint8Array[]): void
  /** For SHOW. */
  rowsOf(view: ViewName, by: Viewer): readonly object[]
}

interface Context {
  readonly names: ReadAs
  readonly number: number
}

/** Outcomes that need no statement to be told. */
const asIs = (status: Status, why: string): Outcome => ({ status, why })
const isOff = asIs('disabled', 'sluice.cache is off')
const isUnknown = asIs('uncacheable', 'what names mean in this database is being read')
const unknownBy = (why: string | null) =>
  why === null ? isUnknown : asIs('uncacheable', `what names mean in this database can't be read: ${why}`)
const isTooLong = asIs('uncacheable', 'the statement and its values are too long to be a key')
const isMissAs = (lack: string) =>
  asIs('miss', `${lack}: the origin was asked, and its answer is kept if nothing speaks against it`)
const isMiss = isMissAs('no answer was there')
const misses: Readonly<Record<Lack, Outcome>> = {
  none: isMiss,
  changed: isMissAs(
    'the answer from before has ended, as what it depends on has changed, or was not told of for a time',
  ),
  suspect: isMissAs('the answer from before may be out of date (SHOW sluice.opaque_commits says why)'),
  expired: isMissAs('the answer from before was too old'),
}
const isOutOfPlace = asIs(
  'uncacheable',
  'it has a comment "sluice:" in the middle: it counts at the very beginning or end, as /* sluice: … */',
)
const isOtherwise = asIs(
  'uncacheable',
  'it runs with other settings than the client was told of before, as after ALTER ROLE or a reload',
)
const isNotWorthIt = asIs(
  'miss',
  'no answer was there, and none is kept until it is asked once more: of late hardly any question came again',
)
// How old it is is said when somebody asks.
const isHit = asIs('hit', 'the answer was kept')
const isStale = asIs('stale', 'the answer was kept')
const isJoined = asIs('miss', 'another client had asked the same: its answer was given to both')
export const inTransaction = asIs('transaction', 'it runs in a transaction')
export const inOwnSession = asIs(
  'uncacheable',
  'the session holds what makes its answers its own, as a temporary table does',
)
const nothingAsked = asIs('uncacheable', 'nothing was asked before')

const nothingSaid: Directive = { says: 'nothing' }
const nothingTold = new Uint8Array(0)
const noSlots: Slots = []

export class CachedReads implements Wanted {
  readonly #cache: ReadCache
  readonly #asker: Asker
  /** Of the unit that was looked up last and is about to be sent. Null: its answer is not to be kept. */
  #slots: Slots | null = null
  #subject: Subject = { shape: this, tables: [] }
  /** The same: it does nothing but read. */
  readsOnly = false
  // Of the unit that is being looked up.
  describes = false
  #context: Context | null = null
  #directive: Directive = nothingSaid
  /** What the last question came to, unless it was answered, and the one that is asked now. */
  #outcome = nothingAsked
  #next: Outcome | null = null
  #text: Text | null = null
  /** Stands for the shape of what was begun. */
  #begun: object | null = null
  /** How old the answer was to the last question, in ms; negative if none was kept. */
  #answerMs = -1

  constructor(cache: ReadCache, asker: Asker) {
    this.#cache = cache
    this.#asker = asker
  }

  /** For SHOW sluice.cache_status. */
  get outcome(): Outcome {
    if (this.#answerMs < 0) return this.#outcome
    const age = `the answer is ${Math.round(this.#answerMs)} ms old`
    return this.#outcome.status === 'hit'
      ? asIs('hit', age)
      : asIs('stale', `${age}, and a new one is fetched in the background`)
  }

  /** Why the next statement is not looked up. */
  refuse(text: Text, outcome: Outcome): null {
    this.#text = text
    this.#next = outcome
    return null
  }

  /**
   * Looks a unit up: a Query, or a run whose statement is this text.
   *
   * @returns null if the origin is to be asked
   */
  find(unit: ReadUnit, text: Text, wants: Values, told: Values): Entry | Fill | null {
    const cache = this.#cache
    this.#slots = null
    this.readsOnly = false
    this.#text = text
    const refusal = this.#ask(unit, text, this.#asker.asking(wants, told))
    if (refusal !== null) return this.refuse(text, refusal)
    const found = cache.find(this)
    if (found === null) return this.#judge(unit, text, this.#context!)
    this.readsOnly = true
    this.#slots = found.slots
    this.#subject = found.subject
    this.#next = isMiss
    return found
  }

  /** For the cache, which knows what was asked. */
  freshnessOf({ tables }: Subject): Freshness | null {
    const freshness = this.#cache.freshnessOf(this.#context!.names.catalogue, tables)
    if (typeof freshness === 'string') return null
    const directive = this.#directive
    return directive.says === 'freshness' ? { ...freshness, ...directive.freshness } : freshness
  }

  /**
   * Makes the key.
   *
   * @returns why nothing is to be looked up
   */
  #ask(unit: ReadUnit, text: Text, asking: Asking): Outcome | null {
    if (asking.off) return isOff
    if (asking.refused !== null) return asIs('uncacheable', asking.refused)
    const context = this.#cache.contextOf(asking)
    if (context === null) return unknownBy(this.#cache.unreadable)
    const directive = directiveOf(text.bytes, text.start, text.questionEnd)
    if (directive.says === 'no-cache') return asIs('disabled', 'its comment says no-cache')
    if (directive.says === 'nonsense') return asIs('uncacheable', directive.why)
    this.#context = context
    this.#directive = directive
    this.describes = describes(unit)
    const { key } = this.#cache
    const meaning = this.#isAsTold(text, context) ? nothingTold : text.meaning
    key.begin(context.number)
    key.add(text.bytes, text.start, text.questionEnd)
    if (unit.kind === 'run') {
      key.add(text.bytes, text.end, text.typesEnd)
      key.add(meaning, 0, meaning.length)
      key.add(unit.bytes, unit.valuesStart, unit.valuesEnd)
    }
    key.end()
    return key.tooLong ? isTooLong : null
  }

  /**
   * A statement that was prepared means what it would if it were prepared now, as far as is known: the answers to its
   * text are answers to it. Else it has some of its own: the origin says whether it may still run.
   */
  #isAsTold(text: Text, context: Context): boolean {
    const described = text.prepared?.described ?? null
    const isKept = text.read?.as !== context.names.number || text.read.verdict.cacheable
    if (described === null || !isKept) return true
    const cache = this.#cache
    const { stamps } = cache
    if (text.asTold?.as === context.number && stamps.current(text.asTold.asked.stamp, noSlots)) return true
    this.#keyOfDescription(text, context)
    const known = cache.key.tooLong ? null : cache.findDescription()
    const isAsTold = known !== null && describedBy([known.parameters, known.result]) === described
    text.asTold = isAsTold ? { as: context.number, asked: stamps.ask(noSlots, cache.now) } : null
    return isAsTold
  }

  #keyOfDescription({ bytes, start, end, questionEnd, typesEnd }: Text, { number }: Context): void {
    const { key } = this.#cache
    key.begin(number)
    key.add(bytes, start, questionEnd)
    key.add(bytes, end, typesEnd)
    key.end()
  }

  /** Nothing was found: may, and shall, the answer be kept? */
  #judge(unit: ReadUnit, text: Text, { names }: Context): null {
    const { keeps, readings, stamps } = this.#cache
    const verdict = this.#verdictOn(text, names, keeps)
    if (!verdict.cacheable) return this.refuse(text, verdict)
    this.readsOnly = true
    if (!keeps) return this.refuse(text, isNotWorthIt)
    let values: BoundValues | null = null
    const depends = readings.dependencies(number => {
      if (unit.kind === 'query') return null
      values ??= new BoundValues(unit.bytes, unit.valuesStart, unit.valuesEnd)
      return values.value(number) ?? null
    })
    if ('cacheable' in depends) return this.refuse(text, depends)
    const tables = depends.rows.length === 0 ? depends.tables : tablesOf(depends)
    const freshness = this.#cache.freshnessOf(names.catalogue, tables)
    if (typeof freshness === 'string') return this.refuse(text, asIs('uncacheable', freshness))
    if (this.#directive.says === 'nothing' && isMisplaced(text.bytes, text.start, text.questionEnd))
      return this.refuse(text, isOutOfPlace)
    this.#slots = stamps.slotsOf(depends.tables, depends.rows)
    this.#subject = { shape: text.plan, tables }
    this.#next = misses[this.#cache.lack]
    return null
  }

  /** Of a statement that was prepared, once for each context. */
  #verdictOn(text: Text, names: ReadAs, readsNew: boolean): Verdict {
    const { readings } = this.#cache
    if (text.read?.as === names.number) return readings.again(text.read.verdict)
    const verdict = readings.verdictOn(text.bytes, text.start, text.end, names, text.types, readsNew)
    if (readings.isLasting) text.read = { as: names.number, verdict }
    return verdict
  }

  /** What a Describe of this statement would be answered by; null if that is not known. */
  description(text: Text, wants: Values, told: Values): readonly [Uint8Array, Uint8Array] | null {
    if (!this.#asksAbout(text, wants, told)) return null
    const known = this.#cache.findDescription()
    return known && [known.parameters, known.result]
  }

  /** A Describe of this statement is being sent: takes its answer. Null: it is not to be kept. */
  describing(text: Text, wants: Values, told: Values): ((answer: readonly Uint8Array[]) => void) | null {
    const cache = this.#cache
    if (!this.#asksAbout(text, wants, told)) return null
    const question = cache.key.copy()
    const asked = cache.stamps.ask([], cache.now)
    return answer => cache.keepDescription(question, asked, answer)
  }

  /** Makes the key of a statement's description. Only of statements whose answers are kept, too: they do nothing else. */
  #asksAbout(text: Text, wants: Values, told: Values): boolean {
    const { key, readings } = this.#cache
    const asking = this.#asker.asking(wants, told)
    // The key is that of the unit no more: an answer must not be kept under it.
    this.#slots = null
    const context = asking.off || asking.refused !== null ? null : this.#cache.contextOf(asking)
    if (context === null) return false
    const verdict = this.#verdictOn(text, context.names, true)
    // 'now' is read when a statement is parsed.
    if (!verdict.cacheable || 'cacheable' in readings.dependencies(() => null)) return false
    this.#keyOfDescription(text, context)
    return !key.tooLong
  }

  /** The unit that was looked up is being sent, in the same breath. */
  begin(unit: ReadUnit): Fill | null {
    const slots = this.#slots
    this.#slots = null
    if (slots === null) return null
    const { stamps, now } = this.#cache
    this.#begun = this.#subject.shape
    const form = { subject: this.#subject, simple: unit.kind === 'query', describes: describes(unit) }
    return this.#cache.begin(form, stamps.ask(slots, now))
  }

  /** What was looked up or refused is not what is sent next. */
  forget(): void {
    this.#slots = null
    this.#next = null
    this.readsOnly = false
  }

  /** What was looked up runs with other settings than the client was told of until then: it is another question. */
  onOtherSettings(): void {
    this.#slots = null
    this.readsOnly = false
    if (this.#next !== null) this.#next = isOtherwise
  }

  /** The statement that was looked up, or refused, is sent. */
  onSent(): void {
    if (this.#next !== null) this.#count(this.#next)
  }

  /** It was answered by what was kept, or by what another client had asked for. */
  onSaid(entry: Entry, joined: boolean): void {
    if (joined) {
      this.#count(isJoined)
      return
    }
    this.#count(entry.stale ? isStale : isHit, entry.tookMs)
    this.#answerMs = this.#cache.now - entry.askedAt
  }

  /** The origin has answered what was begun. @param refusal why that is not kept */
  onAnswered(tookMs: number, refusal: Refusal | null): void {
    const outcome = refusal && outcomeOf(refusal)
    if (outcome !== null) this.#outcome = outcome
    if (this.#begun !== null) this.#cache.tallies.countAnswer(this.#begun, tookMs, outcome)
    this.#begun = null
  }

  #count(outcome: Outcome, savedMs: number = 0): void {
    const text = this.#text
    this.#outcome = outcome
    this.#answerMs = -1
    this.#next = null
    // Nothing that was sent is kept in memory for a client that is idle.
    this.#text = null
    if (text) this.#cache.tallies.count(outcome, text.plan, text, savedMs)
  }
}

const tablesOf = ({ tables, rows }: Dependencies): readonly Oid[] => [
  ...tables,
  ...rows.map(({ relation }) => relation),
]

/** The client is to hear what the result is like. */
const describes = ({ kind, steps }: ReadUnit): boolean =>
  kind === 'query' || steps.includes('portal described')

/**
 * What a client hears of an answer that was kept, to this unit.
 *
 * @param description of the statement, if that was asked for
 * @param ready ends with ReadyForQuery
 * @returns null if what is kept has no RowDescription, and the client asks for one
 */
export function answerTo(
  unit: ReadUnit,
  entry: Entry,
  description: readonly Uint8Array[] | null,
  ready: boolean,
): Uint8Array | null {
  const { bytes } = entry
  const end = ready ? bytes.length : entry.readyAt
  if (describes(unit) && !entry.describes) return null
  if (unit.kind === 'query') return bytes.subarray(entry.descriptionAt, end)
  const { steps } = unit
  const skips = steps.includes('statement described') || (entry.describes && !describes(unit))
  if (!skips) return bytes.subarray(steps[0] === 'parsed' ? entry.parseCompleteAt : entry.bindCompleteAt, end)
  const parts: Uint8Array[] = []
  for (const step of steps)
    switch (step) {
      case 'parsed':
        parts.push(bytes.subarray(entry.parseCompleteAt, entry.bindCompleteAt))
        break
      case 'statement described':
        if (description === null) return null
        parts.push(...description)
        break
      case 'bound':
        parts.push(bytes.subarray(entry.bindCompleteAt, entry.descriptionAt))
        break
      case 'portal described':
        parts.push(bytes.subarray(entry.descriptionAt, entry.rowsAt))
        break
      case 'executed':
        parts.push(bytes.subarray(entry.rowsAt, end))
        break
      default:
        step satisfies never
    }
  return Buffer.concat(parts)
}
