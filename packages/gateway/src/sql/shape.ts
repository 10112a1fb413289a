/**
 * The shape of a text: what is left of it without literals, comments and spare white space, so that texts which differ
 * in nothing else are judged once.
 *
 *     SELECT  a FROM t WHERE b = 'x' AND c IN (1, 2, 3)   -- why
 *     select a from t where b = ' and c in(0¹)                       ¹ is the byte `repeated`
 *
 * What stands for what: 0 for a number, ' for a string of any kind (other bytes for bits and for N'…', which are of other
 * types), `repeated` for the literals of an IN list or ARRAY[…], and the rows of VALUES or IN, that are like the one before.
 * Words are in lower case. Quoted identifiers, parameters and operators stay as they are. White space stays as one space,
 * except beside ( ) [ ] , ; which are never part of a longer token. One literal stays: the name in
 * set_config('name', …), for it matters to the plan (folded-output.ts writes, this file reads).
 *
 * Invariants: (1) texts of one shape have one structure, hence one plan; where the bytes can't tell, the text is not
 * `shareable`: identifiers with escapes (U&"…"), and set_config with its name inside an expression. (2) Any bytes have
 * a shape, made in one pass without allocation, and no longer than they are. (3) A byte of 128 or more is part of an identifier, as in PostgreSQL:
 * right for each client_encoding in which no byte of a longer character looks like ASCII.
 *
 * The one thing that a text does not tell is whether a backslash escapes a quote in a plain literal, which depends on
 * standard_conforming_strings. A text for which that matters is `ambiguous`.
 */
import { FoldedOutput, repeated } from './folded-output.ts'
import { hashOf } from './hash.ts'
import {
  backslashMatters,
  continued,
  dollar,
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
  star,
} from './lexer.ts'

// What a token is, by its first byte; 0: an operator, or a part of one.
const space = 1
const word = 2
const digit = 3
const string = 4
const identifier = 5
const dollarSign = 6
const dash = 7
const slash = 8
const dot = 9
const lone = 10

const kinds = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  if (isSpace[byte] === 1) kinds[byte] = space
  if (isWordStart[byte] === 1) kinds[byte] = word
  if (isDigit[byte] === 1) kinds[byte] = digit
}
for (const byte of '()[],;') kinds[byte.charCodeAt(0)] = lone
kinds[quote] = string
kinds[doubleQuote] = identifier
kinds[dollar] = dollarSign
kinds[0x2d] = dash
kinds[0x2f] = slash
kinds[0x2e] = dot

const ampersand = 0x26
const nul = 0
// What a string may begin with.
const b = 0x62
const e = 0x65
const n = 0x6e
const u = 0x75
const x = 0x78
// Markers. The last two, like `repeated`, stand in no text.
const zero = 0x30
const bits = 2
const national = 3

/** Makes shapes, one after the other. */
export class Shape {
  hash = 0
  /** There was no room for all of it: `bytes` has its beginning. */
  tooLong = false
  /** A quote or a comment has no end: PostgreSQL refuses the text. */
  unterminated = false
  /** See above. */
  ambiguous = false
  /** See above. */
  shareable = true

  readonly #out: FoldedOutput
  /** Backslashes escape in plain literals, too. */
  #escapes = false

  constructor(mostBytes: number) {
    this.#out = new FoldedOutput(mostBytes)
  }

  /** The shape of the last text, in its first `length` bytes; used again for the next one. */
  get bytes(): Uint8Array {
    return this.#out.bytes
  }

  get length(): number {
    return this.#out.length
  }

  /** @param escapes read as under standard_conforming_strings = off */
  read(text: Uint8Array, start: number, end: number, escapes: boolean = false): void {
    const out = this.#out
    out.clear()
    this.unterminated = false
    this.ambiguous = false
    this.shareable = true
    this.#escapes = escapes
    const most = out.bytes.length
    let gap = false
    let at = start
    while (at < end && out.length <= most) {
      const kind = kinds[text[at]!]!
      if (kind === space) {
        at++
        gap = true
      } else if (kind === dash && at + 1 < end && text[at + 1] === text[at]) {
        at = endOfLine(text, at + 2, end)
        gap = true
      } else if (kind === slash && at + 1 < end && text[at + 1] === star) {
        at = this.#ended(endOfBlockComment(text, at + 2, end), end)
        gap = true
      } else if (kind === lone) {
        out.lone(text[at++]!)
        gap = false
      } else {
        if (gap) out.space()
        gap = false
        at = this.#token(text, at, end, kind)
      }
    }
    if (out.hidesName || this.unterminated) this.shareable = false
    this.#finish()
  }

  /** A text that is like no other: its shape is itself, behind a byte with which no other shape begins. */
  readWhole(text: Uint8Array, start: number, end: number): void {
    const out = this.#out
    out.clear()
    out.put(repeated)
    for (let at = start; at < end; at++) out.put(text[at]!)
    this.#finish()
  }

  #finish(): void {
    const out = this.#out
    const { bytes } = out
    this.tooLong = out.length > bytes.length
    if (this.tooLong) out.length = bytes.length
    this.hash = hashOf(bytes, out.length)
  }

  /** Where a token ends that may have no end. */
  #ended(tokenEnd: number, end: number): number {
    if (tokenEnd >= 0) return tokenEnd
    this.unterminated = true
    return end
  }

  /** Anything but white space, comments and ( ) [ ] , ; */
  #token(text: Uint8Array, at: number, end: number, kind: number): number {
    const out = this.#out
    const byte = text[at]!
    const next = at + 1 < end ? text[at + 1]! : nul
    switch (kind) {
      case word:
        if (next === quote) {
          const prefix = byte | 0x20
          if (prefix === e || prefix === b || prefix === x || prefix === n)
            return this.#string(text, at, at + 1, end, prefix)
        } else if (next === ampersand && (byte | 0x20) === u && at + 2 < end) {
          if (text[at + 2] === quote) return this.#string(text, at, at + 2, end, u)
          if (text[at + 2] === doubleQuote) this.shareable = false
        }
        return out.word(text, at, end)
      case string:
        return this.#string(text, at, at, end, nul)
      case identifier: {
        const tokenEnd = this.#ended(endOfQuoted(text, at, end, doubleQuote), end)
        out.quotedIdentifier(text, at, tokenEnd)
        return tokenEnd
      }
      case dollarSign:
        return this.#dollar(text, at, end)
      case dot:
        // t.5 is no number's beginning; nor is it SQL.
        if (isDigit[next] === 0 || (out.length > 0 && isWordPart[out.bytes[out.length - 1]!] === 1)) break
        out.literal(zero)
        return endOfNumber(text, at, end)
      case digit:
        out.literal(zero)
        return endOfNumber(text, at, end)
    }
    if (byte === nul) this.shareable = false
    out.other(byte)
    return at + 1
  }

  /** $1, $$…$$, or a dollar that is neither. */
  #dollar(text: Uint8Array, at: number, end: number): number {
    const out = this.#out
    let tokenEnd = at + 1
    while (tokenEnd < end && isDigit[text[tokenEnd]!] === 1) tokenEnd++
    if (tokenEnd > at + 1) {
      out.verbatim(text, at, tokenEnd)
      return tokenEnd
    }
    tokenEnd = this.#ended(endOfDollarQuoted(text, at, end), end)
    if (tokenEnd === at) {
      out.other(dollar)
      return at + 1
    }
    if (out.takesName) out.verbatim(text, at, tokenEnd)
    else out.literal(quote)
    return tokenEnd
  }

  /** @param at of its prefix (`prefix`, lower case; 0 if there is none), `start` of its first quote */
  #string(text: Uint8Array, at: number, start: number, end: number, prefix: number): number {
    const out = this.#out
    const plain = prefix === nul || prefix === n
    const escaped = prefix === e || (plain && this.#escapes)
    let tokenEnd = start
    for (let from = start; from >= 0; from = continued(text, tokenEnd, end)) {
      const partEnd = escaped ? endOfEscaped(text, from, end) : endOfQuoted(text, from, end, quote)
      tokenEnd = this.#ended(partEnd, end)
      if (plain && backslashMatters(text, from, tokenEnd)) this.ambiguous = true
    }
    if (out.takesName) out.verbatim(text, at, tokenEnd)
    else out.literal(prefix === b || prefix === x ? bits : prefix === n ? national : quote)
    return tokenEnd
  }
}
