/**
 * What the store keeps: something that the origin said, the question that it answers, and what it depends on. An answer
 * (entry.ts), or the description of a statement (description.ts).
 */
import type { Question } from './key.ts'
import type { Asked, Slots, Stamps } from './stamps.ts'

/**
 * What one takes besides its bytes and slots: the object, its list of slots, its place in the map, the array over its
 * bytes and what the runtime keeps of that. Measured as resident memory: 700 bytes on Node 24, 500 on Bun 1.4.
 */
const objectBytes = 700
const slotBytes = 8

/** Which of the store's lists it is in. */
export type Segment = 'none' | 'window' | 'probation' | 'protected'

export class Kept {
  /** The question, and behind it what was said. Not to be written into: a socket may still hold it. */
  readonly bytes: Uint8Array
  /** Where what was said begins. */
  readonly saidAt: number
  readonly hash: number
  /** When it was asked for at the origin. */
  readonly askedAt: number
  readonly slots: Slots
  readonly #stamps: Stamps
  readonly #stamp: number
  readonly #opaque: number

  // The store's.
  segment: Segment = 'none'
  newer: Kept | null = null
  older: Kept | null = null

  constructor(question: Question, stamps: Stamps, asked: Asked, said: readonly Uint8Array[]) {
    let length = question.length
    for (const part of said) length += part.length
    const bytes = new Uint8Array(length)
    bytes.set(question.bytes.subarray(0, question.length))
    let at = question.length
    for (const part of said) {
      bytes.set(part, at)
      at += part.length
    }
    this.bytes = bytes
    this.saidAt = question.length
    this.hash = question.hash
    this.askedAt = asked.at
    this.#stamps = stamps
    this.slots = asked.slots
    this.#stamp = asked.stamp
    this.#opaque = asked.opaque
  }

  /** Nothing that it depends on is known to have changed since it was asked for. If something has, it is worth nothing. */
  get current(): boolean {
    return this.#stamps.current(this.#stamp, this.slots)
  }

  /** An opaque commit may have changed it: it is served again if that has passed and it is still current. */
  get suspect(): boolean {
    return !this.#stamps.seen(this.#opaque)
  }

  /** What it takes of memory. */
  get weight(): number {
    return objectBytes + slotBytes * this.slots.length + this.bytes.length
  }

  /** It is what was said to this question. */
  answers(question: Question): boolean {
    const { length } = question
    if (this.hash !== question.hash || this.saidAt !== length) return false
    const { bytes } = this
    const asked = question.bytes
    for (let at = 0; at < length; at++) if (bytes[at] !== asked[at]) return false
    return true
  }
}
