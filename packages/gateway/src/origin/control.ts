/**
 * The gateway's own questions to an origin, on a connection of their own with a fixed search_path: nothing of a client
 * is on it, and no client waits for it.
 */
import type { ErrorFields } from '@sluice/wire'
import { askWithin, type Patience } from './own-query.ts'
import type { Keeper, ServerConnection } from './server-connection.ts'

/** The origin answered the question with an ErrorResponse. */
export class Refused extends Error {
  readonly code: string

  constructor({ code, message }: ErrorFields) {
    super(message)
    this.code = code
  }
}

export class Control implements Keeper {
  readonly #open: (keeper: Keeper, signal: AbortSignal) => Promise<ServerConnection>
  readonly #patience: Patience
  readonly #closing = new AbortController()
  #server: Promise<ServerConnection> | null = null
  /** The same, once it is there. */
  #there: ServerConnection | null = null
  /** Questions without an answer, and when the last answer came. */
  #asked = 0
  #answeredAt = 0

  constructor(open: (keeper: Keeper, signal: AbortSignal) => Promise<ServerConnection>, patience: Patience) {
    this.#open = open
    this.#patience = patience
  }

  /** The rows of one or several statements. Rejects if the origin can't be asked, or says no. */
  async query(sql: string): Promise<(string | null)[][]> {
    this.#asked++
    try {
      return await this.#query(sql)
    } finally {
      this.#asked--
      this.#answeredAt = this.#patience.clock.now()
    }
  }

  /** Closes a connection over which nothing was asked for so long. */
  closeIdle(now: number, idleTimeoutMs: number): void {
    if (this.#server && this.#asked === 0 && now - this.#answeredAt >= idleTimeoutMs) this.reset()
  }

  /** The next question goes over a new connection. */
  reset(): void {
    const server = this.#server
    this.#server = null
    this.#there = null
    void server?.then(server => server.close(new Error('it is not needed any more'))).catch(() => {})
  }

  close(): void {
    this.#closing.abort()
    this.reset()
  }

  // Keeper

  onGone(gone: ServerConnection): void {
    // One of before may end when the next is there.
    if (gone === this.#there) this.#server = null
  }

  onNotification(): void {}

  async #query(sql: string): Promise<(string | null)[][]> {
    this.#server ??= this.#open(this, this.#closing.signal)
    const opening = this.#server
    const server = await opening.catch(error => {
      if (this.#server === opening) this.#server = null
      throw error
    })
    if (this.#server === opening) this.#there = server
    if (server.closed && this.#there === server) this.#server = null
    return new Promise((resolve, reject) => {
      askWithin(this.#patience, server, sql, answer => {
        if ('rows' in answer) resolve(answer.rows)
        else reject('lost' in answer ? answer.lost : new Refused(answer.error))
      })
    })
  }
}
