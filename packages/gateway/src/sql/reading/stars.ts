/** `*`, `t.*` and `(f(x)).*`, where they stand for several columns: in targets, VALUES and ROW. */
import type { A_Indirection, ColumnRef, Node } from 'libpg-query'
import type { Analysis } from './analysis.ts'
import { kindOf, stringsOf } from './nodes.ts'
import { notUnderstood } from './refused.ts'
import type { Scope } from './scope.ts'
import type { Field, Value } from './values.ts'

/** The columns that it stands for; null for anything else. */
export function starred(analysis: Analysis, node: Node, scope: Scope): readonly Field[] | null {
  const [kind, content] = kindOf(node)
  if (kind === 'ColumnRef') {
    const { fields = [] } = content as ColumnRef
    const name = stringsOf(fields)
    if (name.length === fields.length) return null
    return name.length === 0 ? scope.namespace.columns : scope.table(name).fields
  }
  const { arg, indirection = [] } = content as A_Indirection
  const last = indirection.at(-1)
  if (kind !== 'A_Indirection' || !last || !('A_Star' in last)) return null
  const row = indirection.slice(0, -1)
  const value = analysis.expression(
    row.length === 0 ? arg! : { A_Indirection: { arg: arg!, indirection: row } },
    scope,
  )
  return fieldsOf(analysis, value)
}

/** Of a row. */
function fieldsOf({ names, coercion }: Analysis, value: Value): readonly Field[] {
  const type = names.catalogue.type(coercion.base(value.type))
  const fields = value.fields ?? type?.fields.map(({ name, type }) => ({ name, value: { type } }))
  if (!fields?.length) throw notUnderstood('* of something whose columns are not known')
  return fields
}

/** What stands in a list, stars unfolded. */
export const listed = (analysis: Analysis, nodes: readonly Node[] | undefined, scope: Scope): Value[] =>
  (nodes ?? []).flatMap(
    node => starred(analysis, node, scope)?.map(({ value }) => value) ?? analysis.expression(node, scope),
  )
