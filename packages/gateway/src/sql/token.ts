/**
 * What stands at a place of a text, as far as values and gaps are told from the rest: for what is done once in a while.
 * What is done for each statement goes through the bytes by itself (shape.ts, reading/literals.ts).
 */
import {
  backslashMatters,
  continued,
  dash,
  dollar,
  dot,
  doubleQuote,
  endOfBlockComment,
  endOfDollarQuoted,
  endOfEscaped,
  endOfLine,
  endOfNumber,
  endOfQuoted,
  isDigit,
  isSpace,
  isWordPart,
  isWordStart,
  quote,
  slash,
  star,
} from './lexer.ts'

const ampersand = 0x26

export interface Token {
  readonly is: 'a gap' | 'a literal' | 'itself'
  readonly tokenEnd: number
}

/** Null if it has no end that is certain. */
export function tokenAt(bytes: Uint8Array, at: number, end: number): Token | null {
  const byte = bytes[at]!
  const next = at + 1 < end ? bytes[at + 1]! : 0
  if (isSpace[byte] === 1) return { is: 'a gap', tokenEnd: at + 1 }
  if (byte === dash && next === dash) return { is: 'a gap', tokenEnd: endOfLine(bytes, at + 2, end) }
  if (byte === slash && next === star) return ended('a gap', endOfBlockComment(bytes, at + 2, end))
  if (byte === doubleQuote) return ended('itself', endOfQuoted(bytes, at, end, doubleQuote))
  if (byte === quote) return stringAt(bytes, at, end, false)
  if (isDigit[byte] === 1 || (byte === dot && isDigit[next] === 1))
    return { is: 'a literal', tokenEnd: endOfNumber(bytes, at, end) }
  if (byte === dollar) return dollarAt(bytes, at, end)
  if (isWordStart[byte] === 0) return { is: 'itself', tokenEnd: at + 1 }
  const prefix = String.fromCharCode(byte).toLowerCase()
  if (next === quote && 'ebxn'.includes(prefix)) return stringAt(bytes, at + 1, end, prefix === 'e')
  if (prefix === 'u' && next === ampersand && bytes[at + 2] === quote && at + 2 < end)
    return stringAt(bytes, at + 2, end, false)
  let tokenEnd = at + 1
  while (tokenEnd < end && isWordPart[bytes[tokenEnd]!] === 1) tokenEnd++
  return { is: 'itself', tokenEnd }
}

/** $1, or $$…$$. */
function dollarAt(bytes: Uint8Array, at: number, end: number): Token | null {
  let tokenEnd = at + 1
  while (tokenEnd < end && isDigit[bytes[tokenEnd]!] === 1) tokenEnd++
  if (tokenEnd > at + 1) return { is: 'itself', tokenEnd }
  tokenEnd = endOfDollarQuoted(bytes, at, end)
  return tokenEnd === at ? { is: 'itself', tokenEnd: at + 1 } : ended('a literal', tokenEnd)
}

/** With all that continues it. */
function stringAt(bytes: Uint8Array, at: number, end: number, escaped: boolean): Token | null {
  let tokenEnd = at
  for (let from = at; from >= 0; from = continued(bytes, tokenEnd, end)) {
    tokenEnd = escaped ? endOfEscaped(bytes, from, end) : endOfQuoted(bytes, from, end, quote)
    // It depends on standard_conforming_strings.
    if (tokenEnd < 0 || (!escaped && backslashMatters(bytes, from, tokenEnd))) return null
  }
  return { is: 'a literal', tokenEnd }
}

const ended = (is: Token['is'], tokenEnd: number): Token | null => (tokenEnd < 0 ? null : { is, tokenEnd })
