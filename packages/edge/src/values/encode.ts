/**
 * JavaScript values as PostgreSQL reads them: text, the same for every driver, without knowing the type.
 *
 *     null                                   NULL
 *     boolean, number, bigint, string        as printed
 *     Date                                   ISO 8601 in UTC
 *     ArrayBuffer and views of one, Buffer   bytea
 *     Array                                  an SQL array; `Json` makes it JSON
 *     any other object                       JSON
 *
 * `undefined` is refused, as a forgotten value is more likely than a wanted NULL. Views that are not of bytes,
 * a Float32Array for example, are sent as their bytes, never guessed to be arrays of numbers.
 * The one array that can't be written this way is box[], which wants semicolons: give it as text.
 */
import { encodeArray } from './array.ts'
import { toBytea } from './bytes.ts'

/** A value that is sent as JSON whatever it is: `new Json([1, 2])` for a jsonb column. */
export class Json {
  readonly value: unknown

  constructor(value: unknown) {
    this.value = value
  }
}

/** Years outside 1 to 9999 as PostgreSQL writes them: 12026-…, and 0044-… BC. */
function timestamp(date: Date): string | undefined {
  const year = date.getUTCFullYear()
  if (Number.isNaN(year)) return undefined
  const [digits, era] = year > 0 ? [year, ''] : [1 - year, ' BC']
  return String(digits).padStart(4, '0') + date.toISOString().slice(-20) + era
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    // A bigint, a circle, or a toJSON that threw.
    return undefined
  }
}

/**
 * @param position counted from 1, as in `$1`
 * @returns null for SQL NULL
 * @throws TypeError that names the position and never the value
 */
export function encode(value: unknown, position: number): string | null {
  const refuse = (problem: string) => new TypeError(`parameter $${position} ${problem}`)
  if (value === undefined) throw refuse('is undefined; pass null for SQL NULL')
  if (typeof value === 'function' || typeof value === 'symbol') throw refuse(`is a ${typeof value}`)
  if (value === null) return null
  if (typeof value !== 'object') return Object.is(value, -0) ? '-0' : String(value)
  if (Array.isArray(value)) return encodeArray(value, each => encode(each, position))
  if (value instanceof ArrayBuffer) return toBytea(new Uint8Array(value))
  if (ArrayBuffer.isView(value)) return toBytea(value)
  const text = value instanceof Date ? timestamp(value) : json(value instanceof Json ? value.value : value)
  if (text === undefined) {
    throw refuse(
      value instanceof Date ? 'is an Invalid Date' : "can't be written as JSON (a bigint or a circle in it?)",
    )
  }
  return text
}
