/**
 * A database cluster on disk: made whole, or not there.
 *
 *     <data folder>/cluster        what PostgreSQL calls its data directory
 *     <data folder>/password       of the superuser, made at random
 *     <data folder>/postgres.log   of the last start
 *
 * It is made under another name and renamed when initdb has finished, so a start that was killed in the middle leaves
 * nothing that looks like a cluster. Locale and time zone are set, not taken from the machine: the example and the
 * tests answer the same everywhere.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { program } from './binaries.ts'
import { initdbFailed, notACluster } from './failure.ts'
import type { Account } from './unprivileged.ts'

export const SUPERUSER = 'sluice'

export interface Cluster {
  folder: string
  password: string
  log: string
}

export interface MakeOptions {
  /** Wait until the disk has it. Not for what is thrown away after a test. */
  durable: boolean
  signal: AbortSignal
  onSpawn: (pid: number) => void
}

export async function openCluster(account: Account, options: MakeOptions): Promise<Cluster> {
  const { dataFolder } = account
  if (await isWhole(dataFolder)) {
    // Made by another account, where namespaces were allowed, or not.
    await account.give(dataFolder)
  } else {
    await removeRemains(dataFolder)
    await make(account, options)
  }
  return {
    folder: join(dataFolder, 'cluster'),
    password: (await readFile(join(dataFolder, 'password'), 'utf8')).trim(),
    log: join(dataFolder, 'postgres.log'),
  }
}

async function make(account: Account, { durable, signal, onSpawn }: MakeOptions): Promise<void> {
  signal.throwIfAborted()
  const half = `${account.dataFolder}.half`
  await rm(half, { recursive: true, force: true, maxRetries: 10 })
  await mkdir(half, { mode: 0o700 })
  const password = join(half, 'password')
  await writeFile(password, `${randomBytes(9).toString('hex')}\n`, { mode: 0o600 })
  await account.give(half)

  const { file, words, ...as } = account.command(program(account.binaries, 'initdb'), [
    ...['--pgdata', join(half, 'cluster'), '--username', SUPERUSER, '--pwfile', password],
    ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C'],
    ...['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8', '--text-search-config', 'english'],
    ...['--set', 'timezone=UTC', '--no-instructions', ...(durable ? [] : ['--no-sync'])],
  ])
  const initdb = spawn(file, words, {
    ...as,
    ...{ cwd: half, env: cleanEnvironment(), stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  })
  const ended = new Promise<number | null>((resolve, reject) =>
    initdb.once('exit', resolve).once('error', reject),
  )
  if (initdb.pid) onSpawn(initdb.pid)
  const giveUp = () => initdb.kill('SIGTERM')
  signal.addEventListener('abort', giveUp, { once: true })
  const [said, code] = await Promise.all([text(initdb.stderr), ended])
  signal.removeEventListener('abort', giveUp)
  if (signal.aborted) await rm(half, { recursive: true, force: true, maxRetries: 10 })
  signal.throwIfAborted()
  if (code !== 0) throw initdbFailed(said.trim().split('\n').join(' '))
  await rename(half, account.dataFolder)
}

const isWhole = (dataFolder: string) =>
  Promise.all([access(join(dataFolder, 'cluster/PG_VERSION')), access(join(dataFolder, 'password'))]).then(
    () => true,
    () => false,
  )

/** What somebody half deleted. Only names of ours are removed: the folder is an option, and it could be anybody's. */
async function removeRemains(dataFolder: string): Promise<void> {
  const names = await readdir(dataFolder).catch(() => [])
  if (names.some(name => !['cluster', 'password', 'postgres.log'].includes(name)))
    throw notACluster(dataFolder)
  await rm(dataFolder, { recursive: true, force: true, maxRetries: 10 })
}

/** Ours, without what would steer PostgreSQL (PGDATA, PGPORT, …), and with messages that we can read. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return { ...Object.fromEntries(entries), LC_ALL: 'C' }
}
