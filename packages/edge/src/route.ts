/**
 * One way to the database: through a Hyperdrive binding, or by DATABASE_URL.
 *
 * A route owns what is known of that way and outlives every request: breaker, latencies, counts. It opens
 * connections; it does not keep them (pool.ts), and it does not choose between routes (best.ts).
 */
import { Breaker, type Change } from './breaker.ts'
import { ServerConnection } from './connection.ts'
import type { Answer, Driver, DriverConnection, Statement } from './drivers/driver.ts'
import {
  badUrl,
  connectDeadline,
  connectFailed,
  connectionLost,
  DatabaseError,
  isServerError,
  type RouteName,
  refused,
  sqlError,
  wayOf,
} from './errors.ts'
import { mayCommitInside } from './guard.ts'
import { Latency } from './latency.ts'
import { Leases } from './leases.ts'
import { Limit, within } from './limit.ts'
import type { QueryEvent, Settings } from './options.ts'
import { dial, sendCancel } from './socket/dial.ts'
import { parseUrl, type Target, UrlError } from './url.ts'

/** What the breaker said to a call, and when (ms): a report counts only for the state that admitted it. */
export interface Admission {
  readonly at: number
  /** The one trial of an open breaker. */
  readonly trial: boolean
}

export class Route {
  readonly name: RouteName
  readonly settings: Settings
  readonly breaker = new Breaker()
  readonly latency = { connect: new Latency(), query: new Latency() }
  /** Connections that are open now. */
  readonly open: Leases
  opened = 0
  reused = 0
  failures = 0
  /** Statements and transactions that went another way because this one failed or its breaker was open. */
  fallbacks = 0
  lastError: { message: string; code: string; at: string } | undefined
  readonly #readUrl: () => string | undefined
  readonly #urlName: string
  #parsed: { url: string; target: Target } | undefined

  constructor(name: RouteName, readUrl: () => string | undefined, settings: Settings) {
    this.name = name
    this.#readUrl = readUrl
    this.#urlName = `${wayOf(name)}${name === 'direct' ? ' (DATABASE_URL)' : "'s connection string"}`
    this.settings = settings
    this.open = new Leases(settings.perRequest)
  }

  /** Where this route leads; the connection string is read here and not before. @throws DatabaseError `bad-url` */
  target(): Target {
    const url = this.#readUrl() ?? ''
    if (this.#parsed?.url === url) return this.#parsed.target
    try {
      const target = parseUrl(url, this.#urlName)
      this.#parsed = { url, target }
      return target
    } catch (error) {
      if (error instanceof UrlError) throw badUrl(error.message, error.hint, this.name)
      throw error
    }
  }

  get driver(): Driver {
    return this.settings.driverFor(this.name, this.target())
  }

  /**
   * Opens one connection and logs in, within the connect deadline.
   * @param deadlineMs where less than the manager's connectDeadlineMs is left
   * @throws DatabaseError; none of them sent a statement. The caller's own abort passes as its signal's reason.
   */
  async connect(
    caller: AbortSignal,
    admission: Admission,
    deadlineMs: number = this.settings.connectDeadlineMs,
  ): Promise<ServerConnection> {
    const target = this.target()
    const limit = new Limit(Math.min(deadlineMs, target.connectTimeoutMs ?? deadlineMs), caller)
    const lease = this.open.add()
    const began = performance.now()
    try {
      const { one, connection } = await this.#logInToAny(target, limit)
      this.opened++
      this.latency.connect.add(performance.now() - began)
      return new ServerConnection(this, one, connection, lease, Date.now())
    } catch (error) {
      this.open.remove(lease)
      // A trial whose own request gives up says nothing: its lease ends by the clock, and another tries.
      if (caller.aborted) throw caller.reason
      const failure = this.#explain(error, limit, target)
      this.failures++
      if (failure.reason !== 'driver-missing') this.failed(failure, admission)
      throw failure
    } finally {
      limit.clear()
    }
  }

  /** Of several hosts each gets its share of the time that is left; `one` is the target with the host that took us. */
  async #logInToAny(target: Target, limit: Limit): Promise<{ one: Target; connection: DriverConnection }> {
    const giveUpAt = Date.now() + limit.deadlineMs
    const last = target.hosts.length - 1
    for (let place = 0; ; place++) {
      const one = { ...target, hosts: [target.hosts[place]!] }
      const shareMs = Math.max(1, (giveUpAt - Date.now()) / (last - place + 1))
      const share = place === last ? limit : new Limit(shareMs, limit.signal)
      try {
        return { one, connection: await this.#logIn(one, share.signal) }
      } catch (error) {
        if (place === last || limit.ended || !anotherHostMayHelp(error)) throw error
      } finally {
        if (share !== limit) share.clear()
      }
    }
  }

  #logIn(target: Target, signal: AbortSignal): Promise<DriverConnection> {
    const carriesCancel = this.name === 'direct' && !target.pooled
    const connecting = this.driver.connect({
      target,
      signal,
      dial: () => dial(target, signal),
      sendCancel: carriesCancel ? (stream, end) => sendCancel(target, stream, end) : undefined,
    })
    return within(connecting, signal, late => late.destroy())
  }

  #explain(error: unknown, limit: Limit, target: Target): DatabaseError {
    if (limit.ended) return connectDeadline(this.name, target, limit.deadlineMs)
    if (error instanceof DatabaseError) return error
    if (isServerError(error)) return refused(error, this.name, target)
    return connectFailed(error, this.name, target)
  }

  /** One statement without a connection, where the driver has such a way. */
  async oneShot(
    send: NonNullable<Driver['oneShot']>,
    statement: Statement,
    limit: Limit,
    admission: Admission,
  ): Promise<Answer> {
    const began = performance.now()
    let answer: Answer | undefined
    let failure: DatabaseError | undefined
    try {
      answer = await within(send(this.target(), statement, limit.signal), limit.signal)
      return answer
    } catch (error) {
      failure = this.#explainOneShot(error, statement, limit)
      throw failure
    } finally {
      const ms = performance.now() - began
      if (failure === undefined || failure.reason === 'sql') {
        this.latency.query.add(ms)
        this.works(admission)
      } else if (failure.reason === 'connection-lost') this.failed(failure, admission)
      this.reportQuery(statement, ms, answer, failure)
    }
  }

  /** By HTTP nothing tells whether a request that failed had arrived: it may have run. */
  #explainOneShot(error: unknown, { text }: Statement, limit: Limit): DatabaseError {
    if (limit.ended) return limit.error(this.name, 'maybe')
    if (error instanceof DatabaseError) return error
    if (isServerError(error)) return sqlError(error, this.name, this.target(), 'maybe', mayCommitInside(text))
    return connectionLost(error, this.name, this.target(), 'maybe')
  }

  /** A statement was answered on a connection of this route. */
  works({ trial, at }: Admission): void {
    this.#report(this.breaker.succeeded(Date.now(), trial, at), undefined)
  }

  /** A connection of this route could not be had, or died before it ever answered. */
  failed(error: DatabaseError, { trial, at }: Admission): void {
    this.lastError = { message: error.message, code: error.code, at: new Date().toISOString() }
    this.#report(this.breaker.failed(Date.now(), trial, Math.random(), at), error)
  }

  #report(change: Change | undefined, cause: DatabaseError | undefined): void {
    if (change === undefined) return
    const { log, onRouteChange } = this.settings
    const why = cause ? `: ${cause.message}` : ''
    log(`sluice: the ${this.name} route went from ${change.from} to ${change.to}${why}`)
    onRouteChange?.({ route: this.name, from: change.from, to: change.to, ...(cause && { cause }) })
  }

  reportQuery(statement: Statement, ms: number, answer: Answer | undefined, error: Error | undefined): void {
    const { onQuery, reportParameters } = this.settings
    if (onQuery === undefined) return
    const event: QueryEvent = {
      route: this.name,
      text: statement.text,
      ms,
      rowCount: answer?.rowCount ?? null,
      ...(reportParameters && { params: statement.params }),
      ...(error && { error }),
    }
    onQuery(event)
  }
}

/** Not for a wrong password or an unknown database: the next server of the same URL would say the same. */
function anotherHostMayHelp(error: unknown): boolean {
  if (error instanceof DatabaseError && error.reason === 'driver-missing') return false
  const { code } = error as { code?: unknown }
  return !isServerError(error) || /^(08|53|57|58)/.test(String(code))
}
