/**
 * The configuration: sluice.toml, flags that win over it, and secrets from the environment, as values that the gateway
 * takes.
 *
 *     sluice.toml ─▶ toml.ts: tables, each key knows its line
 *           flags ─▶ put into them, each knows its flag ─▶ shape.ts, by schema.ts ─▶ sections ─▶ GatewayConfig
 *
 * What a key may be, the schema says; what several mean together is judged on the way to GatewayConfig, and files that
 * are named are read. Whatever is wrong is a ConfigError: one line with the place and the cure, and no secret.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { ConfigError } from './config-error.ts'
import { readPem } from './origin.ts'
import { type OriginConfig, originConfig } from './origin-config.ts'
import { configuration, type logLevels, type tls as tlsShape } from './schema.ts'
import { type Environment, Section } from './shape.ts'
import { type Entry, isTable, readToml, type Table } from './toml.ts'
import { unreadable } from './unreadable.ts'

/** What the command line says, as it was written there. */
export interface Flags {
  /** A path. Without it `sluice.toml` is read if it is there. */
  readonly config?: string
  readonly origin?: string
  readonly listen?: string
  readonly poolSize?: string
  readonly logLevel?: string
}

export interface GatewayConfig {
  /** The file that was read, if one was. */
  readonly file: string | null
  readonly listen: { readonly host: string; readonly port: number }
  /** At least one. */
  readonly origins: readonly OriginConfig[]
  /** PEM. Null: none was configured, and one is made. */
  readonly certificate: {
    readonly certificate: string
    readonly key: string
    readonly clientAuthority?: string
  } | null
  readonly loginTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly maxClients: number
  readonly logLevel: (typeof logLevels)[number]
  /** Of all origins together. */
  readonly cache: { readonly mostBytes: number; readonly maxResultBytes: number }
}

type Tls = Section<typeof tlsShape.keys>

/**
 * @param folder where paths begin that the command line names
 * @throws ConfigError
 */
export async function readConfig(
  flags: Flags,
  environment: Environment,
  folder: string = process.cwd(),
): Promise<GatewayConfig> {
  const file = await readFileOf(flags, folder)
  const table = file?.table ?? { at: 'the command line', entries: new Map<string, Entry>() }
  overlay(table, flags)
  const section = new Section(configuration, table, environment)
  const { values } = section
  if (values.hyperdrive.length === 0) throw new ConfigError(nothingToServe(file?.name))
  const filesFolder = file ? dirname(file.path) : folder
  const origins: OriginConfig[] = []
  for (const each of values.hyperdrive) {
    const origin = await originConfig(each, filesFolder)
    for (const other of origins) {
      const name = callsOf(origin).find(name => callsOf(other).includes(name))
      if (name !== undefined)
        each.fail(
          each.values.id === name ? 'id' : 'binding',
          origin.names.length > 0
            ? `${JSON.stringify(name)} is that of another [[hyperdrive]] too`
            : `is missing: clients call another [[hyperdrive]] ${JSON.stringify(name)}, too`,
        )
      if (origin.anyDatabase && other.anyDatabase)
        each.fail('any_database', 'can be true for one [[hyperdrive]] only: the first would get them all')
    }
    origins.push(origin)
  }
  return {
    file: file?.path ?? null,
    listen: values.listen,
    origins,
    certificate: values.tls ? await certificateOf(values.tls, filesFolder) : null,
    loginTimeoutMs: values.login_timeout,
    shutdownTimeoutMs: values.shutdown_timeout,
    maxClients: values.max_clients,
    logLevel: values.log_level,
    cache: cacheOf(section),
  }
}

/** An answer on its way takes of the quarter of `cache_size` that is for such: of a smaller cache the default is that. */
function cacheOf(section: Section<typeof configuration.keys>): GatewayConfig['cache'] {
  const { cache_size: mostBytes, max_result_size } = section.values
  const quarter = Math.floor(mostBytes / 4)
  if (max_result_size > quarter && section.has('max_result_size'))
    section.fail(
      'max_result_size',
      `is ${max_result_size} bytes, more than a quarter of cache_size: at most ${quarter}`,
    )
  return { mostBytes, maxResultBytes: Math.min(max_result_size, quarter) }
}

/** Of two that are called the same, clients would reach the first only. */
const callsOf = ({ names, database }: OriginConfig) => (names.length > 0 ? names : [database])

async function readFileOf({ config }: Flags, folder: string) {
  const path = resolve(folder, config ?? 'sluice.toml')
  try {
    const name = config ?? basename(path)
    return { path, name, table: readToml(await readFile(path, 'utf8'), name) }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    if (config === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new ConfigError(`${config ?? 'sluice.toml'} can't be read: ${unreadable(error as Error)}`)
  }
}

/** Puts what the flags say in the place of what the file says. */
function overlay({ entries }: Table, { origin, listen, poolSize, logLevel }: Flags): void {
  const put = (into: Table['entries'], key: string, at: string, value: Entry['value'] | undefined) => {
    if (value !== undefined) into.set(key, { at, value })
  }
  put(entries, 'listen', '--listen', listen)
  put(entries, 'log_level', '--log-level', logLevel)
  if (origin !== undefined && !entries.has('hyperdrive')) {
    const any = new Map([['any_database', { at: '--origin', value: true }]])
    put(entries, 'hyperdrive', '--origin', [{ at: '--origin', value: { at: '--origin', entries: any } }])
  }
  const listed = entries.get('hyperdrive')?.value
  const tables = Array.isArray(listed) ? listed.map(({ value }: Entry) => value).filter(isTable) : []
  if (origin !== undefined && tables.length > 1)
    throw new ConfigError(
      `--origin: there are ${tables.length} [[hyperdrive]], and it is not said whose origin this is`,
    )
  for (const table of tables) {
    put(table.entries, 'origin', '--origin', origin)
    put(table.entries, 'origin_connection_limit', '--pool-size', poolSize && numberOr(poolSize))
  }
}

const numberOr = (text: string) => (/^\d+$/.test(text) ? Number(text) : text)

async function certificateOf(tls: Tls, folder: string) {
  const read = (name: keyof Tls['values'], path: string) =>
    readPem(resolve(folder, path), 'names a file').catch(error => tls.fail(name, error.message))
  const { values } = tls
  const [certificate, key] = [await read('certificate', values.certificate), await read('key', values.key)]
  const authority = values.client_authority && (await read('client_authority', values.client_authority))
  const first = parsed(tls, 'certificate', () => new X509Certificate(certificate))
  if (!first.checkPrivateKey(parsed(tls, 'key', () => createPrivateKey(key))))
    tls.fail('key', 'is not that of the certificate')
  if (authority) parsed(tls, 'client_authority', () => new X509Certificate(authority))
  return { certificate, key, ...(authority ? { clientAuthority: authority } : {}) }
}

function parsed<T>(tls: Tls, name: keyof Tls['values'], parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    return tls.fail(name, `names a file that can't be used: ${(error as Error).message}`)
  }
}

const nothingToServe = (file: string | undefined) =>
  file === undefined
    ? 'there is nothing to serve: give --origin postgres://user:password@host:5432/database, or write a sluice.toml (docs/configuration.md)'
    : `${file}: there is nothing to serve: it has no [[hyperdrive]], and there is no --origin`
