/** Whoever hears through a gateway that something was written may ask for it there, on any connection. */

import { setTimeout as pause } from 'node:timers/promises'
import { type RawClient, rawClient } from '../../../support/raw-client.ts'
import type { History } from './history.ts'
import { channel } from './questions.ts'

export class Listener {
  readonly #way: number
  readonly #url: string
  readonly #history: History
  #client: RawClient | null = null
  #isOver = false
  /** Notifications. */
  heard = 0

  constructor(way: number, url: string, history: History) {
    this.#way = way
    this.#url = url
    this.#history = history
    void this.#listen()
  }

  end(): void {
    this.#isOver = true
    this.#client?.destroy()
  }

  async #listen(): Promise<void> {
    while (!this.#isOver)
      try {
        await this.#listenOnce()
      } catch {
        // The origin is not there, or the connection is not any more.
        this.#client?.destroy()
        await pause(50)
      }
  }

  async #listenOnce(): Promise<void> {
    const client = await rawClient(this.#url)
    this.#client = client
    await client.query(`listen ${channel}`)
    const { notifications } = client
    while (client.socket.readable) {
      await client.until(() => notifications.length > 0)
      for (const notification of notifications.splice(0)) this.#take(notification.split(':')[1]!)
    }
  }

  /** A row, and a version of it. */
  #take(payload: string): void {
    const [row, version] = payload.split(' ').map(Number)
    this.heard++
    this.#history.acknowledged(this.#way, new Map([[row!, version!]]), performance.now())
  }
}
