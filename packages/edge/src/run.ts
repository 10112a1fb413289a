/**
 * One run of a function given to executeOptimalQuery as `readOnly` or `repeatable`: one that may run again.
 *
 *     running ──a connection is lost──▶ lost ──seal()──▶ sealed, then the next run begins
 *
 * A function runs a second time only after its first run can send nothing more. So each statement asks its run
 * right before it is handed to a driver: `enter()` refuses it once the run is sealed. Hand-over and `seal()`
 * never interleave (each is one turn of the event loop), hence nothing of a sealed run is sent any more,
 * whatever handle the function uses: handles find their run through context.ts.
 */
import { DatabaseError, isConnectionLoss, type RouteName, runSealed } from './errors.ts'

export class Run {
  /** Aborts what waits for a connection, or for an answer, when the run is sealed. */
  readonly signal: AbortSignal
  readonly #readOnly: boolean
  readonly #controller = new AbortController()
  /** The route on which a connection was lost. */
  lostOn: RouteName | undefined
  #wroteBeside = false

  constructor(readOnly: boolean) {
    this.#readOnly = readOnly
    this.signal = this.#controller.signal
  }

  /**
   * Called right before a statement goes to its driver.
   * @param inTransaction whether it goes through the run's own READ ONLY transaction; what goes beside it may write
   * @throws DatabaseError `run-sealed`
   */
  enter(inTransaction: boolean): void {
    if (this.signal.aborted) throw runSealed()
    if (this.#readOnly && !inTransaction) this.#wroteBeside = true
  }

  /** Told of each error of a statement of this run. */
  failed(error: unknown): void {
    if (!(error instanceof DatabaseError)) return
    const { reason } = error
    if (reason === 'commit-unknown' || reason === 'query-deadline' || isConnectionLoss(error))
      this.lostOn = error.route
  }

  /** Ends the run for good. True if it may be run again: a connection was lost, and nothing but what was promised ran. */
  seal(): boolean {
    this.#controller.abort(runSealed())
    return this.lostOn !== undefined && !this.#wroteBeside
  }
}
