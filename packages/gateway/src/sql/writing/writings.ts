/**
 * What texts write, as it is asked for each statement that a client runs.
 *
 *     plan ──known?──▶ Writes                         the usual way: two look-ups
 *       │ by literals
 *       ├────────────▶ form ──known?──▶ Writes        a key is a literal: of the texts of one plan, each form has its own
 *       │ no                    │ no
 *       ├─ a text that was read ┴──parser──▶ judge.ts ──▶ kept
 *       └─ one that is too long: its shape, which is SQL without literals ──▶ the same
 *
 * A verdict holds for one plan, one search_path and one catalogue. What can't be read is opaque.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { Catalogue } from '../../catalogue/index.ts'
import { Forms } from '../forms.ts'
import type { Parser } from '../parser.ts'
import type { StatementPlan } from '../plan.ts'
import { Literals } from '../reading/literals.ts'
import { Shape } from '../shape.ts'
import {
  type NameSetting,
  type Said,
  type WriteContext,
  type Writes,
  type Written,
  writesNothing,
} from '../writing.ts'
import { judgeWrites } from './judge.ts'
import type { Places } from './rows.ts'
import { type Setting, settingsOf } from './settings.ts'
import { sqlOfShape } from './shape-sql.ts'
import { type WrittenValues, writtenBy } from './written.ts'

/** As with plans: to parse more would hold up others. */
const parsedBytes = 16_384
/** The longest text whose shape is made. */
const readBytes = 262_144
const mostContexts = 100

/** With what stands for it in keys: made once for many statements. Who reads in this context writes in it. */
export interface WriteAs extends WriteContext {
  readonly key: string
}

/** What is known by one catalogue, and goes with it. */
interface Known {
  /** By context; null: it depends on the text's literals. */
  readonly plans: WeakMap<StatementPlan, Map<string, Writes | null>>
  /** With the plan: it has the names of settings, which are literals, too. */
  readonly forms: Forms<{ readonly plan: StatementPlan; readonly writes: Writes }>
}

export class Writings {
  readonly #parser: Pick<Parser, 'parse' | 'parsePlpgsql' | 'busy'>
  /** Databases have a catalogue each, and take turns. */
  readonly #known = new WeakMap<Catalogue, Known>()
  readonly #literals = new Literals(parsedBytes)
  readonly #shape = new Shape(parsedBytes)

  constructor(parser: Pick<Parser, 'parse' | 'parsePlpgsql' | 'busy'>) {
    this.#parser = parser
  }

  /**
   * What the text from `start` to `end` writes.
   *
   * @param plan of this text
   * @param utf8 false: the client's encoding is another one, in which names are only known if they are ASCII
   */
  writesOf(
    plan: StatementPlan,
    bytes: Uint8Array,
    start: number,
    end: number,
    context: WriteAs,
    utf8: boolean = true,
  ): Writes {
    const known = this.#knownBy(context.catalogue)
    const verdict = known.plans.get(plan)?.get(context.key)
    if (verdict) return verdict
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    if (text.length > readBytes || !(isAscii(text) || (utf8 && isUtf8(text)))) return unread(plan)
    if (verdict === null) return this.#byForm(known, plan, text, context)
    const writes =
      plan.statements < 0 || text.length > parsedBytes
        ? this.#ofShape(plan, text, context)
        : this.#ofText(plan, text, context)
    if (!this.#parser.busy) keep(known, plan, context, dependsOnText(writes) ? null : writes)
    return writes
  }

  /** What it comes to for these values, and the literals of this text. */
  writtenBy(
    writes: Writes,
    bytes: Uint8Array,
    start: number,
    end: number,
    values: Pick<WrittenValues, 'parameter' | 'parameterType'>,
  ): Written {
    if (dependsOnText(writes)) this.#literals.read(bytes, start, end)
    return writtenBy(writes, this.#valuesOf(values))
  }

  /** What it has set for its transaction, for these values and the literals of this text. */
  setBy(
    settings: readonly NameSetting[],
    bytes: Uint8Array,
    start: number,
    end: number,
    values: Pick<WrittenValues, 'parameter' | 'parameterType'>,
  ): readonly Setting[] | 'unknown' {
    this.#literals.read(bytes, start, end)
    return settingsOf(settings, this.#valuesOf(values))
  }

  #valuesOf(values: Pick<WrittenValues, 'parameter' | 'parameterType'>): WrittenValues {
    return {
      literal: place => this.#literals.value(place),
      parameter: number => values.parameter(number),
      parameterType: number => values.parameterType(number),
    }
  }

  #knownBy(catalogue: Catalogue): Known {
    let known = this.#known.get(catalogue)
    if (!known) {
      known = { plans: new WeakMap(), forms: new Forms(parsedBytes) }
      this.#known.set(catalogue, known)
    }
    return known
  }

  #byForm({ forms }: Known, plan: StatementPlan, text: Buffer, context: WriteAs): Writes {
    const verdicts = forms.of(text, 0, text.length)
    const known = verdicts?.get(context.key)
    if (known?.plan === plan) return known.writes
    const writes = this.#ofText(plan, text, context)
    if (!this.#parser.busy) verdicts?.set(context.key, { plan, writes })
    return writes
  }

  #ofText(plan: StatementPlan, text: Buffer, context: WriteAs): Writes {
    const literals = this.#literals
    literals.read(text, 0, text.length)
    const literalAt = literals.failed ? undefined : (location: number) => literals.at(location)
    return this.#judge(plan, text.toString(), context, literalAt)
  }

  #ofShape(plan: StatementPlan, text: Buffer, context: WriteAs): Writes {
    const shape = this.#shape
    shape.read(text, 0, text.length)
    if (shape.tooLong || shape.ambiguous || shape.unterminated) return unread(plan)
    return this.#judge(plan, sqlOfShape(shape), context)
  }

  #judge(plan: StatementPlan, text: string, context: WriteAs, literalAt?: Places['literalAt']): Writes {
    const statements = this.#parser.parse(text)
    if (!statements) return unread(plan)
    try {
      return judgeWrites(statements, context, this.#parser, literalAt)
    } catch (error) {
      // Too deep for the walk.
      if (error instanceof RangeError) return unread(plan)
      throw error
    }
  }
}

function keep({ plans }: Known, plan: StatementPlan, { key }: WriteAs, verdict: Writes | null): void {
  let verdicts = plans.get(plan)
  if (!verdicts || verdicts.size >= mostContexts) {
    verdicts = new Map()
    plans.set(plan, verdicts)
  }
  verdicts.set(key, verdict)
}

/** On more of it than its plan tells. */
const dependsOnText = ({ movesNames, rows }: Writes): boolean =>
  rows.some(({ key }) => key.some(({ value }) => 'literal' in value)) ||
  (typeof movesNames === 'object' && (movesNames?.some(({ value }) => !value?.every(isParameter)) ?? false))

const isParameter = (said: Said) => 'parameter' in said

const unread = ({ changesSchema }: StatementPlan): Writes => ({
  ...writesNothing,
  opaque: "the text can't be read: it is too long, nests too deep, or PostgreSQL 18 would refuse it",
  ddl: changesSchema,
  commits: true,
})
