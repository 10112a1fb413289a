/**
 * A Worker in workerd, from its start to its end. Miniflare drives it.
 *
 * Two habits of Miniflare are put right here. It ends the process on SIGINT and SIGTERM, at once and whatever else is
 * running (here PostgreSQL must still shut down): its listeners are taken off. And it does not say which process is
 * workerd, which a later start must know to end it if we are killed: Node's own channel for spawned processes does.
 *
 * Not here: the bundle (bundle.ts), the Hyperdrive binding's way to the database (hyperdrive.ts).
 */
import type { ChildProcess } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { basename } from 'node:path'
import {
  type Json,
  Log,
  LogLevel,
  Miniflare,
  type WorkerOptions as MiniflareOptions,
  type SharedOptions,
  supportedCompatibilityDate,
} from 'miniflare'
import { workerDidNotStart } from './failure.ts'
import './hyperdrive.ts'
import { onAnyPort, PortTaken } from './ports.ts'
import { endOf } from './processes.ts'

export interface WorkerOptions {
  /** What `bundleWorker` gave. */
  script: string
  /** This port and no other: `PortTaken` is thrown. Without it: any free one. */
  port?: number
  /** Hyperdrive bindings: name → database URL. */
  hyperdrives?: Record<string, string>
  /** Variables: name → text, or any JSON. */
  bindings?: Record<string, Json>
  /** Whatever else Miniflare takes for this Worker: queues, Durable Objects, `handleRuntimeStdio`. */
  miniflare?: Partial<MiniflareOptions & SharedOptions>
  /** Gives up starting, with nothing left running. */
  signal?: AbortSignal
  /** Hears of workerd's process before it answers. */
  onSpawn?: (pid: number) => void
}

export interface RunningWorker extends AsyncDisposable {
  /** Without a slash at its end: `${url}/api/health`. */
  url: string
  port: number
  pid: number
  /** For what goes beyond HTTP: `miniflare.getWorker()` runs `scheduled` and `queue`. */
  miniflare: Miniflare
  /** Fulfilled when workerd is gone, with how it ended. */
  ended: Promise<string>
  /** Again is harmless. */
  stop(): Promise<void>
}

/**
 * Runs a bundled Worker with the newest compatibility date and nodejs_compat.
 *
 *     await using worker = await startWorker({
 *       script: await bundleWorker('worker.ts'),
 *       hyperdrives: { HYPERDRIVE: postgres.url },
 *     })
 *     await fetch(`${worker.url}/api/health`)
 */
export const startWorker = (options: WorkerOptions): Promise<RunningWorker> =>
  options.port === undefined ? onAnyPort(port => startOn(port, options)) : startOn(options.port, options)

async function startOn(port: number, options: WorkerOptions): Promise<RunningWorker> {
  const { script, hyperdrives = {}, bindings = {}, onSpawn, signal } = options
  signal?.throwIfAborted()
  const runtime = spawnedWorkerd(port, onSpawn)
  const before = signalListeners()
  const miniflare = new Miniflare({
    ...{ host: '127.0.0.1', port, hyperdrives, bindings },
    modules: [{ type: 'ESModule', path: 'worker.js', contents: script }],
    ...{ compatibilityDate: supportedCompatibilityDate, compatibilityFlags: ['nodejs_compat'] },
    // Otherwise Miniflare fetches a sample of `request.cf` from the Internet.
    ...{ cf: false, log: new Log(LogLevel.ERROR) },
    ...options.miniflare,
  })
  removeNewSignalListeners(before)

  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= miniflare.dispose()
    return stopping
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    await miniflare.ready
    const { pid, ended } = await runtime.found
    return {
      ...{ url: `http://127.0.0.1:${port}`, port, pid, miniflare, ended, stop },
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop().catch(() => {})
    signal?.throwIfAborted()
    if ((error as { code?: unknown }).code === 'ERR_ADDRESS_IN_USE') throw new PortTaken(port, error)
    throw workerDidNotStart(error)
  } finally {
    signal?.removeEventListener('abort', stop)
    runtime.unsubscribe()
  }
}

interface Runtime {
  pid: number
  ended: Promise<string>
}

/** Miniflares that start at the same time are told apart by the port that their workerd is given. */
function spawnedWorkerd(port: number, onSpawn: (pid: number) => void = () => {}) {
  let resolve: (runtime: Runtime) => void
  const found = new Promise<Runtime>(settle => {
    resolve = settle
  })
  const listener = (message: unknown) => {
    const { process: child } = message as { process: ChildProcess }
    child.once('spawn', () => {
      if (
        !basename(child.spawnfile).startsWith('workerd') ||
        !child.spawnargs.some(word => word.endsWith(`=127.0.0.1:${port}`))
      )
        return
      onSpawn(child.pid!)
      resolve({ pid: child.pid!, ended: endOf(child) })
    })
  }
  subscribe('child_process', listener)
  return { found, unsubscribe: () => unsubscribe('child_process', listener) }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

const signalListeners = () => new Set(SIGNALS.flatMap(signal => process.listeners(signal)))

function removeNewSignalListeners(before: ReturnType<typeof signalListeners>): void {
  for (const signal of SIGNALS) {
    for (const listener of process.listeners(signal)) if (!before.has(listener)) process.off(signal, listener)
  }
}
