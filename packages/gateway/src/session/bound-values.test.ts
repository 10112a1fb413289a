import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoundValues } from './bound-values.ts'

type Value = { binary: boolean; bytes: Buffer | null }

/** What follows the names in a Bind. */
function bound(formats: readonly number[], values: readonly (Buffer | null)[]): Buffer {
  const int16 = (value: number) => Buffer.from([value >> 8, value & 255])
  const lengthOf = (value: Buffer | null) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(value?.length ?? -1)
    return length
  }
  return Buffer.concat([
    ...[int16(formats.length), ...formats.map(int16), int16(values.length)],
    ...values.flatMap(value => [lengthOf(value), value ?? Buffer.alloc(0)]),
    int16(0),
  ])
}

const value: fc.Arbitrary<Value> = fc.record({
  binary: fc.boolean(),
  bytes: fc.option(fc.string({ unit: 'grapheme' }).map(text => Buffer.from(text))),
})

test('each value is found with its format', () => {
  fc.assert(
    fc.property(fc.array(value), fc.uint8Array({ maxLength: 3 }), (given, before) => {
      const message = bound(
        given.map(({ binary }) => Number(binary)),
        given.map(({ bytes }) => bytes),
      )
      const bytes = Buffer.concat([before, message])
      const values = new BoundValues(bytes, before.length, bytes.length)
      expect(values.count).toBe(given.length)
      for (const [place, { binary, bytes }] of given.entries()) {
        const found = values.value(place + 1)
        if (bytes === null) expect(found).toBeNull()
        else if (binary) expect(Buffer.from(found as Uint8Array)).toEqual(bytes)
        else expect(found).toBe(bytes.toString())
      }
      expect(values.value(given.length + 1)).toBeUndefined()
    }),
  )
})

test('one format is that of all values, and none is text', () => {
  const two = [Buffer.from('1'), Buffer.from('2')]
  for (const [formats, binary] of [
    [[], false],
    [[0], false],
    [[1], true],
  ] as const) {
    const bytes = bound(formats, two)
    const values = new BoundValues(bytes, 0, bytes.length)
    expect([values.isBinary(1), values.isBinary(2)]).toEqual([binary, binary])
  }
})

test('of a message that is cut only whole values are there', () => {
  const bytes = bound([1], [Buffer.from('abc'), Buffer.from('def')])
  for (let end = 0; end < bytes.length; end++) {
    const values = new BoundValues(bytes, 0, end)
    expect(values.count).toBeLessThanOrEqual(2)
    for (let number = 1; number <= values.count; number++) expect(values.bytes(number)).toHaveLength(3)
  }
})
