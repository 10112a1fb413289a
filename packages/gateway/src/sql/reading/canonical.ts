/**
 * A key's value as its type prints it, for `'07'`, `' 7 '` and 7.0 all select the row 7. Null: not certain, so that the
 * whole table counts.
 */
import type { Oid } from '../../catalogue/index.ts'
import * as is from './oids.ts'

/**
 * @param type of the key's column
 * @param valueType what the text is read as
 */
export function canonicalText(text: string, type: Oid, valueType: Oid): string | null {
  if (type === is.uuid) return canonicalUuid(text)
  if (type === is.text || type === is.varchar) return text.includes('\0') ? null : text
  return valueType === is.numeric ? wholeNumber(text) : integer(text)
}

/** @param type what the bytes are sent as */
export function canonicalBinary(bytes: Uint8Array, type: Oid): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (type) {
    case is.int2:
      return bytes.length === 2 ? String(view.getInt16(0)) : null
    case is.int4:
      return bytes.length === 4 ? String(view.getInt32(0)) : null
    case is.int8:
      return bytes.length === 8 ? String(view.getBigInt64(0)) : null
    case is.uuid:
      return bytes.length === 16 ? canonicalUuid(Buffer.from(bytes).toString('hex')) : null
    case is.text:
    case is.varchar:
      return utf8(bytes)
    default:
      return null
  }
}

/** White space as C has it. Other bases and underscores, which PostgreSQL 16 reads, are left alone. */
const decimal = /^[ \t\n\v\f\r]*([+-]?)0*(\d+)[ \t\n\v\f\r]*$/

function integer(text: string): string | null {
  const [, sign, digits] = decimal.exec(text) ?? []
  if (digits === undefined) return null
  return sign === '-' && digits !== '0' ? `-${digits}` : digits
}

/** 7.50 equals no key; nobody asks for it often enough to be told so. */
function wholeNumber(text: string): string | null {
  const [, whole = '', zeros = ''] = /^([ \t\n\v\f\r]*[+-]?\d+)\.(0*[ \t\n\v\f\r]*)$/.exec(text) ?? []
  return integer(whole === '' ? text : whole + zeros.replaceAll('0', ''))
}

/** Hyphens may stand behind any four digits, braces around it all. */
function canonicalUuid(text: string): string | null {
  const [, braced, bare] = /^(?:\{([^{}]*)\}|([^{}]*))$/.exec(text) ?? []
  const written = braced ?? bare ?? ''
  if (!/^(?:[\da-f]{4}-?){7}[\da-f]{4}$/i.test(written)) return null
  const digits = written.replaceAll('-', '').toLowerCase()
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8(bytes: Uint8Array): string | null {
  try {
    return canonicalText(decoder.decode(bytes), is.text, is.text)
  } catch {
    return null
  }
}
