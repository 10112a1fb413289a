/**
 * The server connection that a session holds, kept fit for its client: by statements of the gateway's own before a unit,
 * behind it, and at the end of the session.
 *
 *     taken ──has not what the client wants──▶ replay ──▶ fit ──lacks statements──▶ prepare ──▶ fit
 *
 *     quiet ──touched nothing──────────────────────────▶ trim ──▶ given back
 *       └─────touched something──▶ probe ──▶ subscribe ──▶ restart ──▶ given back, or kept by a pin
 *                                  (what    (LISTEN goes    (a RESET led to where the
 *                                  it is     to the          connection started, not
 *                                  like)     listener's)     to where the client did)
 *
 *     the end ──▶ ROLLBACK ──▶ DISCARD ALL, if something was left ──▶ given back
 *
 * While something of the gateway's own is under way nothing of the client's is taken. Its answers go to nobody, so a
 * ReadyForQuery that was kept back for a probe is said here.
 *
 * Not here: what is sent of the client's (units.ts), what a unit may have touched (traces.ts, probe.ts).
 */
import { readyForQuery } from '@sluice/wire'
import { ask, type OwnAnswer } from '../origin/own-query.ts'
import type { Refusal } from '../origin/refusal.ts'
import { replay } from '../origin/replay.ts'
import type { ServerConnection } from '../origin/server-connection.ts'
import type { Statement } from '../origin/statement.ts'
import { Values } from '../origin/values.ts'
import { Touches } from '../sql/plan.ts'
import { Channels } from './channels.ts'
import { replayFailed, serverLost } from './errors.ts'
import type { Life } from './life.ts'
import type { Names, Unnamed } from './names.ts'
import { prepare, trim } from './prepare.ts'

/** Statements that are closed together. */
const mostLeftovers = 20
/** How often something of our own is tried again that was cancelled. */
const mostTries = 10
/** How many connections may be lost before they are ready for one unit. */
const mostLost = 3

type Answer = Exclude<OwnAnswer, { lost: Error }>

/** Errors that another try may not meet: of resources, interruptions and PostgreSQL's own. */
const mayPass = (code: string) => /^(40|53|55|57|58|XX)/.test(code)

/** By what was meant for the client's own statements: a statement_timeout, or a cancel request that came late. */
const wasCanceled = (answer: OwnAnswer) => 'error' in answer && answer.error.code === '57014'

export class Upkeep {
  readonly #life: Life
  #server: ServerConnection | null = null
  /** Since when the connection is in its present state: in flight, or idle in a transaction. */
  #since = 0
  /** Connections that were lost, one after the other, before they had what the client wants. */
  #lost = 0
  /** Statements are being prepared for the unit that comes next, which may have been refused meanwhile. */
  #preparation: { refusal: Refusal | null } | null = null
  /** What the next series lacks can't be prepared before it: its error is told in its place. */
  #preparesWithin = false
  /** ReadyForQuery is kept back until the probe is done. */
  #readyKept = false
  /** Null until it listens. */
  #channels: Channels | null = null

  constructor(life: Life) {
    this.#life = life
  }

  get server(): ServerConnection | null {
    return this.#server
  }

  get since(): number {
    return this.#since
  }

  get prepares(): boolean {
    return this.#preparation !== null
  }

  get preparesWithin(): boolean {
    return this.#preparesWithin
  }

  get readyKept(): boolean {
    return this.#readyKept
  }

  // Before a unit

  /** It is the client's. True if it can be used at once. */
  take(server: ServerConnection): boolean {
    const { client, options, traces } = this.#life
    this.#server = server
    server.holder = this.#life
    this.#since = options.time.now
    if (server.has === traces.wants) {
      client.tell(server.reported)
      return true
    }
    this.#replay(
      server,
      error => {
        this.#lost = 0
        if (error) {
          this.giveBack()
          // What it has set is not to be had any more: all that it sends would fail alike, a RESET too.
          if (mayPass(error.code)) this.#life.refuseWaiting(replayFailed(error))
          else this.#life.terminate(replayFailed(error))
        } else client.tell(server.reported)
        this.#life.goOn()
      },
      cause => this.#takeAnother(server, cause),
    )
    return false
  }

  /** A connection was lost before anything of the client's was on it: the client waits for another one. */
  #takeAnother(server: ServerConnection, cause: Error): void {
    // It is not told once more.
    server.holder = null
    this.#server = null
    if (++this.#lost === mostLost) {
      this.#lost = 0
      this.#life.refuseWaiting(serverLost(cause.message))
    }
    this.#life.goOn()
  }

  #replay(
    server: ServerConnection,
    done: (error: Refusal | null) => void,
    lost = (cause: Error) => this.#life.onServerGone(cause),
    tries = 0,
  ): void {
    const { wants } = this.#life.traces
    const onAnswer = (answer: Answer) => {
      if (wasCanceled(answer) && tries < mostTries) {
        this.#replay(server, done, lost, tries + 1)
        return
      }
      if ('rows' in answer) server.has = wants
      done('error' in answer ? answer.error : null)
    }
    this.#ask(server, replay(wants, server.has), onAnswer, lost)
  }

  /** Something of our own, behind which nothing is taken until the session goes on. */
  #ask(
    server: ServerConnection,
    sql: string,
    done: (answer: Answer) => void,
    lost = (cause: Error) => this.#life.onServerGone(cause),
  ): void {
    this.#life.prepares()
    this.onWork()
    ask(server, sql, answer => {
      if (this.#life.phase === 'over') return
      if ('lost' in answer) lost(answer.lost)
      else done(answer)
    })
  }

  /** Prepares what the unit that comes next uses and the connection lacks. @param names in which errors speak of it */
  prepare(
    server: ServerConnection,
    names: Names,
    lacks: readonly Statement[],
    unnamed: Unnamed | null,
  ): void {
    const life = this.#life
    const preparation: { refusal: Refusal | null } = { refusal: null }
    this.#preparation = preparation
    life.prepares()
    this.onWork()
    prepare(server, lacks, unnamed, outcome => {
      this.#preparation = null
      if ('lost' in outcome) return life.onServerGone(outcome.lost)
      if (preparation.refusal) return this.#refusePrepared(server, preparation.refusal)
      if ('error' in outcome && outcome.inPlace && this.#server?.pipeline.status === 'I')
        this.#preparesWithin = true
      else if ('error' in outcome) {
        const message = names.inClientsWords(outcome.error.message) ?? outcome.error.message
        life.refuse({ ...outcome.error, message })
      }
      life.goOn()
    })
  }

  /** The series that lacked something is sent. */
  prepared(): void {
    this.#preparesWithin = false
  }

  /** What is being prepared is not wanted any more. @returns false if nothing is */
  refusePreparation(refusal: Refusal): boolean {
    if (this.#preparation === null) return false
    this.#preparation.refusal = refusal
    return true
  }

  /** The unit was cancelled before anything of it was sent. A transaction fails by that, as it would have. */
  #refusePrepared(server: ServerConnection, refusal: Refusal): void {
    const refuse = () => {
      this.#life.refuse(refusal)
      this.#life.goOn()
    }
    // Any error fails it; this one says in the server's log why.
    if (server.pipeline.status === 'T') this.#ask(server, refusal.message, refuse)
    else refuse()
  }

  /**
   * Another client's values of sequences must not be seen by one that asks, or mixed with those it makes.
   *
   * @returns true if something was sent
   */
  clearSequences(server: ServerConnection): boolean {
    if (server.sequencesOf === this) return false
    const foreign = server.sequencesOf !== null
    server.sequencesOf = this
    if (!foreign) return false
    // Not waited for: what follows on the connection is behind it.
    ask(server, 'DISCARD SEQUENCES', answer => {
      if ('error' in answer) server.retired = true
    })
    return true
  }

  /** Something begins on the connection, or ends: time counts from here. */
  onWork(): void {
    this.#since = this.#life.options.time.now
  }

  // Behind a unit

  /**
   * ReadyForQuery is about to pass.
   *
   * @param last all is quiet with it
   * @returns true to keep it back: what it tells is not so before the probe is done
   */
  keepReady(last: boolean): boolean {
    this.#readyKept = last && (this.#life.traces.touched & (Touches.reset | Touches.listen)) !== 0
    return this.#readyKept
  }

  /** The connection is quiet and outside a transaction. */
  onQuiet(server: ServerConnection): void {
    const { traces } = this.#life
    traces.onOver()
    if (traces.touched !== 0) this.#probe(server)
    else if (!traces.keeps) this.#letGo(server)
    if (this.#channels?.hasNews) this.#tellNews()
  }

  /** Gives it back, with no more statements than a connection shall keep. */
  #letGo(server: ServerConnection): void {
    const { statementLimit } = this.#life.options.pool.options
    if (server.statements.size <= statementLimit && server.leftovers.length < mostLeftovers) {
      this.giveBack()
      return
    }
    this.#life.prepares()
    trim(server, statementLimit, () => {
      if (this.#life.phase === 'preparing') this.giveBack()
      this.#life.goOn()
    })
  }

  giveBack(): void {
    const server = this.#server
    if (!server) return
    this.#life.client.told = server.reported
    this.#server = null
    this.#life.options.pool.release(server)
  }

  onGone(): void {
    this.#server = null
  }

  /** Nothing is heard of it any more, not its end either. */
  drop(): void {
    if (this.#server) this.#server.holder = null
    this.#server = null
  }

  /** Asks what was touched, and goes by it. */
  #probe(server: ServerConnection): void {
    const { traces } = this.#life
    if (!traces.ranUnseen) {
      this.#askState(server)
      return
    }
    this.#life.prepares()
    traces
      .unseenParameters()
      .then(parameters => {
        if (this.#life.phase === 'over') return
        // It may have what nobody can name: no other client must meet it.
        if (parameters === null) server.retired = true
        this.#askState(server, parameters ?? undefined)
      })
      .catch((error: Error) => server.destroy(error))
  }

  #askState(server: ServerConnection, others?: ReadonlySet<string>, tries = 0): void {
    const { traces } = this.#life
    const { sql, read } = traces.probe(others)
    this.#ask(server, sql, answer => {
      if (wasCanceled(answer) && tries < mostTries) {
        this.#askState(server, others, tries + 1)
        return
      }
      if ('error' in answer) {
        traces.onUnreadable()
        this.#afterProbe(server)
        return
      }
      const { has, channels } = read(answer.rows)
      server.has = has
      for (const channel of traces.unlistens) this.#channels?.remove(channel)
      traces.unlistens = []
      this.#subscribe(server, channels)
    })
  }

  /** What the client listens to goes from its connection to the listener's. */
  #subscribe(server: ServerConnection, channels: readonly string[]): void {
    if (channels.length === 0 || this.#life.traces.sessionMode) this.#restart(server)
    else
      this.#listening().add(channels, () => {
        if (this.#life.phase === 'over') return
        this.#ask(server, 'UNLISTEN *', answer => {
          if ('error' in answer) server.retired = true
          this.#restart(server)
        })
      })
  }

  /** A RESET went to where the connection started; the client's own start comes over it. */
  #restart(server: ServerConnection): void {
    if (this.#readyKept && server.has !== this.#life.traces.wants)
      this.#replay(server, () => this.#afterProbe(server))
    else this.#afterProbe(server)
  }

  #afterProbe(server: ServerConnection): void {
    const life = this.#life
    life.client.tell(server.reported)
    if (this.#readyKept) life.client.say(readyForQuery('I'))
    this.#readyKept = false
    if (!life.traces.keeps && life.phase !== 'leaving') this.giveBack()
    life.goOn()
    if (this.#channels?.hasNews) this.#tellNews()
  }

  // Notifications

  /** One has come on the connection. Its body is from `start` to `end`. */
  onNotification(bytes: Uint8Array, start: number, end: number): void {
    const { traces } = this.#life
    // Else the listener hears it, too.
    if (traces.sessionMode || (traces.touched & Touches.listen) !== 0)
      this.#listening().onNotification(bytes.slice(start - 5, end))
  }

  #listening(): Channels {
    this.#channels ??= new Channels(
      () => this.#life.options.listener(),
      () => this.#tellNews(),
    )
    return this.#channels
  }

  /** What waits, if this is the moment for it: between two units and outside a transaction. */
  #tellNews(): void {
    const { client, isIdle, options } = this.#life
    if (!isIdle || (this.#server && this.#server.pipeline.status !== 'I')) return
    const news = [...(this.#channels?.news() ?? [])]
    // Who hears of a change reads again, and the stream may be behind.
    if (news.length > 0) options.notes?.onNotified()
    for (const message of news) client.say(message)
  }

  // The end

  /** Rolls back and forgets what the client left on its connection. */
  putInOrder(done: () => void): void {
    const { traces } = this.#life
    const server = this.#server
    if (!server || server.closed) done()
    else if (server.pipeline.status !== 'I')
      this.#ask(server, 'ROLLBACK', answer => {
        if (answer.status === 'I') this.putInOrder(done)
        else server.destroy(new Error('its transaction could not be rolled back'))
      })
    else if (traces.touched !== 0 || traces.keeps) {
      traces.forget()
      if (traces.indelible) server.retired = true
      this.#ask(server, 'DISCARD ALL', answer => {
        if ('error' in answer) {
          server.destroy(new Error('it could not be cleaned'))
          return
        }
        server.has = Values.none
        server.sequencesOf = null
        server.forgetStatements()
        server.unnamed = null
        done()
      })
    } else done()
  }

  /** The session is over. */
  end(): void {
    this.#channels?.remove('*')
    this.giveBack()
  }
}
