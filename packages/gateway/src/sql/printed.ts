/**
 * A statement as it is shown to people: without the values in it, which may be anybody's secrets.
 *
 *     SELECT a -- why      FROM t WHERE b = 'x'  AND c IN (1, 2, 3)
 *     SELECT a FROM t WHERE b = ? AND c IN (?, …)
 *
 * Not a shape: that is made for machines, for each statement and without allocation (shape.ts).
 */
import { tokenAt } from './token.ts'

const mostLength = 500

/** @returns at most 500 characters. Where it can't be told where a literal ends, it ends before that. */
export function printed(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  let at = start
  while (at < end && text.length < mostLength) {
    const token = tokenAt(bytes, at, end)
    if (token === null) return `${text}…`
    const { is, tokenEnd } = token
    if (is === 'a gap') text += ' '
    else if (is === 'a literal') text += '?'
    else text += Buffer.from(bytes.buffer, bytes.byteOffset + at, tokenEnd - at).toString()
    at = tokenEnd
  }
  const folded = text
    .replace(/ {2,}/g, ' ')
    .replace(/\?(?: ?, ?\?)+/g, '?, …')
    .trim()
  return at < end || folded.length > mostLength ? `${folded.slice(0, mostLength - 1)}…` : folded
}
