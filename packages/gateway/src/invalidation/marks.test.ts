import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Marks } from './marks.ts'

const marks = () => new Marks({ token: 'ours', heartbeatMs: 1_000 })

describe('Marks', () => {
  test('one is due at once, and then in every heartbeat; none while one is on its way', () => {
    const some = marks()
    expect(some.deadline()).toBe(-Infinity)
    const mark = some.put(50)
    expect(some.deadline()).toBeNull()
    some.cameOut(mark, 0, 60)
    expect(some.deadline()).toBe(1_050)
  })

  test('the delay is that of the last mark, or the age of one that does not come', () => {
    const some = marks()
    some.cameOut(some.put(0), 0, 30)
    expect(some.delayMs(500)).toBe(30)
    some.put(1_000)
    expect(some.delayMs(1_010)).toBe(30)
    expect(some.delayMs(3_000)).toBe(2_000)
  })

  test('a mark that is put in late is late from when it was due', () => {
    const some = marks()
    some.cameOut(some.put(0), 0, 30)
    expect(some.delayMs(1_500)).toBe(500)
    const mark = some.put(1_500)
    expect(some.delayMs(1_600)).toBe(600)
    some.cameOut(mark, 0, 1_610)
    expect(some.delayMs(1_610)).toBe(110)
  })

  test('a mark of somebody else, or of a stream before, is none', () => {
    const some = marks()
    some.put(0)
    some.cameOut('theirs 1', 0, 10)
    expect([some.any, some.outSince]).toEqual([false, 0])
  })

  test('an opaque commit has passed when a mark behind it has come out, and all shown before that is settled', () => {
    const some = marks()
    const before = some.put(0)
    some.opaque(1)
    some.cameOut(before, 0, 10)
    expect(some.passed(5)).toBeNull()
    expect(some.deadline()).toBe(-Infinity)
    some.cameOut(some.put(20), 3, 30)
    expect(some.passed(2)).toBeNull()
    expect(some.passed(3)).toBe(1)
    expect(some.passed(3)).toBeNull()
  })

  test('opaque commits that come while a mark is on its way share the next one', () => {
    const some = marks()
    const first = some.put(0)
    for (const number of [1, 2, 3]) some.opaque(number)
    some.cameOut(first, 0, 10)
    some.cameOut(some.put(10), 0, 20)
    expect(some.passed(0)).toBe(3)
    expect(some.deadline()).toBe(1_010)
  })

  test('no commit passes before a mark that was put in after it has come out', () => {
    const steps = fc.array(fc.constantFrom('commit', 'put', 'out'), { maxLength: 60 })
    fc.assert(
      fc.property(steps, steps => {
        const some = marks()
        let [newest, behind, out, time] = [0, 0, 0, 0]
        let onItsWay: string | null = null
        for (const step of steps) {
          time++
          if (step === 'commit') some.opaque(++newest)
          else if (step === 'put' && onItsWay === null) {
            onItsWay = some.put(time)
            behind = newest
          } else if (step === 'out' && onItsWay !== null) {
            some.cameOut(onItsWay, 0, time)
            onItsWay = null
            out = behind
          }
          expect(some.passed(0) ?? 0).toBeLessThanOrEqual(out)
        }
      }),
    )
  })
})
