/** Asks one address of an origin what `sluice check` wants to know, by the gateway's own login. */
import type { ErrorFields } from '@sluice/wire'
import type { ListedUser } from '../front/accounts.ts'
import { type Address, type DialOptions, dial, type Origin } from '../origin/dial.ts'
import { ask } from '../origin/own-query.ts'
import { LoginRefused } from '../origin/pool.ts'
import { type RoleSource, roleSql } from '../origin/role.ts'
import type { Keeper, ServerConnection } from '../origin/server-connection.ts'
import type { CachingOptions, StreamOptions } from '../read-cache.ts'
import type { Clock } from '../transport/clock.ts'
import type { Transport } from '../transport/transport.ts'
import { type CacheFacts, examineCache } from './examine-cache.ts'

export interface Whom {
  readonly origin: Origin
  readonly user: string
  readonly password?: string
  readonly database: string
  readonly connectTimeoutMs: number
  readonly roles: 'none' | RoleSource
  readonly users: readonly ListedUser[]
  readonly caching: CachingOptions
  readonly invalidation: StreamOptions
}

export interface Facts {
  readonly version: string
  /** `TLSv1.3`; null in plain text. */
  readonly tls: string | null
  readonly superuser: boolean
  readonly readsAuthid: boolean
  readonly maxConnections: number
  /** Of them, what this user can't have. */
  readonly reserved: number
  /** Connections of others now, a running gateway's among them. */
  readonly others: number
  /** Null: none. */
  readonly databaseLimit: number | null
  readonly roleLimit: number | null
  readonly standby: boolean
  /** What auth_query gave for the origin's own user; undefined if there is none. */
  readonly authQuery?: { readonly row: readonly (string | null)[] | null } | { readonly error: string }
  /** Listed users whom the origin does not let in with what is configured, and what it says. */
  readonly refusedUsers: readonly { readonly name: string; readonly fields: ErrorFields }[]
  /** Undefined if nothing is cached. */
  readonly cache?: CacheFacts
}

export type Examined =
  | { readonly is: 'reached'; readonly address: Address; readonly ms: number; readonly facts: Facts }
  /** PostgreSQL has answered, and says no. */
  | { readonly is: 'refused'; readonly address: Address; readonly fields: ErrorFields }
  | { readonly is: 'unreachable'; readonly address: Address; readonly error: NodeJS.ErrnoException }

export interface Means {
  readonly transport: Transport
  readonly clock: Clock
}

const ownParameters: readonly (readonly [string, string])[] = [
  ['application_name', 'sluice check'],
  ['options', '-c search_path=pg_catalog'],
]
const keeper: Keeper = { onGone() {}, onNotification() {} }

/** One address, whatever the others of the origin's list do. */
export async function examine(whom: Whom, address: Address, { transport, clock }: Means): Promise<Examined> {
  const { user, password, database, connectTimeoutMs } = whom
  const begun = clock.now()
  const reach: DialOptions = {
    ...{ user, database, transport, clock, timeoutMs: connectTimeoutMs },
    origin: { ...whom.origin, addresses: [address] },
    secret: password === undefined ? {} : { password: new TextEncoder().encode(password) },
  }
  try {
    const server = await dial({ ...reach, parameters: ownParameters }, keeper, new AbortController().signal)
    const ms = clock.now() - begun
    try {
      return { is: 'reached', address, ms, facts: await factsOf(server, whom, reach) }
    } finally {
      server.close(new Error('all questions are answered'))
    }
  } catch (error) {
    if (error instanceof LoginRefused) return { is: 'refused', address, fields: error.fields }
    return { is: 'unreachable', address, error: error as Error }
  }
}

/** What a reader without rights sees of others' connections has no backend_type. */
const question = `SELECT
  current_setting('server_version'),
  (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl),
  rolsuper,
  has_table_privilege('pg_authid', 'SELECT'),
  current_setting('max_connections'),
  CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0) END,
  (SELECT count(*) FROM pg_stat_activity
    WHERE datid IS NOT NULL AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'),
  (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
  nullif(rolconnlimit, -1),
  pg_is_in_recovery()
  FROM pg_roles WHERE rolname = session_user`

async function factsOf(server: ServerConnection, whom: Whom, reach: DialOptions): Promise<Facts> {
  const { roles, user, caching, invalidation } = whom
  const [row] = await rowsOf(server, question)
  if (!row) throw new Error('the origin does not know the role that it has let in')
  const number = (at: number) => Number(row[at])
  const limit = (at: number) => (row[at] === null ? null : number(at))
  return {
    ...{
      version: String(row[0]),
      tls: row[1] ?? null,
      superuser: row[2] === 't',
      readsAuthid: row[3] === 't',
    },
    ...{ maxConnections: number(4), reserved: number(5), others: number(6) },
    ...{ databaseLimit: limit(7), roleLimit: limit(8), standby: row[9] === 't' },
    ...(typeof roles === 'object' ? { authQuery: await tryAuthQuery(server, roles, user) } : {}),
    refusedUsers: await refusedUsers(whom.users, reach),
    ...(caching.disabled
      ? {}
      : { cache: await examineCache(sql => rowsOf(server, sql), invalidation.publication, reach) }),
  }
}

/** A verifier proves a client and logs in by what the client's proof yields: only a password can be tried. */
async function refusedUsers(
  users: readonly ListedUser[],
  reach: DialOptions,
): Promise<Facts['refusedUsers']> {
  const refused: { name: string; fields: ErrorFields }[] = []
  for (const { name, password } of users) {
    if (password === undefined) continue
    const secret = { password: new TextEncoder().encode(password) }
    try {
      const server = await dial(
        { ...reach, user: name, secret, parameters: ownParameters },
        keeper,
        new AbortController().signal,
      )
      server.close(new Error('it was opened to try a password'))
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error
      refused.push({ name, fields: error.fields })
    }
  }
  return refused
}

async function tryAuthQuery(
  server: ServerConnection,
  source: RoleSource,
  user: string,
): Promise<Facts['authQuery'] & {}> {
  try {
    const [row] = await rowsOf(server, roleSql(source, user))
    return { row: row ?? null }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

function rowsOf(server: ServerConnection, sql: string): Promise<(string | null)[][]> {
  return new Promise((resolve, reject) => {
    ask(server, sql, answer => {
      if ('rows' in answer) resolve(answer.rows)
      else reject('lost' in answer ? answer.lost : new Error(answer.error.message))
    })
  })
}
