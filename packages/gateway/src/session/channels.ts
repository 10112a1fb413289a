/**
 * The channels that one client listens to.
 *
 * Notifications come at any time, and go to the client only between two units and outside a transaction, as PostgreSQL
 * sends them; until then they wait here. If too much waits, it is dropped and the client is told of the gap. The process
 * id in them is the sender's backend's, which is no client's: those of clients are outside the range of real ones.
 */
import { errorResponse, NoticeResponse } from '@sluice/wire'
import type { Listener, Subscriber } from '../origin/listener.ts'

/** The most that waits for a client that is in a transaction. */
const mostBytes = 4_194_304

export class Channels implements Subscriber {
  readonly #listener: () => Listener
  readonly #onNews: () => void
  readonly #names = new Set<string>()
  #waiting: Uint8Array[] = []
  #bytes = 0
  #gap = false

  constructor(listener: () => Listener, onNews: () => void) {
    this.#listener = listener
    this.#onNews = onNews
  }

  get size(): number {
    return this.#names.size
  }

  get hasNews(): boolean {
    return this.#waiting.length > 0 || this.#gap
  }

  /** Calls `done` when all of them are heard. */
  add(channels: readonly string[], done: () => void): void {
    let left = 1
    const one = () => {
      if (--left === 0) done()
    }
    for (const channel of channels) {
      if (this.#names.has(channel)) continue
      this.#names.add(channel)
      left++
      this.#listener().subscribe(channel, this, one)
    }
    one()
  }

  /** @param channel `*` for all */
  remove(channel: string): void {
    for (const name of channel === '*' ? [...this.#names] : [channel])
      if (this.#names.delete(name)) this.#listener().unsubscribe(name, this)
  }

  /** Everything that waits, to be said now. */
  *news(): Iterable<Uint8Array> {
    const waiting = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    yield* waiting
    if (this.#gap) yield gapNotice
    this.#gap = false
  }

  // Subscriber

  onNotification(message: Uint8Array): void {
    if (this.#bytes > mostBytes) this.#gap = true
    else {
      this.#waiting.push(message)
      this.#bytes += message.length
    }
    this.#onNews()
  }

  onGap(): void {
    this.#gap = true
    this.#onNews()
  }
}

const gapNotice = errorResponse(
  {
    severity: 'WARNING',
    code: '01000',
    message: 'notifications may have been lost',
    detail: 'The connection on which Sluice listens was interrupted.',
    hint: 'Read again what you would have learnt from them.',
    routine: 'sluice',
  },
  NoticeResponse,
)
