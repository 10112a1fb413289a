import { expect, test } from 'vitest'
import { type Entry, isTable, readToml } from './toml.ts'

const plain = (value: Entry['value']): unknown => {
  if (Array.isArray(value)) return value.map((each: Entry) => [each.at, plain(each.value)])
  if (typeof value === 'object' && isTable(value))
    return Object.fromEntries([...value.entries].map(([key, each]) => [key, [each.at, plain(each.value)]]))
  return value
}
const read = (text: string) => plain(readToml(text, 'f'))

test('each key and each element knows its line', () => {
  expect(
    read(
      'a = 1\nb.c = "x"\nl = [\n  1,\n  2,\n]\nt = { x = true }\n[d.e]\nf = 1\n[[g]]\nh = 1\n[[g]]\n[g.i]\nj = 2\n',
    ),
  ).toEqual({
    a: ['f:1', 1],
    b: ['f:2', { c: ['f:2', 'x'] }],
    l: [
      'f:3',
      [
        ['f:4', 1],
        ['f:5', 2],
      ],
    ],
    t: ['f:7', { x: ['f:7', true] }],
    d: ['f:8', { e: ['f:8', { f: ['f:9', 1] }] }],
    g: [
      'f:10',
      [
        ['f:10', { h: ['f:11', 1] }],
        ['f:12', { i: ['f:13', { j: ['f:14', 2] }] }],
      ],
    ],
  })
})

test('a table whose parts stand in several places is one', () => {
  expect(read('[a.b]\nx = 1\n[a]\ny = 2\n')).toEqual({
    a: ['f:1', { b: ['f:1', { x: ['f:2', 1] }], y: ['f:4', 2] }],
  })
})

test('a key that JavaScript has a meaning for is a key', () => {
  expect([...readToml('__proto__ = 1', 'f').entries.keys()]).toEqual(['__proto__'])
})

test('what is not TOML is said with its line', () => {
  expect(() => read('a = 1\nb = 2 c = 3\n')).toThrow('f:2: this is not TOML: ')
})
