/**
 * Reads along with an answer that passes to a client, and copies what is worth keeping.
 *
 *     1  2  T  D D … D  C  Z          extended: RowDescription is the portal's only behind BindComplete
 *           T  D D … D  C  Z          simple
 *              └ copied ┘
 *
 * It refuses an answer that is more, or other, than one result: then nothing is kept, and the reason is known at once.
 * Messages come as a pipeline hands them on: a header is whole, a large message may go on in pieces.
 */
import {
  BindComplete,
  CloseComplete,
  CommandComplete,
  CopyBothResponse,
  CopyInResponse,
  CopyOutResponse,
  DataRow,
  ErrorResponse,
  NoticeResponse,
  NotificationResponse,
  ParameterDescription,
  ParameterStatus,
  ParseComplete,
  PortalSuspended,
  ReadyForQuery,
  RowDescription,
} from '@sluice/wire'
import type { Said } from './entry.ts'

/** Why an answer can't be kept. */
export type Refusal =
  | 'error'
  | 'notice'
  | 'parameter'
  | 'notification'
  | 'copy'
  | 'suspended'
  | 'several'
  | 'other'
  | 'transaction'
  | 'oversized'
  /** Other copies on their way have taken all the room. */
  | 'crowded'
  /** What it depends on has changed since it was asked for. */
  | 'changed'
  /** The connection was lost, or the answer was given up. */
  | 'lost'

const refusals: Readonly<Record<number, Refusal>> = {
  [ErrorResponse]: 'error',
  [NoticeResponse]: 'notice',
  [ParameterStatus]: 'parameter',
  [NotificationResponse]: 'notification',
  [CopyInResponse]: 'copy',
  [CopyOutResponse]: 'copy',
  [CopyBothResponse]: 'copy',
  [PortalSuspended]: 'suspended',
}

/** What all copies on their way may take together. */
export interface Allowance {
  left: number
}

const headerBytes = 5
const idle = 0x49

export class Tee {
  /** Null as long as the answer may be kept. */
  refusal: Refusal | null = null

  readonly #allowance: Allowance
  readonly #mostBytes: number
  #parts: Uint8Array[] = []
  #length = 0
  /** Of the message that goes on in pieces: bytes still to come, and whether they are copied. */
  #left = 0
  #copying = false
  /** Where rows begin, and CommandComplete; -1: it has not come. */
  #rowsAt = -1
  #commandCompleteAt = -1
  /** A RowDescription is that of the result: always so for a simple Query. */
  #bound: boolean
  #ready = false

  /** @param simple it answers a simple Query */
  constructor(simple: boolean, mostBytes: number, allowance: Allowance) {
    this.#bound = simple
    this.#mostBytes = mostBytes
    this.#allowance = allowance
  }

  feed(chunk: Uint8Array): void {
    if (this.refusal !== null) return
    const { length } = chunk
    let at = Math.min(this.#left, length)
    this.#left -= at
    // Where what is to be copied began, without a gap; -1: nothing is.
    let from = this.#copying && at > 0 ? 0 : -1
    while (at < length) {
      const type = chunk[at]!
      const size =
        1 + ((chunk[at + 1]! << 24) | (chunk[at + 2]! << 16) | (chunk[at + 3]! << 8) | chunk[at + 4]!)
      const copied = this.#length + (from < 0 ? 0 : at - from)
      this.#copying = this.#onMessage(type, copied, chunk[at + headerBytes]!)
      if (this.refusal !== null) {
        this.#letGo()
        return
      }
      if (!this.#copying && from >= 0) {
        if (!this.#copy(chunk, from, at)) return
        from = -1
      } else if (this.#copying && from < 0) from = at
      this.#left = Math.max(0, at + size - length)
      at = Math.min(at + size, length)
    }
    if (from >= 0) this.#copy(chunk, from, length)
  }

  /** What was said, when all of it has come; null if it can't be kept. */
  end(): Said | null {
    if (this.refusal === null && !(this.#ready && this.#commandCompleteAt >= 0)) this.refuse('error')
    if (this.refusal !== null) return null
    const said = {
      parts: this.#parts,
      rowsAt: this.#rowsAt < 0 ? this.#commandCompleteAt : this.#rowsAt,
      commandCompleteAt: this.#commandCompleteAt,
    }
    this.#letGo()
    return said
  }

  refuse(refusal: Refusal): void {
    if (this.refusal !== null) return
    this.refusal = refusal
    this.#letGo()
  }

  /** @returns whether it is copied, to this place */
  #onMessage(type: number, place: number, firstByte: number): boolean {
    switch (type) {
      case ParseComplete:
      case CloseComplete:
      case ParameterDescription:
        return false
      case BindComplete:
        if (this.#bound) this.refusal = 'several'
        this.#bound = true
        return false
      case RowDescription:
        if (!this.#bound) return false
        if (place > 0) this.refusal = 'several'
        return true
      case DataRow:
        if (this.#commandCompleteAt >= 0) this.refusal = 'several'
        if (this.#rowsAt < 0) this.#rowsAt = place
        return true
      case CommandComplete:
        if (this.#commandCompleteAt >= 0) this.refusal = 'several'
        this.#commandCompleteAt = place
        return true
      case ReadyForQuery:
        if (firstByte !== idle) this.refusal = 'transaction'
        this.#ready = true
        return false
      default:
        this.refusal = refusals[type] ?? 'other'
        return false
    }
  }

  /** A copy, so that what is kept does not keep a whole chunk in memory. */
  #copy(chunk: Uint8Array, start: number, end: number): boolean {
    const bytes = end - start
    if (this.#length + bytes > this.#mostBytes) this.refuse('oversized')
    else if (bytes > this.#allowance.left) this.refuse('crowded')
    if (this.refusal !== null) return false
    this.#allowance.left -= bytes
    this.#parts.push(chunk.slice(start, end))
    this.#length += bytes
    return true
  }

  #letGo(): void {
    this.#allowance.left += this.#length
    this.#parts = []
    this.#length = 0
  }
}
