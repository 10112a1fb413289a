/** A gateway for a test, in this process, before the run's PostgreSQL or another one. */

import {
  Gateway,
  type GatewayOptions,
  type OriginOptions,
  type Surroundings,
} from '../../packages/gateway/src/gateway.ts'
import { Plans } from '../../packages/gateway/src/sql/plans.ts'
import { systemClock } from '../../packages/gateway/src/transport/clock.ts'
import { systemLookup } from '../../packages/gateway/src/transport/lookup.ts'
import { nodeTransport } from '../../packages/gateway/src/transport/node.ts'
import { selfSignedCertificate } from '../../packages/gateway/src/transport/self-signed.ts'

export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway
  /** Through the gateway: the origin's user, password and database. */
  readonly url: string
  /** The same for another user. */
  urlOf(user: string, password: string): string
  /** The same by the name of a binding. */
  urlBy(name: string): string
  /** Takes another configuration, as at a SIGHUP. */
  reload(origin: Partial<OriginOptions>): void
  stop(): Promise<void>
}

export interface TestOptions extends Partial<GatewayOptions> {
  /** Further origins, each like the first one but for this. */
  readonly others?: readonly Partial<OriginOptions>[]
}

/**
 * @param originUrl of PostgreSQL, with user and password
 * @param origin what differs from a pool of 20 in transaction mode with short time-outs
 * @param surroundings what is not Node's sockets and the system's time
 */
export async function startGateway(
  originUrl: string,
  origin: Partial<OriginOptions> = {},
  { others = [], ...options }: TestOptions = {},
  surroundings: Partial<Surroundings> = {},
): Promise<TestGateway> {
  const { hostname, port, username, password, pathname } = new URL(originUrl)
  const database = decodeURIComponent(pathname.slice(1))
  const plans = await Plans.load()
  const tls = { side: 'server', ...(await certificate()) } as const
  const first: OriginOptions = {
    names: ['HYPERDRIVE'],
    origin: { addresses: [{ host: hostname, port: Number(port) }], sslmode: 'disable' },
    ...{ database, anyDatabase: false },
    ...{ user: decodeURIComponent(username), password: decodeURIComponent(password), users: [] },
    ...{ auth: 'scram', roles: 'pg_authid', authRefreshMs: 30_000 },
    ...{ mode: 'transaction', databaseModes: new Map(), userModes: new Map() },
    ...{ connectionLimit: 20, minSize: 0, queueLimit: 10_000, statementLimit: 200 },
    ...{ waitTimeoutMs: 10_000, connectTimeoutMs: 5_000, queryTimeoutMs: 60_000 },
    ...{ idleInTransactionTimeoutMs: 0, idleTimeoutMs: 600_000, maxLifetimeMs: 3_600_000 },
    caching: {
      ...{ disabled: false, maxAgeMs: 60_000, staleWhileRevalidateMs: 15_000, maxAgeUntoldMs: 0 },
      ...{ stable: false, withoutStream: null },
    },
    invalidation: {
      ...{ publication: 'sluice', mayChange: true, refreshMs: 1_000 },
      ...{ heartbeatMs: 1_000, silenceMs: 10_000, idleMs: 300_000 },
    },
    ...origin,
  }
  const configured = (changed: Partial<OriginOptions> = {}): GatewayOptions => ({
    listen: { host: '127.0.0.1', port: 0 },
    tls,
    ...{ loginTimeoutMs: 10_000, shutdownTimeoutMs: 5_000, maxClients: 20_000, version: '0.1.0' },
    ...options,
    origins: [{ ...first, ...changed }, ...others.map(other => ({ ...first, ...other }))],
  })
  const gateway = new Gateway(configured(), {
    transport: nodeTransport,
    clock: systemClock,
    lookup: systemLookup,
    random: Math.random,
    cache: null,
    planOf: (bytes, start, end, asciiSafe) => plans.planOf(bytes, start, end, asciiSafe),
    ...surroundings,
  })
  await gateway.start()
  const urlOf = (user: string, secret: string, name = database) =>
    `postgres://${encodeURIComponent(user)}:${encodeURIComponent(secret)}@127.0.0.1:${gateway.address.port}/${encodeURIComponent(name)}`
  const stop = () => gateway.stop()
  return {
    gateway,
    url: urlOf(first.user, decodeURIComponent(password)),
    urlOf,
    urlBy: name => urlOf(first.user, decodeURIComponent(password), name),
    reload: changed => gateway.reload(configured(changed)),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

let made: Promise<{ certificate: string; key: string }> | undefined
const certificate = () => (made ??= selfSignedCertificate())
