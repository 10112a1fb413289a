/**
 * From a login that was granted to a session: what a client is told of the server it believes to be on.
 *
 *     AuthenticationOk, ParameterStatus …, BackendKeyData, ReadyForQuery
 *
 * The parameters are those that the origin reports for a connection with the client's startup parameters. If these
 * were not seen before, a server connection is given them once: so their names and values are judged by PostgreSQL, and
 * reported as PostgreSQL reports them. `application_name`, which differs from client to client and can't be wrong, is
 * left out of that.
 */

import { askWithin } from '../origin/own-query.ts'
import type { Pool, Waiter } from '../origin/pool.ts'
import type { Refusal } from '../origin/refusal.ts'
import { replay } from '../origin/replay.ts'
import { deafHolder, type ServerConnection } from '../origin/server-connection.ts'
import { Values } from '../origin/values.ts'
import { probeSql, readProbe } from '../session/probe.ts'

/** What a client's session starts with. */
export interface Greeting {
  readonly base: Values
  readonly told: Values
}

const applicationName = 'application_name'
/** Sets of startup parameters that are remembered for one pool. */
const mostGreetings = 1_000

export class Welcome {
  readonly #pool: Pool
  readonly #user: string
  readonly #known = new Map<Values, Greeting>()

  constructor(pool: Pool, user: string) {
    this.#pool = pool
    this.#user = user
  }

  /** Rejects with a Refusal: no connection could be had, or PostgreSQL refuses a parameter. */
  async greet(settings: ReadonlyMap<string, string>): Promise<Greeting> {
    const name = settings.get(applicationName)
    const others = Values.of([...settings].filter(([setting]) => setting !== applicationName))
    let greeting = this.#known.get(others)
    if (!greeting) {
      greeting = await this.#ask(others)
      if (this.#known.size >= mostGreetings) this.#known.clear()
      this.#known.set(others, greeting)
    }
    if (name === undefined) return greeting
    const clean: [string, string][] = [[applicationName, printable(name)]]
    return { base: greeting.base.with(clean), told: greeting.told.with(clean) }
  }

  /** What was learnt does not hold any more. */
  forget(): void {
    this.#known.clear()
  }

  async #ask(settings: Values): Promise<Greeting> {
    if (settings === Values.none && this.#pool.startValues !== Values.none)
      return { base: Values.none, told: this.#pool.startValues }
    const server = await this.#checkout(settings)
    server.holder = deafHolder
    try {
      if (settings === Values.none) return { base: Values.none, told: this.#pool.startValues }
      await this.#rows(server, replay(settings, server.has))
      server.has = settings
      const customs = [...settings.byName.keys()].filter(name => name.includes('.'))
      const rows = await this.#rows(server, probeSql(customs))
      const base = Values.of(readProbe(rows, customs, this.#user).values)
      server.has = base
      return { base, told: server.reported }
    } finally {
      this.#pool.release(server)
    }
  }

  #rows(server: ServerConnection, sql: string): Promise<(string | null)[][]> {
    const { clock, connectTimeoutMs } = this.#pool.options
    return new Promise((resolve, reject: (refusal: Refusal) => void) => {
      askWithin({ clock, timeoutMs: connectTimeoutMs }, server, sql, answer => {
        if ('rows' in answer) resolve(answer.rows)
        else if ('error' in answer) reject(answer.error)
        else reject({ code: '08006', message: answer.lost.message, routine: 'sluice' })
      })
    })
  }

  #checkout(wants: Values): Promise<ServerConnection> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { onServer: resolve, onRefused: reject }
      const server = this.#pool.checkout(waiter, wants)
      if (server) resolve(server)
    })
  }
}

/** As the server cleans a name: bytes that are not printable ASCII are written as `\x` and two digits. */
const printable = (name: string) =>
  Buffer.from(name)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, byte => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`)
