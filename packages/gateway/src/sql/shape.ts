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
 * set_config('name', …), for it matters to the plan.
 *
 * Invariants: (1) texts of one shape have one structure, hence one plan; where the bytes can't tell, the text is not
 * `shareable`: identifiers with escapes (U&"…"), and set_config with its name inside an expression. (2) Any bytes have
 * a shape, made in one pass without allocation, and no longer than they are. (3) A byte of 128 or more is part of an identifier, as in PostgreSQL:
 * right for each client_encoding in which no byte of a longer character looks like ASCII.
 *
 * The one thing that a text does not tell is whether a backslash escapes a quote in a plain literal, which depends on
 * standard_conforming_strings. A text for which that matters is `ambiguous`.
 */
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
} from './lexer.ts'

/** Stands for what is like the thing before. No text that PostgreSQL accepts has such a byte outside quotes. */
export const repeated = 1

// What a token is, by its first byte; 0: an operator, or a part of one.
const space = 1
const word = 2
const digit = 3
const string = 4
const identifier = 5
const parameter = 6
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
kinds[dollar] = parameter
kinds[0x2d] = dash
kinds[0x2f] = slash
kinds[0x2e] = dot

/** Lower case of what a word is made of; 0: not part of a word. */
const folded = isWordPart.map((is, byte) => (is === 0 ? 0 : byte >= 65 && byte <= 90 ? byte + 32 : byte))

// Where in a list, or before one, the last token was.
const anywhere = 0
const behindIn = 1
const behindArray = 2
const behindSetConfig = 3
/** `set_config(` */
const beforeName = 4
/** `IN (` or `ARRAY [` */
const listOpen = 5
const listItem = 6
const listComma = 7

// The same of the rows of VALUES, or of an IN list.
const noRows = 0
const behindValues = 1
const inRow = 2
const behindRow = 3
const rowComma = 4

const blank = 0x20
const zero = 0x30
const ampersand = 0x26
const nul = 0
// What strings begin with.
const b = 0x62
const e = 0x65
const n = 0x6e
const u = 0x75
const x = 0x78
// Markers that, like `repeated`, stand in no text.
const bits = 2
const national = 3

/** Makes shapes, one after the other. */
export class Shape {
  /** The shape of the last text, in its first `length` bytes; used again for the next one. */
  readonly bytes: Uint8Array
  length = 0
  hash = 0
  /** There was no room for all of it: `bytes` has its beginning. */
  tooLong = false
  /** A quote or a comment has no end: PostgreSQL refuses the text. */
  unterminated = false
  /** See above. */
  ambiguous = false
  /** See above. */
  shareable = true

  /** Backslashes escape in plain literals, too. */
  #escapes = false
  #at = anywhere
  #itemMarker = 0
  #commaAt = 0
  #rows = noRows
  #depth = 0
  #rowDepth = 0
  #rowStart = 0
  /** The row before, for as long as rows are like it. */
  #modelStart = -1
  #modelEnd = 0

  constructor(mostBytes: number) {
    this.bytes = new Uint8Array(mostBytes)
  }

  /** @param escapes read as under standard_conforming_strings = off */
  read(text: Uint8Array, start: number, end: number, escapes: boolean = false): void {
    this.length = 0
    this.tooLong = false
    this.unterminated = false
    this.ambiguous = false
    this.shareable = true
    this.#escapes = escapes
    this.#at = anywhere
    this.#rows = noRows
    this.#depth = 0
    const most = this.bytes.length
    let gap = false
    let at = start
    while (at < end && this.length <= most) {
      const kind = kinds[text[at]!]!
      if (kind === space) {
        at++
        gap = true
      } else if (kind === dash && at + 1 < end && text[at + 1] === text[at]) {
        at = endOfLine(text, at + 2, end)
        gap = true
      } else if (kind === slash && at + 1 < end && text[at + 1] === 0x2a) {
        at = this.#ended(endOfBlockComment(text, at + 2, end), end)
        gap = true
      } else if (kind === lone) {
        this.#lone(text[at++]!)
        gap = false
      } else {
        if (gap) this.#separate()
        gap = false
        at = this.#token(text, at, end, kind)
      }
    }
    this.#finish()
  }

  /** A text that is alike to no other: its shape is itself, behind a byte with which no other shape begins. */
  readWhole(text: Uint8Array, start: number, end: number): void {
    this.unterminated = false
    this.shareable = true
    this.length = 1 + end - start
    this.bytes[0] = repeated
    for (let at = start, out = 1; at < end; at++) this.bytes[out++] = text[at]!
    this.#finish()
  }

  #finish(): void {
    const { bytes } = this
    // Bytes that were written behind the end of a typed array are not there, and nothing else has happened.
    this.tooLong = this.length > bytes.length
    if (this.tooLong) this.length = bytes.length
    if (this.unterminated) this.shareable = false
    // FNV-1a
    let hash = 0x811c9dc5
    for (let at = 0, end = this.length; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
    this.hash = hash
  }

  #put(byte: number): void {
    this.bytes[this.length++] = byte
  }

  /** White space that may hold two tokens apart. */
  #separate(): void {
    if (this.length > 0 && kinds[this.bytes[this.length - 1]!] !== lone) this.#put(blank)
  }

  /** Where a token ends that may have no end. */
  #ended(tokenEnd: number, end: number): number {
    if (tokenEnd >= 0) return tokenEnd
    this.unterminated = true
    return end
  }

  /** One of ( ) [ ] , ; */
  #lone(byte: number): void {
    const at = this.#at
    this.#move(anywhere)
    switch (byte) {
      case 0x28: // (
        if (at === behindIn) this.#at = listOpen
        else if (at === behindSetConfig) this.#at = beforeName
        if (at === listOpen && this.#rows !== inRow) this.#startRows()
        if (this.#rows === behindValues || this.#rows === rowComma) {
          this.#rows = inRow
          this.#rowStart = this.length
          this.#rowDepth = this.#depth
        } else if (this.#rows === behindRow) this.#rows = noRows
        this.#depth++
        break
      case 0x29: // )
        this.#depth--
        if (this.#rows === inRow && this.#depth === this.#rowDepth) {
          this.#put(byte)
          this.#endRow()
          return
        }
        break
      case 0x2c: // ,
        this.#commaAt = this.length
        if (at === listItem) this.#at = listComma
        if (this.#rows === behindRow) this.#rows = rowComma
        break
      case 0x5b: // [
        if (at === behindArray) this.#at = listOpen
        break
    }
    this.#put(byte)
  }

  #startRows(): void {
    this.#rows = behindValues
    this.#modelStart = -1
  }

  #endRow(): void {
    const { bytes } = this
    this.#rows = behindRow
    const length = this.length - this.#rowStart
    let same = 0
    if (this.#modelStart >= 0 && this.#modelEnd - this.#modelStart === length)
      while (same < length && bytes[this.#modelStart + same] === bytes[this.#rowStart + same]) same++
    if (same === length) {
      this.length = this.#modelEnd
      this.#put(repeated)
    } else {
      this.#modelStart = this.#rowStart
      this.#modelEnd = this.length
    }
  }

  /** Something else than what a list goes on with. */
  #move(to: number): void {
    if (this.#at === beforeName) this.shareable = false
    this.#at = to
  }

  /** Anything but white space, comments and ( ) [ ] , ; */
  #token(text: Uint8Array, at: number, end: number, kind: number): number {
    if (this.#rows !== inRow) this.#rows = noRows
    const next = at + 1 < end ? text[at + 1]! : nul
    switch (kind) {
      case word:
        if (next === quote) {
          const prefix = folded[text[at]!]!
          if (prefix === e || prefix === b || prefix === x || prefix === n)
            return this.#string(text, at, at + 1, end, prefix)
        } else if (next === ampersand && folded[text[at]!] === u && at + 2 < end) {
          if (text[at + 2] === quote) return this.#string(text, at, at + 2, end, u)
          if (text[at + 2] === doubleQuote) this.shareable = false
        }
        return this.#word(text, at, end)
      case string:
        return this.#string(text, at, at, end, nul)
      case identifier: {
        const start = this.length
        const tokenEnd = this.#ended(endOfQuoted(text, at, end, doubleQuote), end)
        this.#copy(text, at, tokenEnd)
        this.#move(this.#is(start, quotedSetConfig) ? behindSetConfig : anywhere)
        return tokenEnd
      }
      case parameter:
        return this.#parameter(text, at, end)
      case dot:
        // t.5 is no number's beginning; nor is it SQL.
        if (isDigit[next] === 0 || (this.length > 0 && isWordPart[this.bytes[this.length - 1]!] === 1)) break
        this.#literal(zero)
        return endOfNumber(text, at, end)
      case digit:
        this.#literal(zero)
        return endOfNumber(text, at, end)
    }
    if (text[at] === nul) this.shareable = false
    this.#move(anywhere)
    this.#put(text[at]!)
    return at + 1
  }

  #word(text: Uint8Array, at: number, end: number): number {
    const { bytes } = this
    const start = this.length
    let out = start
    let byte = folded[text[at]!]!
    do {
      bytes[out++] = byte
      byte = ++at < end ? folded[text[at]!]! : 0
    } while (byte !== 0)
    this.length = out
    let to = anywhere
    switch (out - start) {
      case 2:
        if (this.#is(start, inWord)) to = behindIn
        break
      case 5:
        if (this.#is(start, arrayWord)) to = behindArray
        break
      case 6:
        if (this.#rows === noRows && this.#is(start, valuesWord)) this.#startRows()
        break
      case 10:
        if (this.#is(start, setConfig)) to = behindSetConfig
        break
    }
    this.#move(to)
    return at
  }

  #is(start: number, what: Uint8Array): boolean {
    if (this.length - start !== what.length) return false
    for (let at = 0; at < what.length; at++) if (this.bytes[start + at] !== what[at]) return false
    return true
  }

  /** $1, $$…$$, or a dollar that is neither. */
  #parameter(text: Uint8Array, at: number, end: number): number {
    let tokenEnd = at + 1
    while (tokenEnd < end && isDigit[text[tokenEnd]!] === 1) tokenEnd++
    if (tokenEnd > at + 1) {
      this.#copy(text, at, tokenEnd)
      this.#at = anywhere
      return tokenEnd
    }
    tokenEnd = this.#ended(endOfDollarQuoted(text, at, end), end)
    if (tokenEnd === at) {
      this.#move(anywhere)
      this.#put(dollar)
      return at + 1
    }
    if (this.#at === beforeName) this.#name(text, at, tokenEnd)
    else this.#literal(quote)
    return tokenEnd
  }

  /** @param at of its prefix (`prefix`, lower case; 0 if there is none), `start` of its first quote */
  #string(text: Uint8Array, at: number, start: number, end: number, prefix: number): number {
    const plain = prefix === nul || prefix === n
    const escaped = prefix === e || (plain && this.#escapes)
    let tokenEnd = start
    for (let from = start; from >= 0; from = continued(text, tokenEnd, end)) {
      const partEnd = escaped ? endOfEscaped(text, from, end) : endOfQuoted(text, from, end, quote)
      tokenEnd = this.#ended(partEnd, end)
      if (plain && backslashMatters(text, from, tokenEnd)) this.ambiguous = true
    }
    if (this.#at === beforeName) this.#name(text, at, tokenEnd)
    else this.#literal(prefix === b || prefix === x ? bits : prefix === n ? national : quote)
    return tokenEnd
  }

  #name(text: Uint8Array, at: number, end: number): void {
    this.#copy(text, at, end)
    this.#at = anywhere
  }

  /** Its marker; nothing, if it is one more of a list. */
  #literal(marker: number): void {
    const at = this.#at
    if (at === listComma && marker === this.#itemMarker) {
      this.length = this.#commaAt
      if (this.bytes[this.length - 1] !== repeated) this.#put(repeated)
      this.#at = listItem
      return
    }
    this.#put(marker)
    this.#move(at === listOpen || at === listComma ? listItem : anywhere)
    this.#itemMarker = marker
  }

  #copy(text: Uint8Array, at: number, end: number): void {
    const { bytes } = this
    let out = this.length
    while (at < end) bytes[out++] = text[at++]!
    this.length = out
  }
}

const ascii = (text: string) => new TextEncoder().encode(text)
const inWord = ascii('in')
const arrayWord = ascii('array')
const valuesWord = ascii('values')
const setConfig = ascii('set_config')
const quotedSetConfig = ascii('"set_config"')
