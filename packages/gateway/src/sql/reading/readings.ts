/**
 * Verdicts by form, bounded in number: for each text that a client sends, a look-up; for a new one, PostgreSQL's parser and
 * the analysis.
 *
 * A verdict holds for one form, one search_path, one role, the parameters' types, and one catalogue: what is known by it
 * goes with it. Databases have one each, and take turns.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Catalogue, Oid } from '../../catalogue/index.ts'
import { Forms } from '../forms.ts'
import type { Dependencies, NotCacheable, ReadContext, ValueAt, Verdict } from '../reading.ts'
import type { Parse } from './analysis.ts'
import type { Literals } from './literals.ts'
import { dependenciesOf, verdictOf } from './verdict.ts'

/** As with plans: to parse more would hold up others. */
const parsedBytes = 16_384

const busy: NotCacheable = {
  cacheable: false,
  status: 'uncacheable',
  why: 'the parser is being made anew, after a text that was too much for it',
}
const refused: NotCacheable = {
  cacheable: false,
  status: 'parseerror',
  why: "PostgreSQL's grammar does not accept the text",
}
const tooLong: NotCacheable = {
  cacheable: false,
  status: 'oversizedquery',
  why: `the text is longer than ${parsedBytes} bytes, has too many literals, or a quote without an end`,
}
const notReadYet: NotCacheable = {
  cacheable: false,
  status: 'uncacheable',
  why: 'no statement like it came before, and of late hardly any came again: the next one like it is read',
}
const unreadable: NotCacheable = {
  cacheable: false,
  status: 'uncacheable',
  why: 'the text is not UTF-8',
}

/** What stands for a context: made once for many statements. */
export interface ReadAs extends ReadContext {
  readonly key: string
  /** No other's, also of another catalogue. */
  readonly number: number
}

let made = 0

export const readAs = (context: ReadContext): ReadAs => ({
  ...context,
  number: ++made,
  key: [context.stable ? '+' : '-', context.role, ...context.searchPath].join('\0'),
})

const isLiteral = (place: ValueAt) => 'literal' in place

export class Readings {
  readonly #parse: Parse
  readonly #isBusy: () => boolean
  readonly #formsBy = new WeakMap<Catalogue, Forms<Verdict>>()
  /** Of the text that was asked about last. */
  #literals: Literals | null = null
  #found: Verdict = unreadable

  /** @param parser of sql/parser.ts */
  constructor(parser: { parse: Parse; readonly busy: boolean }) {
    this.#parse = sql => parser.parse(sql)
    this.#isBusy = () => parser.busy
  }

  /**
   * The verdict on the text from `start` to `end`: of a client whose standard_conforming_strings is on, and in whose
   * encoding no byte of a longer character looks like ASCII.
   *
   * @param parameterTypes as in Parse: 0 for those that PostgreSQL is to find
   * @param readsNew false: one of a form that was never asked for is not read yet
   */
  verdictOn(
    bytes: Uint8Array,
    start: number,
    end: number,
    context: ReadAs,
    parameterTypes: readonly Oid[],
    readsNew: boolean = true,
  ): Verdict {
    this.#found = this.#find(bytes, start, end, context, parameterTypes, readsNew)
    return this.#found
  }

  /** The verdict that was given last holds for its text as long as the context is this one: to be given `again`. */
  get isLasting(): boolean {
    const verdict = this.#found
    if (!verdict.cacheable) return verdict !== busy && verdict !== notReadYet
    return (
      !verdict.times.some(isLiteral) &&
      !verdict.rows.some(({ key }) => key.some(({ value }) => isLiteral(value)))
    )
  }

  /** As if `verdictOn` had been asked of its text. */
  again(verdict: Verdict): Verdict {
    this.#found = verdict
    return verdict
  }

  /**
   * What the answer to the text that `verdictOn` was asked of last depends on.
   *
   * @param parameter from 1: a text, the bytes of one that is sent binary, or NULL
   */
  dependencies(parameter: (number: number) => string | Uint8Array | null): Dependencies | NotCacheable {
    const verdict = this.#found
    if (!verdict.cacheable) return verdict
    return dependenciesOf(verdict, { literal: place => this.#literals?.value(place) ?? null, parameter })
  }

  #find(
    bytes: Uint8Array,
    start: number,
    end: number,
    context: ReadAs,
    parameterTypes: readonly Oid[],
    readsNew: boolean,
  ): Verdict {
    const forms = this.#formsOf(context.catalogue)
    this.#literals = forms.literals
    const verdicts = readsNew ? forms.of(bytes, start, end) : forms.ofSeen(bytes, start, end)
    if (verdicts === null) return tooLong
    if (verdicts === 'new') return notReadYet
    const key = parameterTypes.length === 0 ? context.key : `${context.key}\0${parameterTypes.join(' ')}`
    const known = verdicts.get(key)
    if (known) return known
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    // Places are bytes: in another encoding they would be others.
    if (!isAscii(text) && !isUtf8(text)) return unreadable
    if (this.#isBusy()) return busy
    const statements = this.#parse(text.toString('utf8'))
    const verdict = statements
      ? verdictOf(statements, context, parameterTypes, this.#parse, {
          literalAt: location => forms.literals.at(location),
        })
      : refused
    verdicts.set(key, verdict)
    return verdict
  }

  #formsOf(catalogue: Catalogue): Forms<Verdict> {
    let forms = this.#formsBy.get(catalogue)
    if (!forms) {
      forms = new Forms(parsedBytes)
      this.#formsBy.set(catalogue, forms)
    }
    return forms
  }
}
