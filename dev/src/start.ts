/**
 * `npm start`: PostgreSQL with the example's data, the gateway before it, and the example Worker in workerd with a
 * Hyperdrive binding to the gateway.
 *
 *     lock ─▶ what a crash left ends ─▶ PostgreSQL ─▶ data set ─▶ gateway ─▶ Worker ─▶ dev.json, banner ─▶ wait
 *
 * With --origin there is a PostgreSQL already: none is started, and nothing is put into it.
 *
 * Whatever has been started is on one stack that is unwound from the top, on Ctrl-C in any of these steps as after an
 * error. A stop that was asked for ends with exit code 0, because npm prints an error for every other one. Asking
 * again changes nothing: npm passes a terminal's Ctrl-C on although we have had it too, so every one comes twice.
 * It comes to the terminal's whole process group, so a child (esbuild, workerd) may end of it before we hear of it.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ConfigError, embedGateway } from 'sluice/embedded'
import { banner, examplePaths } from './banner.ts'
import { bundleWorker } from './bundle.ts'
import { type DataSet, ensureDataSet } from './dataset.ts'
import { readDevFile, removeDevFile, writeDevFile } from './devfile.ts'
import {
  alreadyRunning,
  Failure,
  noDataSet,
  postgresEnded,
  systemRefused,
  workerEnded,
  wrongUsage,
} from './failure.ts'
import { type Lock, takeLock } from './lock.ts'
import { fromPort, PortTaken } from './ports.ts'
import { endSurvivor, startPostgres } from './postgres.ts'
import { progressBar } from './progress.ts'
import { startWorker } from './worker.ts'

const USAGE = `npm start [-- options], or: npx sluice dev [options]

  --origin <url>            your own PostgreSQL instead of the embedded one
  --port <number>           the Worker's port, or the next free one (8787)
  --gateway-port <number>   the gateway's port, or the next free one (6432)
  --database-port <number>  PostgreSQL's port, or the next free one (5433)
  --folder <path>           where the database and the logs are kept (.sluice)
  --worker <file>           another Worker than the example's
  --data <file>             another data set: exports dataVersion and makeData`

interface Options {
  origin: string | null
  port: number
  gatewayPort: number
  databasePort: number
  folder: string
  worker: string
  data: string
  paths: string[]
}

async function start(options: Options, stopped: AbortSignal): Promise<void> {
  const begun = performance.now()
  const { folder } = options
  const devFile = join(folder, 'dev.json')
  await mkdir(folder, { recursive: true })
  await using running = new AsyncDisposableStack()

  const lock = await takeLock(join(folder, 'lock'))
  if ('heldBy' in lock) throw alreadyRunning(lock.heldBy, await whereItIs(devFile))
  running.defer(lock.release)
  await mend(lock, devFile)
  await freshTemporaryFolder(join(folder, 'tmp'))

  const onSpawn = lock.note
  const own = options.origin === null ? await ownDatabase(options, stopped, onSpawn) : null
  if (own) running.use(own.postgres)
  const database = own?.database ?? options.origin!

  const gateway = await fromPort(options.gatewayPort, port => startGateway(database, port, folder))
  running.use(gateway)

  const script = await unlessStopped(bundleWorker(options.worker), stopped)
  const worker = await fromPort(options.port, port =>
    startWorker({
      ...{ script, port, signal: stopped, onSpawn },
      ...{ hyperdrives: { HYPERDRIVE: gateway.url }, bindings: { DATABASE_URL: database } },
    }),
  )
  running.use(worker)

  const postgresPid = own ? { postgres: own.postgres.pid } : {}
  const pids = { start: process.pid, ...postgresPid, workerd: worker.pid }
  await writeDevFile(devFile, { worker: worker.url, gateway: gateway.url, database, pids })
  running.defer(() => removeDevFile(devFile))

  const notes = [
    worker.port !== options.port && `port ${options.port} was taken, so the Worker is on ${worker.port}`,
    gateway.port !== options.gatewayPort &&
      `port ${options.gatewayPort} was taken, so the gateway is on ${gateway.port}`,
    own &&
      own.postgres.port !== options.databasePort &&
      `port ${options.databasePort} was taken, so PostgreSQL is on ${own.postgres.port}`,
    own?.postgres.note,
  ]
  console.log(
    banner({
      ...{ worker: worker.url, gateway: gateway.url, database, paths: options.paths },
      dataFolder: own?.postgres.dataFolder ?? null,
      ...{ readyMs: performance.now() - begun, notes: notes.filter(note => typeof note === 'string') },
    }),
  )
  const ended = Promise.race([
    worker.ended.then(workerEnded),
    ...(own ? [own.postgres.ended.then(how => postgresEnded(how, own.postgres.log))] : []),
  ])
  throw await unlessStopped(ended, stopped)
}

/** The embedded PostgreSQL with the data set in it. */
async function ownDatabase(options: Options, stopped: AbortSignal, onSpawn: (pid: number) => void) {
  const dataFolder = clusterOf(options.folder)
  const postgres = await fromPort(options.databasePort, port =>
    // So that the gateway hears what others change.
    startPostgres({
      ...{ dataFolder, takeOver: true, port, signal: stopped, onSpawn },
      settings: { wal_level: 'logical' },
    }),
  )
  try {
    const onProgress = progressBar('Making the data set', process.stdout)
    const filling = ensureDataSet(postgres.url, 'sluice', await loadDataSet(options.data), onProgress)
    return { postgres, database: await unlessStopped(filling, stopped) }
  } catch (error) {
    await postgres.stop()
    throw error
  }
}

async function startGateway(origin: string, port: number, folder: string) {
  try {
    return await embedGateway({ origin, listen: `127.0.0.1:${port}`, folder })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new PortTaken(port, error)
    if (error instanceof ConfigError) throw wrongUsage(error.message)
    throw error
  }
}

// Of the major version that made it: no other one can read it.
const clusterOf = (folder: string) => join(folder, 'postgres-18')

async function whereItIs(devFile: string): Promise<string> {
  const dev = await readDevFile(devFile)
  return dev
    ? `Worker ${dev.worker}, gateway on port ${new URL(dev.gateway).port}, PostgreSQL on port ${new URL(dev.database).port}`
    : 'it is still starting'
}

async function loadDataSet(module: string): Promise<DataSet> {
  try {
    const { dataVersion, makeData } = await import(module)
    return { version: dataVersion, make: makeData }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND' ? noDataSet(error as Error) : error
  }
}

/** Ends what outlived a start that was killed, and removes what says that it runs. */
async function mend(lock: Lock, devFile: string): Promise<void> {
  await Promise.all(lock.left.map(endSurvivor))
  await removeDevFile(devFile)
}

/** For Miniflare's temporary files: it makes them below TMPDIR, and can't remove them when it is killed. */
async function freshTemporaryFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  process.env.TMPDIR = folder
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'path' in error

function unlessStopped<T>(work: Promise<T>, stopped: AbortSignal): Promise<T> {
  const stop = new Promise<never>((_, reject) => {
    if (stopped.aborted) reject(stopped.reason)
    stopped.addEventListener('abort', () => reject(stopped.reason), { once: true })
  })
  return Promise.race([work, stop])
}

/** Once a stop was asked for, a step that failed is a step that it cut off; a server that would not stop is news. */
const fromUnwinding = (error: unknown): unknown =>
  error instanceof SuppressedError ? error.error : undefined

function options(words: string[]): Options | 'help' {
  const text = { type: 'string' } as const
  const { values } = (() => {
    try {
      const options = {
        origin: text,
        port: text,
        'gateway-port': text,
        'database-port': text,
        folder: text,
        worker: text,
        data: text,
        help: { type: 'boolean' },
      } as const
      return parseArgs({ args: words, options })
    } catch (error) {
      throw wrongUsage((error as Error).message)
    }
  })()
  if (values.help) return 'help'
  const port = (name: 'port' | 'gateway-port' | 'database-port', otherwise: number) => {
    const given = Number(values[name] ?? otherwise)
    if (!Number.isInteger(given) || given < 1 || given > 65_535)
      throw wrongUsage(`--${name} is not a port: ${values[name]}`)
    return given
  }
  const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
  return {
    origin: values.origin ?? null,
    port: port('port', 8787),
    gatewayPort: port('gateway-port', 6432),
    databasePort: port('database-port', 5433),
    folder: values.folder ? resolve(values.folder) : root('.sluice'),
    worker: values.worker ? resolve(values.worker) : root('examples/worker/src/worker-production-db.ts'),
    paths: values.worker ? ['/'] : values.origin ? examplePaths.slice(0, 1) : examplePaths,
    data: values.data ? pathToFileURL(resolve(values.data)).href : 'sluice-example-worker/data',
  }
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) return
    console.log('\n  Stopping …')
    // What is cut off in the middle (filling the database) may fail where nobody waits for it any more.
    process.on('uncaughtException', () => {}).on('unhandledRejection', () => {})
    stop.abort()
  })
}
try {
  const chosen = options(process.argv.slice(2))
  if (chosen === 'help') console.log(USAGE)
  else await start(chosen, stop.signal)
} catch (error) {
  const news = stop.signal.aborted ? fromUnwinding(error) : error
  if (news !== undefined) {
    const failure = isSystemError(news) ? systemRefused(news) : news
    console.error(failure instanceof Failure ? `sluice: ${failure.message}` : failure)
    process.exitCode = 1
  }
}
process.exit()
