/** ORDER BY, wherever it stands. */
import type { SortBy } from 'libpg-query'
import type { Analysis } from './analysis.ts'
import { stringsOf } from './nodes.ts'
import { operate } from './operators.ts'
import type { Scope } from './scope.ts'
import type { Value } from './values.ts'

/** Its operators are those of the type's own operator class, which have to be immutable; or they are named. */
export function sortBy(analysis: Analysis, node: SortBy, scope: Scope): Value {
  const value = analysis.settled(analysis.expression(node.node!, scope))
  if (node.useOp?.length) operate(analysis, stringsOf(node.useOp), value, value)
  return value
}
