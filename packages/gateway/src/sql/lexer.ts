/**
 * Where PostgreSQL's tokens end, in bytes and whatever they are: the rules of its src/backend/parser/scan.l that
 * matter to a shape. Each function is given where a token begins and gives where it ends, -1 if it does not.
 */

export const quote = 0x27
export const doubleQuote = 0x22
export const dollar = 0x24
export const backslash = 0x5c
export const dash = 0x2d
export const slash = 0x2f
export const star = 0x2a
export const dot = 0x2e
export const semicolon = 0x3b
const lineFeed = 0x0a
const carriageReturn = 0x0d

const set = (bytes: string) => {
  const table = new Uint8Array(256)
  for (const byte of bytes) table[byte.charCodeAt(0)] = 1
  return table
}
const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_'

export const isSpace: Readonly<Uint8Array> = set(' \t\n\r\f\v')
export const isDigit: Readonly<Uint8Array> = set('0123456789')
export const isWordStart: Readonly<Uint8Array> = set(letters).fill(1, 128)
export const isWordPart: Readonly<Uint8Array> = set(`${letters}0123456789$`).fill(1, 128)
const isTagPart = set(`${letters}0123456789`).fill(1, 128)
const isHexPart = set('0123456789abcdefABCDEF_')
const isDigitPart = set('0123456789_')

/** From behind `--`. */
export function endOfLine(text: Uint8Array, at: number, end: number): number {
  while (at < end && text[at] !== lineFeed && text[at] !== carriageReturn) at++
  return at
}

/** From behind the slash and star that begin it; such comments nest. */
export function endOfBlockComment(text: Uint8Array, at: number, end: number): number {
  for (let depth = 1; at < end - 1; at++)
    if (text[at] === star && text[at + 1] === slash) {
      at++
      if (--depth === 0) return at + 1
    } else if (text[at] === slash && text[at + 1] === star) {
      at++
      depth++
    }
  return -1
}

/** Of the identifier or string whose quotes are doubled to stand for themselves; from its first quote. */
export function endOfQuoted(text: Uint8Array, at: number, end: number, mark: number): number {
  for (at++; at < end; at++)
    if (text[at] === mark) {
      if (at + 1 >= end || text[at + 1] !== mark) return at + 1
      at++
    }
  return -1
}

/** Of a string in which a backslash takes its meaning from what follows; from its first quote. */
export function endOfEscaped(text: Uint8Array, at: number, end: number): number {
  for (at++; at < end; at++)
    if (text[at] === backslash) at++
    else if (text[at] === quote) {
      if (at + 1 >= end || text[at + 1] !== quote) return at + 1
      at++
    }
  return -1
}

/** Whether the string would end elsewhere, or not at all, if backslashes escaped in it: a quote stands behind one. */
export function backslashMatters(text: Uint8Array, at: number, end: number): boolean {
  for (at++; at < end; at++)
    if (text[at] === backslash) {
      at++
      if (at < end && text[at] === quote) return true
    }
  return false
}

/**
 * Where a string that has ended goes on: behind white space with a new line in it, or -1. `'a'` and `'b'` on two lines
 * are `'ab'`.
 */
export function continued(text: Uint8Array, at: number, end: number): number {
  let newLine = false
  for (; at < end; at++) {
    const byte = text[at]!
    if (byte === quote) return newLine ? at : -1
    if (byte === lineFeed || byte === carriageReturn) newLine = true
    else if (byte === dash && at + 1 < end && text[at + 1] === dash) at = endOfLine(text, at, end) - 1
    else if (isSpace[byte] === 0) return -1
  }
  return -1
}

/** `$tag$ … $tag$`, from its first dollar, where it ends if there is no such string. */
export function endOfDollarQuoted(text: Uint8Array, at: number, end: number): number {
  let tagEnd = at + 1
  if (tagEnd < end && isWordStart[text[tagEnd]!] === 1)
    do tagEnd++
    while (tagEnd < end && isTagPart[text[tagEnd]!] === 1)
  if (tagEnd >= end || text[tagEnd] !== dollar) return at
  const length = tagEnd + 1 - at
  for (let next = tagEnd + 1; next <= end - length; next++) {
    if (text[next] !== dollar) continue
    let same = 1
    while (same < length && text[next + same] === text[at + same]) same++
    if (same === length) return next + length
  }
  return -1
}

/** From its first digit, or the dot before it. */
export function endOfNumber(text: Uint8Array, at: number, end: number): number {
  if (text[at] === 0x30 && at + 2 < end) {
    const letter = text[at + 1]! | 0x20
    // x, o or b
    const digits = letter === 0x78 ? isHexPart : letter === 0x6f || letter === 0x62 ? isDigitPart : null
    if (digits !== null && digits[text[at + 2]!] === 1) {
      at += 2
      while (at < end && digits[text[at]!] === 1) at++
      return at
    }
  }
  while (at < end && isDigitPart[text[at]!] === 1) at++
  // 1..10 are two numbers.
  if (at < end && text[at] === dot && (at + 1 >= end || text[at + 1] !== dot)) {
    at++
    while (at < end && isDigitPart[text[at]!] === 1) at++
  }
  if (at < end && (text[at]! | 0x20) === 0x65) {
    let digits = at + 1
    if (digits < end && (text[digits] === 0x2b || text[digits] === dash)) digits++
    if (digits < end && isDigit[text[digits]!] === 1) {
      at = digits
      while (at < end && isDigitPart[text[at]!] === 1) at++
    }
  }
  return at
}
