/**
 * A gateway before one origin, in this process: what `npm start` runs.
 *
 *     await using gateway = await embedGateway({ origin: database.url, listen: '127.0.0.1:6432', folder: '.sluice' })
 *     psql(gateway.url)
 */
import about from '../package.json' with { type: 'json' }
import { ConfigError, readConfig } from './config/index.ts'
import { Gateway, type OriginOptions } from './gateway.ts'
import { SharedCache } from './read-cache.ts'
import { Plans } from './sql/plans.ts'
import { Log } from './telemetry/log.ts'
import { systemClock } from './transport/clock.ts'
import { systemLookup } from './transport/lookup.ts'
import { nodeTransport } from './transport/node.ts'
import { selfSignedCertificate } from './transport/self-signed.ts'

export interface EmbeddedGateway extends AsyncDisposable {
  /** The origin's URL with the gateway's address in it. */
  readonly url: string
  readonly port: number
  stop(): Promise<void>
}

export interface EmbedOptions {
  /** URL of the database, password included. */
  readonly origin: string
  /** Host and port. */
  readonly listen: string
  /** Where a sluice.toml is looked for, whose keys hold where they are not contradicted. */
  readonly folder: string
}

/** Transactions that run may take this long to end. */
const shutdownTimeoutMs = 1_000

/**
 * @throws NodeJS.ErrnoException if it can't listen (EADDRINUSE, …)
 * @throws ConfigError
 */
export async function embedGateway({ origin, listen, folder }: EmbedOptions): Promise<EmbeddedGateway> {
  const config = await readConfig({ origin, listen }, process.env, folder)
  const plans = await Plans.load()
  const certificate = config.certificate ?? (await selfSignedCertificate())
  const gateway = new Gateway(
    {
      ...config,
      origins: config.origins.map(publishing),
      tls: { side: 'server', ...certificate },
      shutdownTimeoutMs,
      version: about.version,
    },
    {
      ...{ transport: nodeTransport, clock: systemClock, lookup: systemLookup, random: Math.random },
      log: new Log(config.logLevel, line => process.stderr.write(line)),
      cache: new SharedCache(plans.parser, config.cache),
      planOf: (bytes, start, end, asciiSafe) => plans.planOf(bytes, start, end, asciiSafe),
    },
  )
  await gateway.start()
  const url = new URL(origin)
  url.hostname = '127.0.0.1'
  url.port = String(gateway.address.port)
  url.search = ''
  const stop = () => gateway.stop()
  return { url: url.href, port: gateway.address.port, stop, [Symbol.asyncDispose]: stop }
}

/** Here the gateway may make what it needs in the database. */
const publishing = (origin: OriginOptions): OriginOptions => ({
  ...origin,
  invalidation: { ...origin.invalidation, mayChange: true },
})

export { ConfigError }
