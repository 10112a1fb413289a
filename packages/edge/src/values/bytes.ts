/** bytea as text: `\x…`, and the older escape format (`bytea_output`) when reading. Buffer is quicker where it exists. */

interface BufferLike {
  from(hex: string, encoding: 'hex'): Uint8Array
  from(buffer: ArrayBufferLike, offset: number, length: number): { toString(encoding: 'hex'): string }
}

const { Buffer } = globalThis as { Buffer?: BufferLike }

export const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0')

export const toBytea = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  `\\x${
    Buffer?.from(buffer, byteOffset, byteLength).toString('hex') ??
    Array.from(new Uint8Array(buffer, byteOffset, byteLength), hexOf).join('')
  }`

/** @returns a Buffer where there is one, as the drivers do */
export function fromBytea(text: string): Uint8Array {
  const hex = text.startsWith('\\x')
    ? text.slice(2)
    : text.replace(/\\(\d{3})|\\?(.)/gs, (_, octal, char: string) =>
        hexOf(octal ? Number.parseInt(octal, 8) : char.charCodeAt(0)),
      )
  return (
    Buffer?.from(hex, 'hex') ?? Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
  )
}
