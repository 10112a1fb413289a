import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Generations } from './generations.ts'

describe('what was used lately', () => {
  test('stays, however much comes once only', () => {
    const known = new Generations<number, string>(100)
    known.set(-1, 'used')
    for (let key = 0; key < 10_000; key++) {
      known.set(key, 'once')
      if (key % 40 === 0) expect(known.get(-1)).toBe('used')
    }
    expect(known.get(1)).toBeUndefined()
    expect(known.size).toBeLessThanOrEqual(100)
  })

  test('is what was set last, within the bound, or nothing', () => {
    const weight = 10
    const step = fc.record({ key: fc.nat(20), sets: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const known = new Generations<number, { weight: number }>(60, ({ weight }) => weight)
        const set = new Map<number, { weight: number }>()
        for (const { key, sets } of steps) {
          if (sets) {
            set.set(key, { weight })
            known.set(key, set.get(key)!)
            expect(known.get(key)).toBe(set.get(key))
          } else expect([set.get(key), undefined]).toContain(known.get(key))
          expect(known.size * weight).toBeLessThanOrEqual(60)
        }
      }),
    )
  })
})
