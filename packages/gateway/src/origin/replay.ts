/**
 * From what a server connection has to what a client wants: `replay(wants, has)`.
 *
 * Both hold what differs from the values that the connection starts with, under names in lower case. Two of them are
 * not parameters of the usual kind: `session_authorization` and `role`.
 */
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'
import type { Values } from './values.ts'

/**
 * The SQL that makes a connection that has `has` one that has `wants`: one simple Query, so all or nothing of it.
 *
 * By set_config and not by SET, because a list (search_path) is one string there. The user is put back first and
 * changed last: a parameter may be one that only the first user may set.
 */
export function replay(wants: Values, has: Values): string {
  const steps: string[] = []
  // They hold for what comes behind them: they end first, and begin last.
  for (const name of limits) if (has.byName.has(name)) steps.push(`RESET ${name}`)
  const otherUser = userNames.some(name => wants.byName.get(name) !== has.byName.get(name))
  if (otherUser) steps.push('RESET SESSION AUTHORIZATION', 'RESET ROLE')
  for (const name of has.byName.keys())
    if (!wants.byName.has(name) && !special.includes(name)) steps.push(`RESET ${quoteName(name)}`)
  for (const [name, value] of wants.since(has))
    if (!special.includes(name)) steps.push(setConfig(name, value))
  if (otherUser)
    for (const name of userNames) {
      const value = wants.byName.get(name)
      if (value !== undefined) steps.push(setConfig(name, value))
    }
  for (const name of limits) {
    const value = wants.byName.get(name)
    if (value !== undefined) steps.push(setConfig(name, value))
  }
  return steps.join(';')
}

/** In the order in which they are set: a session authorization puts the role back. */
const userNames = ['session_authorization', 'role']
/** What could end the replay itself. */
const limits = ['statement_timeout', 'transaction_timeout']
const special = [...userNames, ...limits]

/** @param value may be in any characters, whatever the connection's encoding */
export const setConfig = (name: string, value: string) =>
  `SELECT pg_catalog.set_config(${quoteLiteral(name)},${literal(value)},false)`

/** A value as ASCII: the connection's encoding is the one of whoever had it before. */
function literal(value: string): string {
  const bytes = Buffer.from(value)
  if (bytes.length === value.length) return quoteLiteral(value)
  return `pg_catalog.convert_from(pg_catalog.decode('${bytes.toString('hex')}','hex'),'UTF8')`
}

/** As RESET takes it: the parts of a name with dots each by itself. */
const quoteName = (name: string) => name.split('.').map(quoteIdentifier).join('.')
