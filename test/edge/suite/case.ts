/**
 * The library's own suite: cases that run unchanged in workerd and on Node, Bun and Deno, for each way to PostgreSQL.
 *
 *     a case ── sql, db ──▶ @sluice/edge ──▶ FaultProxy ──▶ PostgreSQL       in the runtime that is tested
 *        └───── lab.* ── HTTP ──▶ the test's process, which owns proxy, bridge and server (lab.ts)
 *
 * A case uses `node:assert`, the library and its World, nothing else. What a World does not say (faults, what the
 * server saw) it asks of the lab.
 */
import { createDatabaseManager, type DatabaseManager, type Env, type ManagerOptions } from '@sluice/edge'
import type { Fault } from '../../support/fault.ts'

export type Runtime = 'node' | 'bun' | 'deno' | 'workerd'

export const ways = {
  pg: { driver: 'pg', route: 'direct' },
  'pg through the binding': { driver: 'pg', route: 'hyperdrive' },
  postgres: { driver: 'postgres', route: 'direct' },
  'postgres through the binding': { driver: 'postgres', route: 'hyperdrive' },
  'neon by HTTP': { driver: 'neon', route: 'direct' },
  'neon by WebSocket': { driver: 'neon', route: 'direct' },
} as const
export type Way = keyof typeof ways

/** Where a case runs, as plain values: it is handed to other processes. */
export interface Place {
  readonly runtime: Runtime
  readonly way: Way
  /** The database, through the lab's proxy. */
  readonly url: string
  readonly lab: string
  readonly neon: { fetchEndpoint: string; wsProxy: string; useSecureWebSocket: false }
}

/** What the server and the proxy saw since the case began. */
export interface Seen {
  readonly accepted: number
  readonly open: number
  readonly cancels: number
  /** Requests to the bridge's /sql. */
  readonly requests: number
  readonly statements: readonly string[]
  readonly connections: readonly {
    flights: number
    startUpFlights: number | null
    open: boolean
    parameters: Record<string, string>
  }[]
}

export interface TlsServer {
  readonly url: string
  readonly localhostUrl: string
  /** Paths of certificates: the server's authority, and another. */
  readonly ca: string
  readonly otherCa: string
}

/** A row as the superuser sees it, values as node-postgres parses them. */
// biome-ignore lint/suspicious/noExplicitAny: rows are what the case's SQL makes them
type AnyRow = any

/** What is asked of the test's process. */
export interface Lab {
  reset(): Promise<void>
  fault(fault: Fault | null): Promise<void>
  latency(ms: number): Promise<void>
  refuse(): Promise<void>
  listen(): Promise<void>
  goDark(): Promise<void>
  cut(): Promise<void>
  seen(): Promise<Seen>
  /** Waits until a statement that begins so was to run. */
  saw(statement: string): Promise<void>
  /** SQL on a connection of the lab's own, past the proxy. */
  query(text: string, parameters?: unknown[]): Promise<AnyRow[]>
  /** A port where each thing the client says is answered with the next of these (hex), then with silence. */
  scripted(answers: readonly string[]): Promise<number>
  /** What came to that port: how many connections, and how many are open. */
  scriptedSeen(port: number): Promise<{ accepted: number; open: number }>
  /** A port that nobody listens on. */
  closedPort(): Promise<number>
  tls(): Promise<TlsServer>
}

export interface Context {
  waitUntil(promise: Promise<unknown>): void
}

export class World {
  readonly place: Place
  readonly driver: 'pg' | 'postgres' | 'neon'
  readonly route: 'direct' | 'hyperdrive'
  readonly lab: Lab
  /** Lines of all managers' logs. */
  readonly logged: string[] = []
  readonly context: Context | undefined
  readonly #binding: { connectionString: string } | undefined
  readonly #managers: DatabaseManager[] = []

  constructor(place: Place, context?: Context, binding?: { connectionString: string }) {
    this.place = place
    this.context = context
    this.#binding = binding
    this.driver = ways[place.way].driver
    this.route = ways[place.way].route
    this.lab = labAt(place.lab)
  }

  /** True where one connection serves one statement after another without `together`. */
  get keepsConnections(): boolean {
    return this.place.runtime !== 'workerd' && this.place.way !== 'neon by HTTP'
  }

  /** A manager of this way, closed when the case is over. */
  manager(options: ManagerOptions = {}): DatabaseManager {
    const manager = createDatabaseManager({
      driver: this.driver,
      neon: {
        ...this.place.neon,
        // Only a password in clear text can be pipelined.
        pipelineConnect: false,
        poolQueryViaFetch: this.place.way === 'neon by HTTP',
      },
      log: line => void this.logged.push(line),
      ...options,
    })
    this.#managers.push(manager)
    return manager
  }

  env(url = this.place.url): Env {
    if (this.route === 'direct') return { DATABASE_URL: url }
    const own = url === this.place.url && this.#binding
    return { HYPERDRIVE: own || { connectionString: url }, DATABASE_URL: '' }
  }

  sql(options?: ManagerOptions, url?: string) {
    return this.manager(options).getOptimalConnection(this.env(url))
  }

  db(options?: ManagerOptions) {
    return this.manager(options).getOptimalDrizzle(this.env())
  }

  /** As one request: on Workers, its statements share a connection. */
  together<T>(manager: DatabaseManager, fn: () => Promise<T>): Promise<T> {
    return manager.run(this.env(), this.context, fn)
  }

  /** The database's URL with changes. */
  urlWith(change: (url: URL) => void): string {
    const url = new URL(this.place.url)
    change(url)
    return url.href
  }

  end(): void {
    for (const manager of this.#managers) manager.close()
  }
}

function labAt(url: string): Lab {
  return new Proxy({} as Lab, {
    get:
      (_, call: string) =>
      async (...given: unknown[]) => {
        const response = await fetch(`${url}/${call}`, { method: 'POST', body: JSON.stringify(given) })
        const { value, error } = (await response.json()) as { value?: unknown; error?: string }
        if (error !== undefined) throw new Error(`the lab: ${error}`)
        return value
      },
  })
}

export interface Case {
  readonly name: string
  /** Why it says nothing in a place, if so. */
  readonly skip: (place: Place) => string | undefined | false
  readonly run: (world: World) => Promise<void>
}

/** A case: its name is a sentence that can be false. */
export const proves = (name: string, run: Case['run'], skip: Case['skip'] = () => undefined): Case => ({
  name,
  run,
  skip,
})

/** The cases that Deno runs too: read, write, transaction. */
export const smoke = new Set<Case>()

export interface Outcome {
  readonly name: string
  readonly error: string | null
  readonly ms: number
}

const caseMs = 30_000

/** Runs one case to its end, whatever it does. */
export async function runCase(one: Case, world: World): Promise<Outcome> {
  const began = performance.now()
  let error: string | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await world.lab.reset()
    await Promise.race([
      one.run(world),
      new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not over after ${caseMs} ms`)), caseMs)
      }),
    ])
  } catch (failure) {
    error = described(failure)
  } finally {
    clearTimeout(timer)
    world.end()
  }
  return { name: one.name, error, ms: performance.now() - began }
}

function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${described(error.cause)}`
  const { code, reason } = error as { code?: unknown; reason?: unknown }
  return `${error.stack ?? error.message}\n${JSON.stringify({ code, reason })}${cause}`
}
