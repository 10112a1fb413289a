/**
 * A transaction: one connection, held from BEGIN to COMMIT or ROLLBACK.
 *
 *     begin ──▶ open ──end(true)──▶ COMMIT ──▶ committed │ rolled back (25P02) │ unknown (08007)
 *                 └───end(false)─▶ ROLLBACK
 *
 * Statements are sent one at a time, in the order in which they were asked for; COMMIT comes behind them. What is no
 * part of an open savepoint waits until that one has ended.
 * BEGIN alone changes nothing: if its connection is lost, another is tried, on the same route once if the
 * connection had been idle, then on the next. A COMMIT whose answer does not arrive is never sent again.
 * Invariant: the status byte of ReadyForQuery says whether the transaction lives; a statement after which it says
 * "idle" has ended it.
 */
import { onBestRoute } from './best.ts'
import type { ServerConnection } from './connection.ts'
import { context, type Savepoint } from './context.ts'
import type { Answer, Statement } from './drivers/driver.ts'
import {
  badParameter,
  commitUnknown,
  connectionLost,
  DatabaseError,
  handleEnded,
  isConnectionLoss,
  nestedStillOpen,
  queryAborted,
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
import { Limit, within } from './limit.ts'
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

const isolations: readonly TransactionOptions['isolation'][] = [
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
    throw badParameter(`unknown isolation level ${String(options.isolation)}`)
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
      if (!isConnectionLoss(error)) throw error
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
  /** Outermost first. */
  readonly #open: OpenSavepoint[] = []
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
    this.executor = new TransactionExecutor(this)
  }

  /** Runs a statement of the transaction itself, or of one of its savepoints, behind those asked for before it. */
  async send(statement: Statement, options: QueryOptions, of: OpenSavepoint | undefined): Promise<Answer> {
    const limit = this.#limitOf(options)
    try {
      while (this.#inTheWay(of)) await this.#waitFor(this.#inTheWay(of)!, limit)
      this.#first ||= statement.text
      return await this.#enqueue(statement, limit)
    } finally {
      limit.clear()
    }
  }

  async openSavepoint(options: TransactionOptions, of: OpenSavepoint | undefined): Promise<OpenSavepoint> {
    const limit = this.#limitOf(options)
    const savepoint = new OpenSavepoint(`sluice_${++this.#savepoints}`)
    try {
      // Looked at again in the very turn that opens it: of two that wait, the second waits for the first.
      while (this.#inTheWay(of)) await this.#waitFor(this.#inTheWay(of)!, limit)
      // From here on what is not part of it waits, so that its rollback undoes nothing else.
      this.#open.push(savepoint)
      await this.#enqueue(control(`savepoint ${savepoint.name}`), limit)
      if (options.readOnly) await this.#enqueue(control('set transaction read only'), limit)
      return savepoint
    } catch (error) {
      this.#over(savepoint)
      throw error
    } finally {
      limit.clear()
    }
  }

  async closeSavepoint(savepoint: OpenSavepoint, release: boolean): Promise<void> {
    const limit = this.#limitOf({})
    const word = release ? 'release' : 'rollback to'
    try {
      if (this.connection.usable) await this.#enqueue(control(`${word} savepoint ${savepoint.name}`), limit)
    } finally {
      this.#over(savepoint)
      limit.clear()
    }
  }

  #limitOf({ signal, deadlineMs }: QueryOptions): Limit {
    return new Limit(
      deadlineMs ?? this.connection.route.settings.queryDeadlineMs,
      signal,
      this.#options.signal,
      this.#runOf?.signal,
    )
  }

  /** The savepoint that this is no part of and must wait for: beside it, a statement would be undone with it. */
  #inTheWay(of: OpenSavepoint | undefined): OpenSavepoint | undefined {
    const top = this.#open.at(-1)
    return top === of || context().savepoints?.includes(top as Savepoint) ? undefined : top
  }

  async #waitFor(other: OpenSavepoint, limit: Limit): Promise<void> {
    try {
      await within(other.over, limit.signal)
    } catch (error) {
      throw limit.ended === 'deadline' ? nestedStillOpen(this.connection.route.name, limit.deadlineMs) : error
    }
  }

  #over(savepoint: OpenSavepoint): void {
    const place = this.#open.indexOf(savepoint)
    if (place >= 0) for (const each of this.#open.splice(place)) each.end()
  }

  #enqueue(statement: Statement, limit: Limit): Promise<Answer> {
    // After COMMIT the connection may be another's already.
    if (this.ended) throw handleEnded('the transaction')
    const { connection } = this
    const runOf = this.#runOf
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
      }
    })
    this.#tail = answer.catch(() => {})
    return answer
  }

  async end(commit: boolean): Promise<void> {
    this.ended = true
    for (const savepoint of this.#open.splice(0)) savepoint.end()
    await this.#tail
    const { connection } = this
    try {
      const aborted = this.#options.signal?.aborted === true
      if (commit && !aborted) await this.#commit()
      else await this.#rollback()
      if (commit && aborted) throw queryAborted(connection.route.name, this.#options.signal?.reason, 'no')
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
  error.reason === 'query-deadline' ||
  error.reason === 'query-aborted' ||
  error.reason === 'bad-answer' ||
  isConnectionLoss(error)

/** Open from SAVEPOINT to RELEASE or ROLLBACK TO. */
class OpenSavepoint implements Savepoint {
  readonly name: string
  readonly over: Promise<void>
  isOver = false
  #resolve: () => void = () => {}

  constructor(name: string) {
    this.name = name
    this.over = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  end(): void {
    this.isOver = true
    this.#resolve()
  }
}

/** Statements of a transaction, or of one of its savepoints. */
class TransactionExecutor implements Executor {
  readonly #transaction: Transaction
  readonly #savepoint: OpenSavepoint | undefined
  readonly #options: TransactionOptions

  constructor(transaction: Transaction, savepoint?: OpenSavepoint, options: TransactionOptions = {}) {
    this.#transaction = transaction
    this.#savepoint = savepoint
    this.#options = options
  }

  async run(statement: Statement, options: QueryOptions): Promise<Answer> {
    this.#check()
    if (guard(statement.text, 'transaction')) this.#transaction.connection.retire()
    checkParameters(statement)
    return this.#transaction.send(statement, this.#within(options), this.#savepoint)
  }

  // No savepoint: what else the transaction does while a cursor is read must not be undone when its loop breaks off.
  async hold(): Promise<OpenTransaction> {
    this.#check()
    return { executor: this, end: async () => {} }
  }

  async begin(options: TransactionOptions): Promise<OpenTransaction> {
    this.#check()
    if (options.isolation !== undefined || options.deferrable !== undefined)
      throw badParameter('isolation and deferrable belong to the outermost transaction')
    const transaction = this.#transaction
    const inner = this.#within(options)
    const savepoint = await transaction.openSavepoint(inner, this.#savepoint)
    return {
      savepoint,
      executor: new TransactionExecutor(transaction, savepoint, inner),
      end: commit => transaction.closeSavepoint(savepoint, commit),
    }
  }

  #check(): void {
    if (this.#transaction.ended) throw handleEnded('the transaction')
    if (this.#savepoint?.isOver) throw handleEnded('the nested transaction')
  }

  /** A savepoint's signal holds for all that runs in it. */
  #within<Options extends { signal?: AbortSignal | undefined }>(options: Options): Options {
    const { signal } = this.#options
    if (signal === undefined) return options
    return { ...options, signal: options.signal ? AbortSignal.any([signal, options.signal]) : signal }
  }
}
