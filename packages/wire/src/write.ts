/** How the parts of a message are written, for backend-messages.ts and frontend-messages.ts. */

const encoder = new TextEncoder()

/** A whole message: type byte, length, and the parts behind each other. */
export function message(type: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let bodyBytes = 0
  for (const part of parts) bodyBytes += part.length
  const bytes = new Uint8Array(5 + bodyBytes)
  bytes[0] = type
  new DataView(bytes.buffer).setUint32(1, 4 + bodyBytes)
  let at = 5
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

export const int16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value)

export const int32 = (value: number): Uint8Array => Uint8Array.of(value >> 24, value >> 16, value >> 8, value)

/**
 * A string that ends in NUL.
 *
 * @throws RangeError if it holds a NUL: what follows that would be read as further fields of the message
 */
export function text(value: string): Uint8Array {
  if (value.includes('\0')) throw new RangeError('a string in a message ends at its NUL, so it can hold none')
  return encoder.encode(`${value}\0`)
}

/** A value of a row or of a Bind: its length and its bytes, or the length -1 for null. */
export function value(of: string | Uint8Array | null): Uint8Array {
  if (of === null) return int32(-1)
  const bytes = typeof of === 'string' ? encoder.encode(of) : of
  const counted = new Uint8Array(4 + bytes.length)
  new DataView(counted.buffer).setUint32(0, bytes.length)
  counted.set(bytes, 4)
  return counted
}
