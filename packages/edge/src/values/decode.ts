/**
 * PostgreSQL's text as JavaScript values, the same for every driver.
 *
 *     bool                                boolean
 *     int2 int4 oid float4 float8         number
 *     json jsonb                          what JSON.parse gives
 *     bytea                               Uint8Array (a Buffer where there is one)
 *     timestamp timestamptz               Date; `infinity` the number Infinity; timestamp is read as UTC
 *     arrays of built-in types            nested arrays of these
 *     all else, unknown types too         string, as PostgreSQL prints it
 *
 * int8, numeric and money stay text because a number would lose digits, date and time because a Date would
 * invent a time zone. A time that a Date can't hold, or in a DateStyle other than ISO, stays text.
 *
 * The OIDs of built-in types never change (PostgreSQL's pg_type.dat); those of enums, domains and extensions
 * differ between databases and are unknown here.
 */
import { type ArrayOf, parseArray } from './array.ts'
import { fromBytea } from './bytes.ts'

export type Decoder = (text: string) => unknown

const asText: Decoder = text => text
const bool: Decoder = text => text === 't'
const json: Decoder = text => JSON.parse(text)

/** What `new Date` reads right, and three times as fast as we do: no BC, no first millennium, no infinity. */
const ordinaryTime = /^[1-9]\d{3}-\d\d-\d\d( [\d:.]+([+-]\d\d(:\d\d)?)?)?$/
const isoTime =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):([\d.]+)(?:([+-])(\d\d):?(\d\d)?:?(\d\d)?)?)?( BC)?$/

/** A date or timestamp, with or without an offset. Microseconds are cut off: a Date has none. */
function time(text: string): Date | number | string {
  const ordinary = ordinaryTime.exec(text)
  if (ordinary) return new Date(ordinary[1] && !ordinary[2] ? `${text}Z` : text)
  const match = isoTime.exec(text)
  if (!match) return /^-?infinity$/.test(text) ? Number(text.replace('i', 'I')) : text
  const part = (index: number) => Number(match[index] ?? 0)
  const offset = (index: number) => Number(`${match[7] ?? ''}${match[index] ?? 0}`)
  const date = new Date(0)
  date.setUTCFullYear(match[11] ? 1 - part(1) : part(1), part(2) - 1, part(3))
  // The millionth of a millisecond makes up for 56.789 * 1000 being a little less than 56789.
  date.setUTCHours(part(4) - offset(8), part(5) - offset(9), -offset(10), part(6) * 1000 + 1e-6)
  return Number.isNaN(+date) ? text : date
}

/** By the OID of a type, and of the array of that type. What isn't here stays text. */
const decoders: Record<number, Decoder> = {
  16: bool, // bool
  1000: bool,
  17: fromBytea, // bytea
  1001: fromBytea,
  21: Number, // int2
  1005: Number,
  23: Number, // int4
  1007: Number,
  26: Number, // oid
  1028: Number,
  700: Number, // float4
  1021: Number,
  701: Number, // float8
  1022: Number,
  114: json, // json
  199: json,
  3802: json, // jsonb
  3807: json,
  1114: time, // timestamp
  1115: time,
  1184: time, // timestamptz
  1185: time,
}

/** The OIDs of the built-in array types. */
const arrays =
  /^(143|199|271|629|651|719|775|791|10([0-2]\d|3[^3]|4[01])|11(15|8[2357])|1231|1263|1270|156[13]|22(0[1789]|1[01]|87)|29(49|51)|3221|364[345]|3735|3770|3807|39(0[579]|1[13]|27)|4073|409[07]|4192|5039|615[0-357])$/

const inArray = (oid: number, element: Decoder) => (text: string) =>
  parseArray(text, element, oid === 1020 ? ';' : ',')

const isArray = (oid: number) => arrays.test(String(oid))

/** What reads the values of one column: ask once per column of a result, call per value. */
export function decoderFor(oid: number): Decoder {
  const decoder = decoders[oid] ?? asText
  return isArray(oid) ? inArray(oid, decoder) : decoder
}

export const decode = (oid: number, text: string): unknown => decoderFor(oid)(text)

/** What a Drizzle column says of itself, as far as it matters here. */
export interface DrizzleColumn {
  readonly columnType: string
  readonly baseColumn?: DrizzleColumn | undefined
}

/**
 * `decoderFor`, where Drizzle decodes again: its columns want times as text, and raw `sql` fields give what its
 * node-postgres session gives, times as text too.
 *
 * Give the column that a field is, so that these come out right as well: a JSON string that itself looks like
 * JSON (Drizzle parses every string), NULL in an array (Drizzle maps it as a value), arrays of enums, and, in
 * date mode, the times that `new Date` misreads.
 */
export function decoderForDrizzle(oid: number, column?: DrizzleColumn): Decoder {
  let leaf = column
  while (leaf?.baseColumn) leaf = leaf.baseColumn
  const type = leaf?.columnType ?? ''
  let decoder = decoders[oid] ?? asText
  if (/^Pg(Timestamp|Date)$/.test(type)) decoder = text => (ordinaryTime.test(text) ? text : time(text))
  else if (decoder === time || /^PgJson/.test(type)) decoder = asText

  const array = inArray(oid, decoder)
  return column?.baseColumn ? text => keepNulls(array(text)) : isArray(oid) ? array : decoder
}

/** Drizzle's array columns call `map` on what they get: this one leaves NULL alone. It stays an array, for caches. */
function keepNulls(array: ArrayOf<unknown>): ArrayOf<unknown> {
  for (const each of array) if (Array.isArray(each)) keepNulls(each)
  const map = (change: Decoder) => Array.from(array, each => (each === null ? null : change(each as string)))
  return Object.defineProperty(array, 'map', { value: map })
}
