/**
 * A unit that the cache may answer whole, found in the bytes that a client has sent.
 *
 *     query      Query
 *     run        [Parse] [Describe S] Bind [Describe] Execute    up to a Sync
 *     prepare    Parse [Describe S]                              up to a Flush or a Sync
 *
 * Every other form (two Executes before one Sync, a limit of rows, a Close, names that do not belong together) is left
 * to the server. Only positions are noted: nothing is copied, and one object serves all sessions.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Extended Query".
 */
import { Bind, Describe, Execute, Flush, Parse, Query, Sync } from '@sluice/wire'
import { lengthAt } from './client.ts'

export type UnitKind = 'query' | 'run' | 'prepare'

/** What the client is to hear, in this order. */
export type Step = 'parsed' | 'statement described' | 'bound' | 'portal described' | 'executed'

const statementByte = 0x53 // S
const portalByte = 0x50 // P

export class ReadUnit {
  kind: UnitKind = 'query'
  bytes: Uint8Array = new Uint8Array(0)
  /** Behind its last message; of a series before the Sync or Flush. */
  end = 0
  /** A Sync ends the series. */
  synced = false
  /** The text of the Query or Parse, without its NUL; -1 if there is none. */
  textStart = -1
  textEnd = -1
  /** Of the Parse: text, NUL and parameter types lie from `textStart` to here; -1 without one. */
  typesEnd = -1
  /** The statement's name, without its NUL. */
  nameStart = 0
  nameEnd = 0
  /** The portal's name. */
  portalStart = 0
  portalEnd = 0
  /** What the Bind says behind its names: formats, values, formats of results. */
  valuesStart = 0
  valuesEnd = 0
  readonly steps: Step[] = []

  /**
   * Reads the unit that begins at `at`.
   *
   * @param end of the bytes that are there
   * @returns false if none of the three is there whole
   */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.bytes = bytes
    this.steps.length = 0
    this.textStart = -1
    this.typesEnd = -1
    this.valuesStart = 0
    if (bytes[at] === Query) return this.#readQuery(at, end)
    this.kind = 'prepare'
    while (end - at >= 5) {
      const type = bytes[at]
      const next = at + lengthAt(bytes, at)
      if (next > end || next < at + 5) return false
      if (type === Sync || type === Flush) return this.#endsAt(at, type)
      if (!this.#readMessage(type!, at + 5, next)) return false
      at = next
    }
    return false
  }

  #readQuery(at: number, end: number): boolean {
    this.kind = 'query'
    this.end = at + lengthAt(this.bytes, at)
    this.textStart = at + 5
    this.textEnd = this.end - 1
    return this.end <= end && this.textEnd >= this.textStart && this.bytes[this.textEnd] === 0
  }

  #endsAt(at: number, type: number): boolean {
    this.end = at
    this.synced = type === Sync
    const last = this.steps.at(-1)
    if (this.kind === 'run') return last === 'executed' && this.synced
    return last === 'parsed' || last === 'statement described'
  }

  #readMessage(type: number, body: number, end: number): boolean {
    if (this.steps.at(-1) === 'executed') return false
    switch (type) {
      case Parse:
        return this.#readParse(body, end)
      case Bind:
        return this.#readBind(body, end)
      case Describe:
        return this.#readDescribe(body, end)
      case Execute: {
        const nameEnd = this.#nul(body, end)
        const all = end - nameEnd === 5 && lengthOfLimit(this.bytes, nameEnd + 1) === 0
        this.steps.push('executed')
        return this.kind === 'run' && all && this.#isPortal(body, nameEnd)
      }
      default:
        return false
    }
  }

  #readParse(body: number, end: number): boolean {
    if (this.steps.length > 0) return false
    this.nameStart = body
    this.nameEnd = this.#nul(body, end)
    this.textStart = this.nameEnd + 1
    this.textEnd = this.#nul(this.textStart, end)
    this.typesEnd = end
    this.steps.push('parsed')
    return this.textEnd < end
  }

  #readBind(body: number, end: number): boolean {
    if (this.kind === 'run') return false
    this.kind = 'run'
    this.portalStart = body
    this.portalEnd = this.#nul(body, end)
    const nameStart = this.portalEnd + 1
    const nameEnd = this.#nul(nameStart, end)
    if (nameEnd >= end || !this.#isStatement(nameStart, nameEnd)) return false
    this.nameStart = nameStart
    this.nameEnd = nameEnd
    this.valuesStart = nameEnd + 1
    this.valuesEnd = end
    this.steps.push('bound')
    return true
  }

  #readDescribe(body: number, end: number): boolean {
    const nameEnd = this.#nul(body + 1, end)
    if (this.bytes[body] === portalByte) {
      this.steps.push('portal described')
      return this.kind === 'run' && this.#isPortal(body + 1, nameEnd)
    }
    if (this.bytes[body] !== statementByte || this.steps.length === 0) return false
    this.steps.push('statement described')
    return this.#isStatement(body + 1, nameEnd)
  }

  /** True if nothing named a statement before, or this one. */
  #isStatement(start: number, end: number): boolean {
    return this.steps.length === 0 || isSame(this.bytes, start, end, this.nameStart, this.nameEnd)
  }

  #isPortal(start: number, end: number): boolean {
    return isSame(this.bytes, start, end, this.portalStart, this.portalEnd)
  }

  #nul(from: number, end: number): number {
    let at = from
    while (at < end && this.bytes[at] !== 0) at++
    return at
  }
}

const lengthOfLimit = (bytes: Uint8Array, at: number) =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

function isSame(
  bytes: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false
  for (let i = 0; i < end - start; i++) if (bytes[start + i] !== bytes[otherStart + i]) return false
  return true
}
