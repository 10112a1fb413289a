/** bytea as text: `\x…`, and PostgreSQL's older escape format when reading. Buffer does the work where it exists. */

interface BufferLike {
  from(text: string, encoding: 'hex'): Uint8Array
  from(bytes: ArrayLike<number>): Uint8Array
  from(buffer: ArrayBufferLike, offset: number, length: number): { toString(encoding: 'hex'): string }
}

const buffer = () => (globalThis as { Buffer?: BufferLike }).Buffer

export function toHex(bytes: Uint8Array): string {
  const hex =
    buffer()?.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex') ??
    Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return `\\x${hex}`
}

/** @returns a Buffer where there is one, as the drivers do */
export function fromBytea(text: string): Uint8Array {
  const Buffer = buffer()
  if (Buffer && text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const units = text.startsWith('\\x')
    ? (text.slice(2).match(/../g) ?? []).map(pair => Number.parseInt(pair, 16))
    : (text.match(/\\\d{3}|\\?[\s\S]/g) ?? []).map(unit =>
        unit.length > 2 ? Number.parseInt(unit.slice(1), 8) : unit.charCodeAt(unit.length - 1),
      )
  return Buffer ? Buffer.from(units) : Uint8Array.from(units)
}
