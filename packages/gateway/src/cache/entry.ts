/**
 * One answer that was kept: its question, what the origin said, and what it depends on.
 *
 *     │ key │ 1 │ 2 │ T │ D D D … │ C │ Z │        one block of bytes
 *           │   │   │   └ rowsAt  │   └ readyAt
 *           │   │   └ descriptionAt (nothing between it and rowsAt: no description was asked for)
 *           │   └ bindCompleteAt  └ commandCompleteAt
 *           └ parseCompleteAt
 *
 * What a client asks for is as a rule one run of that: all after the key for Parse, Bind, Describe, Execute, Sync; from
 * bindCompleteAt without the Parse; from descriptionAt for a simple Query. A Bind and Execute without a Describe takes
 * two: BindComplete, and all from rowsAt. The bytes never change, so that a socket may keep them.
 */
import type { Key } from './key.ts'
import type { Slots } from './stamps.ts'

/** ParseComplete and BindComplete, ReadyForQuery with status I. */
const before = Uint8Array.of(0x31, 0, 0, 0, 4, 0x32, 0, 0, 0, 4)
const behind = Uint8Array.of(0x5a, 0, 0, 0, 5, 0x49)

/**
 * What an entry takes besides its bytes and slots: the object, its list, its place in the map, the array over its
 * bytes. Measured on Node 24: 430 bytes for an entry without bytes, and less on Bun.
 */
const entryBytes = 450
const slotBytes = 8

/** What the origin said, and when. */
export interface Said {
  /** RowDescription, DataRow…, CommandComplete, in parts as they came. */
  readonly parts: readonly Uint8Array[]
  /** Counted over all parts. */
  readonly rowsAt: number
  readonly commandCompleteAt: number
  readonly length: number
}

/** When an answer was asked for at the origin, and what it depends on. */
export interface Asked {
  readonly at: number
  readonly slots: Slots
  readonly stamp: number
  readonly opaque: number
}

/** Which of the store's lists it is in. */
export type Segment = 'none' | 'window' | 'probation' | 'protected'

export class Entry {
  /** See above. Not to be written into. */
  readonly bytes: Uint8Array
  readonly parseCompleteAt: number
  readonly rowsAt: number
  readonly commandCompleteAt: number
  readonly hash: number
  readonly slots: Slots
  readonly stamp: number
  readonly opaque: number
  /** When it was asked for at the origin. */
  readonly askedAt: number
  /** How long the origin took: what each hit saves. */
  readonly tookMs: number
  /** Until then somebody fetches another: nobody else does. */
  leasedUntil = 0

  // The store's.
  segment: Segment = 'none'
  newer: Entry | null = null
  older: Entry | null = null

  constructor(key: Pick<Key, 'bytes' | 'length' | 'hash'>, asked: Asked, said: Said, tookMs: number) {
    const from = key.length + before.length
    const bytes = new Uint8Array(from + said.length + behind.length)
    bytes.set(key.bytes.subarray(0, key.length))
    bytes.set(before, key.length)
    let at = from
    for (const part of said.parts) {
      bytes.set(part, at)
      at += part.length
    }
    bytes.set(behind, at)
    this.bytes = bytes
    this.parseCompleteAt = key.length
    this.rowsAt = from + said.rowsAt
    this.commandCompleteAt = from + said.commandCompleteAt
    this.hash = key.hash
    this.slots = asked.slots
    this.stamp = asked.stamp
    this.opaque = asked.opaque
    this.askedAt = asked.at
    this.tookMs = tookMs
  }

  /** What a lookup has found. */
  get is(): 'hit' {
    return 'hit'
  }

  get bindCompleteAt(): number {
    return this.parseCompleteAt + 5
  }

  get descriptionAt(): number {
    return this.parseCompleteAt + 10
  }

  get readyAt(): number {
    return this.bytes.length - behind.length
  }

  /** It has a RowDescription. */
  get describes(): boolean {
    return this.rowsAt > this.descriptionAt
  }

  /** What it takes of memory. */
  get weight(): number {
    return entryBytes + slotBytes * this.slots.length + this.bytes.length
  }

  /** It answers this question. */
  answers(key: Pick<Key, 'bytes' | 'length' | 'hash'>): boolean {
    const { length } = key
    if (this.hash !== key.hash || this.parseCompleteAt !== length) return false
    const { bytes } = this
    const asked = key.bytes
    for (let at = 0; at < length; at++) if (bytes[at] !== asked[at]) return false
    return true
  }
}
