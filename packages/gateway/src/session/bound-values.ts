/**
 * The values of a Bind message, found when they are asked for.
 *
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Formats": Bind.
 */
export class BoundValues {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  #formats = 0
  #formatsAt = 0
  /** Where each value's length stands. */
  readonly #at: number[] = []

  /**
   * @param start behind the names of portal and statement
   * @param end of what is there: the values of a large Bind may come later, and are not found then
   */
  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#end = end
    if (start + 2 > end) return
    this.#formats = this.#view.getUint16(start)
    this.#formatsAt = start + 2
    let at = this.#formatsAt + 2 * this.#formats
    if (at + 2 > end) return
    let left = this.#view.getUint16(at)
    at += 2
    for (; left > 0 && at + 4 <= end; left--) {
      const length = this.#view.getInt32(at)
      if (at + 4 + Math.max(0, length) > end) return
      this.#at.push(at)
      at += 4 + Math.max(0, length)
    }
  }

  /** How many are there whole. */
  get count(): number {
    return this.#at.length
  }

  /** The bytes of a value, from 1; null for NULL, undefined if it is not there. */
  bytes(number: number): Uint8Array | null | undefined {
    const at = this.#at[number - 1]
    if (at === undefined) return undefined
    const length = this.#view.getInt32(at)
    return length < 0 ? null : this.#bytes.subarray(at + 4, at + 4 + length)
  }

  /** Its bytes are the type's binary form; else they are text. */
  isBinary(number: number): boolean {
    if (this.#formats === 0) return false
    const place = this.#formats === 1 ? 0 : number - 1
    const at = this.#formatsAt + 2 * place
    return place < this.#formats && at + 2 <= this.#end && this.#view.getInt16(at) === 1
  }

  /** A text as a string, a binary value as its bytes, null for NULL. */
  value(number: number): string | Uint8Array | null | undefined {
    const bytes = this.bytes(number)
    if (!bytes || this.isBinary(number)) return bytes
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  }
}
