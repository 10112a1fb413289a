/**
 * Sockets and time without either: a transport whose connections live in memory, and a clock that a test moves.
 *
 *     gateway ──listen, connect──▶ MemoryTransport ◀──dial──── a client of the test
 *                                        └────────onConnect───▶ an origin of the test
 *
 * What one side writes is told to the other from a queue, never from within the call, so the invariants of transport.ts
 * hold; `settle` runs the queue, and whatever promises it wakes, until nothing more happens.
 */
import type { Clock } from '../../packages/gateway/src/transport/clock.ts'
import type {
  Listener,
  Socket,
  SocketHandler,
  Transport,
} from '../../packages/gateway/src/transport/transport.ts'

/** Time goes on only when it is told to. */
export class VirtualClock implements Clock {
  #now = 1_000
  #timers: { at: number; call: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#now + ms, call }
    this.#timers.push(timer)
    return () => {
      const at = this.#timers.indexOf(timer)
      if (at !== -1) this.#timers.splice(at, 1)
    }
  }

  /** How many calls are still to come. */
  get timers(): number {
    return this.#timers.length
  }

  /** Calls what is due, in the order in which it is. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (;;) {
      let first: { at: number; call: () => void } | undefined
      for (const timer of this.#timers)
        if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer
      if (!first) break
      this.#timers.splice(this.#timers.indexOf(first), 1)
      this.#now = Math.max(this.#now, first.at)
      first.call()
    }
    this.#now = until
  }
}

type Event = { is: 'data'; chunk: Uint8Array } | { is: 'end' }

export class MemorySocket implements Socket {
  handler: SocketHandler = nobody
  readonly tls = null
  readonly remoteAddress = '127.0.0.1'
  /** Each write gives false, and onDrain follows. */
  slow = false
  peer!: MemorySocket

  readonly #later: (event: () => void) => void
  #inbox: Event[] = []
  #paused = false
  #ended = false
  #peerEnded = false
  #closed = false
  #draining = false

  constructor(later: (event: () => void) => void) {
    this.#later = later
  }

  get pending(): number {
    return 0
  }

  get paused(): boolean {
    return this.#paused
  }

  get closed(): boolean {
    return this.#closed
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended || this.#closed) return true
    this.#later(() => this.peer.#take({ is: 'data', chunk: bytes }))
    if (!this.slow) return true
    if (!this.#draining) {
      this.#draining = true
      this.#later(() => {
        this.#draining = false
        if (!this.#closed) this.handler.onDrain()
      })
    }
    return false
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    if (this.#inbox.length > 0) this.#later(() => this.#tell())
  }

  end(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    this.#later(() => this.peer.#take({ is: 'end' }))
    this.#closeIfOver()
  }

  destroy(): void {
    if (this.#closed) return
    this.#close(null)
    this.#later(() => this.peer.#close(new Error('read ECONNRESET')))
  }

  async startTls(): Promise<void> {
    throw new Error('there is no TLS in memory')
  }

  #take(event: Event): void {
    if (this.#closed) return
    this.#inbox.push(event)
    this.#tell()
  }

  #tell(): void {
    while (!this.#closed && !this.#paused) {
      const event = this.#inbox.shift()
      if (!event) return
      if (event.is === 'data') this.handler.onData(event.chunk)
      else {
        this.#peerEnded = true
        this.handler.onEnd()
        this.#closeIfOver()
      }
    }
  }

  #closeIfOver(): void {
    if (this.#ended && this.#peerEnded) this.#close(null)
  }

  #close(error: Error | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#inbox = []
    this.#later(() => this.handler.onClose(error))
  }
}

export class MemoryTransport implements Transport {
  readonly name = 'node'
  #queue: (() => void)[] = []
  #onSocket: (socket: MemorySocket) => void = () => {}
  readonly #onConnect: (socket: MemorySocket) => void

  /** @param onConnect the origin's end of a connection that the gateway has opened */
  constructor(onConnect: (socket: MemorySocket) => void) {
    this.#onConnect = onConnect
  }

  async listen(
    at: { host: string; port: number },
    onSocket: (socket: MemorySocket) => void,
  ): Promise<Listener> {
    this.#onSocket = onSocket
    return { ...at, close: async () => {} }
  }

  async connect(_to: unknown, handler: SocketHandler): Promise<MemorySocket> {
    const [near, far] = this.#pair()
    near.handler = handler
    this.#onConnect(far)
    return near
  }

  /** A client's end of a connection to the gateway. */
  dial(handler: SocketHandler): MemorySocket {
    const [near, far] = this.#pair()
    near.handler = handler
    this.#onSocket(far)
    return near
  }

  /** Runs until nothing happens any more; an error if that never comes. */
  async settle(): Promise<void> {
    let events = 0
    do {
      for (let at = 0; at < this.#queue.length; at++) {
        if (++events > mostEvents) throw new Error(`${mostEvents} events, and no end`)
        this.#queue[at]!()
      }
      this.#queue = []
      // Past all promises that are fulfilled already.
      await new Promise(resolve => setImmediate(resolve))
    } while (this.#queue.length > 0)
  }

  #pair(): [MemorySocket, MemorySocket] {
    const later = (event: () => void) => void this.#queue.push(event)
    const pair: [MemorySocket, MemorySocket] = [new MemorySocket(later), new MemorySocket(later)]
    pair[0].peer = pair[1]
    pair[1].peer = pair[0]
    return pair
  }
}

const mostEvents = 20_000
const nobody: SocketHandler = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
