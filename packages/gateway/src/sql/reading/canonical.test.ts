import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase } from '../../../../../test/support/postgres.ts'
import { canonicalBinary, canonicalText } from './canonical.ts'
import * as is from './oids.ts'

const database = await freshDatabase()
let client: pg.Client
beforeAll(async () => {
  client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
  await client.connect()
})
afterAll(() => client.end())

const names = new Map([
  [is.int2, 'int2'],
  [is.int4, 'int4'],
  [is.int8, 'int8'],
  [is.numeric, 'numeric'],
  [is.uuid, 'uuid'],
  [is.text, 'text'],
  [is.varchar, 'varchar'],
])

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 12 })
const spaces = fc.constantFrom('', ' ', '\t', '\n ', '\v', '\u00a0')
const written = fc.oneof(
  fc
    .tuple(
      spaces,
      fc.constantFrom('', '+', '-', '--'),
      digits,
      fc.constantFrom('', '.', '.0', '.00', '.5', 'e1', '_0'),
      spaces,
    )
    .map(parts => parts.join('')),
  fc.constantFrom('', ' ', '.0', '0x7', '0o7', 'NaN', 'Infinity', '-0', '-0.0', '1_000', '7e0', '- 7'),
)
const uuid = fc.tuple(fc.uuid(), fc.constantFrom(1, 2, 3, 4, 5, 6, 7)).map(([text, how]) => {
  const bare = text.replaceAll('-', '')
  return [
    text,
    text.toUpperCase(),
    `{${text}}`,
    bare,
    bare.replace(/(.{4})(?=.)/g, '$1-'),
    `{${text}`,
    ` ${text}`,
    bare.slice(1),
  ][how]!
})
const cases = fc.oneof(
  fc.tuple(
    fc.constantFrom(is.int2, is.int4, is.int8),
    fc.constantFrom(is.int2, is.int4, is.int8, is.numeric),
    written,
  ),
  fc.tuple(fc.constant(is.uuid), fc.constant(is.uuid), uuid),
  fc.tuple(
    fc.constantFrom(is.text, is.varchar),
    fc.constantFrom(is.text, is.varchar),
    fc.string({ maxLength: 8 }),
  ),
)

/** As PostgreSQL would print a key that equals the value: null if there can't be one, or the value is none. */
async function printed(type: number, valueType: number, text: string): Promise<string | null> {
  const own = type === is.text || type === is.varchar || type === is.uuid ? names.get(type) : 'int8'
  const { rows } = await client
    .query(
      `select k::text from (select $1::${names.get(valueType)} as v) v, lateral (select v::${own} as k) k where k = v`,
      [text],
    )
    .catch(() => ({ rows: [] }))
  return rows[0]?.k ?? null
}

test('a text form that is certain is the one that PostgreSQL prints, and what is written plainly is certain', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ([type, valueType, text]) => {
      const own = canonicalText(text, type, valueType)
      const theirs = await printed(type, valueType, text)
      // What PostgreSQL refuses has no answer that could be kept.
      if (own !== null && theirs !== null) expect(own).toBe(theirs)
      if (theirs !== null && /^\d+$/.test(text)) expect(own).toBe(theirs)
      if (theirs !== null && type === is.uuid) expect(own).toBe(theirs)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['07', is.int4, is.int4, '7'],
  [' 7 ', is.int4, is.int4, '7'],
  ['-07', is.int8, is.int8, '-7'],
  ['-0', is.int4, is.int4, '0'],
  ['7.0', is.int4, is.numeric, '7'],
  ['7.5', is.int4, is.numeric, null],
  ['7.0', is.int4, is.int4, null],
  ['1e1', is.int4, is.numeric, null],
  ['0x7', is.int4, is.int4, null],
  ['', is.int4, is.int4, null],
  ['', is.text, is.text, ''],
  ['{A0EEBC999C0B4EF8BB6D6BB9BD380A11}', is.uuid, is.uuid, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
])('%j as a key of type %i, read as %i, is %j', (text, type, valueType, expected) => {
  expect(canonicalText(text, type, valueType)).toBe(expected)
})

test.each([
  ['int2', is.int2, '-7'],
  ['int4', is.int4, '2147483647'],
  ['int8', is.int8, '-9223372036854775808'],
  ['uuid', is.uuid, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['text', is.text, 'Zoë'],
  ['varchar', is.varchar, ' a'],
])('%s sent binary', async (name, type, expected) => {
  const { rows } = await client.query(
    `select encode(${name}send($1), 'hex') as sent`.replace('uuidsend', 'uuid_send'),
    [expected],
  )
  expect(canonicalBinary(Buffer.from(rows[0].sent, 'hex'), type)).toBe(expected)
})

test('bytes that are no value of the type are not certain', () => {
  expect(canonicalBinary(new Uint8Array(3), is.int4)).toBe(null)
  expect(canonicalBinary(new Uint8Array([0xff]), is.text)).toBe(null)
  expect(canonicalBinary(new Uint8Array(8), is.numeric)).toBe(null)
})
