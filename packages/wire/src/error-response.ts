/**
 * The fields of ErrorResponse and NoticeResponse, read and written.
 *
 * The body is a list of fields, each a byte that names it and a string that ends in NUL, closed by one more NUL.
 * What is read here may come from anything that calls itself a server, so nothing in it is believed: a body that
 * is cut, empty or not text gives an object all the same, with the code XX000 (internal_error).
 *
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Error and Notice Message Fields".
 */
import { ErrorResponse } from './messages.ts'
import { message } from './write.ts'

/** What PostgreSQL tells of an error or a notice. All are text, as they were sent. */
export interface ErrorFields {
  /** ERROR, FATAL, PANIC; WARNING, NOTICE, DEBUG, INFO, LOG. Never translated where the server is 9.6 or newer. */
  severity: string
  /** SQLSTATE: five digits and upper-case letters, always; XX000 if the server sent no such thing. */
  code: string
  message: string
  detail?: string
  hint?: string
  /** Where in the statement, counted in characters from 1. */
  position?: string
  /** As `position`, but within `internalQuery`. */
  internalPosition?: string
  /** A statement that the server made itself, such as one of a PL/pgSQL function. */
  internalQuery?: string
  /** The call stack of PL functions and of the server's own statements. */
  where?: string
  schema?: string
  table?: string
  column?: string
  dataType?: string
  constraint?: string
  /** File, line and routine of the server's source that raised it. */
  file?: string
  line?: string
  routine?: string
}

/** The byte of each field. `S` (severity, perhaps translated) is added when writing and read only for want of `V`. */
const fieldBytes: readonly (readonly [keyof ErrorFields, number])[] = [
  ['severity', 0x56], // V
  ['code', 0x43], // C
  ['message', 0x4d], // M
  ['detail', 0x44], // D
  ['hint', 0x48], // H
  ['position', 0x50], // P
  ['internalPosition', 0x70], // p
  ['internalQuery', 0x71], // q
  ['where', 0x57], // W
  ['schema', 0x73], // s
  ['table', 0x74], // t
  ['column', 0x63], // c
  ['dataType', 0x64], // d
  ['constraint', 0x6e], // n
  ['file', 0x46], // F
  ['line', 0x4c], // L
  ['routine', 0x52], // R
]
const localizedSeverity = 0x53 // S
const fieldOf: readonly (keyof ErrorFields | undefined)[] = (() => {
  const names = new Array<keyof ErrorFields | undefined>(256).fill(undefined)
  for (const [name, byte] of fieldBytes) names[byte] = name
  return names
})()

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/**
 * Reads the body of an ErrorResponse or a NoticeResponse. Never throws.
 *
 * @param bytes holds the body, between `start` and `end`; header and type byte are not part of it
 */
export function parseErrorFields(bytes: Uint8Array, start = 0, end = bytes.length): ErrorFields {
  const fields: ErrorFields = { severity: '', code: '', message: '' }
  let severity = ''
  let at = start
  while (at < end && bytes[at] !== 0) {
    const byte = bytes[at]!
    const nul = bytes.indexOf(0, at + 1)
    const valueEnd = nul === -1 || nul > end ? end : nul
    const value = decoder.decode(bytes.subarray(at + 1, valueEnd))
    const name = fieldOf[byte]
    if (name !== undefined) fields[name] = value
    else if (byte === localizedSeverity) severity = value
    at = valueEnd + 1
  }
  if (fields.severity === '') fields.severity = severity === '' ? 'ERROR' : severity
  if (!/^[0-9A-Z]{5}$/.test(fields.code)) fields.code = 'XX000'
  if (fields.message === '') fields.message = 'the server reported an error without a message'
  return fields
}

/**
 * Writes a whole ErrorResponse, header included. A NUL within a field ends it there: what follows would be read as
 * further fields.
 *
 * @param fields severity defaults to ERROR
 * @param type the type byte, for a NoticeResponse in the same format
 */
export function errorResponse(
  fields: Omit<ErrorFields, 'severity'> & { severity?: string },
  type: number = ErrorResponse,
): Uint8Array {
  const severity = fields.severity ?? 'ERROR'
  let text = `S${beforeNul(severity)}\0V${beforeNul(severity)}\0`
  for (const [name, byte] of fieldBytes) {
    const value = fields[name]
    if (name !== 'severity' && value !== undefined)
      text += `${String.fromCharCode(byte)}${beforeNul(value)}\0`
  }
  return message(type, encoder.encode(`${text}\0`))
}

function beforeNul(value: string): string {
  const nul = value.indexOf('\0')
  return nul === -1 ? value : value.slice(0, nul)
}
