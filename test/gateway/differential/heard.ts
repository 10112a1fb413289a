/**
 * What a client hears, as text that can be compared: each message whole, but for what differs between two servers or
 * two connections and means nothing (masks).
 *
 *     masked   OIDs that the database gave out, process ids, file, line and routine of errors, `sluice_…`
 *     aside    notices, and what ParameterStatus changed: both have no place among the answers, so they are sorted, by unit
 */
import * as wire from '@sluice/wire'

export class Heard {
  /** Answers in their order. */
  readonly words: string[] = []
  /** Notices and ParameterStatus of each unit: up to a ReadyForQuery, or the end of a login or a connection. */
  readonly asides: string[][] = [[]]
  readonly notifications: string[] = []
  /** Parameters as they were told before this unit, and in it. */
  readonly #known = new Map<string, string>()
  readonly #said = new Map<string, string>()
  #failed = false
  /** Where in `words` units end. */
  readonly #ends: number[] = []

  hear(type: number, body: Uint8Array): void {
    if (type === wire.NoticeResponse) this.asides.at(-1)!.push(`N ${fields(body)}`)
    else if (type === wire.ParameterStatus) {
      const [name, value] = latin1(body).split('\0')
      this.hearParameter(name!, value!)
    } else if (type === wire.NotificationResponse) this.notifications.push(`A ${latin1(body.subarray(4))}`)
    else {
      const said = this.#inFailed(word(type, body))
      if (type === wire.ReadyForQuery) this.mark(said)
      else this.words.push(said)
    }
  }

  /**
   * In a failed transaction a statement can't be prepared where it is not yet, and what is said of its Bind is less
   * exact.
   */
  #inFailed(word: string): string {
    if (!this.#failed) return word
    return word.replace(
      /^E .* C=08P01 M=bind message supplies .*/,
      'E S=ERROR V=ERROR C=25P02 M=current transaction is aborted, commands ignored until end of transaction block',
    )
  }

  hearParameter(name: string, value: string): void {
    if (!name.startsWith('sluice_')) this.#said.set(name, value)
  }

  /** A word at which a unit ends. */
  mark(word: string): void {
    if (word === 'logged in') this.#known.clear()
    for (const [name, value] of this.#said)
      if (this.#known.get(name) !== value) this.asides.at(-1)!.push(`S ${name}=${value}`)
    for (const [name, value] of this.#said) this.#known.set(name, value)
    this.#said.clear()
    this.#failed = word === 'Z E'
    this.words.push(word)
    this.#ends.push(this.words.length)
    this.asides.push([])
  }

  /** All of it, a line per message. */
  lines(): string[] {
    const lines: string[] = []
    for (const [unit, aside] of this.asides.entries())
      lines.push(...aside.toSorted(), ...this.words.slice(this.#ends[unit - 1] ?? 0, this.#ends[unit]))
    return [...lines, ...this.notifications]
  }
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

function word(type: number, body: Uint8Array): string {
  const view = Buffer.from(body)
  switch (type) {
    case wire.ErrorResponse:
      return `E ${fields(body)}`
    case wire.RowDescription:
      return `T ${columns(view)}`
    case wire.ParameterDescription:
      return `t ${Array.from({ length: view.readInt16BE(0) }, (_, n) => typeOid(view.readUInt32BE(2 + 4 * n)))}`
    case wire.DataRow:
      return `D ${values(view)}`
    case wire.ReadyForQuery:
      return `Z ${latin1(body)}`
    default:
      return `${String.fromCharCode(type)} ${JSON.stringify(latin1(body))}`
  }
}

const masked = new Set(['F', 'L', 'R'])

function fields(body: Uint8Array): string {
  const all = latin1(body)
    .split('\0')
    .filter(field => field !== '' && !masked.has(field[0]!))
  const text = all.map(field => `${field[0]}=${field.slice(1)}`).join(' ')
  return text.replace(/pg_toast_\d+/g, 'pg_toast_#').replace(/(unexpected message type) 0x../, '$1 #')
}

/** Those below are PostgreSQL's own, the same everywhere. */
const firstNormalOid = 16_384

const typeOid = (oid: number) => (oid < firstNormalOid ? String(oid) : '#')

function columns(view: Buffer): string {
  const all: string[] = []
  for (let at = 2; at < view.length; ) {
    const end = view.indexOf(0, at)
    const name = view.toString('latin1', at, end)
    const [table, attribute] = [view.readUInt32BE(end + 1), view.readInt16BE(end + 5)]
    const [type, size, modifier, format] = [
      view.readUInt32BE(end + 7),
      view.readInt16BE(end + 11),
      view.readInt32BE(end + 13),
      view.readInt16BE(end + 17),
    ]
    all.push(`${name}:${typeOid(table)}.${attribute}:${typeOid(type)}/${size}/${modifier}/${format}`)
    at = end + 19
  }
  return all.join(' ')
}

function values(view: Buffer): string {
  const all: string[] = []
  for (let at = 2; at < view.length; ) {
    const length = view.readInt32BE(at)
    at += 4
    all.push(length < 0 ? 'null' : JSON.stringify(view.toString('latin1', at, at + length)))
    at += Math.max(0, length)
  }
  return all.join(' ')
}
