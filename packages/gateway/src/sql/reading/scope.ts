/** Which names a part of a statement sees: the tables of its FROM, those of the statements around it, and WITH. */

import * as is from './oids.ts'
import { notUnderstood, Refused } from './refused.ts'
import type { Field, Table, Value } from './values.ts'

/** What a FROM item gives. */
export interface Namespace {
  readonly tables: readonly Table[]
  /** What is found without a table's name: columns that USING merges are here once. */
  readonly columns: readonly Field[]
}

export const nothing: Namespace = { tables: [], columns: [] }

export const both = (left: Namespace, right: Namespace): Namespace => ({
  tables: [...left.tables, ...right.tables],
  columns: [...left.columns, ...right.columns],
})

const systemColumns = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

export class Scope {
  readonly namespace: Namespace
  readonly #outer: Scope | null
  readonly #queries: ReadonlyMap<string, readonly Field[] | null>

  /** @param queries of WITH: null for one that stands further below */
  constructor(
    namespace: Namespace,
    outer: Scope | null,
    queries: ReadonlyMap<string, readonly Field[] | null> = new Map(),
  ) {
    this.namespace = namespace
    this.#outer = outer
    this.#queries = queries
  }

  /** The same with other tables. */
  with(namespace: Namespace): Scope {
    return new Scope(namespace, this.#outer, this.#queries)
  }

  /** Of a WITH query. */
  query(name: string): readonly Field[] | undefined {
    const own = this.#queries.get(name)
    if (own === null) throw notUnderstood(`${name}, a WITH query that is used before it is written`)
    return own ?? this.#outer?.query(name)
  }

  /** A column reference as written, or a table's whole row. */
  column(name: readonly string[]): Value {
    const found = name.length === 1 ? this.#unqualified(name[0]!) : this.#qualified(name)
    if (found) return found
    const last = name.at(-1)!
    if (systemColumns.has(last))
      throw new Refused('uncacheable', `${last} tells where a row is stored, not what it says`)
    throw notUnderstood(`${name.join('.')}: no such column is known`)
  }

  /** `t.*`, `s.t.*` */
  table(name: readonly string[]): Table {
    const found = this.#table(name)
    if (!found) throw notUnderstood(`${name.join('.')}.*: no such table stands in FROM`)
    return found
  }

  #unqualified(name: string): Value | undefined {
    return this.#column(name) ?? rowOf(this.#table([name]))
  }

  #column(name: string): Value | undefined {
    const found = this.namespace.columns.filter(field => field.name === name)
    if (found.length > 1) throw notUnderstood(`${name}, which several tables have`)
    return found[0]?.value ?? (this.#outer === null ? undefined : this.#outer.#column(name))
  }

  #qualified(name: readonly string[]): Value | undefined {
    const table = this.#table(name.slice(0, -1))
    return table?.fields.find(field => field.name === name.at(-1))?.value
  }

  #table(name: readonly string[]): Table | undefined {
    const [own, schema] = [name.at(-1), name.at(-2)]
    const found = this.namespace.tables.find(
      table => table.name === own && (schema === undefined || table.schema === schema),
    )
    return found ?? (this.#outer === null ? undefined : this.#outer.#table(name))
  }
}

/** A table as one value. */
export function rowOf(table: Table | undefined): Value | undefined {
  return table && { type: table.rowType, ...(table.rowType === is.record && { fields: table.fields }) }
}
