/**
 * The comment that a tracing library puts behind a statement, between slash and star, another one each time:
 *
 *     traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',route='%2Ffilms'
 *
 * It is no part of the question: with it, no statement would ever come again. No other comment is left out, for there are
 * those that say something to whoever stands behind the gateway (a shard, a plan).
 *
 * Source: the specification of SQLCommenter, "Format": pairs of a key and a value in single quotes, at the end.
 */

import { isSpace, quote, semicolon, slash, star } from './lexer.ts'
import { tokenAt } from './token.ts'

const mostBytes = 2_000
const pair = String.raw`[\w%.~-]+='(?:[^'\\]|\\.)*'`
const pairs = new RegExp(`^\\s*${pair}(?:\\s*,\\s*${pair})*\\s*$`)

/** Where the text ends without such a comment, and without the space before that; its end if there is none. */
export function withoutTrace(bytes: Uint8Array, start: number, end: number): number {
  let last = end
  while (last > start && (isSpace[bytes[last - 1]!] === 1 || bytes[last - 1] === semicolon)) last--
  // Nearly all statements end here.
  if (last - start < 4 || bytes[last - 1] !== slash || bytes[last - 2] !== star) return end
  const comment = lastComment(bytes, start, last)
  if (comment < 0 || !isTrace(bytes, comment + 2, last - 2)) return end
  let before = comment
  while (before > start && isSpace[bytes[before - 1]!] === 1) before--
  return before
}

/** Where the comment begins that ends there, for what looks like one may stand in a string; -1 if that can't be told. */
function lastComment(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (let from = start; from < end; from = at) {
    const token = tokenAt(bytes, from, end)
    if (token === null) return -1
    at = token.tokenEnd
    if (at === end) return bytes[from] === slash && bytes[from + 1] === star ? from : -1
  }
  return -1
}

function isTrace(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > mostBytes || bytes.subarray(start, end).indexOf(quote) < 0) return false
  return pairs.test(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'))
}
