/**
 * The socket that a driver gets: enough of a `net.Socket` for node-postgres and postgres.js, on any runtime.
 *
 *     driver ──write──▶ DriverStream ──▶ RawSocket        (already connected, TLS done)
 *     driver ◀──data─── DriverStream ◀── scanner ◀── RawSocket
 *
 * On the way it reads the headers of what the server says, so that the library knows by structure, on every
 * driver, what no error code tells: whether the session ever became ready, its transaction status, its cancel
 * key. The bytes themselves pass untouched; only what a driver would never come back from is refused.
 */
import {
  BackendKeyData,
  EmptyQueryResponse,
  ErrorResponse,
  MessageScanner,
  NoticeResponse,
  ProtocolError,
  parseErrorFields,
  ReadyForQuery,
  watch,
} from '@sluice/wire'
import { joined } from './joined.ts'
import type { RawEvents, RawSocket } from './raw.ts'

type Listener = (...values: never[]) => void

const watched = watch({ whole: [ReadyForQuery, BackendKeyData, ErrorResponse, NoticeResponse] })

/** EmptyQueryResponse and ReadyForQuery (idle): the answer to an empty Query. */
const emptyAnswer = Uint8Array.of(EmptyQueryResponse, 0, 0, 0, 4, ReadyForQuery, 0, 0, 0, 5, 0x49)
const idle = emptyAnswer.subarray(5)

export interface CancelKey {
  readonly processId: number
  readonly secretKey: Uint8Array
}

export class DriverStream implements RawEvents {
  /** True from the session's first ReadyForQuery on: what is written after it may be a statement. */
  ready = false
  status: 'I' | 'T' | 'E' = 'I'
  closed = false
  /** The server has said that it closes the connection: nothing more may be sent, though it is open still. */
  ending = false
  cancelKey: CancelKey | undefined
  /** Called once when the socket is gone, after the driver has heard it. */
  onClosed: (() => void) | undefined
  /** True while an empty Query is answered here, without a trip: how a driver that connects with its first query is made to connect. */
  answersEmptyQuery = false
  /** For a driver that keeps an error until ReadyForQuery, and forgets it when the connection closes there. */
  completesLastError = false
  writable = true

  #raw: RawSocket | undefined
  #failure: Error | undefined
  /** It closed before the driver listened: a server may hang up as soon as it has accepted. */
  #closeIsNews = false
  #corked: Uint8Array[] | undefined
  /** The server said an error, and nothing has ended its exchange yet. */
  #lastWasError = false
  /** What is scanned, and the byte before it: of a long message no more is there to look at. */
  #chunk: Uint8Array = idle
  #byteBefore = 0
  readonly #scanner = new MessageScanner(watched)
  readonly #listeners = new Map<string, { listener: Listener; once: boolean }[]>()

  attach(raw: RawSocket): void {
    this.#raw = raw
  }

  get destroyed(): boolean {
    return this.closed
  }

  /** postgres.js asks for this before it says goodbye. */
  get readyState(): 'open' | 'closed' {
    return this.closed ? 'closed' : 'open'
  }

  // RawEvents

  onData(chunk: Uint8Array): void {
    if (this.closed) return
    try {
      this.#chunk = chunk
      this.#scanner.feed(chunk, this.#onMessage)
      this.#byteBefore = chunk.at(-1) ?? this.#byteBefore
      this.emit('data', asBuffer(chunk))
    } catch (error) {
      // A driver that can't read what came throws here, where nobody else would hear it but the process.
      this.destroy(error as Error)
    }
  }

  onClose(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.writable = false
    if (this.completesLastError && this.#lastWasError) this.emit('data', asBuffer(idle))
    this.#failure ??= error
    if (this.#listeners.has('close')) this.#tellClose()
    else this.#closeIsNews = true
    this.onClosed?.()
  }

  #tellClose(): void {
    if (this.#failure) this.emit('error', this.#failure)
    this.emit('end')
    this.emit('close', this.#failure !== undefined)
  }

  readonly #onMessage = (
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    messageEnd: number,
  ): void => {
    if ((type === ErrorResponse || type === NoticeResponse) && !this.#endsInNuls(messageEnd)) {
      throw new ProtocolError('the server sent an error that has no end')
    }
    if (type === ReadyForQuery) {
      this.ready = true
      this.#lastWasError = false
      const status = bytes[start]
      this.status = status === 0x54 ? 'T' : status === 0x45 ? 'E' : 'I'
    } else if (type === ErrorResponse) {
      this.#lastWasError = true
      const { severity } = parseErrorFields(bytes, start, end)
      if (severity === 'FATAL' || severity === 'PANIC') this.ending = true
    } else if (type === BackendKeyData && end - start >= 8) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start)
      this.cancelKey = { processId: view.getInt32(0), secretKey: bytes.slice(start + 4, end) }
    }
  }

  /**
   * The fields of an error end with a NUL in place of the next one, behind the NUL of the last. Without it node-postgres
   * looks on for ever, beyond the message too.
   */
  #endsInNuls(end: number): boolean {
    const lastButOne = end > 1 ? this.#chunk[end - 2] : this.#byteBefore
    return lastButOne === 0 && this.#chunk[end - 1] === 0
  }

  // What drivers call

  write(chunk: Uint8Array, encoding?: unknown, callback?: (error?: Error) => void): boolean {
    const sent = (typeof encoding === 'function' ? encoding : callback) as
      | ((error?: Error) => void)
      | undefined
    if (this.closed || this.#raw === undefined) {
      sent?.(new Error('the connection is closed'))
      return false
    }
    if (this.answersEmptyQuery && this.ready) {
      this.answersEmptyQuery = false
      queueMicrotask(() => this.emit('data', asBuffer(emptyAnswer)))
      sent?.()
      return true
    }
    if (this.#corked && sent === undefined) this.#corked.push(chunk)
    else this.#raw.write(chunk, sent)
    return true
  }

  /** A query is five messages: corked, they leave in one write, a system call in place of five. */
  cork(): void {
    this.#corked ??= []
  }

  uncork(): void {
    const chunks = this.#corked
    this.#corked = undefined
    if (chunks && chunks.length > 0) this.#raw?.write(joined(chunks))
  }

  end(chunk?: Uint8Array): this {
    if (chunk instanceof Uint8Array && chunk.length > 0) this.write(chunk)
    this.writable = false
    this.#raw?.end()
    return this
  }

  destroy(error?: Error): this {
    if (this.closed) return this
    this.#failure ??= error
    this.#raw?.destroy()
    // The runtime may tell of the close late or, for a socket of a request that has ended, never.
    this.onClose(undefined)
    return this
  }

  /** The stream is connected before a driver gets it: the driver hears so in the next turn. */
  connect(): this {
    queueMicrotask(() => {
      if (!this.closed) this.emit('connect')
    })
    return this
  }

  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  setTimeout(): this {
    return this
  }
  pause(): this {
    return this
  }
  resume(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  // The part of EventEmitter that drivers use

  on(event: string, listener: Listener): this {
    return this.#listen(event, listener, false)
  }
  once(event: string, listener: Listener): this {
    return this.#listen(event, listener, true)
  }
  off(event: string, listener: Listener): this {
    const kept = this.#listeners.get(event)?.filter(entry => entry.listener !== listener) ?? []
    this.#listeners.set(event, kept)
    return this
  }
  addListener(event: string, listener: Listener): this {
    return this.on(event, listener)
  }
  removeListener(event: string, listener: Listener): this {
    return this.off(event, listener)
  }
  removeAllListeners(event?: string): this {
    if (event === undefined) this.#listeners.clear()
    else this.#listeners.delete(event)
    return this
  }
  emit(event: string, ...values: unknown[]): boolean {
    const entries = this.#listeners.get(event)
    if (entries === undefined || entries.length === 0) return false
    // `listen` and `off` replace the array, so this one does not change under the loop.
    for (const entry of entries) {
      if (entry.once) this.off(event, entry.listener)
      entry.listener(...(values as never[]))
    }
    return true
  }

  #listen(event: string, listener: Listener, once: boolean): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), { listener, once }])
    if (event === 'close' && this.#closeIsNews) {
      this.#closeIsNews = false
      // In the next turn of the event loop: postgres.js knows its socket a few microtasks after it listens.
      setTimeout(() => this.#tellClose(), 0)
    }
    return this
  }
}

/** Drivers read integers with Buffer's methods; on Node a chunk is a Buffer already. */
function asBuffer(chunk: Uint8Array): Uint8Array {
  const { Buffer } = globalThis as {
    Buffer?: {
      from(bytes: ArrayBufferLike, offset: number, length: number): Uint8Array
      isBuffer(value: unknown): boolean
    }
  }
  if (Buffer === undefined || Buffer.isBuffer(chunk)) return chunk
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
