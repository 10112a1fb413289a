/**
 * Messages one by one, each whole, for the part of a conversation in which the sides wait for each other: the login.
 * It copies what it is given and holds back what is not asked for yet, both within limits; the session itself, where
 * neither will do, is read by scan.ts.
 */
import { ProtocolError } from './protocol-error.ts'

const headerBytes = 5

export interface Message {
  type: number
  /** Points into the inbox: good until the next `push`. */
  body: Uint8Array
}

export class Inbox {
  readonly #longest: number
  #buffer: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0

  /** @param longest the longest message that is taken, in bytes, its type byte not counted */
  constructor(longest: number) {
    this.#longest = longest
  }

  /** Bytes that are held. */
  get held(): number {
    return this.#end - this.#start
  }

  push(chunk: Uint8Array): void {
    const needed = this.held + chunk.length
    if (this.#end + chunk.length > this.#buffer.length) {
      // Doubled, so that bytes that come one by one are not copied each time.
      const buffer = needed > this.#buffer.length ? new Uint8Array(needed * 2) : this.#buffer
      buffer.set(this.#buffer.subarray(this.#start, this.#end))
      this.#buffer = buffer
      this.#end -= this.#start
      this.#start = 0
    }
    this.#buffer.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /**
   * The next message, null until it is whole.
   *
   * @throws ProtocolError if its length is impossible or too large: as soon as it is there, not when the message is
   */
  next(): Message | null {
    if (this.held < headerBytes) return null
    const view = new DataView(this.#buffer.buffer, this.#start, headerBytes)
    const [type, length] = [view.getUint8(0), view.getUint32(1)]
    if (length < 4 || length > this.#longest)
      throw new ProtocolError(
        `a message of type 0x${type.toString(16).padStart(2, '0')} claims ${length} bytes, where 4 to ${this.#longest} are possible`,
      )
    const end = this.#start + 1 + length
    if (end > this.#end) return null
    const body = this.#buffer.subarray(this.#start + headerBytes, end)
    this.#start = end
    return { type, body }
  }

  /** All that is held and was not given out, a copy; nothing is held then. */
  takeRest(): Uint8Array {
    const rest = this.#buffer.slice(this.#start, this.#end)
    this.#buffer = new Uint8Array(0)
    this.#start = 0
    this.#end = 0
    return rest
  }
}
