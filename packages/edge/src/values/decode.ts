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
 * The OIDs of built-in types never change (src/include/catalog/pg_type.dat of PostgreSQL); those of enums,
 * domains and extensions differ between databases and are unknown here.
 */
import { type ArrayOf, parseArray } from './array.ts'
import { fromBytea } from './bytes.ts'

export type Decoder = (text: string) => unknown

const asText: Decoder = text => text

const isoTime =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(\.\d+)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?)?( BC)?$/

/** A date or timestamp, with or without an offset. Microseconds are cut off: a Date has none. */
function time(text: string): Date | number | string {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  if (text === '-infinity') return Number.NEGATIVE_INFINITY
  const match = isoTime.exec(text)
  if (!match) return text
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = 0] = match
  const [offsetHour = 0, offsetMinute = 0, offsetSecond = 0] = match.slice(9, 12)
  const seconds = (h: number | string, m: number | string, s: number | string) => +h * 3600 + +m * 60 + +s
  const offset = seconds(offsetHour, offsetMinute, offsetSecond) * (match[8] === '-' ? -1 : 1)
  const midnight = new Date(0).setUTCFullYear(match[12] ? 1 - +year! : +year!, +month! - 1, +day!)
  const date = new Date(
    midnight + (seconds(hour, minute, second) - offset) * 1000 + Math.trunc(+fraction * 1000 + 1e-6),
  )
  return Number.isNaN(+date) ? text : date
}

const json: Decoder = text => JSON.parse(text)

const scalars = new Map<number, Decoder>()
/** By the OID of the array type: what reads one element. */
const elements = new Map<number, Decoder>()

for (const [decoder, ...oids] of [
  [text => text === 't', 16, 1000],
  [fromBytea, 17, 1001],
  [Number, 21, 1005, 23, 1007, 26, 1028, 700, 1021, 701, 1022],
  [json, 114, 199, 3802, 3807],
  [time, 1114, 1115, 1184, 1185],
] as [Decoder, ...number[]][]) {
  oids.forEach((oid, index) => {
    const table = index % 2 ? elements : scalars
    table.set(oid, decoder)
  })
}

/** Arrays whose elements stay text: xml[], int8[], text[], uuid[], numeric[], date[], … */
const textArrays =
  '143 271 629 651 719 775 791 1002 1003 1006 1008 1009 1010 1011 1012 1013 1014 1015 1016 1017 1018 1019 1020 1027 1034 1040 1041 1182 1183 1187 1231 1263 1270 1561 1563 2201 2207 2208 2209 2210 2211 2287 2949 2951 3221 3643 3644 3645 3735 3770 3905 3907 3909 3911 3913 3927 4073 4090 4097 4192 5039 6150 6151 6152 6153 6155 6157'
for (const oid of textArrays.split(' ')) elements.set(+oid, asText)

/** box[] is the one array whose elements hold commas and stand between semicolons. */
const delimiterOf = (oid: number) => (oid === 1020 ? ';' : ',')

/** What reads the values of one column: ask once per column of a result, call per value. */
export function decoderFor(oid: number): Decoder {
  const element = elements.get(oid)
  if (!element) return scalars.get(oid) ?? asText
  return text => parseArray(text, element, delimiterOf(oid))
}

export const decode = (oid: number, text: string): unknown => decoderFor(oid)(text)

/** What a Drizzle column says of itself, as far as it matters here. */
export interface DrizzleColumn {
  readonly columnType: string
  readonly baseColumn?: DrizzleColumn | undefined
}

/** The dates and times that `new Date(text)`, which Drizzle uses, reads right. */
const readByDate = /^[1-9]\d{3}-[^ ]{5}( [\d:.]+([+-]\d\d(:\d\d)?)?)?$/

/**
 * `decoderFor`, where Drizzle decodes again: its columns want times as text, and raw `sql` fields give what its
 * node-postgres session gives, times as text too.
 *
 * Give the column that a field is, so that these come out right as well: a JSON string that itself looks like
 * JSON (Drizzle parses every string), NULL in an array (it maps NULL as a value), arrays of enums, and in date
 * mode the times that `new Date` misreads (BC, the first millennium, infinity, offsets with seconds).
 */
export function decoderForDrizzle(oid: number, column?: DrizzleColumn): Decoder {
  let leaf = column
  while (leaf?.baseColumn) leaf = leaf.baseColumn
  const type = leaf?.columnType
  let decoder = elements.get(oid) ?? scalars.get(oid) ?? asText
  if (type === 'PgTimestamp' || type === 'PgDate') {
    decoder = text => (readByDate.test(text) ? text : time(text))
  } else if (decoder === time || type === 'PgJson' || type === 'PgJsonb') decoder = asText

  if (column?.baseColumn) return text => keepNulls(parseArray(text, decoder, delimiterOf(oid)))
  return elements.has(oid) ? text => parseArray(text, decoder, delimiterOf(oid)) : decoder
}

/** Drizzle's array columns call `map` on what they get: this one leaves NULL alone. It stays an array, for caches. */
function keepNulls<T>(array: ArrayOf<T>): ArrayOf<T> {
  for (const each of array) if (Array.isArray(each)) keepNulls(each)
  const map = (change: (value: unknown) => unknown) =>
    Array.from(array, each => (each === null ? null : change(each)))
  return Object.defineProperty(array, 'map', { value: map })
}
