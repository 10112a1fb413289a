/**
 * What an origin's answers mean for the configuration, in plain words: what is well, what a person should know, what is
 * wrong, and how to mend it.
 *
 * Pure: answers in, lines out.
 */
import type { ErrorFields } from '@sluice/wire'
import { isMd5Stored, parseVerifier } from '@sluice/wire/authentication'
import type { Address } from '../origin/dial.ts'
import { readRole } from '../origin/role.ts'
import type { Examined, Facts, Whom } from './examine.ts'
import { judgeCache } from './judge-cache.ts'
import { type Line, ok, warning, wrong } from './line.ts'

export interface Judged extends Whom {
  readonly connectionLimit: number
  readonly anyDatabase: boolean
}

/** The connections of the gateway's own in each database: one asks (about roles, about code), one listens for clients. */
const alwaysOwn = 2

/**
 * Where answers are cached, one more measures the stream. The stream itself is a replication connection, which PostgreSQL
 * counts by itself: against max_wal_senders.
 */
export const ownConnections = ({ disabled }: { readonly disabled: boolean }) => alwaysOwn + (disabled ? 0 : 1)

/**
 * @param neighbours all origins on this server, itself included: they share its connections
 * @returns at least one line per address
 */
export function judge(origin: Judged, examined: readonly Examined[], neighbours: readonly Judged[]): Line[] {
  const reached = examined.filter(each => each.is === 'reached')
  return examined.flatMap(each => {
    if (each.is === 'reached') return judgeFacts(origin, each, reached.length, neighbours)
    const line = each.is === 'refused' ? refusal(each, origin) : unreachable(each, origin)
    // The next host takes over.
    return reached.length > 0 ? [{ ...line, verdict: 'warning' as const }] : [line]
  })
}

function judgeFacts(
  origin: Judged,
  { address, ms, facts }: Examined & { is: 'reached' },
  reached: number,
  neighbours: readonly Judged[],
): Line[] {
  const way = facts.tls === null ? 'in plain text' : `encrypted (${facts.tls})`
  return [
    ok(
      `${named(address)} is PostgreSQL ${facts.version}; "${origin.user}" logged in to "${origin.database}" in ${Math.round(ms)} ms, ${way}`,
    ),
    ...encryption(origin, address, facts),
    ...(facts.standby
      ? [
          warning(
            `${named(address)} is a standby: it takes no writes`,
            reached > 1
              ? 'Name the primary first: hosts are tried in turn.'
              : 'Name the primary, unless only reads are wanted.',
          ),
        ]
      : []),
    room(facts, neighbours),
    ...limits(origin, facts),
    roles(origin, facts),
    ...facts.refusedUsers.map(({ name, fields }) =>
      wrong(
        `${named(address)} refuses the listed user "${name}": ${fields.message} (${fields.code})`,
        fields.hint ??
          `Is it the password of this role? Without password and verifier "${name}" proves itself by the origin's own.`,
      ),
    ),
    // Of several hosts, the stream is opened on the primary.
    ...(facts.cache === undefined || (facts.standby && reached > 1) ? [] : judgeCache(origin, facts.cache)),
  ]
}

function encryption({ origin }: Judged, address: Address, { tls }: Facts): Line[] {
  if ('path' in address || isLoopback(address.host)) return []
  if (tls === null)
    return [
      warning(
        'passwords and data go over the network in plain text',
        'Switch ssl on at the origin, and use sslmode=verify-full.',
      ),
    ]
  const proven = origin.sslmode.startsWith('verify') || (origin.sslmode === 'require' && origin.authority)
  return proven
    ? []
    : [
        warning(
          `sslmode=${origin.sslmode} does not check who answers`,
          "Use sslmode=verify-full, with sslrootcert if the origin's certificate is not signed by a public authority.",
        ),
      ]
}

function room({ maxConnections, reserved, others }: Facts, neighbours: readonly Judged[]): Line {
  const own = neighbours.reduce((sum, { caching }) => sum + ownConnections(caching), 0)
  const connections = neighbours.reduce((sum, { connectionLimit }) => sum + connectionLimit, own)
  const allowed = maxConnections - reserved
  const open = neighbours.filter(({ anyDatabase }) => anyDatabase)
  const further =
    open.length > 0
      ? `, and ${Math.max(...open.map(({ caching }) => ownConnections(caching)))} more for each further database that clients name`
      : ''
  const sum = `Sluice may open ${connections} connections here, its own included${further}; PostgreSQL has ${allowed} for it (max_connections ${maxConnections}, ${reserved} reserved)`
  const cure = (most: number) =>
    most > own
      ? `Set origin_connection_limit to ${most - own} at most (over all [[hyperdrive]] on this server), or raise max_connections.`
      : 'Raise max_connections.'
  if (connections > allowed)
    return wrong(`${sum}: clients will hear "too many clients already"`, cure(allowed))
  if (connections + others > allowed)
    return warning(
      `${sum}, of which others hold ${others} now`,
      `Unless they are a running gateway's: ${cure(allowed - others)}`,
    )
  return ok(`${sum}; others hold ${others} now`)
}

function limits(
  { user, database, connectionLimit, caching }: Judged,
  { databaseLimit, roleLimit, superuser }: Facts,
): Line[] {
  // A superuser is bound by neither.
  if (superuser) return []
  // Up to PostgreSQL 17 the stream counts here, too.
  const wanted = connectionLimit + ownConnections(caching) + (caching.disabled ? 0 : 1)
  const tooLow = (what: string, limit: number | null, statement: string) =>
    limit !== null && limit < wanted
      ? [
          wrong(
            `${what} may have ${limit} connections, and Sluice may open ${wanted}`,
            `${statement}, or lower origin_connection_limit.`,
          ),
        ]
      : []
  return [
    ...tooLow(`role "${user}"`, roleLimit, `ALTER ROLE "${user}" CONNECTION LIMIT ${wanted}`),
    ...tooLow(
      `database "${database}"`,
      databaseLimit,
      `ALTER DATABASE "${database}" CONNECTION LIMIT ${wanted}`,
    ),
  ]
}

function roles({ user, roles }: Judged, { readsAuthid, authQuery }: Facts): Line {
  if (roles === 'none') return ok(`"${user}" and the listed users may come in`)
  if (roles === 'pg_authid')
    return readsAuthid
      ? ok('every role of the origin may come in with its own password (pg_authid can be read)')
      : ok(`"${user}" and the listed users may come in; no other role, for "${user}" can't read pg_authid`)
  if (authQuery === undefined) return ok('auth_query was not tried')
  if ('error' in authQuery)
    return wrong(
      `auth_query fails: ${authQuery.error}`,
      `Try it in psql, as "${user}", with a user's name for $1.`,
    )
  const { row } = authQuery
  if (row === null) return ok(`auth_query works; it knows no user "${user}"`)
  const { stored } = readRole(row, user)
  if (stored === null || (stored && parseVerifier(stored))) return ok('auth_query works')
  return stored && isMd5Stored(stored)
    ? wrong(
        `auth_query gives "${user}" an MD5 password: Sluice can't log in with it`,
        'Set the password anew with password_encryption = scram-sha-256.',
      )
    : wrong(
        "auth_query's answer has no password as pg_authid keeps it",
        "Its columns: rolpassword, and the user's name before it, if you like; behind it whether the role may log in and whether it has expired.",
      )
}

function refusal({ address, fields }: { address: Address; fields: ErrorFields }, origin: Judged): Line {
  const { user, database, password } = origin
  const cures: Record<string, string> = {
    '08P01': 'Is there a pooler? Name the database itself as origin: it asks for what poolers do not carry.',
    '28P01':
      password === undefined
        ? 'Give the origin a password.'
        : 'Is it the password of this user? A special character stands in a URL with % and its code.',
    '28000': "pg_hba.conf of the origin lets this user in from here, or doesn't: its last lines decide.",
    '3D000': `CREATE DATABASE "${database}", or name another one.`,
    '42501': `GRANT CONNECT ON DATABASE "${database}" TO "${user}".`,
    '53300': 'Others hold all its connections: raise max_connections, or find out who (pg_stat_activity).',
    '57P03': 'It is starting or shutting down: try again.',
  }
  const cure = fields.hint ?? cures[fields.code]
  return wrong(`${named(address)} refuses "${user}": ${fields.message} (${fields.code})`, cure)
}

function unreachable(
  { address, error }: { address: Address; error: NodeJS.ErrnoException },
  origin: Judged,
): Line {
  const at = named(address)
  switch (error.code) {
    case 'ECONNREFUSED':
    case 'ENOENT':
      return wrong(
        `nobody listens at ${at}`,
        'Is PostgreSQL running? Is that its port, and does listen_addresses let others in?',
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return wrong(
        `the name of ${at} has no address`,
        'Is it spelt right? Can this machine ask a name server?',
      )
    default:
      return wrong(
        error.message.startsWith(at) ? error.message : `${at} can't be used: ${error.message}`,
        cures.find(([said]) => said.test(error.message))?.[1](origin),
      )
  }
}

const notPostgres = () => "Is the address right, and the port PostgreSQL's?"

/** By what else may be said of an origin that can't be used. */
const cures: readonly (readonly [RegExp, (origin: Judged) => string])[] = [
  [
    /did not answer/,
    ({ connectTimeoutMs }) =>
      `A firewall that drops packets looks like this; connect_timeout is ${connectTimeoutMs / 1_000} s.`,
  ],
  [/(EHOST|ENET)UNREACH/, () => 'Is the address right? No way leads there from this machine.'],
  [
    /does not speak TLS/,
    () => 'Switch ssl on at the origin. On a way that nobody can listen to: sslmode=disable.',
  ],
  [/is not made for/, () => 'Call the host as its certificate does, or use sslmode=verify-ca.'],
  [
    /certificate/,
    () => 'sslrootcert names the certificate of the authority that has signed it, if no public one has.',
  ],
  [/neither yes nor no|does not keep to/, notPostgres],
  [/closed the connection before/, () => `Its log says why. ${notPostgres()}`],
]

export const named = (address: Address) =>
  'path' in address
    ? address.path
    : address.host.includes(':')
      ? `[${address.host}]:${address.port}`
      : `${address.host}:${address.port}`

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.')
