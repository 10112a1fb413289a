/** What is known of an expression, and of the tables whose columns it names. */
import type { Oid, Relation } from '../../catalogue/index.ts'
import type { ValueAt } from '../reading.ts'

export interface Value {
  /** `unknown` for a literal or a parameter that has not been read as anything yet. */
  readonly type: Oid
  /** It is one literal of the text, or one parameter, read as `type`. */
  readonly at?: ValueAt
  /** Of a literal whose text is the same in all texts that share the verdict. */
  readonly written?: string
  /** Of a record whose type has no name. */
  readonly fields?: readonly Field[]
  /** It is this column, as it stands. */
  readonly column?: { readonly table: Table; readonly name: string }
}

export interface Field {
  readonly name: string
  readonly value: Value
}

/** What stands in FROM under one name. */
export interface Table {
  readonly name: string
  /** Of a relation without an alias. */
  readonly schema?: string
  readonly fields: readonly Field[]
  /** Of its rows: a relation's, or record. */
  readonly rowType: Oid
  /** It is this relation, not a view of one. */
  readonly relation?: Relation
}
