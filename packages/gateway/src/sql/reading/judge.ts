/**
 * What functions, the reading of literals and the printing of columns depend on: by the origin's own pg_proc, and for
 * PostgreSQL's own stable functions by what is known of them (effects.ts).
 *
 * A function that PostgreSQL is told to be immutable is believed: one that lies is out of reach.
 */
import { type Catalogue, firstUserOid, type Oid, type Routine, type Type } from '../../catalogue/index.ts'
import type { ValueAt } from '../reading.ts'
import type { Coercion, Pathway } from './coercion.ts'
import {
  comparesTimes,
  decidedByKey,
  plainInputs,
  plainOutputs,
  prints,
  readsJson,
  tellsTime,
  timeInputs,
} from './effects.ts'
import * as is from './oids.ts'
import {
  catalogueInput,
  readsText,
  stableFunction,
  tellsOfNow,
  unresolved,
  volatileFunction,
} from './refused.ts'
import type { Value } from './values.ts'

/** How a text is read: as what it says, or so that "now" is a value. */
type Input = 'plain' | 'times'

export class Judge {
  /** Literals and parameters that are read as dates or times. */
  readonly times: ValueAt[] = []
  /** Stable functions of users, which may read anything. */
  readonly unseen = new Set<string>()
  readonly #catalogue: Catalogue
  readonly #coercion: Coercion
  readonly #stable: boolean
  readonly #onCheck: (expression: string, type: Oid) => void
  readonly #inputs = new Map<Oid, Input>()
  readonly #printed = new Set<Oid>()

  /**
   * @param stable stable functions of users are allowed
   * @param onCheck what a domain over this type checks of a VALUE
   */
  constructor(coercion: Coercion, stable: boolean, onCheck: (expression: string, type: Oid) => void) {
    this.#catalogue = coercion.catalogue
    this.#coercion = coercion
    this.#stable = stable
    this.#onCheck = onCheck
  }

  /** It is called with these. */
  routine(routine: Routine, values: readonly Value[], result: Oid = routine.returns): void {
    if (routine.kind === 'a') this.#aggregate(routine, values)
    if (routine.oid < firstUserOid && routine.volatility !== 'v') {
      if (prints.has(routine.name)) {
        for (const value of values) this.prints(value)
        return
      }
      if (readsJson.has(routine.name)) {
        // Rows of columns that the statement lists are judged with that list.
        if (result !== is.record) this.readsComputed(result)
        return
      }
    }
    if (routine.volatility === 'i') return
    if (routine.volatility === 'v') throw volatileFunction(routine.name)
    if (routine.oid >= firstUserOid) {
      if (!this.#stable) throw stableFunction(routine.name)
      this.unseen.add(`${routine.name}() is stable, and may read what no text shows`)
      return
    }
    // An offset is looked up by the date of today.
    const isOfToday = routine.returns === is.timetz || routine.arguments.includes(is.timetz)
    if (isOfToday || !(decidedByKey.has(routine.name) || comparesTimes.test(routine.name)))
      throw stableFunction(routine.name)
  }

  calls(oid: Oid, values: readonly Value[]): void {
    const routine = this.#catalogue.routine(oid)
    if (!routine) throw unresolved('function')
    this.routine(routine, values)
  }

  #aggregate({ oid }: Routine, values: readonly Value[]): void {
    for (const part of this.#catalogue.aggregate(oid)?.functions ?? []) this.calls(part, values)
  }

  /** A literal or a parameter becomes one of this type. */
  reads(type: Oid, { at, written }: Value): void {
    if (this.input(type) === 'plain') return
    if (at && 'literal' in at) this.times.push(at)
    if (written !== undefined && tellsTime(written)) throw tellsOfNow(`'${written}'`)
  }

  /** A text of which nothing is known becomes one. */
  readsComputed(type: Oid): void {
    if (this.input(type) === 'times') throw readsText(this.#name(type))
  }

  /** A value becomes one of another type. */
  coerces(pathway: Pathway, value: Value, target: Oid): void {
    switch (pathway.by) {
      case 'relabel':
        break
      case 'function':
        this.calls(pathway.function, [value])
        break
      case 'array':
        this.coerces(
          pathway.element,
          { type: this.#coercion.element(value.type) },
          this.#coercion.element(target),
        )
        break
      case 'text':
        this.prints(value)
        this.readsComputed(target)
        break
      default:
        pathway satisfies never
    }
    this.checks(target)
  }

  /** A value is cut to a size, as numeric(10,2) or varchar(3) do: by a cast from the type to itself. */
  sizes(type: Oid): void {
    const element = this.#coercion.element(type) || type
    const cast = this.#catalogue.cast(element, element)
    if (cast && cast.function !== 0) this.calls(cast.function, [{ type: element }])
  }

  /** A value becomes one of this type, which may be a domain. */
  checks(type: Oid): void {
    for (let at = this.#catalogue.type(type); at?.kind === 'd'; at = this.#catalogue.type(at.base))
      for (const check of at.checks) this.#onCheck(check, this.#coercion.base(at.oid))
  }

  /** How a value of this type is read. */
  input(type: Oid): Input {
    const known = this.#inputs.get(type)
    if (known) return known
    // A type may hold itself in an array.
    this.#inputs.set(type, 'plain')
    const input = this.#inputOf(this.#type(type))
    this.#inputs.set(type, input)
    return input
  }

  #inputOf(type: Type): Input {
    if (type.element !== 0) return this.input(type.element)
    switch (type.kind) {
      case 'd':
        this.checks(type.oid)
        return this.input(type.base)
      case 'e':
        return 'plain'
      case 'r':
      case 'm':
        return this.input(type.subtype)
      case 'c':
        return type.fields.map(field => this.input(field.type)).includes('times') ? 'times' : 'plain'
    }
    if (type.oid === is.unknown) return 'plain'
    const routine = this.#catalogue.routine(type.input)
    if (!routine || type.kind === 'p') throw catalogueInput(type.name)
    if (routine.oid < firstUserOid) {
      if (timeInputs.has(routine.name)) return 'times'
      if (plainInputs.has(routine.name)) return 'plain'
      if (type.oid === is.timetz) throw tellsOfNow('timetz, whose offset is that of today,')
    }
    if (routine.volatility !== 'i') throw catalogueInput(type.name)
    return 'plain'
  }

  /** A value is printed. */
  prints({ type, fields }: Value): void {
    for (const field of fields ?? []) this.prints(field.value)
    if (type !== is.record) this.#printsType(type)
    else if (!fields) throw unresolved('columns of a record')
  }

  #printsType(oid: Oid): void {
    if (this.#printed.has(oid)) return
    this.#printed.add(oid)
    const type = this.#type(oid)
    // JSON functions use such a cast in place of the printed form.
    const asJson = this.#catalogue.cast(oid, is.json)
    if (asJson && oid >= firstUserOid && asJson.function !== 0) this.calls(asJson.function, [{ type: oid }])
    const inside = type.element || (type.kind === 'd' ? type.base : 0) || type.subtype
    if (inside !== 0) {
      this.#printsType(inside)
      return
    }
    if (type.kind === 'c') for (const field of type.fields) this.#printsType(field.type)
    if (type.kind === 'c' || type.kind === 'e') return
    const routine = this.#catalogue.routine(type.output)
    const isPlain = routine && routine.oid < firstUserOid && plainOutputs.has(routine.name)
    if (!isPlain && routine?.volatility !== 'i') throw catalogueInput(type.name)
  }

  #type(oid: Oid): Type {
    const type = this.#catalogue.type(oid)
    if (!type) throw unresolved('type')
    return type
  }

  #name(oid: Oid): string {
    return this.#catalogue.type(oid)?.name ?? String(oid)
  }
}
