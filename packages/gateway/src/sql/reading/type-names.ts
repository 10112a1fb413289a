/** Types by name, and casts to them. */
import type { TypeName } from 'libpg-query'
import type { Oid } from '../../catalogue/index.ts'
import type { Analysis } from './analysis.ts'
import { stringsOf } from './nodes.ts'
import { notUnderstood } from './refused.ts'
import type { Value } from './values.ts'

export function typeOf(analysis: Analysis, node: TypeName): Oid {
  const name = stringsOf(node.names ?? [])
  if (node.pct_type || node.setof || name[0]?.startsWith('pg_temp'))
    throw notUnderstood(`the type ${name.join('.')}`)
  const type = analysis.resolver.typeNamed(name)
  const own = type !== 0 && node.arrayBounds?.length ? analysis.coercion.arrayOf(type) : type
  if (own === 0) throw notUnderstood(`the type ${name.join('.')}, which is not known in this search_path`)
  return own
}

export function castTo(analysis: Analysis, value: Value, node: TypeName): Value {
  const type = typeOf(analysis, node)
  const cast = analysis.coerce(value, type, 'e')
  if (!node.typmods?.length) return value.type === type ? { ...cast, type } : cast
  analysis.judge.sizes(type)
  return { type }
}
