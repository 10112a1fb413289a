import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Snapshot } from './snapshot.ts'

describe('Snapshot', () => {
  test('sees what has ended before it, and nothing that was in progress or began later', () => {
    const snapshot = new Snapshot('100:110:100,105')
    expect([99, 100, 104, 105, 109, 110, 111].filter(xid => snapshot.sees(xid))).toEqual([99, 104, 109])
    expect(new Snapshot('100:100:').sees(99)).toBe(true)
  })

  test('compares with the lower 32 bits of its numbers, on both sides of where these begin anew', () => {
    const epoch = 7n << 32n
    const snapshot = new Snapshot(`${epoch - 3n}:${epoch + 2n}:${epoch - 3n},${epoch + 1n}`)
    const xids = [2 ** 32 - 4, 2 ** 32 - 3, 2 ** 32 - 1, 0, 1, 2, 3]
    expect(xids.filter(xid => snapshot.sees(xid))).toEqual([2 ** 32 - 4, 2 ** 32 - 1, 0])
  })

  test('is right of any two numbers that are less than 2^31 apart', () => {
    const xmax = fc.bigInt({ min: 2n ** 31n, max: 2n ** 50n })
    fc.assert(
      fc.property(xmax, fc.bigInt({ min: -(2n ** 31n) + 1n, max: 2n ** 31n - 1n }), (xmax, by) => {
        const xid = Number(BigInt.asUintN(32, xmax + by))
        expect(new Snapshot(`${xmax}:${xmax}:`).sees(xid)).toBe(by < 0n)
      }),
    )
  })

  test('is past another one when all that had begun then has ended', () => {
    const first = new Snapshot('100:110:100')
    expect(new Snapshot('109:200:109').isPast(first)).toBe(false)
    expect(new Snapshot('110:200:110').isPast(first)).toBe(true)
  })
})
