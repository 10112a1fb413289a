import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makeCounters, Stamps } from './stamps.ts'

const counters = makeCounters()
const fresh = (seed = 7) => new Stamps(counters, seed)

describe('a stamp', () => {
  test('is current until a slot of it is bumped, and never again after that', () => {
    const oids = fc.integer({ min: 1, max: 0xffff_ffff })
    fc.assert(
      fc.property(
        fc.uniqueArray(oids, { minLength: 2, maxLength: 6 }),
        fc.nat(),
        ([other, ...tables], nth) => {
          const stamps = fresh()
          const slots = tables.map(table => stamps.table(table))
          const asked = stamps.ask(slots, 0)
          const bystander = stamps.table(other!)
          stamps.bump(bystander)
          expect(stamps.current(asked.stamp, slots)).toBe(!slots.includes(bystander))
          stamps.bump(slots[nth % slots.length]!)
          expect(stamps.current(asked.stamp, slots)).toBe(false)
          expect(stamps.current(stamps.ask(slots, 0).stamp, slots)).toBe(true)
        },
      ),
    )
  })

  test('without slots depends on the schema and the epoch', () => {
    const stamps = fresh()
    for (const change of [() => stamps.bumpSchema(), () => stamps.bumpEpoch()]) {
      const { stamp } = stamps.ask([], 0)
      expect(stamps.current(stamp, [])).toBe(true)
      change()
      expect(stamps.current(stamp, [])).toBe(false)
    }
  })

  test('is a sum that goes round: counters past 2^32 change it as others do', () => {
    const own = makeCounters()
    const stamps = new Stamps(own, 1)
    const slot = stamps.table(1)
    own[slot] = 0xffff_ffff
    const { stamp } = stamps.ask([slot, slot], 0)
    stamps.bump(slot)
    expect(own[slot]).toBe(0)
    expect(stamps.current(stamp, [slot, slot])).toBe(false)
  })
})

describe('a slot', () => {
  test('of a table, of any of its rows and of a row are three, and the same in each thread', () => {
    const one = Stamps.of(counters, 99, 'app')
    const other = Stamps.of(counters, 99, 'app')
    const slotsOf = (stamps: Stamps) => [
      stamps.table(16_385),
      stamps.anyRow(16_385),
      stamps.row(16_385, ['7']),
    ]
    expect(slotsOf(one)).toEqual(slotsOf(other))
    expect(new Set(slotsOf(one)).size).toBe(3)
  })

  test('is another in another database', () => {
    const slotsIn = (name: string) => {
      const stamps = Stamps.of(counters, 99, name)
      return Array.from({ length: 100 }, (_, oid) => stamps.table(oid))
    }
    const shared = slotsIn('one').filter(slot => slotsIn('two').includes(slot))
    expect(shared.length).toBeLessThan(10)
  })

  test('of a key of two columns is not that of the same letters cut elsewhere', () => {
    const stamps = fresh()
    expect(stamps.row(1, ['ab', 'c'])).not.toBe(stamps.row(1, ['a', 'bc']))
  })

  test('of rows are spread: of 10,000 keys hardly any two share one', () => {
    const stamps = fresh()
    const slots = new Set(Array.from({ length: 10_000 }, (_, id) => stamps.row(16_385, [String(id)])))
    expect(slots.size).toBeGreaterThan(9_900)
  })
})

describe('an opaque commit', () => {
  test('is not seen by what was asked for before, until it has passed', () => {
    const stamps = fresh()
    const before = stamps.ask([], 0)
    const number = stamps.commitOpaque()
    expect(stamps.seen(before.opaque)).toBe(false)
    expect(stamps.seen(stamps.ask([], 0).opaque)).toBe(true)
    stamps.pass(number)
    expect(stamps.seen(before.opaque)).toBe(true)
  })

  test('that has passed says nothing of a newer one', () => {
    const stamps = fresh()
    const before = stamps.ask([], 0)
    const first = stamps.commitOpaque()
    stamps.commitOpaque()
    stamps.pass(first)
    expect(stamps.seen(before.opaque)).toBe(false)
    expect(stamps.seen(first)).toBe(false)
  })
})
