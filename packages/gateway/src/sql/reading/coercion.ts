/**
 * Whether, and by which way, a value of one type becomes one of another: PostgreSQL's parse_coerce.c, for types that
 * are known.
 *
 * Not here: what the functions on that way depend on (judge.ts), names (resolve.ts).
 */
import type { Catalogue, Oid } from '../../catalogue/index.ts'
import * as is from './oids.ts'
import { polymorphism } from './polymorphic.ts'

/** How much a context allows: implicitly, in assignments, by an explicit cast. */
export type Context = 'i' | 'a' | 'e'
const allows = { i: 'i', a: 'ia', e: 'iae' }

export type Pathway =
  /** The bytes are the same. */
  | { readonly by: 'relabel' }
  | { readonly by: 'function'; readonly function: Oid }
  /** Each element. */
  | { readonly by: 'array'; readonly element: Pathway }
  /** Printed as one type, and read as the other. */
  | { readonly by: 'text' }

const relabel: Pathway = { by: 'relabel' }

export class Coercion {
  readonly catalogue: Catalogue

  constructor(catalogue: Catalogue) {
    this.catalogue = catalogue
  }

  /** Of a domain what it is over; else the type itself. */
  base(type: Oid): Oid {
    let base = type
    for (let at = this.catalogue.type(base); at?.kind === 'd'; at = this.catalogue.type(base)) base = at.base
    return base
  }

  /** Of an array, or a domain over one; 0 if it is none. */
  element(type: Oid): Oid {
    return this.catalogue.type(this.base(type))?.element ?? 0
  }

  arrayOf(type: Oid): Oid {
    return this.catalogue.type(type)?.array ?? 0
  }

  category(type: Oid): string {
    return this.catalogue.type(type)?.category ?? ''
  }

  isPreferred(category: string, type: Oid): boolean {
    const known = this.catalogue.type(type)
    return known?.preferred === true && known.category === category
  }

  isComposite(type: Oid): boolean {
    return this.catalogue.type(this.base(type))?.kind === 'c'
  }

  /** `find_coercion_pathway`. */
  pathway(from: Oid, to: Oid, context: Context): Pathway | null {
    const source = this.base(from)
    const target = this.base(to)
    if (source === target) return relabel
    const cast = this.catalogue.cast(source, target)
    if (cast) {
      if (!allows[context].includes(cast.context)) return null
      if (cast.method === 'f') return { by: 'function', function: cast.function }
      return cast.method === 'b' ? relabel : { by: 'text' }
    }
    if (target !== is.oidvector && target !== is.int2vector) {
      const [sourceElement, targetElement] = [this.element(source), this.element(target)]
      if (sourceElement !== 0 && targetElement !== 0) {
        const element = this.pathway(sourceElement, targetElement, context)
        if (element) return { by: 'array', element }
      }
    }
    if (context !== 'i' && this.category(target) === 'S') return { by: 'text' }
    return context === 'e' && this.category(source) === 'S' ? { by: 'text' } : null
  }

  /** `can_coerce_type` for all arguments together. */
  can(from: readonly Oid[], to: readonly Oid[], context: Context): boolean {
    let generic = false
    for (let at = 0; at < from.length; at++) {
      const [source, target] = [from[at]!, to[at]!]
      if (source === target || target === is.any) continue
      if (isPolymorphic(target)) generic = true
      else if (source !== is.unknown && !this.#canOne(source, target, context)) return false
    }
    return !generic || polymorphism(this, from, to) !== null
  }

  #canOne(source: Oid, target: Oid, context: Context): boolean {
    if (this.pathway(source, target, context)) return true
    if (source === is.record) return this.isComposite(target)
    if (target === is.record) return this.isComposite(source)
    return target === is.recordArray && this.isComposite(this.element(source))
  }

  /** `select_common_type`: null if there is none. */
  common(types: readonly Oid[]): Oid | null {
    const [first = is.unknown] = types
    if (first !== is.unknown && types.every(type => type === first)) return first
    let common = this.base(first)
    for (const next of types.slice(1)) {
      const type = this.base(next)
      if (type === is.unknown || type === common) continue
      if (common === is.unknown) {
        common = type
        continue
      }
      const category = this.category(common)
      if (this.category(type) !== category) return null
      if (
        !this.isPreferred(category, common) &&
        this.can([common], [type], 'i') &&
        !this.can([type], [common], 'i')
      )
        common = type
    }
    return common === is.unknown ? is.text : common
  }
}

const polymorphic: ReadonlySet<Oid> = new Set([
  is.anyArray,
  is.anyElement,
  is.anyNonArray,
  is.anyEnum,
  is.anyRange,
  is.anyMultirange,
  is.anyCompatible,
  is.anyCompatibleArray,
  is.anyCompatibleNonArray,
  is.anyCompatibleRange,
  is.anyCompatibleMultirange,
])

const isPolymorphic = (type: Oid): boolean => polymorphic.has(type)
