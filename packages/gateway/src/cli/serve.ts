/**
 * `sluice serve`: the gateway, from its configuration to its end.
 *
 *     configuration ─▶ listens ─▶ SIGHUP: reads it again ─▶ SIGTERM, SIGINT: drains ─▶ again: stops at once
 *
 * A configuration that can't be read ends a start, and changes nothing at a SIGHUP.
 */
import { ConfigError, type Flags, type GatewayConfig, readConfig } from '../config/index.ts'
import { Gateway, type GatewayOptions } from '../gateway.ts'
import { SharedCache } from '../read-cache.ts'
import { Plans } from '../sql/plans.ts'
import { Log } from '../telemetry/log.ts'
import { systemLookup } from '../transport/lookup.ts'
import { selfSignedCertificate } from '../transport/self-signed.ts'
import type { ServerTls } from '../transport/transport.ts'
import { flagsUsage, readGatewayFlags } from './gateway-flags.ts'
import { clockHere, runtimeHere, transportHere, version } from './runtime.ts'
import { UsageError } from './usage-error.ts'

const usage = `sluice serve [options]

  Runs the gateway between clients and their PostgreSQL.

${flagsUsage}

  SIGHUP reads the configuration again. SIGTERM and SIGINT let running
  transactions end, and stop then; a second one stops at once.

Exit code: 0 stopped as asked; 1 it can't start; 2 wrong usage.`

/** Gives the exit code, once the gateway has stopped. */
export async function runServe(words: readonly string[]): Promise<number> {
  try {
    const invocation = readGatewayFlags(words, process.env)
    if (invocation.wants === 'help') {
      console.log(usage)
      return 0
    }
    return await serve(invocation.flags)
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`sluice serve: ${error.message}. --help tells the options.`)
      return 2
    }
    if (!(error instanceof ConfigError || error instanceof CannotListen)) throw error
    console.error(`sluice serve: ${error.message}`)
    return 1
  }
}

async function serve(flags: Flags): Promise<number> {
  const config = await readConfig(flags, process.env)
  const log = new Log(config.logLevel, line => process.stderr.write(line))
  // That nobody reads the log any more stops nobody; that the terminal was closed (EIO) does.
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(1)
  })
  const plans = await Plans.load()
  const options = await gatewayOptions(config)
  const gateway = new Gateway(options, {
    ...{ transport: await transportHere(), clock: clockHere, lookup: systemLookup, random: Math.random, log },
    cache: new SharedCache(plans.parser, config.cache),
    planOf: (bytes, start, end, asciiSafe) => plans.planOf(bytes, start, end, asciiSafe),
  })
  await gateway.start().catch(error => {
    throw new CannotListen(config.listen, error)
  })
  warnOf(config, log)
  const { host, port } = gateway.address
  log.info('the gateway listens', {
    ...{ address: named(host, port), version, runtime: runtimeHere, pid: process.pid },
    ...{ config: config.file ?? undefined, origins: config.origins.map(labelOf).join(',') },
  })
  const started = { flags, made: options.tls, listens: named(config.listen.host, config.listen.port) }
  process.on('SIGHUP', () => void reload(gateway, started, log))
  await stopped(gateway, log)
  log.info('the gateway has stopped')
  return 0
}

/** The configuration as the gateway takes it. A certificate that was made stays as long as the process. */
async function gatewayOptions(config: GatewayConfig, made: ServerTls | null = null): Promise<GatewayOptions> {
  const { listen, origins, loginTimeoutMs, shutdownTimeoutMs, maxClients, certificate } = config
  const tls = certificate ?? made ?? (await selfSignedCertificate())
  return {
    ...{ listen, origins, loginTimeoutMs, shutdownTimeoutMs, maxClients, version },
    tls: { ...tls, side: 'server' },
  }
}

/** What a reload keeps of the start. */
interface Started {
  readonly flags: Flags
  readonly made: ServerTls | null
  readonly listens: string
}

async function reload(gateway: Gateway, { flags, made, listens }: Started, log: Log): Promise<void> {
  try {
    const config = await readConfig(flags, process.env)
    log.level = config.logLevel
    gateway.reload(await gatewayOptions(config, made))
    warnOf(config, log)
    if (named(config.listen.host, config.listen.port) !== listens)
      log.warn('where it listens changes with a restart only', {
        listen: named(config.listen.host, config.listen.port),
      })
    log.info('the configuration was read again', { config: config.file ?? undefined })
  } catch (error) {
    log.error('the configuration was not taken: what ran before runs on', { cause: (error as Error).message })
  }
}

/** A terminal's Ctrl-C may come twice, from the terminal and from npm: only so soon after is it the same one. */
const sameKeyMs = 300
/** What the last words to clients may take, once it shall stop at once. */
const lastWordsMs = 100

async function stopped(gateway: Gateway, log: Log): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let first: number | null = null
    const stop = (signal: NodeJS.Signals) => {
      const now = performance.now()
      if (first !== null && signal === 'SIGINT' && now - first < sameKeyMs) return
      if (first === null)
        log.info('no new transaction begins, running ones may end', { signal, clients: gateway.clients })
      else {
        log.warn('running transactions are cut off', { signal, clients: gateway.clients })
        setTimeout(() => process.exit(0), lastWordsMs).unref()
      }
      first ??= now
      gateway.stop().then(resolve, reject)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/** What is allowed, and is probably not meant. */
function warnOf({ listen, origins }: GatewayConfig, log: Log): void {
  for (const each of origins) {
    const origin = labelOf(each)
    if (each.auth === 'trust' && !isLoopback(listen.host))
      log.warn('anyone who reaches it is let in without a password: auth is "trust"', {
        ...{ origin, listen: listen.host },
      })
    const far = each.origin.addresses.some(at => 'host' in at && !isLoopback(at.host))
    if (far && ['disable', 'prefer'].includes(each.origin.sslmode))
      log.warn('the way to the origin may be in plain text: sslmode=verify-full proves who answers', {
        ...{ origin, sslmode: each.origin.sslmode },
      })
  }
}

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.')

const labelOf = ({ names, database }: GatewayConfig['origins'][number]) => names[0] ?? database

const named = (host: string, port: number) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

class CannotListen extends Error {
  constructor({ host, port }: GatewayConfig['listen'], error: NodeJS.ErrnoException) {
    const cure: Record<string, string> = {
      EADDRINUSE: 'another process listens there: stop it, or give --listen another port',
      EACCES: 'this user may not: ports below 1024 need a right for it',
      EADDRNOTAVAIL: 'this machine has no such address',
      ENOTFOUND: 'this name has no address',
      EAI_AGAIN: 'no name server tells of this name',
    }
    super(`it can't listen on ${named(host, port)}: ${cure[error.code ?? ''] ?? error.message}`)
  }
}
