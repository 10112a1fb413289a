/**
 * A role of an origin: how it is asked for, and what the answer says.
 *
 *     pg_authid      name, password, whether it may log in, whether it has expired
 *     auth_query     the same, of which all but the password may be missing: PgBouncer's tells name and password
 */
import { quoteLiteral } from '../sql/quote.ts'

export interface Role {
  /** pg_authid.rolpassword: a SCRAM verifier, `md5` and a hash, or null. */
  readonly stored: string | null
  readonly mayLogIn: boolean
  readonly expired: boolean
}

/** Where roles are looked up: pg_authid, or a query with `$1` for the user's name. */
export type RoleSource = 'pg_authid' | { readonly query: string }

/** What is asked about a user. */
export const roleSql = (source: RoleSource, user: string): string =>
  (source === 'pg_authid' ? ofAuthid : source.query).replaceAll('$1', () => quoteLiteral(user))

const ofAuthid = `SELECT rolname, rolpassword, rolcanlogin, coalesce(rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now(), false) FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1`

/** What the answer's row says of the user. */
export function readRole(row: readonly (string | null)[], user: string): Role {
  const [stored = null, mayLogIn, expired] = row.length > 1 && row[0] === user ? row.slice(1) : row
  return { stored, mayLogIn: mayLogIn !== 'f', expired: expired === 't' }
}
