/**
 * Sockets in workerd: `connect()` of `cloudflare:sockets`.
 *
 * Writes of one turn of the event loop leave as one chunk (a query is five messages), cut into pieces of
 * 32 kB that wait for each other: one write of some 124 kB kills the connection on deployed Workers.
 * The runtime verifies certificates against public authorities, always and by name: `sslmode=require`
 * is `verify-full` here, and a certificate of one's own needs Hyperdrive or Sluice in between.
 */
import { sslRequest } from '@sluice/wire'
import { within } from '../limit.ts'
import { builtin } from '../runtime.ts'
import { joined } from './joined.ts'
import {
  bytesBeforeTls,
  type OpenRaw,
  oddTlsAnswer,
  type RawEvents,
  type RawSocket,
  tlsRefused,
} from './raw.ts'

/** The part of Cloudflare's `Socket` that is used here (Workers documentation, "TCP sockets"). */
interface WorkerSocket {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
  readonly opened: Promise<unknown>
  close(): Promise<void>
  startTls(options?: { expectedServerHostname?: string }): WorkerSocket
}
type Connect = (
  address: { hostname: string; port: number },
  options: { secureTransport: 'off' | 'on' | 'starttls'; allowHalfOpen: boolean },
) => WorkerSocket

const pieceBytes = 32 * 1024

export const openWorkerSocket: OpenRaw = async (host, port, wish, events, signal) => {
  const { connect } = builtin<{ connect: Connect }>('cloudflare:sockets')
  // The runtime puts the port behind the name as it is: an IPv6 address needs its brackets.
  const hostname = host.includes(':') ? `[${host}]` : host
  const open = (secureTransport: 'off' | 'on' | 'starttls') =>
    connect({ hostname, port }, { secureTransport, allowHalfOpen: false })
  if (wish.use === 'off') return started(open('off'), events, signal)
  if (wish.direct) return started(open('on'), events, signal)
  const plain = open('starttls')
  const settled = await abortable(negotiate(plain, wish.use === 'must'), plain, signal)
  return started(settled, events, signal)
}

async function negotiate(socket: WorkerSocket, must: boolean): Promise<WorkerSocket> {
  await socket.opened
  const writer = socket.writable.getWriter()
  await writer.write(sslRequest())
  writer.releaseLock()
  const reader = socket.readable.getReader()
  const { value, done } = await reader.read()
  reader.releaseLock()
  if (done || value === undefined) throw new Error('the server closed the connection')
  if (value.length !== 1) throw value[0] === 0x53 ? bytesBeforeTls() : oddTlsAnswer()
  if (value[0] === 0x53) return socket.startTls()
  if (value[0] !== 0x4e) throw oddTlsAnswer()
  if (must) throw tlsRefused()
  return socket
}

async function started(socket: WorkerSocket, events: RawEvents, signal: AbortSignal): Promise<RawSocket> {
  await abortable(socket.opened, socket, signal)
  return new WorkerRawSocket(socket, events)
}

/** The promise, unless the signal aborts first; if it fails, for that or another reason, no socket is left behind. */
async function abortable<T>(promise: Promise<T>, socket: WorkerSocket, signal: AbortSignal): Promise<T> {
  try {
    return await within(promise, signal)
  } catch (error) {
    socket.close().catch(() => {})
    throw error
  }
}

class WorkerRawSocket implements RawSocket {
  readonly #socket: WorkerSocket
  readonly #events: RawEvents
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  #waiting: Uint8Array[] = []
  #callbacks: ((error?: Error) => void)[] = []
  #flushing = false
  #ending = false
  #closed = false

  constructor(socket: WorkerSocket, events: RawEvents) {
    this.#socket = socket
    this.#events = events
    this.#writer = socket.writable.getWriter()
    this.#read()
  }

  write(chunk: Uint8Array, sent?: (error?: Error) => void): void {
    if (this.#closed) {
      sent?.(new Error('the connection is closed'))
      return
    }
    this.#waiting.push(chunk)
    if (sent) this.#callbacks.push(sent)
    this.#flush()
  }

  end(): void {
    this.#ending = true
    this.#flush()
  }

  destroy(): void {
    this.#close(undefined)
  }

  #flush(): void {
    if (this.#flushing || this.#closed) return
    this.#flushing = true
    queueMicrotask(async () => {
      try {
        while (this.#waiting.length > 0 && !this.#closed) {
          const bytes = joined(this.#waiting)
          const callbacks = this.#callbacks
          this.#waiting = []
          this.#callbacks = []
          for (let at = 0; at < bytes.length; at += pieceBytes) {
            await this.#writer.write(bytes.subarray(at, at + pieceBytes))
          }
          for (const sent of callbacks) sent()
        }
        this.#flushing = false
        if (this.#ending) this.#close(undefined)
      } catch (error) {
        this.#close(error as Error)
      }
    })
  }

  async #read(): Promise<void> {
    try {
      const reader = this.#socket.readable.getReader()
      for (;;) {
        const { value, done } = await reader.read()
        if (done || this.#closed) break
        this.#events.onData(value)
      }
      this.#close(undefined)
    } catch (error) {
      this.#close(error as Error)
    }
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    for (const sent of this.#callbacks) sent(error ?? new Error('the connection is closed'))
    this.#callbacks = []
    // A socket of a request that has ended refuses even this.
    this.#socket.close().catch(() => {})
    this.#events.onClose(error)
  }
}
