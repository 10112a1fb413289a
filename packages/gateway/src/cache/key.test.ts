import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Key, type Question } from './key.ts'

const text = (value: string) => new TextEncoder().encode(value)

function ask(key: Key, context: number, parts: readonly Uint8Array[]): Question {
  key.begin(context)
  for (const part of parts) key.add(part, 0, part.length)
  key.end()
  return key.copy()
}

describe('a key', () => {
  const questions = fc.record({
    context: fc.nat({ max: 3 }),
    parts: fc.array(fc.uint8Array({ maxLength: 6, max: 3 }), { maxLength: 3 }),
  })

  test('is the same for the same question only', () => {
    const key = new Key(5)
    fc.assert(
      fc.property(questions, questions, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other)
        const [first, second] = [ask(key, one.context, one.parts), ask(key, other.context, other.parts)]
        expect(Buffer.compare(first.bytes, second.bytes) === 0).toBe(same)
        if (same) expect(first.hash).toBe(second.hash)
      }),
    )
  })

  test('keeps two contexts apart also where their numbers differ beyond 32 bits', () => {
    const key = new Key(5)
    const [one, other] = [ask(key, 7, []), ask(key, 7 + 2 ** 32, [])]
    expect(one.bytes).not.toEqual(other.bytes)
  })

  test('has another hash in another process', () => {
    const parts = [text('SELECT 1')]
    expect(ask(new Key(1), 1, parts).hash).not.toBe(ask(new Key(2), 1, parts).hash)
  })

  test('spreads questions that differ in one digit', () => {
    const key = new Key(5)
    const hashes = Array.from({ length: 10_000 }, (_, id) => ask(key, 1, [text(`SELECT ${id}`)]).hash)
    expect(new Set(hashes).size).toBeGreaterThan(9_990)
  })

  test('grows with its question, and takes what stands between two places only', () => {
    const key = new Key(5)
    const long = new Uint8Array(30_000).fill(0x61)
    const cut = ask(key, 1, [long.subarray(10, 20_010)])
    key.begin(1)
    key.add(long, 10, 20_010)
    key.end()
    expect(key.tooLong).toBe(false)
    expect(key.copy()).toEqual(cut)
  })

  test('says so if there is no room, until the next question', () => {
    const key = new Key(5)
    const huge = new Uint8Array(100_000)
    ask(key, 1, [huge, text('SELECT 1')])
    expect(key.tooLong).toBe(true)
    ask(key, 1, [text('SELECT 1')])
    expect(key.tooLong).toBe(false)
  })
})
