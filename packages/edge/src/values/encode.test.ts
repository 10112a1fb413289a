import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { encode, Json } from './encode.ts'

describe('a value', () => {
  test.each<[unknown, string | null]>([
    [null, null],
    ['', ''],
    ['it\'s "text"', 'it\'s "text"'],
    [true, 'true'],
    [false, 'false'],
    [0, '0'],
    [-0, '-0'],
    [1.5e-7, '1.5e-7'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [2n ** 63n, '9223372036854775808'],
    [new Date('2024-02-29T12:34:56.789Z'), '2024-02-29T12:34:56.789Z'],
    [new Date('0001-01-01T00:00:00Z'), '0001-01-01T00:00:00.000Z'],
    [new Date('0000-12-31T00:00:00Z'), '0001-12-31T00:00:00.000Z BC'],
    [new Date('-000043-03-15T00:00:00Z'), '0044-03-15T00:00:00.000Z BC'],
    [new Date('+012026-01-02T03:04:05Z'), '12026-01-02T03:04:05.000Z'],
    [new Date(8.64e15), '275760-09-13T00:00:00.000Z'],
    [{ a: [1, null], b: 'x' }, '{"a":[1,null],"b":"x"}'],
    [new Json([1, 'a']), '[1,"a"]'],
    [new Json('text'), '"text"'],
    [new Json(null), 'null'],
    [Uint8Array.of(0, 1, 254, 255), '\\x0001feff'],
    [new Uint8Array(0), '\\x'],
    [Buffer.from('hé'), '\\x68c3a9'],
    [Uint8Array.of(1, 2, 3, 4).subarray(1, 3), '\\x0203'],
    [Uint8Array.of(9, 8).buffer, '\\x0908'],
    [new DataView(Uint8Array.of(7, 6, 5).buffer, 1), '\\x0605'],
    [[], '{}'],
    [[1, null, 'a"\\', true], '{"1",NULL,"a\\"\\\\","true"}'],
    [['NULL', ''], '{"NULL",""}'],
    [[[1], [2]], '{{"1"},{"2"}}'],
    [[new Date(0)], '{"1970-01-01T00:00:00.000Z"}'],
    [[Uint8Array.of(255)], '{"\\\\xff"}'],
    [[{ a: '"' }, new Json([1])], '{"{\\"a\\":\\"\\\\\\"\\"}","[1]"}'],
  ])('%o is sent as %j', (value, text) => {
    expect(encode(value, 1)).toBe(text)
  })

  test('bytes are the same with and without Buffer', async () => {
    vi.stubGlobal('Buffer', undefined)
    vi.resetModules()
    const { encode: plain } = await import('./encode.ts')
    vi.unstubAllGlobals()
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect(plain(bytes, 1)).toBe(encode(bytes, 1))
      }),
    )
  })
})

describe('what has no form in SQL is refused, by its position and never with its value', () => {
  const circle: { secret: string; self?: unknown } = { secret: 'hush' }
  circle.self = circle

  test.each<[unknown, string]>([
    [undefined, 'parameter $2 is undefined; pass null for SQL NULL'],
    [[1, undefined], 'parameter $2 is undefined; pass null for SQL NULL'],
    // biome-ignore lint/suspicious/noSparseArray: a hole is undefined too
    [[1, , 2], 'parameter $2 is undefined; pass null for SQL NULL'],
    [() => 'hush', 'parameter $2 is a function'],
    [Symbol('hush'), 'parameter $2 is a symbol'],
    [new Date(Number.NaN), 'parameter $2 is an Invalid Date'],
    [{ secret: 'hush', n: 1n }, "parameter $2 can't be written as JSON (a bigint or a circle in it?)"],
    [circle, "parameter $2 can't be written as JSON (a bigint or a circle in it?)"],
    [new Json(undefined), "parameter $2 can't be written as JSON (a bigint or a circle in it?)"],
    [[[circle]], "parameter $2 can't be written as JSON (a bigint or a circle in it?)"],
  ])('%o', (value, message) => {
    const attempt = () => encode(value, 2)
    expect(attempt).toThrow(TypeError)
    expect(attempt).toThrow(message)
    expect(attempt).not.toThrow(/hush/)
  })
})
