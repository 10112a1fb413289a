/**
 * What makes two questions the same: all that the answer depends on besides the data, as bytes.
 *
 *     context   8 bytes: the number that stands for database, session user, role and settings (contexts.ts)
 *     parts     the statement's text; for the extended protocol also what follows the names in Parse and Bind, as it
 *               was sent: parameter types; formats, values (NULL, text and binary kept apart), result formats
 *
 * Each part stands behind its length, so that no two questions have the same bytes. A hash finds, bytes decide.
 *
 * There is one key for all sessions, made anew for each question, without allocation: it is copied when an answer is to
 * be kept.
 */

/** A longer question is not worth keeping: PostgreSQL's work is seldom less than reading it. */
const mostBytes = 65_536

/** A question as bytes: the first `length` of `bytes`, and their hash. */
export interface Question {
  readonly bytes: Uint8Array
  readonly length: number
  readonly hash: number
}

export class Key implements Question {
  /** The question, in the first `length` bytes; the rest is of older ones. */
  bytes: Uint8Array = new Uint8Array(1_024)
  length = 0
  hash = 0
  /** There was no room for all of it: not to be used. */
  tooLong = false

  readonly #seed: number

  /** @param seed of the hash, a 32-bit number that nobody can foresee */
  constructor(seed: number) {
    this.#seed = seed | 0
  }

  /** Begins a question asked in this context. */
  begin(context: number): void {
    this.length = 0
    this.tooLong = false
    this.#number(context)
    this.#number(context / 0x1_0000_0000)
  }

  /** Adds what stands from `start` to `end`. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const from = this.length + 4
    const to = from + end - start
    if (to > this.bytes.length && !this.#grow(to)) return
    this.#number(end - start)
    const own = this.bytes
    for (let at = start, into = from; at < end; at++, into++) own[into] = bytes[at]!
    this.length = to
  }

  /** The question is whole. */
  end(): void {
    const { bytes, length } = this
    let hash = this.#seed ^ length
    let at = 0
    for (; at + 4 <= length; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
      hash = Math.imul(hash ^ word, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    for (; at < length; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    this.hash = hash ^ (hash >>> 13)
  }

  /** The question, to be kept: it stays when others are asked. */
  copy(): Question {
    return { bytes: this.bytes.slice(0, this.length), length: this.length, hash: this.hash }
  }

  #number(value: number): void {
    const { bytes, length } = this
    bytes[length] = value
    bytes[length + 1] = value >>> 8
    bytes[length + 2] = value >>> 16
    bytes[length + 3] = value >>> 24
    this.length += 4
  }

  #grow(needed: number): boolean {
    if (needed > mostBytes) {
      this.tooLong = true
      return false
    }
    const larger = new Uint8Array(Math.max(needed, 2 * this.bytes.length))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
    return true
  }
}
