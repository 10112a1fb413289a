/**
 * The client's side of a session: its socket, and what it has sent and nobody has taken yet.
 *
 *     bytes ──▶ │ Query │ Parse Bind Execute Sync │ CopyDa      the next message, and where its series ends
 *               at                                     end
 *
 * What waits is as a rule one chunk as it came. Only what is left of one when the next comes is copied, into a buffer
 * that grows and is never written twice: parts that were taken stay as they are. A message that is too large to wait
 * for is taken in pieces, which go to the server or nowhere.
 */
import { Bind, Close, Describe, Execute, FunctionCall, Parse, parameterStatus, Query } from '@sluice/wire'
import { isReported } from '../origin/start-path.ts'
import type { Values } from '../origin/values.ts'
import type { Socket } from '../transport/transport.ts'

/** The most that waits before the client is not read any more, and a series goes on without its Sync. */
export const fullBytes = 65_536

/** Where the client's bytes go. */
export interface Outlet {
  send(bytes: Uint8Array, start: number, end: number): void
}

export class Client {
  bytes: Uint8Array = nothing
  /** The next byte to take, and the end of what is there. */
  at = 0
  end = 0
  /** Of the next message, once `next` said that it is there: its type, and its length with the type byte. */
  type = 0
  length = 0
  /** Bytes of a message, taken in part, that are still to come. */
  streaming = 0
  /** They go nowhere. */
  dropping = false
  /** It sends nothing more. */
  ended = false
  /** Its socket is closed. */
  gone = false
  /** The last word was said. */
  silent = false

  /** What it was told last by ParameterStatus. */
  told: Values

  readonly #socket: Socket
  /** `bytes` is a buffer of ours with room behind `end`. */
  #own = false
  /** How far the waiting bytes were searched for the end of a series. */
  #searched = 0
  #paused = false

  constructor(socket: Socket, told: Values) {
    this.#socket = socket
    this.told = told
  }

  /** Bytes that wait. */
  get there(): number {
    return this.end - this.at
  }

  get full(): boolean {
    return this.end - this.at >= fullBytes
  }

  push(chunk: Uint8Array): void {
    if (this.at === this.end) {
      this.bytes = chunk
      this.at = 0
      this.end = chunk.length
      this.#own = false
      return
    }
    const needed = this.end + chunk.length
    if (!this.#own || needed > this.bytes.length) {
      const left = this.end - this.at
      const larger = new Uint8Array(Math.max(1_024, 2 * (left + chunk.length)))
      larger.set(this.bytes.subarray(this.at, this.end))
      this.bytes = larger
      this.at = 0
      this.end = left
      this.#own = true
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** Reads the next message's header into `type` and `length`; a length below 5 is an impossible one. */
  next(): boolean {
    if (this.end - this.at < 5) return false
    this.type = this.bytes[this.at]!
    this.length = lengthAt(this.bytes, this.at)
    return true
  }

  /** All bytes of the next message are there. */
  get whole(): boolean {
    return this.end - this.at >= this.length
  }

  /** Where the series ends that begins here: at what is no message of a series. -1 if that has not come. */
  seriesEnd(): number {
    const { bytes, at, end } = this
    let next = at + this.#searched
    while (end - next >= 5) {
      const length = lengthAt(bytes, next)
      if (length < 5 || !ofSeries(bytes[next]!)) return next
      if (next + length > end) break
      next += length
    }
    this.#searched = next - at
    return -1
  }

  /** A unit is here, whole or as much of it as is waited for, and has not been taken. */
  get unitWaits(): boolean {
    if (this.streaming > 0 || !this.next()) return false
    if (ofSeries(this.type)) return this.seriesEnd() >= 0 || this.full
    return (this.type === Query || this.type === FunctionCall) && (this.whole || this.full)
  }

  /** Takes the next `length` bytes. */
  take(length: number): Uint8Array {
    const { bytes, at } = this
    this.consume(length)
    return at === 0 && length === bytes.length ? bytes : bytes.subarray(at, at + length)
  }

  /** Hands the next message on as far as it is there, or to nobody; the rest streams. */
  passMessage(to: Outlet | null): void {
    const part = Math.min(this.length, this.end - this.at)
    this.streaming = this.length - part
    this.dropping = false
    to?.send(this.bytes, this.at, this.at + part)
    this.consume(part)
  }

  /** The next message goes nowhere. */
  drop(): void {
    this.passMessage(null)
    this.dropping = true
  }

  /** Hands on what has come of a message that streams. */
  passStream(to: Outlet | null): void {
    const part = Math.min(this.streaming, this.end - this.at)
    this.streaming -= part
    if (!this.dropping) to?.send(this.bytes, this.at, this.at + part)
    this.consume(part)
  }

  consume(length: number): void {
    this.at += length
    // Nothing that was taken is kept in memory for a client that is idle.
    if (this.at === this.end) this.clear()
    else this.#searched = Math.max(0, this.#searched - length)
  }

  /** What waits goes nowhere. */
  clear(): void {
    this.bytes = nothing
    this.at = 0
    this.end = 0
    this.#searched = 0
  }

  /** False asks the server to pause. */
  say(bytes: Uint8Array): boolean {
    return this.gone || this.silent || this.#socket.write(bytes)
  }

  /** What this connection reports differently from what the client was told. */
  tell(reported: Values): void {
    if (reported === this.told) return
    for (const [name, value] of reported.since(this.told))
      if (isReported(name, reported)) this.say(parameterStatus(name, value))
    this.told = reported
  }

  /** What was said is the last word. */
  hangUp(): void {
    this.silent = true
    this.ended = true
    this.clear()
    if (this.gone) this.#socket.destroy()
    else this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket.resume()
  }
}

/** Length of a message with its type byte. */
export const lengthAt = (bytes: Uint8Array, at: number): number =>
  1 + ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!)

function ofSeries(type: number): boolean {
  return type === Bind || type === Execute || type === Parse || type === Describe || type === Close
}

const nothing = new Uint8Array(0)
