import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ArrayOf, encodeArray, parseArray } from './array.ts'

const same = (text: string) => text
const parse = (text: string) => parseArray(text, same)
const encode = (array: readonly unknown[]) => encodeArray(array, value => value as string | null)

test.each<[string, unknown[]]>([
  ['{}', []],
  ['{1,2}', ['1', '2']],
  ['{NULL,"NULL",null}', [null, 'NULL', 'null']],
  ['{"",a}', ['', 'a']],
  ['{"a\\"b\\\\c","{x,y}"," "}', ['a"b\\c', '{x,y}', ' ']],
  [
    '{{1,2},{3,NULL}}',
    [
      ['1', '2'],
      ['3', null],
    ],
  ],
  ['{{{a}},{{"b"}}}', [[['a']], [['b']]]],
  ['[0:1]={7,8}', ['7', '8']],
  ['[-1:0][2:2]={{7},{8}}', [['7'], ['8']]],
  ['{2024-01-01 00:00:00+00,a b}', ['2024-01-01 00:00:00+00', 'a b']],
  ['{"line\nbreak"}', ['line\nbreak']],
])('%j is read', (text, array) => {
  expect(parse(text)).toEqual(array)
})

test('elements of box[] hold commas and stand between semicolons', () => {
  expect(parseArray('{(1,1),(0,0);NULL;(2,2),(1,1)}', same, ';')).toEqual([
    '(1,1),(0,0)',
    null,
    '(2,2),(1,1)',
  ])
})

test('each element but NULL is decoded', () => {
  expect(parseArray('{1,NULL,{2}}', Number)).toEqual([1, null, [2]])
})

test('what was written is read again, whatever the elements hold', () => {
  const nested = fc.letrec<{ tree: ArrayOf<string> }>(tie => ({
    tree: fc.array(
      fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.string({ unit: 'binary' }),
        fc.constantFrom('NULL', '', '{}', '"', '\\'),
        tie('tree'),
      ),
      { maxLength: 6 },
    ),
  })).tree
  fc.assert(
    fc.property(nested, array => {
      expect(parse(encode(array))).toEqual(array)
    }),
  )
})

test('neither many elements nor large ones are too much', () => {
  const many = Array.from({ length: 200_000 }, (_, index) => `${index}"`)
  expect(parse(encode(many))).toEqual(many)
  const large = ['x'.repeat(8_000_000), '"'.repeat(1_000_000)]
  expect(parse(encode(large)).map((each, index) => each === large[index])).toEqual([true, true])
})

test('text that is cut short ends', () => {
  for (const text of ['', '{', '{a', '{"a', '{"a\\\\', '{{a},', '{"a"'])
    expect(Array.isArray(parse(text))).toBe(true)
})
