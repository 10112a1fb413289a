import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrequencySketch } from './sketch.ts'

const hashes = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

describe('a frequency', () => {
  test('is never told too low', () => {
    fc.assert(
      fc.property(fc.array(hashes, { maxLength: 300 }), asked => {
        const sketch = new FrequencySketch(100)
        const times = new Map<number, number>()
        for (const hash of asked) {
          sketch.count(hash)
          times.set(hash, (times.get(hash) ?? 0) + 1)
        }
        for (const [hash, count] of times) expect(sketch.estimate(hash)).toBeGreaterThanOrEqual(count)
      }),
    )
  })

  test('of what was never asked is hardly ever told too high', () => {
    const sketch = new FrequencySketch(1_000)
    const spread = (n: number) => Math.imul(n, 0x9e3779b1)
    for (let n = 0; n < 1_000; n++) sketch.count(spread(n))
    const wrong = Array.from({ length: 1_000 }, (_, n) => sketch.estimate(spread(n + 5_000))).filter(Boolean)
    expect(wrong.length).toBeLessThan(200)
  })

  test('is half of what it was when much else was asked', () => {
    const sketch = new FrequencySketch(1_000)
    for (let n = 0; n < 40; n++) sketch.count(1)
    for (let n = 0; n < sketch.period; n++) sketch.count(Math.imul(n, 0x9e3779b1) | 1)
    expect(sketch.estimate(1)).toBeLessThan(40)
  })
})
