/**
 * What `sql` and Drizzle stand on: something that runs statements.
 *
 * A handle runs each statement on whatever connection of the best route is free (here); a transaction runs all of
 * its statements on one (transaction.ts).
 */
import { onBestRoute } from './best.ts'
import { context, type Savepoint } from './context.ts'
import type { Answer, Statement } from './drivers/driver.ts'
import { badParameter, noRoute, transactionText } from './errors.ts'
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

/** A stateless handle's way: one object serves every request. */
export class HandleExecutor implements Executor {
  readonly #routes: () => readonly Route[]
  readonly #beginOn: Begin
  /** The run that this handle was made for, if any. */
  readonly #own: Run | undefined

  /** @param routes best first; asked at each statement, so that nothing is read before the first */
  constructor(routes: () => readonly Route[], beginOn: Begin, own?: Run) {
    this.#routes = routes
    this.#beginOn = beginOn
    this.#own = own
  }

  async run(statement: Statement, options: QueryOptions): Promise<Answer> {
    guard(statement.text, 'handle')
    checkParameters(statement)
    const routes = this.#routes()
    if (routes[0] === undefined) throw noRoute()
    const { settings } = routes[0]
    const run = this.#own ?? context().run
    const limit = new Limit(options.deadlineMs ?? settings.queryDeadlineMs, options.signal, run?.signal)
    const { scope, leave } = enterScope(settings.perRequest)
    try {
      return await onBestRoute(routes, scope, (route, admission) =>
        runOnce(scope, route, admission, statement, limit, run),
      )
    } catch (error) {
      run?.failed(error)
      throw error
    } finally {
      limit.clear()
      leave()
    }
  }

  async begin(options: TransactionOptions): Promise<OpenTransaction> {
    const routes = this.#routes()
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
