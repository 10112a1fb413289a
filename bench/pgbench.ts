/** pgbench: a script of SQL over and over, from as many clients as asked for. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const protocols = ['simple', 'extended', 'prepared'] as const
export type Protocol = (typeof protocols)[number]

export interface Load {
  readonly protocol: Protocol
  readonly clients: number
}

export interface Measured {
  readonly transactions: number
  /** Transactions a second, connecting left out. */
  readonly tps: number
  /** Mean, of a transaction. */
  readonly latencyMs: number
}

export async function pgbenchVersion(): Promise<string> {
  const { stdout } = await run('pgbench', ['--version']).catch(() => {
    throw new Error('pgbench is not on the PATH: it comes with PostgreSQL (Debian: apt install postgresql)')
  })
  return /\d[\d.]*/.exec(stdout)![0]
}

/** pgbench's own tables; `scale` is their size in 100,000 rows. */
export async function fill(url: string, scale: number): Promise<void> {
  await pgbench(url, ['--initialize', '--quiet', `--scale=${scale}`])
}

/**
 * @param script words of pgbench's that say what a transaction is
 * @throws if a single transaction fails
 */
export async function measure(
  url: string,
  script: readonly string[],
  { protocol, clients }: Load,
  seconds: number,
): Promise<Measured> {
  const words = ['--no-vacuum', `--protocol=${protocol}`, `--client=${clients}`, `--time=${seconds}`]
  const said = await pgbench(url, [...script, ...words])
  if (/actually processed: 0\b/.test(said))
    throw new Error(`${clients} clients did no more than log in within ${seconds} s: ask for more --seconds`)
  const figure = (pattern: RegExp) => {
    const found = pattern.exec(said)
    if (!found) throw new Error(`pgbench said something else than expected:\n${said}`)
    return Number(found[1])
  }
  return {
    transactions: figure(/actually processed: (\d+)/),
    tps: figure(/tps = ([\d.]+) \(without initial connection time\)/),
    latencyMs: figure(/latency average = ([\d.]+) ms/),
  }
}

async function pgbench(url: string, words: readonly string[]): Promise<string> {
  const { hostname, port, username, password, pathname } = new URL(url)
  const env = {
    ...process.env,
    ...{ PGHOST: hostname, PGPORT: port, PGUSER: username, PGPASSWORD: password },
    // All of them talk in plain text: TLS would be a part of what is measured.
    ...{ PGSSLMODE: 'disable', PGGSSENCMODE: 'disable' },
  }
  const { stdout } = await run('pgbench', [...words, pathname.slice(1)], { env })
  return stdout
}
