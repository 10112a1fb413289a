/** One `[[hyperdrive]]`, as the gateway takes it: who may use which origin how. */
import { parseVerifier, type ScramVerifier } from '@sluice/wire/authentication'
import { originOf } from './origin.ts'
import type {
  caching as cachingShape,
  database as databaseShape,
  poolModes,
  hyperdrive as shape,
  user as userShape,
} from './schema.ts'
import type { Section } from './shape.ts'

export type OriginConfig = Awaited<ReturnType<typeof originConfig>>

type Hyperdrive = Section<typeof shape.keys>
type Database = Section<typeof databaseShape.keys>
type User = Section<typeof userShape.keys>
type PoolMode = (typeof poolModes)[number]

/**
 * What gateway.ts calls OriginOptions, with `caching` and `invalidation`.
 *
 * @throws ConfigError
 */
export async function originConfig(section: Hyperdrive, folder: string) {
  const { values } = section
  const place = await originOf(values.origin, folder).catch(error => section.fail('origin', error.message))
  return {
    names: [values.binding, values.id].filter(name => name !== undefined),
    ...place,
    anyDatabase: values.any_database,
    users: listedUsers(section),
    auth: values.auth,
    roles: rolesOf(section),
    authRefreshMs: values.auth_refresh,
    mode: values.pool_mode,
    databaseModes: databaseModes(section, place.database),
    userModes: modesOf(section.values.user),
    connectionLimit: values.origin_connection_limit,
    minSize: minSizeOf(section),
    queueLimit: values.queue_limit,
    waitTimeoutMs: values.wait_timeout,
    connectTimeoutMs: values.connect_timeout,
    queryTimeoutMs: values.query_timeout,
    idleInTransactionTimeoutMs: values.idle_in_transaction_timeout,
    idleTimeoutMs: values.idle_timeout,
    maxLifetimeMs: values.max_lifetime,
    statementLimit: values.max_prepared_statements,
    caching: cachingOf(values.caching.values),
    invalidation: invalidationOf(section),
  }
}

function cachingOf(caching: Section<typeof cachingShape.keys>['values']) {
  return {
    disabled: caching.disabled,
    maxAgeMs: caching.max_age,
    staleWhileRevalidateMs: caching.stale_while_revalidate,
    maxAgeUntoldMs: caching.max_age_untold,
    stable: caching.cache_stable,
    /** Null: age where a stream was never possible, off where one ran and was lost. */
    withoutStream: caching.without_stream ?? null,
  }
}

function invalidationOf(section: Hyperdrive) {
  const { values } = section.values.invalidation
  // One mark may be on its way, and the next one late.
  if (values.stream_timeout < 2 * values.heartbeat)
    section.values.invalidation.fail(
      'stream_timeout',
      `is ${values.stream_timeout} ms, less than two heartbeats of ${values.heartbeat} ms: each stream would seem lost`,
    )
  return {
    publication: values.publication_name,
    mayChange: values.publication === 'create',
    refreshMs: values.catalog_refresh,
    heartbeatMs: values.heartbeat,
    silenceMs: values.stream_timeout,
    idleMs: values.stream_idle,
  }
}

/** The default gives way to a smaller limit; what was written does not. */
function minSizeOf(section: Hyperdrive): number {
  const { min_size, origin_connection_limit } = section.values
  if (min_size > origin_connection_limit && section.has('min_size'))
    section.fail(
      'min_size',
      `is ${min_size}, more than origin_connection_limit allows: ${origin_connection_limit}`,
    )
  return Math.min(min_size, origin_connection_limit)
}

function rolesOf(section: Hyperdrive): 'none' | 'pg_authid' | { query: string } {
  const { roles, auth_query } = section.values
  if (auth_query !== undefined) {
    if (roles === 'listed')
      section.fail('auth_query', 'asks the origin for its roles, but roles = "listed" lets none of them in')
    if (!auth_query.includes('$1')) section.fail('auth_query', "has no $1, where the user's name stands")
    return { query: auth_query }
  }
  return roles === 'listed' ? 'none' : 'pg_authid'
}

function listedUsers(section: Hyperdrive): { name: string; password?: string; verifier?: ScramVerifier }[] {
  const seen = new Set<string>()
  return section.values.user.flatMap(each => {
    const { name, password } = each.values
    if (seen.has(name)) each.fail('name', `is listed twice: ${JSON.stringify(name)}`)
    seen.add(name)
    const verifier = verifierOf(each, section.values.auth)
    // Who is listed without either proves itself as any role of the origin does.
    if (password === undefined && verifier === undefined) return []
    return [
      {
        name,
        ...(password === undefined ? {} : { password }),
        ...(verifier === undefined ? {} : { verifier }),
      },
    ]
  })
}

function verifierOf(user: User, auth: string): ScramVerifier | undefined {
  const { password, verifier } = user.values
  if (verifier === undefined) return undefined
  if (password !== undefined) user.fail('verifier', 'stands beside a password: one of the two')
  if (auth === 'md5') user.fail('verifier', 'is of no use with auth = "md5", which needs the password')
  return (
    parseVerifier(verifier) ??
    user.fail('verifier', 'is as pg_authid.rolpassword has it: SCRAM-SHA-256$4096:salt$StoredKey:ServerKey')
  )
}

function databaseModes(section: Hyperdrive, own: string): Map<string, PoolMode> {
  const { any_database, database: databases } = section.values
  const seen = new Set<string>()
  for (const each of databases) {
    const { name } = each.values
    if (seen.has(name)) each.fail('name', `is listed twice: ${JSON.stringify(name)}`)
    seen.add(name)
    if (!any_database && name !== own)
      each.fail(
        'name',
        `is a database that no client may use: ${JSON.stringify(name)}. The origin's is ${JSON.stringify(own)}; any_database = true lets clients use all of the server`,
      )
  }
  return modesOf(databases)
}

/** Those that have one of their own. */
const modesOf = (sections: readonly (Database | User)[]): Map<string, PoolMode> =>
  new Map(
    sections.flatMap(({ values: { name, pool_mode } }) =>
      pool_mode === undefined ? [] : [[name, pool_mode]],
    ),
  )
