/**
 * Every key of sluice.toml: docs/configuration.md says what each does to the user, in this order, and a test holds the
 * two together.
 */
import { address, duration, oneOf, required, secret, size, standard, text, whole, yesNo } from './setting.ts'
import { always, list, table, textOr } from './shape.ts'

export const logLevels = ['error', 'warn', 'info', 'debug'] as const
export const poolModes = ['transaction', 'session'] as const
/** As in libpq, without `allow`, which Sluice does not offer: it would prefer plain text. */
export const sslModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

export const origin = table('[hyperdrive.origin]', {
  host: required(text),
  port: standard(whole(1, 65_535), 5432),
  database: text,
  user: required(text),
  password: secret(text),
  sslmode: oneOf(sslModes),
  sslrootcert: text,
  sslcert: text,
  sslkey: text,
})

export const database = table('[[hyperdrive.database]]', {
  name: required(text),
  pool_mode: oneOf(poolModes),
})

export const user = table('[[hyperdrive.user]]', {
  name: required(text),
  password: secret(text),
  verifier: secret(text),
  pool_mode: oneOf(poolModes),
})

export const caching = table('[hyperdrive.caching]', {
  disabled: standard(yesNo, false),
  // A stamp is good for a day (cache/stamps.ts).
  max_age: standard(duration('0s', '24h'), '60s'),
  stale_while_revalidate: standard(duration('0s', '24h'), '15s'),
  max_age_untold: standard(duration('0s', '1h'), '0s'),
  cache_stable: standard(yesNo, false),
  without_stream: oneOf(['age', 'off']),
})

export const invalidation = table('[hyperdrive.invalidation]', {
  publication: standard(oneOf(['given', 'create']), 'given'),
  publication_name: standard(text, 'sluice'),
  catalog_refresh: standard(duration('100ms', '1h'), '1s'),
  heartbeat: standard(duration('10ms', '1m'), '1s'),
  stream_timeout: standard(duration('1s', '10m'), '10s'),
  // After as long Neon's computes sleep.
  stream_idle: standard(duration('0s'), '5m'),
})

export const hyperdrive = table('[[hyperdrive]]', {
  binding: text,
  id: text,
  origin: textOr(required(secret(text)), origin),
  any_database: standard(yesNo, false),

  // Of 100, PostgreSQL's own default, 60 leaves room for others, and for a second gateway of 30.
  origin_connection_limit: standard(whole(1, 10_000), 60),
  min_size: standard(whole(0, 10_000), 5),
  pool_mode: standard(oneOf(poolModes), 'transaction'),
  max_prepared_statements: standard(whole(1, 100_000), 200),
  queue_limit: standard(whole(0, 1_000_000), 10_000),

  connect_timeout: standard(duration('1ms'), '15s'),
  wait_timeout: standard(duration('1ms'), '30s'),
  query_timeout: standard(duration('0s'), '60s'),
  // PostgreSQL's own default, and who sits at psql in a transaction does no wrong.
  idle_in_transaction_timeout: standard(duration('0s'), '0s'),
  idle_timeout: standard(duration('1s'), '10m'),
  max_lifetime: standard(duration('1s'), '1h'),

  auth: standard(oneOf(['scram', 'md5', 'trust', 'passthrough']), 'scram'),
  roles: standard(oneOf(['origin', 'listed']), 'origin'),
  auth_query: text,
  auth_refresh: standard(duration('0s'), '30s'),
  database: list(database),
  user: list(user),
  caching: always(caching),
  invalidation: always(invalidation),
})

export const tls = table('[tls]', {
  certificate: required(text),
  key: required(text),
  client_authority: text,
})

export const configuration = table('the top level', {
  listen: standard(address, '127.0.0.1:6432'),
  max_clients: standard(whole(1, 1_000_000), 10_000),
  login_timeout: standard(duration('1ms'), '10s'),
  // Kubernetes kills after 30 s.
  shutdown_timeout: standard(duration('0s'), '25s'),
  log_level: standard(oneOf(logLevels), 'info'),
  cache_size: standard(size('1MB', '64GB'), '256MB'),
  max_result_size: standard(size('1kB', '1GB'), '50MB'),
  tls,
  hyperdrive: list(hyperdrive),
})
