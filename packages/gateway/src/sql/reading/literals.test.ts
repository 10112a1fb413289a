import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Literals } from './literals.ts'

const encoder = new TextEncoder()
const read = (text: string): Literals => {
  const literals = new Literals(2_000)
  const bytes = encoder.encode(text)
  literals.read(bytes, 0, bytes.length)
  return literals
}
const form = (text: string) => {
  const { bytes, length } = read(text)
  return Buffer.from(bytes.subarray(0, length))
    .toString('latin1')
    .replaceAll('\x02', '‹int4›')
    .replaceAll('\x03', '‹int8›')
    .replaceAll('\x04', '‹numeric›')
}
const values = (text: string) => {
  const literals = read(text)
  return Array.from({ length: literals.count }, (_, place) => literals.value(place))
}

test.each([
  [`select 1, 'a'`, `select ‹int4›, '`, ['1', 'a']],
  [`select  'it''s' -- why`, `select '`, [`it's`]],
  ['select /* 1 */ a1, "b 2", $3 from t4', 'select a1, "b 2", $3 from t4', []],
  [
    'select 2147483647, 2147483649, 9223372036854775807',
    'select ‹int4›, ‹int8›, ‹int8›',
    ['2147483647', '2147483649', '9223372036854775807'],
  ],
  [
    'select 9223372036854775809, 7.0, .5, 7.',
    'select ‹numeric›, ‹numeric›, ‹numeric›, ‹numeric›',
    ['9223372036854775809', '7.0', '.5', '7.'],
  ],
  // With a minus sign they are of the smaller type; the rest is written in ways that are left alone.
  ['select -2147483648, 0x1F, 1_000, 1e5', 'select -2147483648, 0x1F, 1_000, 1e5', []],
  [
    `select E'\\'', $$a'b$$, U&'\\0061', B'1', x'F', n'a'`,
    `select E'\\'', $$a'b$$, U&'\\0061', B'1', x'F', n'a'`,
    [],
  ],
  [`select 'a'\n  'b'`, `select 'a'\n  'b'`, []],
  [`select 'a\\b'`, `select '`, [null]],
  [`select date'2026-01-01'`, `select date'`, ['2026-01-01']],
  ['select a[1:2], x.y from x', 'select a[‹int4›:‹int4›], x.y from x', ['1', '2']],
])('%s', (text, expected, expectedValues) => {
  expect(form(text)).toBe(expected)
  expect(values(text)).toEqual(expectedValues)
})

test.each([`select 'a`, 'select "a', 'select /* a', 'select $$a', `select E'a\\'`])(
  '%s has no end, and no form',
  text => {
    expect(read(text).failed).toBe(true)
  },
)

const token = fc
  .constantFrom(
    'select',
    'a',
    '"b \'c\'"',
    '$1',
    '(',
    ',',
    '=',
    "/* y's */",
    '::',
    "$$z'$$",
    `e'\\''`,
    `U&'a'`,
    '0x1',
    't2',
  )
  .map(text => ({ text, value: undefined, other: text }))
const string = fc.string({ maxLength: 5 }).map(value => ({
  text: `'${value.replaceAll("'", "''")}'`,
  value: value.includes('\\') ? null : value,
  other: "'other'",
}))
const number = fc
  .oneof(
    fc.nat({ max: 99_999 }).map(String),
    fc.tuple(fc.nat(99), fc.nat(99)).map(parts => parts.join('.')),
  )
  .map(text => ({ text, value: text, other: text.includes('.') ? '7.7' : '7' }))

test('literals are what is written, and texts that differ in nothing else have one form', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(token, string, number)), parts => {
      const text = parts.map(part => part.text).join(' ')
      expect(values(text)).toEqual(parts.map(part => part.value).filter(value => value !== undefined))
      expect(form(text)).toBe(form(parts.map(part => part.other).join(' ')))
    }),
    { numRuns: 2_000 },
  )
})

test('any bytes are read to their end, or have no form', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(20), (bytes, start) => {
      const literals = new Literals(100)
      literals.read(bytes, Math.min(start, bytes.length), bytes.length)
      expect(literals.length).toBeLessThanOrEqual(100)
      for (let place = 0; place < literals.count; place++) literals.value(place)
    }),
  )
})
