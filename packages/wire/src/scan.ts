/**
 * Where the messages are in a stream of bytes, one direction of one connection.
 *
 *     chunk    ░░│T len ▒▒▒▒│D len ▒▒▒▒▒▒▒▒│D len ▒▒▒▒▒▒▒▒│Z len ▒│D le      (split anywhere, headers too)
 *     told        RowDescription   (skipped)      (skipped)    ReadyForQuery
 *
 * Only headers are read. A message that nobody watches costs its type and its length, and no call; one that is
 * watched and lies whole in the chunk costs one call, which points into the chunk. Nothing is copied or allocated
 * but the body of a message that was asked for whole and came in pieces.
 *
 * Invariants: (1) any split of the bytes gives the same calls in the same order; (2) a message is told when its
 * last byte is there, not before; (3) at most `bodyLimit` bytes are held back for a body.
 *
 * Not here: the first packet of a connection, which has no type byte, and the single byte that answers an
 * SSLRequest (startup.ts); what the messages mean.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Overview: Messaging Overview" and "Message Formats".
 */
import { ProtocolError } from './protocol-error.ts'

// What a Watch holds for a type; 0 is a type that nobody watches.
const noted = 1
const whole = 2

/** Type byte and length. */
const headerBytes = 5

/** What a scanner tells of; made once by {@link watch} and shared by all scanners of a kind. */
export type Watch = Readonly<Uint8Array> & { readonly watch: unique symbol }

/**
 * Which types of message a scanner tells of.
 *
 * @param types.whole told with the body: what is read (ReadyForQuery, ErrorResponse). In pieces it is collected.
 * @param types.noted told without the body: what may be large and is only counted, or where only its end matters.
 *   Types named in neither are passed over without a call.
 */
export function watch(types: { whole?: readonly number[]; noted?: readonly number[] | 'all others' }): Watch {
  const table = new Uint8Array(256)
  if (types.noted === 'all others') table.fill(noted)
  else for (const type of types.noted ?? []) table[type] = noted
  for (const type of types.whole ?? []) table[type] = whole
  return table as unknown as Watch
}

/**
 * A message has ended.
 *
 * @param type its type byte, one of messages.ts
 * @param bytes where its body is: the chunk itself, or the scanner's own buffer if the body came in pieces. The
 *   buffer is used again: take what you need before you return.
 * @param bodyStart where in `bytes` the body begins
 * @param bodyEnd where it ends. Equal to `bodyStart` if the type is only noted; the body is cut at `bodyLimit`.
 * @param end where in the *fed chunk* the next message begins: all before it is this message and older ones.
 */
export type OnMessage = (
  type: number,
  bytes: Uint8Array,
  bodyStart: number,
  bodyEnd: number,
  end: number,
) => void

/** Finds the messages in one direction of one connection. */
export class MessageScanner {
  readonly #watch: Watch
  readonly #bodyLimit: number
  /** Bytes of an unfinished header that are there, 0 to 4; with them its type and the bytes of its length so far. */
  #headerHas = 0
  #type = 0
  #length = 0
  /** Bytes of an unfinished body that are still to come, 0 if none. */
  #bodyLeft = 0
  /** The first `#heldBytes` of an unfinished body that was asked for whole. */
  #held: Uint8Array = nothing
  #heldBytes = 0

  /**
   * @param watched see {@link watch}
   * @param bodyLimit the most that is held back and told of one body, in bytes. 64 kB: what is asked for whole is
   *   small by nature (PostgreSQL itself takes 30,000 bytes for the most of such messages), and a server that claims
   *   a gigabyte must not be believed.
   */
  constructor(watched: Watch, bodyLimit = 65_536) {
    this.#watch = watched
    this.#bodyLimit = bodyLimit
  }

  /** True between two messages: no part of a message has come whose rest is owed. */
  get atBoundary(): boolean {
    return this.#headerHas === 0 && this.#bodyLeft === 0
  }

  /**
   * Takes the next bytes of the stream and calls `onMessage` for each watched message that ends in them.
   *
   * @throws ProtocolError if a length is impossible. The scanner can't be used any more; messages before it were told.
   *   What `onMessage` throws goes through, with the same effect.
   */
  feed(chunk: Uint8Array, onMessage: OnMessage): void {
    const watched = this.#watch
    const bodyLimit = this.#bodyLimit
    const chunkEnd = chunk.length
    let at = this.#headerHas === 0 && this.#bodyLeft === 0 ? 0 : this.#resume(chunk, onMessage)
    while (chunkEnd - at >= headerBytes) {
      const type = chunk[at]!
      const length = (chunk[at + 1]! << 24) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 8) | chunk[at + 4]!
      if (length < 4) throw impossible(type, length)
      const bodyStart = at + headerBytes
      const end = at + 1 + length
      if (end > chunkEnd) {
        this.#begin(type, length - 4)
        this.#hold(chunk, bodyStart, chunkEnd)
        return
      }
      const interest = watched[type]
      if (interest === whole)
        onMessage(type, chunk, bodyStart, end - bodyStart > bodyLimit ? bodyStart + bodyLimit : end, end)
      else if (interest === noted) onMessage(type, chunk, end, end, end)
      at = end
    }
    while (at < chunkEnd) this.#takeHeaderByte(chunk[at++]!)
  }

  /** Finishes the message that an earlier chunk began, as far as this chunk goes; returns where the next one begins. */
  #resume(chunk: Uint8Array, onMessage: OnMessage): number {
    let at = 0
    if (this.#bodyLeft === 0) {
      while (this.#headerHas < headerBytes) {
        if (at === chunk.length) return at
        this.#takeHeaderByte(chunk[at++]!)
      }
      if (this.#length < 4) throw impossible(this.#type, this.#length)
      this.#begin(this.#type, this.#length - 4)
    }
    const end = Math.min(chunk.length, at + this.#bodyLeft)
    this.#hold(chunk, at, end)
    if (this.#bodyLeft > 0) return end
    const interest = this.#watch[this.#type]
    if (interest === whole) onMessage(this.#type, this.#held, 0, this.#heldBytes, end)
    else if (interest === noted) onMessage(this.#type, chunk, end, end, end)
    return end
  }

  #takeHeaderByte(byte: number): void {
    if (this.#headerHas === 0) {
      this.#type = byte
      this.#length = 0
    } else this.#length = (this.#length << 8) | byte
    this.#headerHas++
  }

  #begin(type: number, bodyBytes: number): void {
    this.#headerHas = 0
    this.#type = type
    this.#bodyLeft = bodyBytes
    this.#heldBytes = 0
  }

  #hold(chunk: Uint8Array, start: number, end: number): void {
    this.#bodyLeft -= end - start
    if (this.#watch[this.#type] !== whole) return
    const part = chunk.subarray(start, Math.min(end, start + this.#bodyLimit - this.#heldBytes))
    const needed = this.#heldBytes + part.length
    // Grown by what has come, not by what the length claims: a claim alone must not cost memory.
    if (needed > this.#held.length) {
      const larger = new Uint8Array(Math.min(this.#bodyLimit, Math.max(256, needed * 2)))
      larger.set(this.#held.subarray(0, this.#heldBytes))
      this.#held = larger
    }
    this.#held.set(part, this.#heldBytes)
    this.#heldBytes = needed
  }
}

const nothing = new Uint8Array(0)

function impossible(type: number, length: number): ProtocolError {
  return new ProtocolError(
    `a message of type 0x${type.toString(16).padStart(2, '0')} claims a length of ${length} bytes: these bytes are not PostgreSQL's protocol`,
  )
}
