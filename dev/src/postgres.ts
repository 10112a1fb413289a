/**
 * A PostgreSQL server, from its start to its end.
 *
 *     startPostgres ──▶ starting ──▶ ready ──stop()──▶ fast shutdown ──▶ gone
 *                          │           └───kill()──▶ as if the machine had lost power ──▶ gone
 *                          └ signal aborted, port taken, broken cluster ──▶ gone, and an error
 *
 * It runs in its own session: Ctrl-C in a terminal goes to every process of ours at once, and PostgreSQL should end
 * after the Worker that uses it, not beside it. It listens on the loopback address alone, and on no Unix socket (a
 * socket's path must be shorter than those of many clones).
 *
 * Not here: as whom it runs (unprivileged.ts), the files (cluster.ts), a server that an earlier start left (lock.ts).
 */
import { execFile, spawn } from 'node:child_process'
import { chmod, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findBinaries, program } from './binaries.ts'
import { type Cluster, cleanEnvironment, openCluster, SUPERUSER } from './cluster.ts'
import { clusterInUse, postgresFailed } from './failure.ts'
import { onAnyPort, PortTaken } from './ports.ts'
import { children, commandLine, end, endOf, isGone, type ProcessId, processId, send } from './processes.ts'
import { type Account, accountFor } from './unprivileged.ts'

export interface PostgresOptions {
  /** Kept at stop, and used again by the next start. Without it: a temporary one, removed at stop. Its parent exists. */
  dataFolder?: string
  /** Ends a server that still runs on `dataFolder`. Without it that is an error: it may be somebody's. */
  takeOver?: boolean
  /** This port and no other: `PortTaken` is thrown. Without it: any free one. */
  port?: number
  /** Parameters of postgresql.conf, for example `{ fsync: 'off', wal_level: 'logical' }`. */
  settings?: Record<string, string>
  /** Gives up starting, with nothing left running. */
  signal?: AbortSignal
  /** Hears of every process (initdb, then the server) before it has done anything. */
  onSpawn?: (pid: number) => void
}

export interface Postgres extends AsyncDisposable {
  /** Of the superuser `sluice` and the database `postgres`, with the password. */
  url: string
  port: number
  pid: number
  /** Where its data is: elsewhere than asked for, when the account that it runs as can't reach that. */
  dataFolder: string
  /** The server's log file. */
  log: string
  /** What a person should know about how it runs, or null. */
  note: string | null
  /** Fulfilled when the server is gone, with how it ended: "exit code 1", "signal SIGKILL". */
  ended: Promise<string>
  /** A fast shutdown: open transactions are rolled back, clients are told. Again is harmless, after `kill` too. */
  stop(): Promise<void>
  /** All its processes at once, without a goodbye. The data folder stays, for a start that recovers. */
  kill(): Promise<void>
}

// pg_ctl gives a fast shutdown 60 s; a developer who pressed Ctrl-C does not.
const SHUTDOWN = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 1_000 },
] as const satisfies { signal: NodeJS.Signals; waitMs: number }[]

/**
 * Starts a server, making its cluster first if there is none.
 *
 *     await using postgres = await startPostgres({ settings: { fsync: 'off' } })
 *     const client = new pg.Client(postgres.url)
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const { port, signal = new AbortController().signal, onSpawn = () => {} } = options
  const dataFolder = options.dataFolder && resolve(options.dataFolder)
  const temporary = dataFolder === undefined ? await mkdtemp(join(tmpdir(), 'sluice-')) : null
  // mkdtemp makes it for us alone, and the account may be another one. What is inside is closed again.
  if (temporary) await chmod(temporary, 0o711)

  const account = await accountFor(dataFolder ?? join(temporary!, 'postgres'), await findBinaries())
  const cleanUp = async () => {
    if (!temporary) return
    await rm(account.dataFolder, { recursive: true, force: true, maxRetries: 10 })
    await rm(temporary, { recursive: true, force: true })
  }
  try {
    const cluster = await openCluster(account, { durable: !temporary, signal, onSpawn })
    await free(cluster, options.takeOver ?? false)
    const start = (on: number) =>
      startOn(on, { account, cluster, signal, onSpawn, cleanUp, settings: options.settings ?? {} })
    return await (port === undefined ? onAnyPort(start) : start(port))
  } catch (error) {
    await cleanUp()
    throw error
  }
}

/** Ends a server that outlived whoever started it. */
export const endSurvivor = (survivor: ProcessId): Promise<void> => end(survivor, [...SHUTDOWN])

interface Start {
  account: Account
  cluster: Cluster
  settings: Record<string, string>
  signal: AbortSignal
  onSpawn: (pid: number) => void
  cleanUp: () => Promise<void>
}

async function startOn(
  port: number,
  { account, cluster, settings, signal, onSpawn, cleanUp }: Start,
): Promise<Postgres> {
  signal.throwIfAborted()
  const ours = { listen_addresses: '127.0.0.1', unix_socket_directories: '', port: `${port}` }
  const { file, words, ...as } = account.command(program(account.binaries, 'postgres'), [
    ...['-D', cluster.folder],
    ...Object.entries({ ...settings, ...ours }).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  // The server writes to the file itself: what it says at its end is there even if we are gone by then.
  const log = await open(cluster.log, 'w', 0o600)
  const server = spawn(file, words, {
    ...as,
    ...{ cwd: cluster.folder, env: cleanEnvironment(), stdio: ['ignore', log.fd, log.fd], detached: true },
  })
  const ended = endOf(server)
  await log.close()
  const pid = server.pid
  if (pid === undefined) throw postgresFailed(await ended, cluster.log)
  onSpawn(pid)

  // A crash of ours (an uncaught error, process.exit) takes the server along; a kill -9 can't be heard.
  const atExit = () => send(pid, 'SIGQUIT')
  process.once('exit', atExit)
  void ended.then(() => process.off('exit', atExit))

  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= shutDown(pid, cluster, account, ended).then(cleanUp)
    return stopping
  }
  if (!(await isReady(cluster, pid, ended, signal))) {
    await shutDown(pid, cluster, account, ended)
    signal.throwIfAborted()
    const said = await readFile(cluster.log, 'utf8')
    if (/could not bind .*: (Address already in use|Only one usage)/.test(said)) throw new PortTaken(port)
    throw postgresFailed(lastComplaint(said) ?? (await ended), cluster.log)
  }
  return {
    url: `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/postgres`,
    ...{ port, pid, dataFolder: account.dataFolder, log: cluster.log, note: account.note, ended, stop },
    kill: () => kill(pid, ended),
    [Symbol.asyncDispose]: stop,
  }
}

/** As pg_ctl waits: the server writes its state into its pid file, and there is no event to wait for. */
async function isReady(
  cluster: Cluster,
  pid: number,
  ended: Promise<string>,
  signal: AbortSignal,
): Promise<boolean> {
  let gone = false
  void ended.then(() => {
    gone = true
  })
  while (!gone && !signal.aborted) {
    const file = await readPidFile(cluster.folder)
    if (file?.pid === pid && file.state === 'ready') return true
    await pause(10)
  }
  return false
}

async function shutDown(
  pid: number,
  cluster: Cluster,
  account: Account,
  ended: Promise<string>,
): Promise<void> {
  const isOver = async (waitMs: number) =>
    Promise.race([ended.then(() => true), pause(waitMs, false, { ref: false })])
  if (await isOver(0)) return removeSharedMemory(cluster)
  if (process.platform === 'win32') {
    // There a signal is the end at once, without a shutdown.
    await promisify(execFile)(program(account.binaries, 'pg_ctl'), [
      'stop',
      '-D',
      cluster.folder,
      '-m',
      'fast',
    ])
  } else {
    for (const { signal, waitMs } of SHUTDOWN) {
      send(pid, signal)
      if (await isOver(waitMs)) break
    }
  }
  await ended
}

async function kill(pid: number, ended: Promise<string>): Promise<void> {
  const all = [pid, ...children(pid)].map(processId).filter(found => found !== null)
  for (const one of all) send(one.pid, 'SIGKILL')
  await ended
  await Promise.all(all.map(one => isGone(one, 5_000)))
}

const lastComplaint = (log: string) =>
  log
    .split('\n')
    .map(
      line =>
        /(?:FATAL|PANIC|ERROR|error): +(.*)/.exec(line)?.[1] ??
        /^\S*(?:unshare|postgres): (.*)/.exec(line)?.[1],
    )
    .findLast(Boolean)

// ---- postmaster.pid ----------------------------------------------------------------------------------------------

interface PidFile {
  pid: number
  folder: string
  sharedMemoryId: string | undefined
  state: string
}

/** Lines as in PostgreSQL's utils/pidfile.h. */
async function readPidFile(clusterFolder: string): Promise<PidFile | null> {
  const lines = await readFile(join(clusterFolder, 'postmaster.pid'), 'utf8').then(
    text => text.split('\n'),
    () => [],
  )
  if (!lines[0] || !lines[1]) return null
  return {
    pid: Number(lines[0]),
    folder: lines[1],
    sharedMemoryId: lines[6]?.trim().split(/\s+/)[1],
    state: lines[7]?.trim() ?? '',
  }
}

const isServer = ({ pid, folder }: PidFile) => {
  const command = commandLine(pid)
  return /\bpostgres(\.exe)?\b/.test(basename(command.split(' -D ')[0] ?? '')) && command.includes(folder)
}

/**
 * Frees the cluster from an earlier server. PostgreSQL mends its own stale pid file, except when another process has
 * been given the same id since: then it believes that a server runs. While no process has the id the file stays,
 * because PostgreSQL's own check knows more (children of the old server that still hold its shared memory).
 */
async function free(cluster: Cluster, takeOver: boolean): Promise<void> {
  const file = await readPidFile(cluster.folder)
  const holder = file && processId(file.pid)
  if (!holder) return
  if (!isServer(file)) await rm(join(cluster.folder, 'postmaster.pid'))
  else if (takeOver) await endSurvivor(holder)
  else throw clusterInUse(cluster.folder, holder.pid)
}

/** A server that was killed leaves a System V segment of 56 bytes; the system has a few thousand of them. */
async function removeSharedMemory(cluster: Cluster): Promise<void> {
  const id = (await readPidFile(cluster.folder))?.sharedMemoryId
  if (id && process.platform !== 'win32') await promisify(execFile)('ipcrm', ['-m', id]).catch(() => {})
}
