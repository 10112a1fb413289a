/**
 * A program of several clients: what each says, in which order, written so that it can be sent, printed and shrunk.
 *
 *     turn      what one client says in one write, up to a point at which PostgreSQL owes it an answer
 *     program   turns, one after another or some of different clients at once
 *
 * `@` in a text stands for the client's number: what is not in its own schema (locks, channels, parameters with a dot)
 * is told apart by it.
 */
import * as wire from '@sluice/wire'

/** `cut`: the message ends after so many bytes of its body, and says so. */
export type Said = { cut?: number } & (
  | { say: 'Query'; sql: string }
  | { say: 'Parse'; name: string; sql: string; types: readonly number[] }
  | { say: 'Bind'; portal: string; name: string; values: readonly (string | null)[]; binary: boolean }
  | { say: 'Describe' | 'Close'; what: 'S' | 'P'; name: string }
  | { say: 'Execute'; portal: string; rows: number }
  | { say: 'FunctionCall'; oid: number; values: readonly number[] }
  | { say: 'CopyData'; data: string }
  | { say: 'CopyFail' | 'CopyDone' | 'Flush' | 'Sync' | 'Terminate' }
)

export interface Turn {
  client: number
  says: readonly Said[]
  /** Whoever has the next turn speaks at the same time. */
  meanwhile: boolean
}

export interface Program {
  /** How many server connections the gateway may have. */
  pool: 1 | 3
  /** Startup parameters of each client. */
  starts: readonly Readonly<Record<string, string>>[]
  turns: readonly Turn[]
}

export function encode(said: Said, client: number): Uint8Array {
  const message = whole(said, client)
  return said.cut === undefined ? message : extended(message.slice(0, 5 + said.cut), [])
}

function whole(said: Said, client: number): Uint8Array {
  const own = (text: string) => text.replaceAll('@', String(client))
  switch (said.say) {
    case 'Query':
      return wire.query(own(said.sql))
    case 'Parse':
      return wire.parse(said.name, own(said.sql), said.types)
    case 'Bind': {
      const message = wire.bind(said.portal, said.name, ...said.values)
      // The result formats come last: none, or one for all columns.
      return said.binary ? extended(message.subarray(0, -2), [0, 1, 0, 1]) : message
    }
    case 'Describe':
      return wire.describe(said.what, said.name)
    case 'Close':
      return wire.close(said.what, said.name)
    case 'Execute':
      return wire.execute(said.portal, said.rows)
    case 'FunctionCall':
      return functionCall(said.oid, said.values)
    case 'CopyData':
      return wire.copyData(Buffer.from(said.data))
    case 'CopyDone':
      return wire.copyDone()
    case 'CopyFail':
      return wire.copyFail('enough')
    case 'Flush':
      return wire.flush()
    case 'Sync':
      return wire.sync()
    case 'Terminate':
      return wire.terminate()
    default:
      return said satisfies never
  }
}

/** A message with more behind it. */
function extended(message: Uint8Array, more: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(message.length + more.length)
  bytes.set(message)
  bytes.set(more, message.length)
  new DataView(bytes.buffer).setUint32(1, bytes.length - 1)
  return bytes
}

/** Arguments and result in binary; the arguments are of type int4. */
function functionCall(oid: number, values: readonly number[]): Uint8Array {
  const body = Buffer.alloc(4 + 4 + 2 + 8 * values.length + 2)
  let at = body.writeInt32BE(oid)
  at = body.writeInt16BE(1, at)
  at = body.writeInt16BE(1, at)
  at = body.writeInt16BE(values.length, at)
  for (const value of values) at = body.writeInt32BE(value, body.writeInt32BE(4, at))
  body.writeInt16BE(1, at)
  return extended(Uint8Array.of(wire.FunctionCall, 0, 0, 0, 0), [...body])
}

/** What is said, as one readable line. */
export const line = (said: Said): string =>
  said.cut === undefined ? inWords(said) : `${inWords(said)} (cut to ${said.cut} bytes)`

function inWords(said: Said): string {
  switch (said.say) {
    case 'Query':
      return `Query ${short(said.sql)}`
    case 'Parse':
      return `Parse ${quoted(said.name)} ${short(said.sql)}${said.types.length > 0 ? ` (${said.types})` : ''}`
    case 'Bind':
      return `Bind ${quoted(said.portal)} of ${quoted(said.name)} (${said.values.map(value => short(value ?? 'null'))})${said.binary ? ' binary' : ''}`
    case 'Describe':
    case 'Close':
      return `${said.say} ${said.what} ${quoted(said.name)}`
    case 'Execute':
      return `Execute ${quoted(said.portal)}${said.rows > 0 ? ` ${said.rows} rows` : ''}`
    case 'FunctionCall':
      return `FunctionCall ${said.oid} (${said.values})`
    case 'CopyData':
      return `CopyData ${JSON.stringify(short(said.data))}`
    default:
      return said.say
  }
}

const quoted = (name: string) => `'${name}'`

export const short = (text: string): string =>
  text.length <= 400 ? text : `${text.slice(0, 300)}… (${text.length})`
