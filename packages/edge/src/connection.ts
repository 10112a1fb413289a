/**
 * One server connection of a route: a driver's connection, and what this library knows of it.
 *
 *     open ──run()──▶ busy ──answer──▶ open ──▶ … ──▶ closed
 *                       └─ lost, given up, odd status ──▶ unusable: closed at its release, never reused
 *
 * `run()` decides what an error means: PostgreSQL's own word, a refusal that proves that nothing ran, or a
 * connection that died, after which only its owner can know whether the statement took effect.
 */
import type { Answer, DriverConnection, Statement } from './drivers/driver.ts'
import {
  badAnswer,
  connectionLost,
  DatabaseError,
  endsSession,
  isServerError,
  refused,
  sqlError,
} from './errors.ts'
import { mayCommitInside } from './guard.ts'
import type { Leased } from './leases.ts'
import type { Limit } from './limit.ts'
import type { Admission, Route } from './route.ts'
import type { Target } from './url.ts'

/** How long a statement that is given up waits for its cancel to go out, in ms. */
const cancelMs = 1_000

export class ServerConnection {
  readonly route: Route
  readonly target: Target
  readonly openedAt: number
  readonly lease: Leased
  idleSince: number
  /** What it is held for: a statement ends soon, a transaction or cursor may take long. */
  heldFor: 'statement' | 'exclusive' | undefined
  /** How often it was taken; above 1 it may have died unnoticed since. */
  uses = 0
  readonly #driver: DriverConnection
  /** A statement was answered here: the route works. */
  #answered = false
  #unusable = false
  retired = false

  constructor(route: Route, target: Target, driver: DriverConnection, lease: Leased, now: number) {
    this.route = route
    this.target = target
    this.#driver = driver
    this.lease = lease
    this.openedAt = now
    this.idleSince = now
  }

  get status(): 'I' | 'T' | 'E' {
    return this.#driver.status
  }

  /** As the login told it. */
  get processId(): number | undefined {
    return this.#driver.processId
  }

  get usable(): boolean {
    return !this.#unusable && !this.#driver.closed
  }

  /**
   * Runs one statement; the caller has made sure that no other is under way here.
   * @throws DatabaseError
   */
  async run(statement: Statement, limit: Limit, admission: Admission): Promise<Answer> {
    const { route, target } = this
    if (!this.usable) throw connectionLost(new Error('it was closed while idle'), route.name, target, 'no')
    if (limit.ended) throw limit.error(route.name, 'no')
    const began = performance.now()
    let failure: DatabaseError | undefined
    let answer: Answer | undefined
    try {
      answer = await this.#answerOf(statement, limit)
      return answer
    } catch (error) {
      failure = this.#explain(error, statement, limit, admission)
      throw failure
    } finally {
      const ms = performance.now() - began
      if (failure === undefined || (failure.reason === 'sql' && !endsSession(failure))) {
        route.latency.query.add(ms)
        route.works(admission)
        this.#answered = true
      }
      route.reportQuery(statement, ms, answer, failure)
    }
  }

  #answerOf(statement: Statement, limit: Limit): Promise<Answer> {
    return new Promise((resolve, reject) => {
      limit.whenEnded(() => {
        this.#giveUp().then(() => reject(limit.error(this.route.name, 'maybe')))
      })
      this.#driver.query(statement).then(
        answer => {
          limit.whenEnded(undefined)
          resolve(answer)
        },
        error => {
          limit.whenEnded(undefined)
          reject(error as Error)
        },
      )
    })
  }

  /** Ends a statement that nobody waits for: cancelled on the server where the route can carry that, then closed. */
  async #giveUp(): Promise<void> {
    this.#unusable = true
    const { cancel } = this.#driver
    if (cancel) {
      const signal = AbortSignal.timeout(cancelMs)
      await new Promise<void>(resolve => {
        signal.addEventListener('abort', () => resolve(), { once: true })
        cancel(signal).then(resolve, () => resolve())
      })
    }
    this.#driver.destroy()
  }

  #explain(error: unknown, statement: Statement, limit: Limit, admission: Admission): DatabaseError {
    const { route, target } = this
    if (limit.ended) {
      const ended = limit.error(route.name, 'maybe')
      // A login that is followed by silence, for as long as connecting may take, was no connection.
      const silent = limit.ended === 'deadline' && limit.deadlineMs >= route.settings.connectDeadlineMs
      if (silent) this.#tellUnlessAnswered(ended, admission)
      return ended
    }
    if (error instanceof DatabaseError) return error
    if (isServerError(error)) {
      // Said during the login, which the first statement may have been sent along with.
      if (this.#driver.ready === false || provesNothingRan(error)) {
        this.#unusable = true
        const refusal = refused(error, route.name, target)
        route.failed(refusal, admission)
        return refusal
      }
      const failure = sqlError(error, route.name, target, 'maybe', mayCommitInside(statement.text))
      if (endsSession(failure)) {
        this.#unusable = true
        this.#tellUnlessAnswered(failure, admission)
      }
      return failure
    }
    this.#unusable = true
    if (!this.#driver.closed) {
      this.#driver.destroy()
      return badAnswer(`the driver could not read the answer: ${(error as Error).message}`, route.name)
    }
    const lost = connectionLost(error, route.name, target, 'maybe')
    this.#tellUnlessAnswered(lost, admission)
    return lost
  }

  /** The end of a connection that had worked says nothing of the route: the next connect will. */
  #tellUnlessAnswered(failure: DatabaseError, admission: Admission): void {
    if (admission.trial || !this.#answered) this.route.failed(failure, admission)
  }

  /** Its session differs from a fresh one: closed at its release, though it still works. */
  retire(): void {
    this.retired = true
  }

  markUnusable(): void {
    this.#unusable = true
  }

  close(): void {
    if (this.#unusable) this.#driver.destroy()
    else this.#driver.close()
  }

  destroy(): void {
    this.#unusable = true
    this.#driver.destroy()
  }
}

/** Sluice's refusals before a statement went on. 08006 is not among them: that one is a connection lost under it. */
const sluiceRefusals = new Set(['53300', '57P03', '58000', '08001', '08004'])

const hyperdriveRefusals = [
  'Failed to acquire a connection from the pool',
  'Server connection attempt failed',
]

/**
 * True for a refusal by the pooler in front, made before the statement went on to PostgreSQL.
 *
 * Hyperdrive's two texts, and Sluice's own errors, which carry the routine `sluice`. The code alone proves nothing:
 * a procedure can commit and then raise 53300; but what PostgreSQL raises carries its source file and line.
 */
function provesNothingRan(error: unknown): boolean {
  const { message, routine, file, line, code } = error as Record<string, unknown>
  if (file !== undefined || line !== undefined) return false
  if (routine === 'sluice') return sluiceRefusals.has(code as string)
  return (
    routine === undefined &&
    typeof message === 'string' &&
    hyperdriveRefusals.some(text => message.startsWith(text))
  )
}
