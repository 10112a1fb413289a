/**
 * Which SQL a client sends on one connection, and which it runs: a prepared statement is sent once, by Parse, and
 * run by each Execute of a portal that was bound to it.
 */
import { Bind, Close, Execute, Parse, Query } from '@sluice/wire'

const decoder = new TextDecoder()

export class StatementLog {
  /** The texts of Query and Parse, in the order in which they were sent. */
  readonly sent: string[] = []
  /** The texts that were to run, in order: of each Query, and behind each Execute. */
  readonly ran: string[] = []
  readonly #statements = new Map<string, string>()
  readonly #portals = new Map<string, string>()

  /** Takes the body of a message from the client; returns the text that it runs, if it runs one. */
  take(type: number, bytes: Uint8Array, bodyStart: number, bodyEnd: number): string | undefined {
    let at = bodyStart
    const text = () => {
      const nul = bytes.indexOf(0, at)
      const end = nul === -1 || nul > bodyEnd ? bodyEnd : nul
      const value = decoder.decode(bytes.subarray(at, end))
      at = end + 1
      return value
    }
    switch (type) {
      case Query: {
        const statement = text()
        this.sent.push(statement)
        this.ran.push(statement)
        return statement
      }
      case Parse: {
        const name = text()
        const statement = text()
        this.sent.push(statement)
        this.#statements.set(name, statement)
        return undefined
      }
      case Bind: {
        const portal = text()
        this.#portals.set(portal, this.#statements.get(text()) ?? '')
        return undefined
      }
      case Execute: {
        const statement = this.#portals.get(text()) ?? ''
        this.ran.push(statement)
        return statement
      }
      case Close: {
        at++
        const names = bytes[bodyStart] === 0x53 ? this.#statements : this.#portals
        names.delete(text())
        return undefined
      }
      default:
        return undefined
    }
  }
}

/** Tells one statement from others: by how it begins (in any case), by a pattern, or by a function. */
export type Match = string | RegExp | ((statement: string) => boolean)

export function matches(match: Match, statement: string): boolean {
  if (typeof match === 'function') return match(statement)
  if (typeof match !== 'string') return match.test(statement)
  return statement.trimStart().toLowerCase().startsWith(match.toLowerCase())
}
