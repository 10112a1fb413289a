/** What PostgreSQL calls a column without AS: `FigureColname` of parse_target.c. */
import type { Node } from 'libpg-query'
import { kindOf, stringsOf } from './nodes.ts'

interface Parts {
  readonly fields?: Node[]
  readonly indirection?: Node[]
  readonly funcname?: Node[]
  readonly arg?: Node
  readonly defresult?: Node
  readonly typeName?: { names?: Node[] }
  readonly subLinkType?: string
  readonly subselect?: Node
  readonly op?: string
}

const fixed: { readonly [kind: string]: string } = {
  A_ArrayExpr: 'array',
  CoalesceExpr: 'coalesce',
  RowExpr: 'row',
  GroupingFunc: 'grouping',
  JsonObjectConstructor: 'json_object',
  JsonArrayConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonArrayAgg: 'json_arrayagg',
}

export const columnName = (node: Node): string => named(node) ?? weaklyNamed(node) ?? '?column?'

function named(node: Node): string | undefined {
  const [kind, content] = kindOf(node)
  const parts = content as Parts
  switch (kind) {
    case 'ColumnRef':
      return stringsOf(parts.fields ?? []).at(-1)
    case 'A_Indirection':
      return stringsOf(parts.indirection ?? []).at(-1) ?? named(parts.arg!)
    case 'FuncCall':
      return stringsOf(parts.funcname ?? []).at(-1)
    case 'CollateClause':
    case 'TypeCast':
      return parts.arg && named(parts.arg)
    case 'CaseExpr':
      return parts.defresult && named(parts.defresult)
    case 'A_Expr':
      return (content as { kind?: string }).kind === 'AEXPR_NULLIF' ? 'nullif' : undefined
    case 'MinMaxExpr':
      return parts.op === 'IS_LEAST' ? 'least' : 'greatest'
    case 'SubLink':
      return ofSubquery(parts)
    default:
      return fixed[kind]
  }
}

/** A type's name, or `case`, gives way to what stands inside. */
function weaklyNamed(node: Node): string | undefined {
  const [kind, content] = kindOf(node)
  if (kind === 'CaseExpr') return 'case'
  if (kind === 'TypeCast') return stringsOf((content as Parts).typeName?.names ?? []).at(-1)
  return kind === 'CollateClause' ? weaklyNamed((content as { arg: Node }).arg) : undefined
}

function ofSubquery({ subLinkType, subselect }: Parts): string | undefined {
  if (subLinkType === 'EXISTS_SUBLINK') return 'exists'
  if (subLinkType === 'ARRAY_SUBLINK') return 'array'
  if (subLinkType !== 'EXPR_SUBLINK' || !subselect) return undefined
  const { targetList = [] } = kindOf(subselect)[1] as { targetList?: Node[] }
  const [target] = targetList.map(node => kindOf(node)[1] as { name?: string; val?: Node })
  return target?.name ?? (target?.val && columnName(target.val))
}
