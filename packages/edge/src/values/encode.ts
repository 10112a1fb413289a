/**
 * JavaScript values as PostgreSQL reads them: text, the same for every driver, without knowing the type.
 *
 * An array becomes an SQL array, any other object JSON; `Json` marks an array or a string that is JSON.
 */
import { encodeArray } from './array.ts'
import { toHex } from './bytes.ts'

/** A value that is to be sent as JSON whatever it is: `new Json([1, 2])` for a jsonb column. */
export class Json {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

/** A parameter that has no form in SQL. The message names its position, never its value. */
export class ParameterError extends TypeError {
  readonly code = '22023'
  override readonly name = 'ParameterError'
}

function json(value: unknown, name: string): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {
    throw new ParameterError(
      `parameter ${name} can't be written as JSON: it holds a bigint or contains itself`,
    )
  }
  if (text === undefined) throw new ParameterError(`parameter ${name} has no JSON form`)
  return text
}

/** ISO 8601 in UTC; years outside 1 to 9999 as PostgreSQL writes them. */
function timestamp(date: Date, name: string): string {
  if (Number.isNaN(+date)) throw new ParameterError(`parameter ${name} is an Invalid Date`)
  const year = date.getUTCFullYear()
  const rest = date.toISOString().slice(-20)
  return year > 0 ? String(year).padStart(4, '0') + rest : `${String(1 - year).padStart(4, '0') + rest} BC`
}

function encodeNamed(value: unknown, name: string): string | null {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
    case 'bigint':
      return String(value)
    case 'undefined':
      throw new ParameterError(`parameter ${name} is undefined; pass null for SQL NULL`)
    case 'object':
      if (value === null) return null
      if (Array.isArray(value)) return encodeArray(value, each => encodeNamed(each, `${name} (an element)`))
      if (value instanceof Date) return timestamp(value, name)
      if (ArrayBuffer.isView(value))
        return toHex(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      if (value instanceof ArrayBuffer) return toHex(new Uint8Array(value))
      return json(value instanceof Json ? value.value : value, name)
    default:
      throw new ParameterError(`parameter ${name} is a ${typeof value}, which has no form in SQL`)
  }
}

/**
 * @param position counted from 1, as in `$1`
 * @returns null for SQL NULL
 * @throws ParameterError
 */
export const encode = (value: unknown, position: number): string | null => encodeNamed(value, `$${position}`)
