/**
 * `pg_prepared_statements` as a client of its own connection would see it: its statements under its names, and none of
 * others'.
 *
 *     SELECT … FROM pg_prepared_statements
 *     the server gets   WITH pg_prepared_statements AS (…) SELECT … FROM pg_prepared_statements
 *
 * A text that is no single SELECT is left as it is: it sees the gateway's names.
 */
import { quoteLiteral } from '../sql/quote.ts'
import type { Names } from './names.ts'

const view = /(?:\bpg_catalog\s*\.\s*)?\bpg_prepared_statements\b/gi

export function withOwnNames(text: string, names: Names): string {
  const rows = [...names].map(
    ([name, statement]) => `(${quoteLiteral(statement.name)}, ${quoteLiteral(name)})`,
  )
  const own = `pg_prepared_statements AS (SELECT n.name, p.statement, p.prepare_time, p.parameter_types, p.result_types, p.from_sql, p.generic_plans, p.custom_plans FROM pg_catalog.pg_prepared_statements p JOIN (VALUES ${rows.join(', ')}) n (gateway, name) ON n.gateway OPERATOR(pg_catalog.=) p.name UNION ALL SELECT * FROM pg_catalog.pg_prepared_statements WHERE from_sql)`
  const none = `pg_prepared_statements AS (SELECT * FROM pg_catalog.pg_prepared_statements WHERE from_sql)`
  const clause = rows.length > 0 ? own : none
  const unqualified = text.replace(view, 'pg_prepared_statements')
  const comment = /^(?:\s|--[^\n]*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*/.exec(unqualified)![0]
  const rest = unqualified.slice(comment.length)
  const withClause = /^with(\s+recursive)?\b/i.exec(rest)
  if (withClause) return `${comment}${withClause[0]} ${clause}, ${rest.slice(withClause[0].length)}`
  return /^select\b/i.test(rest) ? `${comment}WITH ${clause} ${rest}` : text
}
