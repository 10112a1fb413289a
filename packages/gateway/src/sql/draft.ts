/** A plan while a text is being judged; whoever judges only adds to it. */
import type { Effect } from './function-effects.ts'
import { Needs, type StatementPlan, Touches } from './plan.ts'

/**
 * What may happen where the text does not show what runs: all but what lasts, which would pin the client for good, and
 * which such code has no reason to do.
 */
export const anything =
  Touches.settings |
  Touches.reset |
  Touches.advisoryLock |
  Touches.temporary |
  Touches.holdCursor |
  Touches.sqlPrepare |
  Touches.deallocate |
  Touches.listen |
  Touches.unlisten |
  Touches.sequences

export class Draft {
  touches = 0
  needs = 0
  unknownSettings = false
  copiesIn = false
  changesSchema = false
  makesCode: StatementPlan['makesCode'] = 'no'
  readonly named: StatementPlan['named'][number][] = []
  readonly shows: string[] = []
  readonly channels: StatementPlan['channels'][number][] = []
  readonly #customSettings = new Set<string>()
  readonly #functions = new Set<string>()
  readonly #mentions = new Set<string>()

  touch(bits: number): void {
    this.touches |= bits
  }

  calls({ touches = 0, needs = 0 }: Effect): void {
    this.touches |= touches
    this.needs |= needs
  }

  /** A function whose body is not known, with its schema if the text gives one. */
  callsUnknown(name: string): void {
    this.#functions.add(name)
    this.touches |= Touches.sequences
  }

  /** DDL, or what may do some. */
  defines(makesCode: StatementPlan['makesCode']): void {
    this.changesSchema = true
    if (makesCode === 'yes' || this.makesCode === 'no') this.makesCode = makesCode
  }

  /** A relation, a type or an operator. */
  mentions(name: string): void {
    this.#mentions.add(name)
  }

  /** By SHOW, a parameter of the gateway's own. */
  showsOwn(name: string): void {
    this.needs |= Needs.ownShow
    this.shows.push(name)
  }

  setsParameter(name: string): void {
    if (name.includes('.')) this.#customSettings.add(name.toLowerCase())
    // PostgreSQL does not tell its value.
    if (name.toLowerCase() === 'seed') this.touches |= Touches.lasting
  }

  /** A parameter is set whose name the text does not tell. */
  setsUnknown(): void {
    this.touches |= Touches.settings | Touches.reset
    this.unknownSettings = true
  }

  /** Code runs that is not in the text. */
  runsUnseen(): void {
    this.touches |= anything
    this.needs |= Needs.sequences
    this.unknownSettings = true
  }

  /** @param statements how many there are; -1 if that is not known */
  plan(statements: number): StatementPlan {
    return {
      touches: this.touches,
      needs: this.needs,
      customSettings: [...this.#customSettings],
      unknownSettings: this.unknownSettings,
      copiesIn: this.copiesIn,
      changesSchema: this.changesSchema,
      makesCode: this.makesCode,
      named: this.named,
      shows: this.shows,
      channels: this.channels,
      functions: [...this.#functions],
      mentions: statements < 0 ? null : [...this.#mentions],
      statements,
    }
  }
}
