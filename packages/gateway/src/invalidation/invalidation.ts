/**
 * Exact invalidation for one database: a cover (cover.ts), and another one when it is lost.
 *
 *     resting ──a client──▶ opening ──▶ running ──loss──▶ waiting ──▶ opening …
 *        ▲                                  │                │
 *        └──── no client, and `idleMs` or the pause is over ──┘
 *
 * Each loss and each beginning is an epoch: what was stored before is dropped. Between two attempts it waits, longer and
 * longer; where an attempt can't help before somebody has done something, a minute. Clients that come and go make it wait
 * no less: of those that stay for a moment each would have the origin asked again.
 */
import { LoginRefused } from '../origin/pool.ts'
import type { Clock } from '../transport/clock.ts'
import { Connections, type Reach } from './connections.ts'
import { Cover } from './cover.ts'
import { type Failure, lost, refused } from './failure.ts'
import type { Fit } from './publication.ts'
import type { InvalidationSink, KnownTables } from './sink.ts'
import type { InvalidationStatus } from './status.ts'

export interface InvalidationOptions {
  readonly reach: Reach
  readonly clock: Clock
  readonly random: () => number
  readonly publication: string
  /** Whether to make the publication, and to keep in it what can be published; else it is taken as it is. */
  readonly mayChange: boolean
  /** How often the stream is measured. */
  readonly heartbeatMs: number
  /** Of the stream, before it is taken for lost. */
  readonly silenceMs: number
  /** How often the publication is looked at; `catalog_refresh`. */
  readonly refreshMs: number
  /** `stream_idle`; 0: it runs without clients, too. */
  readonly idleMs: number
  readonly known: KnownTables
  readonly sink: InvalidationSink
  /** For the log: it runs, or it does not and why. */
  onChange?(status: InvalidationStatus): void
}

type State =
  | { readonly at: 'resting' }
  | { readonly at: 'open'; readonly cover: Cover; readonly connections: Connections }
  | { readonly at: 'waiting'; readonly failure: Failure; readonly since: number }
  | { readonly at: 'closed' }

const firstPauseMs = 500
const longestPauseMs = 30_000
const hopelessPauseMs = 60_000
const answerMs = 10_000

export class Invalidation {
  readonly #options: InvalidationOptions
  #state: State = { at: 'resting' }
  #connected = false
  #clients = 0
  #newestOpaque = 0
  #failures = 0
  #losses = 0
  #everRan = false
  #wasRunning = false
  #uncoveredMs = 0
  #uncoveredSince: number | null = null
  #endTimer: () => void = () => {}

  constructor(options: InvalidationOptions) {
    this.#options = options
  }

  /** How many clients there are: the first one opens the stream, and some time after the last it is closed. */
  set clients(count: number) {
    const before = this.#clients
    this.#clients = count
    if (this.#state.at === 'closed' || count > 0 === before > 0) return
    if (count === 0) {
      const { clock, idleMs } = this.#options
      this.#countTime()
      if (idleMs > 0 && this.#state.at !== 'waiting') this.#setTimer(clock.after(idleMs, () => this.#rest()))
      return
    }
    if (this.#state.at === 'resting') this.#open()
    else if (this.#state.at === 'open') this.#endTimer()
    this.#countTime()
  }

  /** An opaque commit has this number: `onPassed` names it or a newer one when all that it changed was told. */
  opaque(number: number): void {
    this.#newestOpaque = Math.max(this.#newestOpaque, number)
    if (this.#state.at === 'open' && this.#connected) this.#state.connections.opaque(number)
  }

  /** The origin is elsewhere, or another one by now. */
  reopen(cause: Error): void {
    if (this.#state.at !== 'open') return
    this.#end(lost(cause.message))
  }

  /** What the publication has and leaves out; null as long as it was not looked at. */
  get publication(): Fit | null {
    return this.#state.at === 'open' ? this.#state.cover.publication : null
  }

  get status(): InvalidationStatus {
    const now = this.#options.clock.now()
    const since = this.#uncoveredSince
    return {
      phase: this.#phase(now),
      ...{ everRan: this.#everRan, losses: this.#losses },
      uncoveredMs: this.#uncoveredMs + (since === null ? 0 : now - since),
    }
  }

  close(): void {
    this.#endTimer()
    if (this.#state.at === 'open') this.#state.connections.close()
    this.#state = { at: 'closed' }
  }

  #phase(now: number): InvalidationStatus['phase'] {
    const state = this.#state
    switch (state.at) {
      case 'open':
        return this.#connected ? state.cover.status(now) : { at: 'opening', step: 'connecting', heldBy: null }
      case 'waiting':
        return { at: 'waiting', ...state.failure, forMs: now - state.since }
      case 'resting':
      case 'closed':
        return { at: 'resting' }
      default:
        return state satisfies never
    }
  }

  #open(): void {
    const { clock, reach, random } = this.#options
    const slot = `sluice_${Math.floor(random() * 2 ** 48).toString(36)}_${Math.floor(clock.now())}`
    const cover = new Cover({ ...this.#options, slot }, this.#newestOpaque)
    const connections = new Connections({
      ...{ reach, clock, answerMs, cover },
      onFailure: failure => this.#onFailure(connections, failure),
      onStep: () => this.#onStep(cover),
    })
    this.#state = { at: 'open', cover, connections }
    this.#connected = false
    connections.open().then(
      () => this.#onOpened(connections),
      error => {
        connections.close()
        this.#onFailure(
          connections,
          error instanceof LoginRefused ? refused(error.fields) : lost(messageOf(error)),
        )
      },
    )
  }

  #onOpened(connections: Connections): void {
    if (this.#state.at !== 'open' || this.#state.connections !== connections) return
    this.#connected = true
    connections.opaque(this.#newestOpaque)
  }

  #onStep(cover: Cover): void {
    if (this.#wasRunning || !cover.running) return
    this.#wasRunning = true
    this.#everRan = true
    this.#failures = 0
    this.#countTime()
    this.#options.onChange?.(this.status)
  }

  #onFailure(connections: Connections, failure: Failure): void {
    if (this.#state.at === 'open' && this.#state.connections === connections) this.#end(failure)
  }

  /** What ran, or was to run, does not. */
  #end(failure: Failure): void {
    const { clock, random } = this.#options
    if (this.#wasRunning) this.#losses++
    this.#stop(failure.cause)
    this.#state = { at: 'waiting', failure, since: clock.now() }
    const pauseMs = failure.possible
      ? Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++)
      : hopelessPauseMs
    // Gateways that lost the same origin do not come back all at once.
    this.#setTimer(clock.after(pauseMs * (0.5 + random() / 2), () => this.#again()))
    this.#options.onChange?.(this.status)
  }

  #again(): void {
    if (this.#clients === 0 && this.#options.idleMs > 0) this.#rest()
    else this.#open()
  }

  #rest(): void {
    this.#stop('no client is there')
    this.#state = { at: 'resting' }
  }

  #stop(cause: string): void {
    this.#endTimer()
    if (this.#state.at === 'open') {
      const { connections, cover } = this.#state
      connections.close()
      // Without effect if it has failed itself.
      cover.lost(new Error(cause), this.#options.clock.now())
    }
    this.#wasRunning = false
    this.#countTime()
  }

  /** Time counts while a client is there that nothing is told for. */
  #countTime(): void {
    const now = this.#options.clock.now()
    if (this.#uncoveredSince !== null) this.#uncoveredMs += now - this.#uncoveredSince
    this.#uncoveredSince = this.#clients > 0 && !this.#wasRunning ? now : null
  }

  #setTimer(cancel: () => void): void {
    this.#endTimer()
    this.#endTimer = cancel
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
