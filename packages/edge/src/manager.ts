/**
 * DatabaseManager: handles, and the routes behind them.
 *
 *     getOptimalConnection(env) ─▶ sql ─┐                       ┌─▶ hyperdrive route (by binding object)
 *     getOptimalDrizzle(env) ───▶ db  ─┼─▶ HandleExecutor ─────┤
 *     executeOptimalQuery(env, fn) ────┘   best route, asked    └─▶ direct route (by URL)
 *                                          at each statement
 *
 * Making a handle does no I/O and does not touch the binding's connection string: that is read at the first
 * query, since Workers forbid it in global scope. Handles hold no connection, so one serves every request; the
 * Maps that keep them are bounded, and a handle that falls out of one goes on working.
 */
import { type CheckReport, checkRoutes } from './check.ts'
import { canFollow, withContext } from './context.ts'
import { type Drizzle, makeDrizzle, type Schema } from './drizzle.ts'
import type { Ways } from './env.ts'
import { HandleExecutor } from './executor.ts'
import { type ConnectionInfo, infoOf } from './info.ts'
import { type Measurement, type MeasureOptions, measure } from './measure.ts'
import { type ManagerOptions, type Settings, settingsOf } from './options.ts'
import { Route } from './route.ts'
import { Run } from './run.ts'
import { closeProcessPool } from './scope/process.ts'
import { type ExecutionContext, runInRequest } from './scope/run.ts'
import { inOneScope } from './scope/scope.ts'
import { inTransaction, makeSql, type Sql } from './sql.ts'
import { beginReadOnly, beginTransaction } from './transaction.ts'

type NoSchema = Record<string, never>

export type QueryFunction<T> = (sql: Sql, db: Drizzle) => PromiseLike<T>

export interface OptimalQueryOptions {
  /**
   * Opens BEGIN READ ONLY, so that PostgreSQL refuses writes; if the connection is lost or stays silent for the
   * deadline, the function runs again on the next route, where there is one. Costs a round trip, and the gateway's
   * cache is not used.
   */
  readOnly?: boolean
  /**
   * Your word that running the function twice does no harm: it then does, on the next route, where there is one, if a
   * connection is lost or stays silent for the deadline. Costs nothing.
   */
  repeatable?: boolean
}

export interface DatabaseManager {
  /** `sql` on that URL. */
  getConnection(url: string): Sql
  /** Drizzle on that URL. */
  getDrizzle<TSchema extends Schema = Record<string, never>>(
    url: string,
    options?: { schema?: TSchema },
  ): Drizzle<TSchema>
  /** Runs `fn(sql, db)` on that URL. */
  executeQuery<T>(url: string, fn: QueryFunction<T>): Promise<T>
  /** `sql` on the best route: the binding while it works, DATABASE_URL otherwise. */
  getOptimalConnection(env: Ways): Sql
  /** Drizzle on the best route. */
  getOptimalDrizzle<TSchema extends Schema = Record<string, never>>(
    env: Ways,
    options?: { schema?: TSchema },
  ): Drizzle<TSchema>
  /** Runs `fn(sql, db)` on the best route. */
  executeOptimalQuery<T>(env: Ways, fn: QueryFunction<T>, options?: OptimalQueryOptions): Promise<T>
  /** Cached handles, sockets, and the state of each route; reads counters only. */
  getConnectionInfo(): ConnectionInfo
  /** Tries each route, the fallback too, and says in plain words what is wrong. */
  checkConfig(env: Ways): Promise<CheckReport>
  /** One measurement on the best route, for health pages: which route answered, connect and query times. */
  measure(env: Ways, options?: MeasureOptions): Promise<Measurement>
  /** All calls in `fn` share one connection a route, closed when `fn`, what it gave to waitUntil and its cursors are done. */
  run<T>(env: Ways, ctx: ExecutionContext | undefined, fn: () => T | PromiseLike<T>): Promise<T>
  /** Closes the process's pools (Node, Bun, Deno); connections in use close as they are given back. */
  close(): void
}

/** Handles of one URL or binding: `sql`, and Drizzle by schema. */
interface Handles {
  readonly routes: () => readonly Route[]
  readonly executor: HandleExecutor
  sql: Sql | undefined
  readonly drizzles: Recent<Schema | undefined, Drizzle<Schema>>
}

/** A Map that forgets what was used longest ago: URLs may come from users, and must not grow without end. */
class Recent<Key, Value> {
  readonly entries = new Map<Key, Value>()
  readonly #limit: number
  readonly #forget: ((value: Value) => void) | undefined

  constructor(limit: number, forget?: (value: Value) => void) {
    this.#limit = limit
    this.#forget = forget
  }

  get(key: Key, make: () => Value): Value {
    let value = this.entries.get(key)
    if (value === undefined) value = make()
    else this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size > this.#limit) {
      const [oldest] = this.entries
      this.entries.delete(oldest![0])
      this.#forget?.(oldest![1])
    }
    return value
  }
}

const maxHandles = 100

export function createDatabaseManager(options: ManagerOptions = {}): DatabaseManager {
  return new Manager(settingsOf(options))
}

class Manager implements DatabaseManager {
  readonly #settings: Settings
  readonly #hyperdriveRoutes = new Recent<object, Route>(maxHandles, closeProcessPool)
  readonly #directRoutes = new Recent<string, Route>(maxHandles, closeProcessPool)
  readonly #hyperdrive = new Recent<object, Recent<string, Handles>>(maxHandles)
  readonly #direct = new Recent<string, Handles>(maxHandles)

  constructor(settings: Settings) {
    this.#settings = settings
  }

  getConnection(url: string): Sql {
    return sqlOf(this.#handlesFor(url))
  }

  getDrizzle<TSchema extends Schema>(url: string, { schema }: { schema?: TSchema } = {}): Drizzle<TSchema> {
    return drizzleOf(this.#handlesFor(url), schema)
  }

  executeQuery<T>(url: string, fn: QueryFunction<T>): Promise<T> {
    const handles = this.#handlesFor(url)
    return inOneScope(this.#settings.perRequest, async () =>
      fn(sqlOf(handles), drizzleOf<NoSchema>(handles, undefined)),
    )
  }

  getOptimalConnection(env: Ways): Sql {
    return sqlOf(this.#optimalHandles(env))
  }

  getOptimalDrizzle<TSchema extends Schema>(
    env: Ways,
    { schema }: { schema?: TSchema } = {},
  ): Drizzle<TSchema> {
    return drizzleOf(this.#optimalHandles(env), schema)
  }

  executeOptimalQuery<T>(env: Ways, fn: QueryFunction<T>, options: OptimalQueryOptions = {}): Promise<T> {
    const { readOnly = false, repeatable = false } = options
    return inOneScope(this.#settings.perRequest, async () => {
      if (readOnly || repeatable) return this.#repeat(env, fn, readOnly)
      const handles = this.#optimalHandles(env)
      return fn(sqlOf(handles), drizzleOf<NoSchema>(handles, undefined))
    })
  }

  /** Runs `fn`, and again on the routes that are left when a connection was lost under it. */
  async #repeat<T>(env: Ways, fn: QueryFunction<T>, readOnly: boolean): Promise<T> {
    let routes = this.#routesOf(env)
    for (;;) {
      const run = new Run(readOnly)
      const tried = routes
      const begin = readOnly ? beginReadOnly : beginTransaction
      const executor = new HandleExecutor(() => tried, begin, run)
      try {
        return await withContext({ run }, async () =>
          readOnly
            ? inTransaction(executor, inner => fn(makeSql(inner), makeDrizzle<NoSchema>(inner)), {})
            : fn(makeSql(executor), makeDrizzle<NoSchema>(executor)),
        )
      } catch (error) {
        const lost = tried.find(route => route.name === run.lostOn)
        const left = tried.filter(route => route !== lost)
        if (!run.seal() || !canFollow || lost === undefined || left.length === 0) throw error
        lost.fallbacks++
        routes = left
      }
    }
  }

  getConnectionInfo(): ConnectionInfo {
    const hyperdrive = [...this.#hyperdrive.entries.values()].flatMap(byUrl => [...byUrl.entries.values()])
    const direct = [...this.#direct.entries.values()]
    return infoOf(
      {
        hyperdriveConnections: hyperdrive.length,
        directConnections: direct.length,
        drizzleInstances: [...hyperdrive, ...direct].reduce(
          (sum, { drizzles }) => sum + drizzles.entries.size,
          0,
        ),
      },
      [...this.#hyperdriveRoutes.entries.values()],
      [...this.#directRoutes.entries.values()],
    )
  }

  checkConfig(env: Ways): Promise<CheckReport> {
    return inOneScope(this.#settings.perRequest, () => checkRoutes(env, this.#routesOf(env)))
  }

  measure(env: Ways, options: MeasureOptions = {}): Promise<Measurement> {
    // Asked for like any query's, so that the page counts the handle it used.
    return measure(this.#optimalHandles(env).routes(), options)
  }

  run<T>(_env: Ways, ctx: ExecutionContext | undefined, fn: () => T | PromiseLike<T>): Promise<T> {
    return runInRequest(this.#settings.perRequest, ctx, async () => fn())
  }

  close(): void {
    for (const route of this.#hyperdriveRoutes.entries.values()) closeProcessPool(route)
    for (const route of this.#directRoutes.entries.values()) closeProcessPool(route)
  }

  #handlesFor(url: string): Handles {
    return this.#direct.get(url, () => handlesOn(() => [this.#directRoute(url)]))
  }

  #optimalHandles(env: Ways): Handles {
    const { HYPERDRIVE: binding, DATABASE_URL: url } = env
    if (!binding) return url ? this.#handlesFor(url) : handlesOn(() => this.#routesOf(env))
    const byUrl = this.#hyperdrive.get(binding, () => new Recent(maxHandles))
    return byUrl.get(url ?? '', () =>
      handlesOn(() => this.#routesOf({ HYPERDRIVE: binding, DATABASE_URL: url })),
    )
  }

  /** Best first. */
  #routesOf({ HYPERDRIVE: binding, DATABASE_URL: url }: Ways): readonly Route[] {
    const routes: Route[] = []
    if (binding) {
      routes.push(
        this.#hyperdriveRoutes.get(
          binding,
          () => new Route('hyperdrive', () => binding.connectionString, this.#settings),
        ),
      )
    }
    if (url) routes.push(this.#directRoute(url))
    return routes
  }

  #directRoute(url: string): Route {
    return this.#directRoutes.get(url, () => new Route('direct', () => url, this.#settings))
  }
}

function handlesOn(routes: () => readonly Route[]): Handles {
  return {
    routes,
    executor: new HandleExecutor(routes, beginTransaction),
    sql: undefined,
    drizzles: new Recent(maxHandles),
  }
}

function sqlOf(handles: Handles): Sql {
  handles.sql ??= makeSql(handles.executor)
  return handles.sql
}

function drizzleOf<TSchema extends Schema>(handles: Handles, schema: TSchema | undefined): Drizzle<TSchema> {
  const drizzle = handles.drizzles.get(schema, () =>
    makeDrizzle(handles.executor, schema as Schema | undefined),
  )
  return drizzle as unknown as Drizzle<TSchema>
}
