/**
 * A name in a message as a string, byte for byte: the client's encoding does not matter.
 *
 * Drivers give their statements a few names, and say one with each run: strings of names that came lately are kept, each
 * at a place that its hash gives, so that the usual name is compared and not made.
 */

const places = 1_024
/** Longer ones are made each time. */
const mostBytes = 63

const known: (string | undefined)[] = new Array(places)

/** @param end of the name, without its NUL */
export function nameAt(bytes: Uint8Array, start: number, end: number): string {
  if (end === start) return ''
  if (end - start > mostBytes) return made(bytes, start, end)
  let hash = end - start
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  const place = (hash ^ (hash >>> 15)) & (places - 1)
  const name = known[place]
  if (name !== undefined && isAt(name, bytes, start, end)) return name
  const other = made(bytes, start, end)
  known[place] = other
  return other
}

function isAt(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) if (name.charCodeAt(at) !== bytes[start + at]) return false
  return true
}

const made = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
