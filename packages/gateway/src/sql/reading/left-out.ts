/**
 * The net under the analysis: what can run or be read stands in the tree as one of these nodes, so each of them has to have
 * been seen. A clause that no rule looks at, of this grammar or a later one, is refused by it.
 */
import type { Node } from 'libpg-query'

const kinds = new Set([
  'FuncCall',
  'A_Expr',
  'TypeCast',
  'SQLValueFunction',
  'SelectStmt',
  'RangeVar',
  'ParamRef',
])

/** The kind of one that was not seen; null if all were. */
export function leftOut(node: Node, seen: ReadonlySet<object>): string | null {
  for (const [kind, child] of Object.entries(node)) {
    if (typeof child !== 'object' || child === null) continue
    if ((kinds.has(kind) || isPart(kind, child)) && !seen.has(child)) return kind
    const within = leftOut(child as Node, seen)
    if (within) return within
  }
  return null
}

/** Of a UNION: a SelectStmt without its name. (Of a JOIN the sides have theirs.) */
const isPart = (kind: string, child: object): boolean =>
  (kind === 'larg' || kind === 'rarg') && ('op' in child || 'targetList' in child || 'valuesLists' in child)
