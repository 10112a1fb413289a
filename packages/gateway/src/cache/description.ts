/**
 * What a Describe of a statement was answered by: ParameterDescription, and RowDescription or NoData. It depends on no
 * table's rows, but on the schema.
 */
import { Kept } from './kept.ts'
import type { Question } from './key.ts'
import type { Asked, Stamps } from './stamps.ts'

export class Description extends Kept {
  readonly #resultAt: number

  /** @param messages the two, whole */
  constructor(question: Question, stamps: Stamps, asked: Asked, messages: readonly Uint8Array[]) {
    super(question, stamps, asked, messages)
    this.#resultAt = this.saidAt + (messages[0]?.length ?? 0)
  }

  get parameters(): Uint8Array {
    return this.bytes.subarray(this.saidAt, this.#resultAt)
  }

  get result(): Uint8Array {
    return this.bytes.subarray(this.#resultAt)
  }
}
