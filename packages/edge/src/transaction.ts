/**
 * A transaction: one connection, held from BEGIN to COMMIT or ROLLBACK.
 *
 *     begin ──▶ open ──end(true)──▶ COMMIT ──▶ committed │ rolled back (25P02) │ unknown (08007)
 *                 └───end(false)─▶ ROLLBACK
 *
 * Statements are sent one at a time, in the order in which they were asked for; COMMIT comes behind them.
 * BEGIN alone changes nothing: if its connection is lost, another is tried, on the same route once if the
 * connection had been idle, then on the next. A COMMIT whose answer does not arrive is never sent again.
 * Invariant: the status byte of ReadyForQuery says whether the transaction lives; a statement after which it says
 * "idle" has ended it.
 */
import { onBestRoute } from './best.ts'
import type { ServerConnection } from './connection.ts'
import { context } from './context.ts'
import type { Answer, Statement } from './drivers/driver.ts'
import {
  commitUnknown,
  connectionLost,
  DatabaseError,
  endsSession,
  handleEnded,
  transactionEnded,
  transactionFailed,
} from './errors.ts'
import {
  type Begin,
  checkParameters,
  type Executor,
  type OpenTransaction,
  type QueryOptions,
  type TransactionOptions,
} from './executor.ts'
import { guard } from './guard.ts'
import { Limit } from './limit.ts'
import type { Pool } from './pool.ts'
import type { Admission, Route } from './route.ts'
import type { Run } from './run.ts'
import { enterScope, type Scope } from './scope/scope.ts'

/** How long ROLLBACK may take before the connection is closed instead, in ms. */
const rollbackMs = 5_000

const control = (text: string): Statement => ({
  text,
  params: [],
  rowMode: 'array',
  decoderFor: () => text => text,
  simple: true,
})

function beginText({ isolation, readOnly, deferrable }: TransactionOptions): string {
  const modes = [
    isolation && `isolation level ${isolation}`,
    readOnly && 'read only',
    deferrable && 'deferrable',
  ].filter(Boolean)
  return `begin${modes.length > 0 ? ` ${modes.join(', ')}` : ''}`
}

const isolations: readonly unknown[] = [
  undefined,
  'read uncommitted',
  'read committed',
  'repeatable read',
  'serializable',
]

export const beginTransaction: Begin = (routes, options, run) =>
  openTransaction(routes, options, run, beginText(options))

/**
 * The transaction of a `readOnly` run. PostgreSQL lets a READ ONLY transaction become READ WRITE until its first
 * query: so BEGIN comes with a first SELECT behind it, in the same flight, and from then on the promise holds.
 */
export const beginReadOnly: Begin = async (routes, options, run) => {
  const text = `${beginText({ ...options, readOnly: true })}; select 1`
  const opened = await openTransaction(routes, options, run, text)
  // Nothing hangs on the end of a transaction that only read: nobody waits for it.
  const end = async (commit: boolean) => {
    opened.end(commit).catch(() => {})
  }
  return { executor: opened.executor, end }
}

async function openTransaction(
  routes: readonly Route[],
  options: TransactionOptions,
  run: Run | undefined,
  text: string,
): Promise<OpenTransaction> {
  if (!isolations.includes(options.isolation))
    throw new TypeError(`unknown isolation level ${String(options.isolation)}`)
  const { settings } = routes[0]!
  const limit = new Limit(settings.queryDeadlineMs, options.signal, run?.signal)
  const { scope, leave } = enterScope(settings.perRequest)
  try {
    return await onBestRoute(routes, scope, async (route, admission) => {
      const connection = await begun(scope, route, admission, text, limit)
      return new Transaction(connection, scope.pool(route), admission, options, run, leave)
    })
  } catch (error) {
    run?.failed(error)
    leave()
    throw error
  } finally {
    limit.clear()
  }
}

async function begun(
  scope: Scope,
  route: Route,
  admission: Admission,
  text: string,
  limit: Limit,
): Promise<ServerConnection> {
  const pool = scope.pool(route)
  for (;;) {
    const connection =
      pool.take('exclusive') ??
      (await pool.acquire('exclusive', {
        signal: limit.signal,
        admission,
        nested: context().holding === true,
      }))
    try {
      await connection.run(control(text), limit, admission)
      return connection
    } catch (error) {
      const idleBefore = connection.uses > 1
      connection.markUnusable()
      pool.release(connection)
      if (!(error instanceof DatabaseError)) throw error
      if (error.reason !== 'connection-lost' && !endsSession(error)) throw error
      if (!idleBefore) throw connectionLost(error.cause ?? error, route.name, connection.target, 'no')
    }
  }
}

/** The connection of an open transaction and the queue before it; savepoints share it. */
class Transaction implements OpenTransaction {
  readonly executor: Executor
  readonly connection: ServerConnection
  readonly #pool: Pool
  readonly #admission: Admission
  readonly #options: TransactionOptions
  readonly #runOf: Run | undefined
  readonly #leave: () => void
  #tail: Promise<unknown> = Promise.resolve()
  #savepoints = 0
  /** Its first statement's text: by it an error says which transaction it was. */
  #first = ''
  ended = false

  constructor(
    connection: ServerConnection,
    pool: Pool,
    admission: Admission,
    options: TransactionOptions,
    run: Run | undefined,
    leave: () => void,
  ) {
    this.connection = connection
    this.#pool = pool
    this.#admission = admission
    this.#options = options
    this.#runOf = run
    this.#leave = leave
    this.executor = new TransactionExecutor(this, () => this.ended)
  }

  /** Runs a statement behind those that were asked for before it. */
  send(statement: Statement, { signal, deadlineMs }: QueryOptions): Promise<Answer> {
    const { connection } = this
    const runOf = this.#runOf
    this.#first ||= statement.text
    const limit = new Limit(
      deadlineMs ?? connection.route.settings.queryDeadlineMs,
      signal,
      this.#options.signal,
      runOf?.signal,
    )
    const answer = this.#tail.then(async () => {
      try {
        runOf?.enter(true)
        const answer = await connection.run(statement, limit, this.#admission)
        if (connection.status === 'I') {
          connection.markUnusable()
          throw transactionEnded(connection.route.name)
        }
        return answer
      } catch (error) {
        runOf?.failed(error)
        throw error
      } finally {
        limit.clear()
      }
    })
    this.#tail = answer.catch(() => {})
    return answer
  }

  nextSavepoint(): string {
    return `sluice_${++this.#savepoints}`
  }

  async end(commit: boolean): Promise<void> {
    this.ended = true
    await this.#tail
    const { connection } = this
    try {
      if (commit) await this.#commit()
      else await this.#rollback()
    } finally {
      this.#pool.release(connection)
      this.#leave()
    }
  }

  async #commit(): Promise<void> {
    const { connection } = this
    const runOf = this.#runOf
    const { route, target } = connection
    const limit = new Limit(route.settings.queryDeadlineMs)
    try {
      runOf?.enter(true)
      const { command } = await connection.run(control('commit'), limit, this.#admission)
      if (command === 'ROLLBACK') throw transactionFailed(route.name)
    } catch (error) {
      runOf?.failed(error)
      if (error instanceof DatabaseError && error.sent === 'maybe' && outcomeUnknown(error)) {
        throw commitUnknown(error.cause ?? error, route.name, target, this.#first)
      }
      throw error
    } finally {
      limit.clear()
    }
  }

  /** A rollback that fails is no news: the connection is closed, and PostgreSQL rolls back by itself. */
  async #rollback(): Promise<void> {
    const { connection } = this
    if (!connection.usable || connection.status === 'I') return
    const limit = new Limit(Math.min(rollbackMs, connection.route.settings.queryDeadlineMs))
    try {
      await connection.run(control('rollback'), limit, this.#admission)
    } catch {
      connection.destroy()
    } finally {
      limit.clear()
    }
  }
}

const outcomeUnknown = (error: DatabaseError) =>
  error.reason === 'connection-lost' ||
  error.reason === 'query-deadline' ||
  error.reason === 'query-aborted' ||
  error.reason === 'bad-answer' ||
  endsSession(error)

class TransactionExecutor implements Executor {
  readonly #transaction: Transaction
  readonly #isOver: () => boolean

  constructor(transaction: Transaction, isOver: () => boolean) {
    this.#transaction = transaction
    this.#isOver = isOver
  }

  async run(statement: Statement, options: QueryOptions): Promise<Answer> {
    if (this.#isOver()) throw handleEnded('the transaction')
    if (guard(statement.text, 'transaction')) this.#transaction.connection.retire()
    checkParameters(statement)
    return this.#transaction.send(statement, options)
  }

  // No savepoint: what else the transaction does while a cursor is read must not be undone when its loop breaks off.
  async hold(): Promise<OpenTransaction> {
    if (this.#isOver()) throw handleEnded('the transaction')
    return { executor: this, end: async () => {} }
  }

  async begin({ signal }: TransactionOptions): Promise<OpenTransaction> {
    if (this.#isOver()) throw handleEnded('the transaction')
    const transaction = this.#transaction
    const name = transaction.nextSavepoint()
    await transaction.send(control(`savepoint ${name}`), { signal })
    let over = false
    return {
      executor: new TransactionExecutor(transaction, () => over || this.#isOver()),
      end: async commit => {
        over = true
        if (commit) await transaction.send(control(`release savepoint ${name}`), {})
        else if (transaction.connection.usable)
          await transaction.send(control(`rollback to savepoint ${name}`), {})
      },
    }
  }
}
