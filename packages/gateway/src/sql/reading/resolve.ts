/**
 * Which function or operator a name means for arguments of these types: PostgreSQL's parse_func.c, parse_oper.c and
 * namespace.c, as its documentation tells them under "Type Conversion".
 *
 * A literal that was not read yet is of type unknown. Null: PostgreSQL would refuse the call, or would find it ambiguous.
 */
import type { Catalogue, Oid, Operator, Routine } from '../../catalogue/index.ts'
import { Coercion } from './coercion.ts'
import * as is from './oids.ts'
import { polymorphism } from './polymorphic.ts'

export interface Call<Callee> {
  readonly callee: Callee
  /** What each argument is coerced to; nothing polymorphic but `any`. */
  readonly arguments: readonly Oid[]
  readonly result: Oid
}

interface Candidate<Callee> {
  readonly callee: Callee
  readonly arguments: readonly Oid[]
  readonly place: number
  readonly variadic: boolean
  readonly usesDefaults: boolean
}

export class Resolver {
  readonly coercion: Coercion
  readonly #catalogue: Catalogue
  readonly #searchPath: readonly string[]

  constructor(catalogue: Catalogue, searchPath: readonly string[]) {
    this.#catalogue = catalogue
    this.#searchPath = searchPath
    this.coercion = new Coercion(catalogue)
  }

  /**
   * @param name as written, with or without its schema
   * @param variadic the last argument is marked VARIADIC
   */
  functionFor(name: readonly string[], types: readonly Oid[], variadic: boolean): Call<Routine> | null {
    const candidates = this.#functions(name, types.length, variadic)
    return finished(this.coercion, types, exactMatch(candidates, types) ?? this.#best(candidates, types))
  }

  /** The call is written with exactly the types of one; `type(value)` may else be a cast. */
  hasExactFunction(name: readonly string[], types: readonly Oid[]): boolean {
    return exactMatch(this.#functions(name, types.length, false), types) !== null
  }

  /** All that are in sight under that name. */
  routines(name: readonly string[]): Routine[] {
    const [own, schema] = named(name)
    return this.#catalogue
      .routinesNamed(own)
      .filter(routine =>
        schema === undefined ? this.#place(routine.schema) >= 0 : routine.schema === schema,
      )
  }

  /** @param left 0 for a prefix operator */
  operatorFor(name: readonly string[], left: Oid, right: Oid): Call<Operator> | null {
    const candidates = this.#operators(name, left === 0)
    const types = left === 0 ? [right] : [left, right]
    const chosen = this.#exactOperator(candidates, types) ?? this.#best(candidates, types)
    return finished(this.coercion, types, chosen)
  }

  typeNamed(name: readonly string[]): Oid {
    const [own, schema] = named(name)
    const schemas = schema === undefined ? this.#searchPath : [schema]
    for (const place of schemas) {
      const type = this.#catalogue.typeNamed(place, own)
      if (type) return type.oid
    }
    return 0
  }

  #place(schema: string): number {
    return this.#searchPath.indexOf(schema)
  }

  /** `FuncnameGetCandidates`. */
  #functions(name: readonly string[], count: number, variadic: boolean): Candidate<Routine>[] {
    const found: Candidate<Routine>[] = []
    for (const callee of this.routines(name)) {
      const most = callee.arguments.length
      const expands = callee.variadic !== 0 && !variadic && most <= count
      const usesDefaults = most > count && most <= count + callee.defaults
      if (callee.kind === 'p' || (most !== count && !expands && !usesDefaults)) continue
      const own = expands ? callee.arguments.slice(0, -1) : callee.arguments.slice(0, count)
      while (own.length < count) own.push(callee.variadic)
      found.push({
        callee,
        arguments: own,
        place: this.#place(callee.schema),
        variadic: expands,
        usesDefaults,
      })
    }
    return withoutHidden(found)
  }

  #operators(name: readonly string[], prefix: boolean): Candidate<Operator>[] {
    const [own, schema] = named(name)
    const found: Candidate<Operator>[] = []
    for (const callee of this.#catalogue.operatorsNamed(own)) {
      const place = this.#place(callee.schema)
      if ((callee.left === 0) !== prefix) continue
      if (schema === undefined ? place < 0 : callee.schema !== schema) continue
      const types = prefix ? [callee.right] : [callee.left, callee.right]
      found.push({ callee, arguments: types, place, variadic: false, usesDefaults: false })
    }
    return withoutHidden(found)
  }

  /** `binary_oper_exact`: a literal is first taken for what stands on the other side, or for what that is over. */
  #exactOperator(
    candidates: readonly Candidate<Operator>[],
    types: readonly Oid[],
  ): Candidate<Operator> | null {
    const known = types.find(type => type !== is.unknown)
    if (known === undefined) return null
    const exact = exactMatch(
      candidates,
      types.map(() => known),
    )
    if (!types.includes(is.unknown)) return exactMatch(candidates, types)
    const base = this.coercion.base(known)
    return (
      exact ??
      exactMatch(
        candidates,
        types.map(() => base),
      )
    )
  }

  /** `func_match_argtypes` and `func_select_candidate`. */
  #best<Callee>(candidates: readonly Candidate<Callee>[], types: readonly Oid[]): Candidate<Callee> | null {
    const possible = candidates.filter(candidate => this.coercion.can(types, candidate.arguments, 'i'))
    if (possible.length < 2) return possible[0] ?? null
    return this.#select(possible, types)
  }

  #select<Callee>(possible: readonly Candidate<Callee>[], types: readonly Oid[]): Candidate<Callee> | null {
    const { coercion } = this
    const inputs = types.map(type => coercion.base(type))
    const categories = inputs.map(type => coercion.category(type))
    let left = most(possible, candidate =>
      count(inputs, (type, at) => type !== is.unknown && candidate.arguments[at] === type),
    )
    if (left.length === 1) return left[0]!
    left = most(left, candidate =>
      count(inputs, (type, at) => {
        const argument = candidate.arguments[at]!
        return type !== is.unknown && (argument === type || coercion.isPreferred(categories[at]!, argument))
      }),
    )
    if (left.length === 1) return left[0]!
    if (!inputs.includes(is.unknown)) return null
    left = this.#byUnknowns(left, inputs)
    if (left.length === 1) return left[0]!
    return this.#asKnown(left, inputs)
  }

  /** A literal goes by the category that all candidates accept there, or by strings if one does. */
  #byUnknowns<Callee>(candidates: Candidate<Callee>[], inputs: readonly Oid[]): Candidate<Callee>[] {
    const wanted = new Map<number, { category: string; preferred: boolean }>()
    for (const [at, input] of inputs.entries()) {
      if (input !== is.unknown) continue
      const types = candidates.map(candidate => this.#catalogue.type(candidate.arguments[at]!))
      const categories = new Set(types.map(type => type?.category ?? ''))
      if (categories.size > 1 && !categories.has('S')) return candidates
      const category = categories.has('S') ? 'S' : [...categories][0]!
      const preferred = types.some(type => type?.category === category && type.preferred)
      wanted.set(at, { category, preferred })
    }
    const kept = candidates.filter(candidate =>
      [...wanted].every(([at, { category, preferred }]) => {
        const type = this.#catalogue.type(candidate.arguments[at]!)
        return type?.category === category && (!preferred || type.preferred)
      }),
    )
    return kept.length > 0 ? kept : candidates
  }

  /** If all that is known is of one type, literals are of it, too. */
  #asKnown<Callee>(candidates: readonly Candidate<Callee>[], inputs: readonly Oid[]) {
    const known = new Set(inputs.filter(type => type !== is.unknown))
    const [only] = known
    if (known.size !== 1 || only === undefined) return null
    const types = inputs.map(() => only)
    const possible = candidates.filter(candidate => this.coercion.can(types, candidate.arguments, 'i'))
    return possible.length === 1 ? possible[0]! : null
  }
}

/** Of equal arguments the one that comes first in the path counts, and one that is not VARIADIC before one that is. */
function withoutHidden<Callee>(candidates: readonly Candidate<Callee>[]): Candidate<Callee>[] {
  const first = new Map<string, Candidate<Callee>>()
  for (const candidate of candidates) {
    const key = candidate.arguments.join(' ')
    const other = first.get(key)
    if (!other || hides(candidate, other)) first.set(key, candidate)
  }
  return [...first.values()]
}

function hides(candidate: Candidate<unknown>, other: Candidate<unknown>): boolean {
  if (candidate.place !== other.place) return candidate.place < other.place
  if (candidate.variadic !== other.variadic) return other.variadic
  return other.usesDefaults
}

const exactMatch = <Callee>(candidates: readonly Candidate<Callee>[], types: readonly Oid[]) =>
  candidates.find(candidate => candidate.arguments.every((type, at) => type === types[at])) ?? null

function most<Value>(values: readonly Value[], score: (value: Value) => number): Value[] {
  const scores = values.map(score)
  const best = Math.max(...scores)
  return values.filter((_, at) => scores[at] === best)
}

const count = <Value>(values: readonly Value[], is: (value: Value, at: number) => boolean): number =>
  values.filter(is).length

const named = (name: readonly string[]): [string, string | undefined] => [name.at(-1) ?? '', name.at(-2)]

function finished<Callee extends Routine | Operator>(
  coercion: Coercion,
  types: readonly Oid[],
  candidate: Candidate<Callee> | null,
): Call<Callee> | null {
  if (!candidate) return null
  const actual = polymorphism(coercion, types, candidate.arguments)
  if (!actual) return null
  const { callee } = candidate
  return {
    callee,
    arguments: candidate.arguments.map(actual),
    result: actual('returns' in callee ? callee.returns : callee.result),
  }
}
