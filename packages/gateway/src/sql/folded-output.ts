/**
 * What is written of a text, token by token: words in lower case, literals as markers, and what repeats in a list or in
 * rows once.
 *
 *     IN ( 1 , 2 , 3 )              VALUES ( 1 , 'a' ) , ( 2 , 'b' )
 *        ▲ listOpen                         ▲ inRow      ▲ rowComma: if this row is written like the one before,
 *          ▲ listItem                                      all behind that one is taken back, and `repeated` stands there
 *            ▲ listComma: a literal of the same marker takes back the comma
 */
import { isWordPart } from './lexer.ts'

/** Stands for what is like the thing before. No text that PostgreSQL accepts has such a byte outside quotes. */
export const repeated = 1

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
const openParenthesis = 0x28
const closeParenthesis = 0x29
const comma = 0x2c
const openBracket = 0x5b

/** ( ) [ ] , ; are never part of a longer token. */
const isLone = new Uint8Array(256)
for (const byte of '()[],;') isLone[byte.charCodeAt(0)] = 1

/** Lower case of what a word is made of; 0: not part of a word. */
const folded = isWordPart.map((is, byte) => (is === 0 ? 0 : byte >= 65 && byte <= 90 ? byte + 32 : byte))

export class FoldedOutput {
  /** What was written, in its first `length` bytes. What has no room is not written, but counted. */
  readonly bytes: Uint8Array
  length = 0
  /** There is a set_config whose name is no literal behind its parenthesis, and may be one further inside. */
  hidesName = false

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

  clear(): void {
    this.length = 0
    this.hidesName = false
    this.#at = anywhere
    this.#rows = noRows
    this.#depth = 0
  }

  /** The next literal is the name of a parameter. */
  get takesName(): boolean {
    return this.#at === beforeName
  }

  /** White space. */
  space(): void {
    if (this.length > 0 && isLone[this.bytes[this.length - 1]!] === 0) this.put(blank)
  }

  /** One of ( ) [ ] , ; */
  lone(byte: number): void {
    const at = this.#at
    this.#move(anywhere)
    switch (byte) {
      case openParenthesis:
        if (at === behindIn) this.#at = listOpen
        else if (at === behindSetConfig) this.#at = beforeName
        else if (at === listOpen && this.#rows !== inRow) this.#startRows()
        if (this.#rows === behindValues || this.#rows === rowComma) {
          this.#rows = inRow
          this.#rowStart = this.length
          this.#rowDepth = this.#depth
        } else if (this.#rows !== inRow) this.#rows = noRows
        this.#depth++
        break
      case closeParenthesis:
        this.#depth--
        if (this.#rows === inRow && this.#depth === this.#rowDepth) {
          this.put(byte)
          this.#endRow()
          return
        }
        this.#leaveRows()
        break
      case comma:
        this.#commaAt = this.length
        if (at === listItem) this.#at = listComma
        if (this.#rows === behindRow) this.#rows = rowComma
        else this.#leaveRows()
        break
      default:
        if (byte === openBracket && at === behindArray) this.#at = listOpen
        this.#leaveRows()
    }
    this.put(byte)
  }

  /** Up to where it ends in the text. */
  word(text: Uint8Array, at: number, end: number): number {
    this.#leaveRows()
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
        if (this.#endsWith(start, inWord)) to = behindIn
        break
      case 5:
        if (this.#endsWith(start, arrayWord)) to = behindArray
        break
      case 6:
        if (this.#rows !== inRow && this.#endsWith(start, valuesWord)) this.#startRows()
        break
      case 10:
        if (this.#endsWith(start, setConfig)) to = behindSetConfig
        break
    }
    this.#move(to)
    return at
  }

  quotedIdentifier(text: Uint8Array, at: number, end: number): void {
    this.#leaveRows()
    const start = this.length
    this.#copy(text, at, end)
    this.#move(this.#endsWith(start, quotedSetConfig) ? behindSetConfig : anywhere)
  }

  /** What stays as it is: a parameter, or the literal that names one for set_config. */
  verbatim(text: Uint8Array, at: number, end: number): void {
    this.#leaveRows()
    this.#copy(text, at, end)
    this.#at = anywhere
  }

  /** Of an operator, or what else there is. */
  other(byte: number): void {
    this.#leaveRows()
    this.put(byte)
    this.#move(anywhere)
  }

  literal(marker: number): void {
    this.#leaveRows()
    const at = this.#at
    if (at === listComma && marker === this.#itemMarker) {
      this.length = this.#commaAt
      if (this.bytes[this.length - 1] !== repeated) this.put(repeated)
      this.#at = listItem
      return
    }
    this.put(marker)
    this.#move(at === listOpen || at === listComma ? listItem : anywhere)
    this.#itemMarker = marker
  }

  put(byte: number): void {
    this.bytes[this.length++] = byte
  }

  #startRows(): void {
    this.#rows = behindValues
    this.#modelStart = -1
  }

  /** Something else than what rows go on with; within a row all is part of it. */
  #leaveRows(): void {
    if (this.#rows !== inRow) this.#rows = noRows
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
      this.put(repeated)
    } else {
      this.#modelStart = this.#rowStart
      this.#modelEnd = this.length
    }
  }

  #move(to: number): void {
    if (this.#at === beforeName) this.hidesName = true
    this.#at = to
  }

  #endsWith(start: number, what: Uint8Array): boolean {
    if (this.length - start !== what.length) return false
    for (let at = 0; at < what.length; at++) if (this.bytes[start + at] !== what[at]) return false
    return true
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
