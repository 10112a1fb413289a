/**
 * What stands between pgbench and PostgreSQL: nothing, PgBouncer, Sluice on Bun and on Node. Each in transaction mode
 * with a pool of the same size, in plain text on the loopback address.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import net from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Protocol } from './pgbench.ts'
import { type Program, startProgram } from './programs.ts'

const run = promisify(execFile)

export const poolSize = 20

export interface Pooler {
  readonly name: string
  readonly version: string
  /** Where pgbench connects. */
  readonly url: string
  /** Null: there is none. */
  readonly program: Program | null
  /** Why it can't be measured by this protocol. */
  cannot(protocol: Protocol): string | null
}

const canAll = () => null

export const direct = (url: string): Pooler => ({
  ...{ name: 'direct', version: 'PostgreSQL 18', url, program: null, cannot: canAll },
})

/** Null if none is installed. `PGBOUNCER` names another one than that on the PATH. */
export async function startPgBouncer(originUrl: string, folder: string): Promise<Pooler | null> {
  const file = process.env.PGBOUNCER ?? 'pgbouncer'
  // Debian has it where only root looks.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` }
  const about = await run(file, ['--version'], { env }).catch(() => null)
  const version = /PgBouncer (\d+\.(\d+)\S*)/.exec(about?.stdout ?? '')
  if (!version) return null
  const prepares = Number(version[2]) >= 21
  const { hostname, port: originPort, username, password, pathname } = new URL(originUrl)
  const port = await freePort()
  const config = join(folder, 'pgbouncer.ini')
  const lines = [
    '[databases]',
    `postgres = host=${hostname} port=${originPort} dbname=${pathname.slice(1)} user=${username} password=${password}`,
    '[pgbouncer]',
    ...['listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir =', 'auth_type = any'],
    ...['pool_mode = transaction', `default_pool_size = ${poolSize}`, 'max_client_conn = 1000'],
    ...(prepares ? ['max_prepared_statements = 200'] : []),
  ]
  await writeFile(config, lines.join('\n'), { mode: 0o600 })
  // As root it refuses to run, and reads its configuration before it becomes somebody else.
  const as = process.getuid?.() === 0 ? ['--user=nobody'] : []
  const { program } = await startProgram([file, ...as, config], /process up/, { env, cwd: folder })
  return {
    ...{ name: 'PgBouncer', version: version[1]!, program },
    url: urlAt(originUrl, `127.0.0.1:${port}`),
    cannot: protocol =>
      protocol === 'prepared' && !prepares
        ? 'it has prepared statements in transaction mode from 1.21 on'
        : null,
  }
}

/** `sluice serve`, as a user starts it. */
export async function startSluice(
  runtime: 'Bun' | 'Node',
  originUrl: string,
  folder: string,
  { caches, runtimeFlags = [] }: { caches: boolean; runtimeFlags?: readonly string[] },
): Promise<Pooler> {
  const config = join(folder, `sluice-${runtime}-${caches}.toml`)
  const lines = [
    ...['[[hyperdrive]]', `origin = ${JSON.stringify(originUrl)}`, `origin_connection_limit = ${poolSize}`],
    ...['[hyperdrive.caching]', `disabled = ${!caches}`],
    ...['[hyperdrive.invalidation]', 'publication = "create"'],
  ]
  await writeFile(config, lines.join('\n'), { mode: 0o600 })
  const { program, said } = await startProgram(
    [runtimes[runtime], ...runtimeFlags, sluice, 'serve', '--listen=127.0.0.1:0', `--config=${config}`],
    /the gateway listens address=(\S+).* runtime="(?:Bun|Node) (\S+)"/,
    { cwd: folder },
  )
  return {
    ...{ name: `Sluice on ${runtime}`, version: said[2]!, program, cannot: canAll },
    url: urlAt(originUrl, said[1]!),
  }
}

const require = createRequire(import.meta.url)
const runtimes = {
  Bun: join(dirname(require.resolve('bun/package.json')), 'bin/bun.exe'),
  Node: process.execPath,
}
const sluice = fileURLToPath(new URL('../packages/gateway/src/cli/sluice.ts', import.meta.url))

export function urlAt(originUrl: string, host: string): string {
  const url = new URL(originUrl)
  url.host = host
  return url.href
}

export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
