/**
 * A Worker of the tests, in real workerd.
 *
 *     await using worker = await runWorker(new URL('./workers/writes.ts', import.meta.url), {
 *       hyperdrives: { HYPERDRIVE: proxy.url },
 *       bindings: { DATABASE_URL: database.url },
 *     })
 *     expect(await worker.json('/write?id=1')).toEqual({ written: true })
 *
 * Bundled as `wrangler deploy` does it, with nodejs_compat and the newest compatibility date, and one isolate: what
 * its modules keep is kept from request to request, as on Cloudflare.
 */
import { fileURLToPath } from 'node:url'
import { bundleWorker, type RunningWorker, startWorker, type WorkerOptions } from '@sluice/dev'

export interface TestWorkerOptions {
  /** Hyperdrive bindings: name → database URL, a FaultProxy's for example. */
  hyperdrives?: Record<string, string>
  /** Variables: name → text, or any JSON. */
  bindings?: NonNullable<WorkerOptions['bindings']>
  /** Durable Objects: name of the binding → class that the entry exports. */
  durableObjects?: Record<string, string>
  /** Queues that it both sends to and takes from; a batch comes at once. */
  queues?: string[]
  /** Whatever else Miniflare takes. */
  miniflare?: WorkerOptions['miniflare']
}

export interface TestWorker extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string
  /**
   * What it wrote with `console.*`, call by call. Nothing of errors: what `fetch` throws is the body of a 500, and of
   * a promise in waitUntil that fails workerd says nothing; who wants to know it must log it.
   */
  console: readonly string[]
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** The body of a response as JSON; anything but a 2xx is an error that shows the body. */
  // biome-ignore lint/suspicious/noExplicitAny: the test knows what its Worker answers
  json<T = any>(path: string, init?: RequestInit): Promise<T>
  /** Runs `scheduled`, to its end; `outcome` is 'ok' if it and what it handed to waitUntil went well. */
  scheduled(cron?: string): Promise<{ outcome: string }>
  /** Runs `queue` with one batch of messages. */
  queue(name: string, messages: unknown[]): Promise<{ outcome: string }>
  /** What Miniflare offers beyond that. */
  miniflare: RunningWorker['miniflare']
  stop(): Promise<void>
}

/**
 * @param entry the module that exports the Worker; below test/workers, where default exports are allowed
 */
export async function runWorker(entry: string | URL, options: TestWorkerOptions = {}): Promise<TestWorker> {
  const { hyperdrives = {}, bindings = {}, durableObjects, queues = [], miniflare } = options
  const lines: string[] = []
  const worker = await startWorker({
    script: await bundleWorker(entry instanceof URL ? fileURLToPath(entry) : entry),
    hyperdrives,
    bindings,
    miniflare: {
      ...(durableObjects && { durableObjects }),
      queueProducers: queues,
      queueConsumers: Object.fromEntries(queues.map(name => [name, { maxBatchTimeout: 0 }])),
      handleStructuredLogs: ({ message }: { message: string }) => void lines.push(message),
      ...miniflare,
    },
  })
  const request = (path: string, init?: RequestInit) => fetch(`${worker.url}${path}`, init)
  // Miniflare gives every Worker of the same shape the same type, and the events are not in it.
  const events = async () => (await worker.miniflare.getWorker()) as unknown as WorkerEvents
  return {
    url: worker.url,
    console: lines,
    fetch: request,
    async json(path, init) {
      const response = await request(path, init)
      const body = await response.text()
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${body}`)
      return JSON.parse(body)
    },
    scheduled: async cron => (await events()).scheduled(cron === undefined ? {} : { cron }),
    async queue(name, messages) {
      const batch = messages.map((body, index) => ({
        id: String(index),
        timestamp: new Date(),
        attempts: 1,
        body,
      }))
      return (await events()).queue(name, batch)
    },
    miniflare: worker.miniflare,
    stop: worker.stop,
    [Symbol.asyncDispose]: worker.stop,
  }
}

interface WorkerEvents {
  scheduled(options: { cron?: string }): Promise<{ outcome: string }>
  queue(name: string, messages: object[]): Promise<{ outcome: string }>
}
