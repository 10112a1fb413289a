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
import type { RouteName } from './errors.ts'
import { HandleExecutor, type RoutesFor } from './executor.ts'
import {
  type DrizzleOptions,
  drizzleOf,
  type HandleOptions,
  type Handles,
  handlesOn,
  idOf,
  maxHandles,
  Recent,
  sqlOf,
} from './handles.ts'
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

export interface OptimalQueryOptions extends HandleOptions {
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
  getConnection(url: string, options?: HandleOptions): Sql
  /** Drizzle on that URL. */
  getDrizzle<TSchema extends Schema = Record<string, never>>(
    url: string,
    options?: DrizzleOptions<TSchema>,
  ): Drizzle<TSchema>
  /** Runs `fn(sql, db)` on that URL. */
  executeQuery<T>(url: string, fn: QueryFunction<T>, options?: HandleOptions): Promise<T>
  /** `sql` on the best route: the binding while it works, DATABASE_URL otherwise. */
  getOptimalConnection(env: Ways, options?: HandleOptions): Sql
  /** Drizzle on the best route. */
  getOptimalDrizzle<TSchema extends Schema = Record<string, never>>(
    env: Ways,
    options?: DrizzleOptions<TSchema>,
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

export function createDatabaseManager(options: ManagerOptions = {}): DatabaseManager {
  return new Manager(settingsOf(options))
}

class Manager implements DatabaseManager {
  readonly #settings: Settings
  readonly #hyperdriveRoutes = new Recent<object, Route>(maxHandles, closeProcessPool)
  readonly #directRoutes = new Recent<string, Route>(maxHandles, closeProcessPool)
  readonly #hyperdrive = new Recent<string, Handles>(maxHandles)
  readonly #direct = new Recent<string, Handles>(maxHandles)

  constructor(settings: Settings) {
    this.#settings = settings
  }

  getConnection(url: string, options?: HandleOptions): Sql {
    return sqlOf(this.#handlesFor(url), options)
  }

  getDrizzle<TSchema extends Schema>(url: string, options?: DrizzleOptions<TSchema>): Drizzle<TSchema> {
    return drizzleOf(this.#handlesFor(url), options)
  }

  executeQuery<T>(url: string, fn: QueryFunction<T>, options?: HandleOptions): Promise<T> {
    return this.#once(this.#handlesFor(url), fn, options)
  }

  getOptimalConnection(env: Ways, options?: HandleOptions): Sql {
    return sqlOf(this.#optimalHandles(env), options)
  }

  getOptimalDrizzle<TSchema extends Schema>(env: Ways, options?: DrizzleOptions<TSchema>): Drizzle<TSchema> {
    return drizzleOf(this.#optimalHandles(env), options)
  }

  executeOptimalQuery<T>(env: Ways, fn: QueryFunction<T>, options: OptimalQueryOptions = {}): Promise<T> {
    if (!options.readOnly && !options.repeatable) return this.#once(this.#optimalHandles(env), fn, options)
    return inOneScope(this.#settings.perRequest, () => this.#repeat(env, fn, options))
  }

  #once<T>(handles: Handles, fn: QueryFunction<T>, { fresh }: HandleOptions = {}): Promise<T> {
    return inOneScope(this.#settings.perRequest, async () =>
      fn(sqlOf(handles, { fresh }), drizzleOf<NoSchema>(handles, { fresh })),
    )
  }

  /** Runs `fn`, and again on the routes that are left when a connection was lost under it. */
  async #repeat<T>(
    env: Ways,
    fn: QueryFunction<T>,
    { readOnly = false, fresh = false }: OptimalQueryOptions,
  ): Promise<T> {
    const lost = new Set<Route>()
    const left: RoutesFor = fresh => this.#routesOf(env, fresh).filter(route => !lost.has(route))
    for (;;) {
      const run = new Run(readOnly)
      const begin = readOnly ? beginReadOnly : beginTransaction
      const executor = new HandleExecutor(left, begin, { run, fresh })
      try {
        return await withContext({ run }, async () =>
          readOnly
            ? inTransaction(executor, inner => fn(makeSql(inner), makeDrizzle<NoSchema>(inner)), {})
            : fn(makeSql(executor), makeDrizzle<NoSchema>(executor)),
        )
      } catch (error) {
        const lostNow = [...left(false), ...left(true)].find(({ name }) => name === run.lostOn)
        if (!run.seal() || !canFollow || lostNow === undefined) throw error
        lost.add(lostNow)
        if (left(false).length === 0 || left(true).length === 0) throw error
        lostNow.fallbacks++
      }
    }
  }

  getConnectionInfo(): ConnectionInfo {
    const hyperdrive = [...this.#hyperdrive.entries.values()]
    const direct = [...this.#direct.entries.values()]
    return infoOf(
      {
        hyperdriveConnections: hyperdrive.length,
        directConnections: direct.length,
        drizzleInstances: [...hyperdrive, ...direct]
          .flatMap(({ usual, fresh }) => [usual, fresh])
          .reduce((sum, { drizzles }) => sum + drizzles.entries.size, 0),
      },
      [...this.#hyperdriveRoutes.entries.values()],
      [...this.#directRoutes.entries.values()],
    )
  }

  checkConfig(env: Ways): Promise<CheckReport> {
    const routes = new Set([...this.#routesOf(env, false), ...this.#routesOf(env, true)])
    return inOneScope(this.#settings.perRequest, () => checkRoutes(env, [...routes]))
  }

  measure(env: Ways, options: MeasureOptions = {}): Promise<Measurement> {
    // Asked for like any query's, so that the page counts the handle it used.
    return measure(this.#optimalHandles(env).routes(false), options)
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

  #optimalHandles({ HYPERDRIVE, HYPERDRIVE_FRESH, DATABASE_URL }: Ways): Handles {
    // Not the env itself: a Worker's holds much else.
    const ways = { HYPERDRIVE, HYPERDRIVE_FRESH, DATABASE_URL }
    const make = () => handlesOn(fresh => this.#routesOf(ways, fresh))
    if (!HYPERDRIVE && !HYPERDRIVE_FRESH) return DATABASE_URL ? this.#handlesFor(DATABASE_URL) : make()
    const key = `${idOf(HYPERDRIVE)} ${idOf(HYPERDRIVE_FRESH)} ${DATABASE_URL ?? ''}`
    return this.#hyperdrive.get(key, make)
  }

  /** Best first. */
  #routesOf({ HYPERDRIVE, HYPERDRIVE_FRESH, DATABASE_URL: url }: Ways, fresh: boolean): readonly Route[] {
    const routes: Route[] = []
    if (fresh && HYPERDRIVE_FRESH) routes.push(this.#hyperdriveRoute('hyperdrive-fresh', HYPERDRIVE_FRESH))
    else if (HYPERDRIVE) routes.push(this.#hyperdriveRoute('hyperdrive', HYPERDRIVE))
    if (url) routes.push(this.#directRoute(url))
    return routes
  }

  #hyperdriveRoute(name: RouteName, binding: { readonly connectionString: string }): Route {
    return this.#hyperdriveRoutes.get(
      binding,
      () => new Route(name, () => binding.connectionString, this.#settings),
    )
  }

  #directRoute(url: string): Route {
    return this.#directRoutes.get(url, () => new Route('direct', () => url, this.#settings))
  }
}
