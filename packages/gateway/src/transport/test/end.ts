/** One end of a connection in a test: it notes what it hears, and fails on what a handler must never hear. */
import assert from 'node:assert/strict'
import type { ClientTls, Listener, ServerTls, Socket, SocketHandler, Transport } from '../transport.ts'

export class End implements SocketHandler {
  /** `data` once for what came without a pause between, `drain`, `end`, `close`, `close CODE`. */
  readonly heard: string[] = []
  received: Buffer = Buffer.alloc(0)
  receivedBytes = 0
  chunks = 0
  /** Keeps what it receives; large ones are only counted. */
  keep = true
  error: Error | null = null
  onChunk: (chunk: Uint8Array) => void = () => {}
  onWritable: () => void = () => {}
  #socket: Socket | undefined
  #within = false
  #waiting: { until: () => boolean; tell: () => void }[] = []

  get socket(): Socket {
    return this.#socket!
  }

  /** Whoever calls through this notices events from within a call. */
  set socket(socket: Socket) {
    socket.handler = this
    this.#socket = new Proxy(socket, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          const before = this.#within
          this.#within = true
          try {
            return Reflect.apply(value, target, given)
          } finally {
            this.#within = before
          }
        }
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    })
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  get closed(): boolean {
    return this.heard.some(event => event.startsWith('close'))
  }

  /** What it heard but for drains: whether one comes is the kernel's choice. */
  get story(): string[] {
    return this.heard.filter(event => event !== 'drain')
  }

  /** As if nothing had been heard yet. */
  forget(): void {
    this.heard.length = 0
    this.received = Buffer.alloc(0)
    this.receivedBytes = 0
  }

  says(text: string): boolean {
    return this.socket.write(Buffer.from(text, 'latin1'))
  }

  onData(chunk: Uint8Array): void {
    this.#event('data')
    this.receivedBytes += chunk.length
    this.chunks++
    if (this.keep) this.received = Buffer.concat([this.received, chunk])
    this.onChunk(chunk)
    this.#check()
  }

  onDrain(): void {
    this.#event('drain')
    this.onWritable()
    this.#check()
  }

  onEnd(): void {
    this.#event('end')
    this.#check()
  }

  onClose(error: Error | null): void {
    const { code } = (error ?? {}) as NodeJS.ErrnoException
    this.#event(error ? `close ${code ?? error.message}` : 'close')
    this.error = error
    this.#check()
  }

  hears(text: string): Promise<void> {
    return this.until(() => this.text === text, `"${text}"`)
  }

  hearsEnd(): Promise<void> {
    return this.until(() => this.heard.includes('end'), 'end')
  }

  hearsClose(): Promise<void> {
    return this.until(() => this.closed, 'close')
  }

  async until(is: () => boolean, what = 'it'): Promise<void> {
    if (is()) return
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      await Promise.race([
        new Promise<void>(tell => this.#waiting.push({ until: is, tell })),
        new Promise((_, reject) => {
          const story = () =>
            `waited in vain for ${what}; heard ${this.heard.join(', ')}; ${this.receivedBytes} bytes`
          timer = setTimeout(() => reject(new Error(story())), 10_000)
        }),
      ])
    } finally {
      clearTimeout(timer)
    }
  }

  #event(event: string): void {
    assert.ok(!this.#within, `${event} came from within a call of the socket`)
    assert.ok(!this.closed, `${event} came after close`)
    if (event !== 'data' || this.heard.at(-1) !== 'data') this.heard.push(event)
  }

  #check(): void {
    const ready = this.#waiting.filter(({ until }) => until())
    this.#waiting = this.#waiting.filter(({ until }) => !until())
    for (const { tell } of ready) tell()
  }
}

/** Writes to an end that does not read until that is noticed, or for 200 MB; tells how much that was. */
export async function fill({ socket }: End): Promise<number> {
  const block = Buffer.alloc(64 * 1_024)
  for (let offered = block.length; ; offered += block.length) {
    if (!socket.write(block) || offered > 200_000_000) return offered
    // The reader gets every chance to read too much.
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** A listener, and the ends of those who come in. */
export class Port {
  readonly listener: Listener
  readonly #came: End[]
  readonly #waiting: ((end: End) => void)[]

  private constructor(listener: Listener, came: End[], waiting: ((end: End) => void)[]) {
    this.listener = listener
    this.#came = came
    this.#waiting = waiting
  }

  static async open(transport: Transport, host = '127.0.0.1'): Promise<Port> {
    const came: End[] = []
    const waiting: ((end: End) => void)[] = []
    const listener = await transport.listen({ host, port: 0 }, socket => {
      const end = new End()
      end.socket = socket
      const first = waiting.shift()
      if (first) first(end)
      else came.push(end)
    })
    return new Port(listener, came, waiting)
  }

  get at(): { host: string; port: number } {
    const { host, port } = this.listener
    return { host, port }
  }

  /** The next who comes in. */
  next(): Promise<End> {
    const end = this.#came.shift()
    return end ? Promise.resolve(end) : new Promise(resolve => this.#waiting.push(resolve))
  }
}

export interface Link {
  readonly port: Port
  readonly client: End
  readonly server: End
}

export async function connected(
  transport: Transport,
  to: { host: string; port: number } | { path: string },
): Promise<End> {
  const end = new End()
  end.socket = await transport.connect(to, end)
  return end
}

/** Both ends of one connection. */
export async function link(transport: Transport, host?: string): Promise<Link> {
  const port = await Port.open(transport, host)
  const client = await connected(transport, port.at)
  const server = await port.next()
  return { port, client, server }
}

export interface Handshakes {
  readonly client: PromiseSettledResult<void>
  readonly server: PromiseSettledResult<void>
}

/** Both ends shake hands after a request, as in PostgreSQL; what they become is not awaited. */
export async function requestTls({ client, server }: Link, ours: ServerTls, theirs: ClientTls) {
  client.says('TLS?')
  await server.hears('TLS?')
  server.says('S')
  const serverDone = server.socket.startTls(ours)
  serverDone.catch(() => {})
  await client.hears('S')
  const clientDone = client.socket.startTls(theirs)
  clientDone.catch(() => {})
  for (const end of [client, server]) {
    end.forget()
  }
  return { server: serverDone, client: clientDone }
}

export async function secureLink(transport: Transport, ours: ServerTls, theirs: ClientTls): Promise<Link> {
  const pair = await link(transport)
  const done = await requestTls(pair, ours, theirs)
  await Promise.all([done.client, done.server])
  return pair
}

/**
 * How a handshake went that one end should refuse.
 *
 * @param early what the client says right after startTls
 */
export async function refusedTls(
  transport: Transport,
  ours: ServerTls,
  theirs: ClientTls,
  early?: string,
): Promise<Link & { outcome: Handshakes }> {
  const pair = await link(transport)
  const done = await requestTls(pair, ours, theirs)
  if (early !== undefined) pair.client.says(early)
  const [client, server] = await Promise.allSettled([done.client, done.server])
  return { ...pair, outcome: { client, server } }
}

export const reasonOf = (result: PromiseSettledResult<void>): NodeJS.ErrnoException => {
  assert.equal(result.status, 'rejected')
  return (result as PromiseRejectedResult).reason
}
