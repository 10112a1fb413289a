/** pgpool-II with its memory query cache, as it comes but for the cache's switch. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, type Pooler, urlAt } from '../poolers.ts'
import { startProgram } from '../programs.ts'

/** Null if none is installed. */
export async function startPgpool(
  originUrl: string,
  folder: string,
  clients: number,
): Promise<Pooler | null> {
  // Debian has it where only root looks.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` }
  const about = await promisify(execFile)('pgpool', ['--version'], { env }).catch(() => null)
  // It says so on stderr.
  const version = /pgpool-II version (\S+)/.exec(`${about?.stdout}${about?.stderr}`)
  if (!version) return null
  const { hostname, port: originPort } = new URL(originUrl)
  const port = await freePort()
  const own = join(folder, 'pgpool')
  await mkdir(join(own, 'oids'), { recursive: true })
  const config = join(own, 'pgpool.conf')
  const settings = {
    ...{ listen_addresses: '127.0.0.1', port, pcp_port: await freePort() },
    ...{ socket_dir: own, pcp_socket_dir: own, logdir: own, pid_file_name: join(own, 'pid') },
    ...{ backend_hostname0: hostname, backend_port0: originPort },
    ...{ backend_flag0: 'ALWAYS_PRIMARY|DISALLOW_TO_FAILOVER', sr_check_period: 0 },
    // It logs in to PostgreSQL with the password that the client tells it.
    allow_clear_text_frontend_auth: 'on',
    // A process and a server connection for each client: it has no transaction mode.
    ...{ num_init_children: clients + 10, max_pool: 1 },
    ...{ memory_cache_enabled: 'on', memqcache_oiddir: join(own, 'oids') },
  }
  await writeFile(
    config,
    Object.entries(settings)
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(''),
  )
  const words = ['-n', '-D', '-f', config] as const
  const { program } = await startProgram(['pgpool', ...words], /successfully started/, { env, cwd: own })
  return {
    ...{ name: 'pgpool-II', version: version[1]!, program, cannot: () => null },
    url: urlAt(originUrl, `127.0.0.1:${port}`),
  }
}
