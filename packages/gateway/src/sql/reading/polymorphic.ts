/**
 * What anyelement, anyarray, anycompatible and their kin stand for in one call: `check_generic_type_consistency` and
 * `enforce_generic_type_consistency` of parse_coerce.c.
 */
import type { Oid } from '../../catalogue/index.ts'
import type { Coercion } from './coercion.ts'
import * as is from './oids.ts'

const compatibleTypes: ReadonlySet<Oid> = new Set([
  is.anyCompatible,
  is.anyCompatibleArray,
  is.anyCompatibleNonArray,
  is.anyCompatibleRange,
  is.anyCompatibleMultirange,
])

/** The actual type of a declared one, itself if it is not polymorphic; 0 if no argument tells. */
export type Actual = (declared: Oid) => Oid

/** Null if the arguments contradict each other. */
export function polymorphism(
  coercion: Coercion,
  actual: readonly Oid[],
  declared: readonly Oid[],
): Actual | null {
  const exact = new Family(coercion)
  const compatible: Oid[] = []
  const compatibleRanges = new Family(coercion)
  for (let at = 0; at < declared.length; at++) {
    const type = actual[at]!
    if (type === is.unknown) continue
    const base = coercion.base(type)
    let fits = true
    switch (declared[at]) {
      case is.anyElement:
        fits = exact.setElement(type)
        break
      case is.anyNonArray:
        fits = coercion.element(type) === 0 && exact.setElement(type)
        break
      case is.anyEnum:
        fits = coercion.catalogue.type(base)?.kind === 'e' && exact.setElement(type)
        break
      case is.anyArray:
        fits = exact.setArray(base)
        break
      case is.anyRange:
        fits = exact.setRange(base)
        break
      case is.anyMultirange:
        fits = exact.setMultirange(base)
        break
      case is.anyCompatible:
        compatible.push(type)
        break
      case is.anyCompatibleNonArray:
        fits = coercion.element(type) === 0
        compatible.push(type)
        break
      case is.anyCompatibleArray: {
        const element = coercion.element(base)
        fits = element !== 0
        compatible.push(element)
        break
      }
      case is.anyCompatibleRange:
        fits = compatibleRanges.setRange(base)
        compatible.push(compatibleRanges.element)
        break
      case is.anyCompatibleMultirange:
        fits = compatibleRanges.setMultirange(base)
        compatible.push(compatibleRanges.element)
        break
    }
    if (!fits) return null
  }
  const isCompatible = declared.some(type => compatibleTypes.has(type))
  const common = isCompatible ? coercion.common(compatible) : 0
  if (common === null || !compatible.every(type => coercion.can([type], [common], 'i'))) return null
  if (compatibleRanges.element !== 0 && compatibleRanges.element !== common) return null
  return type => {
    switch (type) {
      case is.anyElement:
      case is.anyNonArray:
      case is.anyEnum:
        return exact.element
      case is.anyArray:
        return exact.array || coercion.arrayOf(exact.element)
      case is.anyRange:
        return exact.range
      case is.anyMultirange:
        return exact.multirange
      case is.anyCompatible:
      case is.anyCompatibleNonArray:
        return common
      case is.anyCompatibleArray:
        return coercion.arrayOf(common)
      case is.anyCompatibleRange:
        return compatibleRanges.range
      case is.anyCompatibleMultirange:
        return compatibleRanges.multirange
      default:
        return type
    }
  }
}

/** An element, its array, its range and multirange: each tells the others, as far as there are any. */
class Family {
  element: Oid = 0
  array: Oid = 0
  range: Oid = 0
  multirange: Oid = 0
  readonly #coercion: Coercion

  constructor(coercion: Coercion) {
    this.#coercion = coercion
  }

  setElement(type: Oid): boolean {
    if (this.element !== 0 && this.element !== type) return false
    this.element = type
    return true
  }

  setArray(type: Oid): boolean {
    // anyarray itself is the type of a few columns of system catalogues.
    const element = type === is.anyArray ? 0 : this.#coercion.element(type)
    if (element === 0 || (this.array !== 0 && this.array !== type)) return false
    this.array = type
    return this.setElement(element)
  }

  setRange(type: Oid): boolean {
    const known = this.#coercion.catalogue.type(type)
    if (known?.kind !== 'r' || (this.range !== 0 && this.range !== type)) return false
    this.range = type
    this.multirange = known.counterpart
    return this.setElement(known.subtype)
  }

  setMultirange(type: Oid): boolean {
    const known = this.#coercion.catalogue.type(type)
    return known?.kind === 'm' && this.setRange(known.counterpart)
  }
}
