/**
 * A text with its literals apart: texts that differ in nothing else share a verdict, and a verdict finds the values that
 * it depends on by their places.
 *
 *     SELECT * FROM t WHERE id = 7 AND name = 'x'     the form: … id = ² AND name = '
 *                                ▲ literal 0     ▲ literal 1
 *
 * This is not the shape of shape.ts, in which lists are folded, so that a literal has no place of its own, and all numbers
 * are alike: here 7, 7000000000 and 7.0 differ, for they are of other types, and another function may be meant.
 * Only `'…'` and plain decimal numbers are literals here. What else there is (E'', $$, 0x1F, numbers where a minus sign
 * decides the type) stays in the form as it is.
 *
 * Source: PostgreSQL's src/backend/parser/scan.l, by lexer.ts.
 */
import { hashOf } from '../hash.ts'
import {
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
} from '../lexer.ts'

const blank = 0x20
const lowerE = 0x65
// What stands for a number; no text that PostgreSQL accepts has such bytes outside quotes.
const int4 = 2
const int8 = 3
const numeric = 4

/** More are not worth keeping apart. */
const mostLiterals = 1_000

export class Literals {
  /** The form, in the first `length` bytes; used again for the next text. */
  readonly bytes: Uint8Array
  length = 0
  hash = 0
  /** How many there are. */
  count = 0
  /** There was no room, or a quote has no end: no form. */
  failed = false

  readonly #starts = new Int32Array(mostLiterals)
  readonly #ends = new Int32Array(mostLiterals)
  #text: Uint8Array = new Uint8Array(0)
  #start = 0

  /** @param mostBytes of a text */
  constructor(mostBytes: number) {
    this.bytes = new Uint8Array(mostBytes)
  }

  /** Reads a text as under standard_conforming_strings = on. */
  read(text: Uint8Array, start: number, end: number): void {
    this.#text = text
    this.#start = start
    this.length = 0
    this.count = 0
    this.failed = end - start > this.bytes.length
    let gap = false
    for (let at = start; at < end && !this.failed; ) {
      const next = spaceEnd(text, at, end)
      if (next !== at) {
        gap = true
        at = next < 0 ? this.#fail(end) : next
        continue
      }
      if (gap && this.length > 0) this.#put(blank)
      gap = false
      at = this.#token(text, at, end)
    }
    this.hash = hashOf(this.bytes, this.length)
  }

  /** The form is this one. */
  is(form: Uint8Array): boolean {
    const { bytes, length } = this
    if (form.length !== length) return false
    for (let at = 0; at < length; at++) if (form[at] !== bytes[at]) return false
    return true
  }

  /** Which literal begins at this byte of the text, counted from its start. */
  at(location: number): number | undefined {
    const place = this.#starts.subarray(0, this.count).indexOf(this.#start + location)
    return place < 0 ? undefined : place
  }

  /** What it says: of a string without its quotes. Null if what a backslash means can't be told. */
  value(literal: number): string | null {
    const written = Buffer.from(this.#text.buffer, this.#text.byteOffset, this.#text.byteLength).toString(
      'utf8',
      this.#starts[literal],
      this.#ends[literal],
    )
    if (written[0] !== "'") return written
    return written.includes('\\') ? null : written.slice(1, -1).replaceAll("''", "'")
  }

  #token(text: Uint8Array, at: number, end: number): number {
    const byte = text[at]!
    if (byte === quote) return this.#string(text, at, end)
    if (isDigit[byte] === 1 || (byte === dot && at + 1 < end && isDigit[text[at + 1]!] === 1))
      return this.#number(text, at, end)
    return this.#copy(text, at, this.#endOfOther(text, at, end))
  }

  #endOfOther(text: Uint8Array, at: number, end: number): number {
    const byte = text[at]!
    if (byte === doubleQuote) return this.#ended(endOfQuoted(text, at, end, doubleQuote), end)
    if (byte === dollar) {
      const tokenEnd = this.#ended(endOfDollarQuoted(text, at, end), end)
      return tokenEnd > at ? tokenEnd : wordEnd(text, at + 1, end)
    }
    if (isWordStart[byte] === 0) return at + 1
    const tokenEnd = wordEnd(text, at, end)
    if (tokenEnd >= end || text[tokenEnd] !== quote || tokenEnd - at > 1) return tokenEnd
    // E'…' and other strings with a letter before them.
    const prefixed = (byte | blank) === lowerE ? endOfEscaped : endOfPlain
    let stringEnd = tokenEnd
    for (let from = tokenEnd; from >= 0; from = continued(text, stringEnd, end))
      stringEnd = this.#ended(prefixed(text, from, end), end)
    return stringEnd
  }

  /** One that goes on in another line is no literal: it stays as it is. */
  #string(text: Uint8Array, at: number, end: number): number {
    const first = this.#ended(endOfPlain(text, at, end), end)
    let last = first
    for (let from = continued(text, first, end); from >= 0; from = continued(text, last, end))
      last = this.#ended(endOfPlain(text, from, end), end)
    if (last !== first || isUnicode(text, at, this.#start)) return this.#copy(text, at, last)
    this.#literal(quote, at, first)
    return first
  }

  #number(text: Uint8Array, at: number, end: number): number {
    const tokenEnd = endOfNumber(text, at, end)
    const kind = numberKind(text, at, tokenEnd)
    if (kind === 0) return this.#copy(text, at, tokenEnd)
    this.#literal(kind, at, tokenEnd)
    return tokenEnd
  }

  #literal(marker: number, start: number, end: number): void {
    if (this.count === mostLiterals) {
      this.failed = true
      return
    }
    this.#starts[this.count] = start
    this.#ends[this.count++] = end
    this.#put(marker)
  }

  #copy(text: Uint8Array, at: number, end: number): number {
    const { bytes } = this
    let out = this.length
    if (out + end - at > bytes.length) return this.#fail(end)
    while (at < end) bytes[out++] = text[at++]!
    this.length = out
    return end
  }

  #put(byte: number): void {
    if (this.length === this.bytes.length) this.failed = true
    else this.bytes[this.length++] = byte
  }

  #ended(tokenEnd: number, end: number): number {
    return tokenEnd < 0 ? this.#fail(end) : tokenEnd
  }

  #fail(end: number): number {
    this.failed = true
    return end
  }
}

/** Behind white space and comments; -1 if a comment has no end. */
function spaceEnd(text: Uint8Array, at: number, end: number): number {
  const byte = text[at]!
  if (isSpace[byte] === 1) return at + 1
  if (at + 1 >= end) return at
  if (byte === dash && text[at + 1] === dash) return endOfLine(text, at + 2, end)
  return byte === slash && text[at + 1] === star ? endOfBlockComment(text, at + 2, end) : at
}

const endOfPlain = (text: Uint8Array, at: number, end: number): number => endOfQuoted(text, at, end, quote)

function wordEnd(text: Uint8Array, at: number, end: number): number {
  while (at < end && isWordPart[text[at]!] === 1) at++
  return at
}

/** `U&'…'` */
const isUnicode = (text: Uint8Array, at: number, start: number): boolean =>
  at - 2 >= start && text[at - 1] === 0x26 && (text[at - 2]! | blank) === 0x75

/** 0: to be left as it is. */
function numberKind(text: Uint8Array, at: number, end: number): number {
  let digits = 0
  let isWhole = true
  for (let from = at; from < end; from++) {
    const byte = text[from]!
    if (isDigit[byte] === 1) digits++
    else if (byte === dot) isWhole = false
    else return 0
  }
  if (!isWhole) return numeric
  if (digits < 10) return int4
  if (digits > 19) return numeric
  const value = BigInt(Buffer.from(text.buffer, text.byteOffset + at, end - at).toString('latin1'))
  // With a minus sign before it, it would still fit the smaller type.
  if (value === 2_147_483_648n || value === 9_223_372_036_854_775_808n) return 0
  if (value < 2_147_483_648n) return int4
  return value < 9_223_372_036_854_775_808n ? int8 : numeric
}
