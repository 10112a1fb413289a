/**
 * LISTEN for many clients on one connection: the listener of one pool's database.
 *
 *     client ─LISTEN─▶ its server connection      (PostgreSQL checks it, and a transaction decides whether it holds)
 *                └─ at the end of the unit ─▶ subscribe ─▶ LISTEN here ─▶ ReadyForQuery to the client
 *
 * So what is notified after the client was told of its LISTEN reaches it. A connection that was lost is opened again
 * with all its channels; what was notified meanwhile is lost, and each subscriber is told that it may be. Who only
 * listens does not notice that nobody is there any more, so the server is asked something from time to time. At such
 * a time a connection on which nobody listens is closed.
 * Source: PostgreSQL documentation, "LISTEN" and "NOTIFY"; Message Formats, NotificationResponse.
 */
import { quoteIdentifier } from '../sql/quote.ts'
import type { Clock } from '../transport/clock.ts'
import { askWithin, type OwnAnswer } from './own-query.ts'
import type { Keeper, ServerConnection } from './server-connection.ts'

export interface Subscriber {
  /** A whole NotificationResponse. Others get the same bytes: they are not to be changed. */
  onNotification(message: Uint8Array): void
  /** Notifications may have been lost. */
  onGap(): void
}

export interface ListenerOptions {
  readonly open: (keeper: Keeper, signal: AbortSignal) => Promise<ServerConnection>
  readonly clock: Clock
}

const pauseMs = 500
/** How often it is asked whether it is there, and how long it may take to answer that, or anything. */
const checkEveryMs = 30_000
const answerWithinMs = 10_000
const utf8 = new TextDecoder()

export class Listener implements Keeper {
  readonly #options: ListenerOptions
  readonly #channels = new Map<string, Set<Subscriber>>()
  readonly #closing = new AbortController()
  #server: ServerConnection | null = null
  #opening = false
  /** It was open before: who listens may have missed something. */
  #lost = false
  #endCheck: () => void = () => {}
  /** Who waits for the LISTEN of a channel. */
  #waiting = new Map<string, (() => void)[]>()

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Channels that somebody listens to. */
  get size(): number {
    return this.#channels.size
  }

  /** Calls `done` when what is notified from now on arrives. */
  subscribe(channel: string, subscriber: Subscriber, done: () => void): void {
    const subscribers = this.#channels.get(channel)
    if (subscribers && this.#server && !this.#waiting.has(channel)) {
      subscribers.add(subscriber)
      done()
      return
    }
    if (subscribers) subscribers.add(subscriber)
    else this.#channels.set(channel, new Set([subscriber]))
    const waiting = this.#waiting.get(channel)
    if (waiting) waiting.push(done)
    else {
      this.#waiting.set(channel, [done])
      if (this.#server) this.#listen(this.#server, [channel])
      else this.#open()
    }
  }

  unsubscribe(channel: string, subscriber: Subscriber): void {
    const subscribers = this.#channels.get(channel)
    if (!subscribers?.delete(subscriber) || subscribers.size > 0) return
    this.#channels.delete(channel)
    if (this.#server) this.#ask(this.#server, `UNLISTEN ${quoteIdentifier(channel)}`, () => {})
  }

  /** What is notified is told elsewhere by now. */
  reopen(cause: Error): void {
    this.#server?.close(cause)
  }

  /** Opened anew if it leads nowhere. */
  retireOne(leadsNowhere: (server: ServerConnection) => boolean): void {
    if (this.#server && leadsNowhere(this.#server))
      this.reopen(new Error('its address is the origin’s no more'))
  }

  close(): void {
    this.#closing.abort()
    this.#server?.close(new Error('the gateway is shutting down'))
  }

  // Keeper

  onGone(): void {
    this.#endCheck()
    this.#lost ||= this.#server !== null && this.#channels.size > 0
    this.#server = null
    if (this.#channels.size > 0) this.#open()
  }

  onNotification(_server: ServerConnection, bytes: Uint8Array, start: number, end: number): void {
    const channelEnd = bytes.indexOf(0, start + 4)
    if (channelEnd === -1 || channelEnd >= end) return
    const subscribers = this.#channels.get(utf8.decode(bytes.subarray(start + 4, channelEnd)))
    if (!subscribers) return
    // A copy: it may have to wait until its client is between two answers.
    const message = bytes.slice(start - 5, end)
    for (const subscriber of subscribers) subscriber.onNotification(message)
  }

  #open(): void {
    if (this.#opening || this.#closing.signal.aborted) return
    this.#opening = true
    this.#options.open(this, this.#closing.signal).then(
      server => {
        this.#opening = false
        // Its end was heard before it was ours.
        if (server.closed) return this.onGone()
        this.#server = server
        this.#listen(server, [...this.#channels.keys()])
        this.#check(server)
      },
      () => {
        this.#options.clock.after(pauseMs, () => {
          this.#opening = false
          if (this.#channels.size > 0) this.#open()
        })
      },
    )
  }

  #listen(server: ServerConnection, channels: readonly string[]): void {
    if (channels.length === 0) return
    const sql = channels.map(channel => `LISTEN ${quoteIdentifier(channel)}`).join(';')
    this.#ask(server, sql, answer => {
      if (!('rows' in answer)) {
        // Lost, or as good as: it is opened again with all channels.
        if ('error' in answer) server.destroy(new Error(answer.error.message))
        return
      }
      const gap = this.#lost
      this.#lost = false
      for (const channel of channels) {
        const waiting = this.#waiting.get(channel) ?? []
        this.#waiting.delete(channel)
        for (const done of waiting) done()
      }
      if (gap)
        for (const subscriber of new Set([...this.#channels.values()].flatMap(all => [...all])))
          subscriber.onGap()
    })
  }

  #check(server: ServerConnection): void {
    this.#endCheck = this.#options.clock.after(checkEveryMs, () => {
      if (this.#channels.size === 0) return server.close(new Error('nobody listens any more'))
      this.#ask(server, 'SELECT 1', answer => {
        if (!('lost' in answer)) this.#check(server)
      })
    })
  }

  #ask(server: ServerConnection, sql: string, done: (answer: OwnAnswer) => void): void {
    askWithin({ clock: this.#options.clock, timeoutMs: answerWithinMs }, server, sql, done)
  }
}
