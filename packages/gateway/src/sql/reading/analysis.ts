/**
 * One statement being read: what PostgreSQL's parse analysis finds, as far as the verdict needs it.
 *
 *     select.ts ──FROM──▶ from.ts ──view, policy──▶ relations.ts ──▶ an Analysis of its own, in pg_catalog's names
 *         │  ▲
 *         ▼  │ subqueries
 *     expression.ts ──names──▶ resolve.ts ──what they depend on──▶ judge.ts
 *
 * Each expression gets its type, by PostgreSQL's own rules and in its order, for the types tell which functions run. What
 * is found on the way is collected here; what can't be kept is thrown (refused.ts).
 *
 * Invariant: what has no rule here is refused. A rule that is missing costs hits; a wrong one would cost answers.
 */
import type { Node, SelectStmt } from 'libpg-query'
import type { Catalogue, Oid, Relation } from '../../catalogue/index.ts'
import type { ValueAt } from '../reading.ts'
import type { Context } from './coercion.ts'
import { evaluate } from './expression.ts'
import { Judge } from './judge.ts'
import { leftOut } from './left-out.ts'
import { kindOf } from './nodes.ts'
import * as is from './oids.ts'
import { notUnderstood, tellsOfNow, unresolved } from './refused.ts'
import { Resolver } from './resolve.ts'
import { Scope } from './scope.ts'
import { readSelect } from './select.ts'
import type { Field, Table, Value } from './values.ts'

/** A table that stands in a FROM. */
export interface Mention {
  readonly relation: Relation
  readonly table: Table
}

/** What a statement, its views and its policies share. */
export interface Findings {
  readonly mentions: Mention[]
  /** Tables of views and policies: of them no row is told apart. */
  readonly hidden: Set<Oid>
  readonly settings: Set<string>
  /** Views and policies that were read, and as whom. */
  readonly seen: Set<string>
  /** Nodes that were looked at. */
  readonly nodes: Set<object>
  /** What the top-level conditions of a WHERE say a column of a table equals. */
  readonly equalities: Map<Table, Map<string, Value>>
}

export interface Names {
  readonly catalogue: Catalogue
  readonly searchPath: readonly string[]
  readonly role: string
  /** It is a view's, a policy's or a domain's text, and not a client's: it may ask for what is in the key. */
  readonly defined: boolean
}

/** How the parts of a text are found again in other texts that share the verdict. */
export interface Places {
  /** Which literal stands at this byte; undefined for one that is the same in all of them. */
  literalAt(location: number): number | undefined
}

export type Parse = (sql: string) => readonly { readonly stmt?: Node }[] | null

export class Analysis {
  readonly names: Names
  readonly findings: Findings
  readonly resolver: Resolver
  readonly judge: Judge
  readonly parse: Parse
  /** Types of parameters, as declared or as their first use tells. */
  readonly parameters: Map<number, Oid>
  readonly #places: Places
  readonly #stable: boolean

  constructor(
    names: Names,
    options: { stable: boolean; parse: Parse; places?: Places; parameterTypes?: readonly Oid[] },
    above?: Analysis,
  ) {
    this.names = names
    this.parse = options.parse
    this.#places = options.places ?? { literalAt: () => undefined }
    this.#stable = options.stable
    this.resolver = new Resolver(names.catalogue, names.searchPath)
    this.parameters = new Map(options.parameterTypes?.map((type, at) => [at + 1, type || is.unknown]))
    this.findings = above?.findings ?? {
      mentions: [],
      hidden: new Set(),
      settings: new Set(),
      seen: new Set(),
      nodes: new Set(),
      equalities: new Map(),
    }
    this.judge =
      above?.judge ??
      new Judge(this.resolver.coercion, options.stable, (check, type) => {
        this.defined().check(check, [{ name: 'value', value: { type } }])
      })
  }

  get coercion(): Resolver['coercion'] {
    return this.resolver.coercion
  }

  /** For a text out of the catalogue, whose names are resolved in pg_catalog. */
  defined(role: string = this.names.role): Analysis {
    const names: Names = { ...this.names, searchPath: ['pg_catalog'], role, defined: true }
    return new Analysis(names, { stable: this.#stable, parse: this.parse }, this)
  }

  select(statement: SelectStmt, outer: Scope | null): Field[] {
    this.sees(statement)
    return readSelect(this, statement, outer)
  }

  expression(node: Node, scope: Scope): Value {
    this.sees(kindOf(node)[1])
    return evaluate(this, node, scope)
  }

  /** What `expression` and `select` were not asked for, but is read all the same. */
  sees(content: object): void {
    this.findings.nodes.add(content)
  }

  /** At the end of a text: nothing in it was passed over. */
  finish(statement: Node): void {
    const kind = leftOut(statement, this.findings.nodes)
    if (kind) throw notUnderstood(`${kind} where it stands`)
  }

  /** A condition: an expression that is, or is read as, a boolean. */
  condition(node: Node | undefined, scope: Scope): void {
    if (node) this.coerce(this.expression(node, scope), is.bool, 'a')
  }

  /** An expression of the catalogue's, or several, over these columns. */
  check(expressions: string, columns: readonly Field[], table?: Table): void {
    const statement = this.parse(`SELECT ${expressions}`)?.[0]?.stmt
    const select = statement && 'SelectStmt' in statement ? statement.SelectStmt : undefined
    if (!select?.targetList) throw notUnderstood(expressions)
    const scope = new Scope({ tables: table ? [table] : [], columns }, null)
    for (const target of select.targetList)
      if ('ResTarget' in target && target.ResTarget.val) this.expression(target.ResTarget.val, scope)
  }

  literal(location: number, text: string): Value {
    const literal = this.#places.literalAt(location)
    return { type: is.unknown, ...(literal === undefined ? { written: text } : { at: { literal } }) }
  }

  /** A number stands as it is written: its type is told by its size. */
  numberAt(location: number): ValueAt | undefined {
    const literal = this.#places.literalAt(location)
    return literal === undefined ? undefined : { literal }
  }

  parameter(number: number): Value {
    return { type: this.parameters.get(number) ?? is.unknown, at: { parameter: number } }
  }

  /** `coerce_type`: the value as one of that type, with all that is done to it on the way. */
  coerce(value: Value, target: Oid, context: Context): Value {
    if (value.type === target || target === is.any || target === is.unknown) return value
    if (value.type === is.unknown) return this.#readAs(value, target)
    const pathway = this.coercion.pathway(value.type, target, context)
    if (pathway) {
      this.judge.coerces(pathway, value, target)
      return { type: target }
    }
    const { coercion } = this
    if (target === is.record && coercion.isComposite(value.type)) return value
    if (target === is.recordArray && coercion.isComposite(coercion.element(value.type))) return value
    const fields = this.names.catalogue.type(coercion.base(target))?.fields
    if (value.type !== is.record || !fields || fields.length !== value.fields?.length)
      throw unresolved('cast')
    for (const [at, field] of value.fields.entries()) {
      const { type, typmod } = fields[at]!
      this.coerce(field.value, type, context)
      if (typmod >= 0) this.judge.sizes(type)
    }
    this.judge.checks(target)
    return { type: target }
  }

  #readAs(value: Value, target: Oid): Value {
    if (value.at && 'parameter' in value.at) this.parameters.set(value.at.parameter, target)
    else this.judge.reads(target, value)
    return { ...value, type: target }
  }

  /** What several expressions become that must be of one type. */
  common(values: readonly Value[]): Value {
    const type = this.coercion.common(values.map(value => value.type))
    if (type === null) throw unresolved('type')
    const [first] = values.map(value => this.coerce(value, type, 'i'))
    return type === is.record && first ? first : { type }
  }

  /** What no other type was found for is text. */
  settled(value: Value): Value {
    return value.type === is.unknown ? this.coerce(value, is.text, 'i') : value
  }

  /** At the end: how the parameters are read. */
  finishParameters(): void {
    for (const [parameter, type] of this.parameters)
      if (type !== is.unknown && this.judge.input(type) === 'times') this.judge.times.push({ parameter })
  }

  /** Only in a view or a policy, where it must be. */
  ofKey(what: string): void {
    if (!this.names.defined) throw tellsOfNow(what)
  }
}
