/**
 * What `sql` and Drizzle stand on: something that runs statements.
 *
 * A handle runs each statement on whatever connection of the best route is free (here); a transaction runs all of
 * its statements on one (transaction.ts).
 */
import { onBestRoute } from './best.ts'
import { context, type Savepoint } from './context.ts'
import type { Answer, Statement } from './drivers/driver.ts'
import { badParameter, DatabaseError, noRoute, transactionText } from './errors.ts'
import { mayBeKept, pastGateway } from './fresh.ts'
import { guard } from './guard.ts'
import { Limit } from './limit.ts'
import type { Admission, Route } from './route.ts'
import type { Run } from './run.ts'
import { enterScope, type Scope } from './scope/scope.ts'

export interface QueryOptions {
  /** Ends the statement, on the server too, and rejects with `query-aborted`. */
  signal?: AbortSignal | undefined
  /** How long it may take, waiting included, in ms. Default: the manager's queryDeadlineMs. */
  deadlineMs?: number | undefined
  /**
   * No cache may answer: for a read that must see what others have just written. Where HYPERDRIVE_FRESH is bound the
   * statement goes there; where it is not, a read through HYPERDRIVE takes two trips more. In a transaction every read
   * is fresh. Through Sluice's gateway no read that follows a write needs it. Default: as the handle says, else false.
   */
  fresh?: boolean | undefined
}

export interface TransactionOptions {
  isolation?: 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable' | undefined
  /** Opens the transaction READ ONLY: PostgreSQL refuses writes in it. */
  readOnly?: boolean | undefined
  /** With `serializable` and `readOnly`: waits for a snapshot that can't be aborted. */
  deferrable?: boolean | undefined
  /** Ends the statement that runs when it aborts, and so the transaction. */
  signal?: AbortSignal | undefined
}

export interface Executor {
  run(statement: Statement, options: QueryOptions): Promise<Answer>
  /** A transaction, or a savepoint where this is a transaction already. */
  begin(options: TransactionOptions): Promise<OpenTransaction>
  /** A connection to itself for a cursor: a transaction, or the one that this is. */
  hold(options: TransactionOptions): Promise<OpenTransaction>
}

export interface OpenTransaction {
  readonly executor: Executor
  /** Set if this is a savepoint: what runs in it says so in its context. */
  readonly savepoint?: Savepoint
  /** Commits (releases the savepoint), or rolls back. */
  end(commit: boolean): Promise<void>
}

/** Opens a transaction on the first route that takes it (transaction.ts). */
export type Begin = (
  routes: readonly Route[],
  options: TransactionOptions,
  run: Run | undefined,
) => Promise<OpenTransaction>

/** PostgreSQL's protocol counts parameters in 16 bits. */
const maxParameters = 65_535

export function checkParameters({ params }: Statement): void {
  if (params.length > maxParameters)
    throw badParameter(
      `${params.length} parameters: a statement takes at most ${maxParameters}. Insert in several parts, or pass arrays to unnest().`,
    )
}

/** The routes for what may come from a cache, and for what may not; best first. */
export type RoutesFor = (fresh: boolean) => readonly Route[]

interface HandleNature {
  /** The run that this handle was made for, if any. */
  run?: Run | undefined
  /** Whether no cache may answer what runs on it. */
  fresh?: boolean
}

/** A stateless handle's way: one object serves every request. */
export class HandleExecutor implements Executor {
  readonly #routes: RoutesFor
  readonly #beginOn: Begin
  readonly #own: Run | undefined
  readonly #fresh: boolean

  /** @param routes asked at each statement, so that nothing is read before the first */
  constructor(routes: RoutesFor, beginOn: Begin, { run, fresh = false }: HandleNature = {}) {
    this.#routes = routes
    this.#beginOn = beginOn
    this.#own = run
    this.#fresh = fresh
  }

  async run(statement: Statement, options: QueryOptions): Promise<Answer> {
    guard(statement.text, 'handle')
    checkParameters(statement)
    const fresh = options.fresh ?? this.#fresh
    const routes = this.#routes(fresh)
    if (routes[0] === undefined) throw noRoute()
    const asked = fresh ? pastGateway(statement) : statement
    if (fresh && mayBeKept(routes[0], statement)) return this.#inTransaction(routes, asked, options)
    const { settings } = routes[0]
    const run = this.#own ?? context().run
    const limit = new Limit(options.deadlineMs ?? settings.queryDeadlineMs, options.signal, run?.signal)
    const { scope, leave } = enterScope(settings.perRequest)
    try {
      return await onBestRoute(routes, scope, (route, admission) =>
        runOnce(scope, route, admission, asked, limit, run),
      )
    } catch (error) {
      run?.failed(error)
      throw error
    } finally {
      limit.clear()
      leave()
    }
  }

  /** One statement between BEGIN and COMMIT; to its caller it is a statement still. */
  async #inTransaction(
    routes: readonly Route[],
    statement: Statement,
    options: QueryOptions,
  ): Promise<Answer> {
    const deadlineMs = options.deadlineMs ?? routes[0]!.settings.queryDeadlineMs
    const limit = new Limit(deadlineMs, options.signal)
    try {
      const opened = await this.#begin(routes, { signal: limit.signal })
      let answer: Answer
      try {
        answer = await opened.executor.run(statement, { deadlineMs })
      } catch (error) {
        await opened.end(false).catch(() => {})
        throw error
      }
      await opened.end(true)
      return answer
    } catch (error) {
      // To the transaction the deadline is its caller's signal, no more.
      if (!(error instanceof DatabaseError) || error.reason !== 'query-aborted') throw error
      const ended = limit.error(error.route, error.sent)
      const run = this.#own ?? context().run
      run?.failed(ended)
      throw ended
    } finally {
      limit.clear()
    }
  }

  async begin(options: TransactionOptions): Promise<OpenTransaction> {
    return this.#begin(this.#routes(false), options)
  }

  async #begin(routes: readonly Route[], options: TransactionOptions): Promise<OpenTransaction> {
    if (routes.length === 0) throw noRoute()
    const run = this.#own ?? context().run
    run?.enter(run === this.#own)
    return this.#beginOn(routes, options, run)
  }

  hold(options: TransactionOptions): Promise<OpenTransaction> {
    return this.begin(options)
  }
}

async function runOnce(
  scope: Scope,
  route: Route,
  admission: Admission,
  statement: Statement,
  limit: Limit,
  run: Run | undefined,
): Promise<Answer> {
  const { oneShot } = route.driver
  if (oneShot) {
    run?.enter(false)
    return route.oneShot(oneShot, statement, limit, admission)
  }
  const pool = scope.pool(route)
  const nested = context().holding === true
  const connection =
    pool.take('statement') ?? (await pool.acquire('statement', { signal: limit.signal, admission, nested }))
  try {
    run?.enter(false)
    const answer = await connection.run(statement, limit, admission)
    if (connection.status !== 'I') throw transactionText(answer.command)
    return answer
  } finally {
    pool.release(connection)
  }
}
