import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Kept } from './kept.ts'
import { Key, type Question } from './key.ts'
import { makeCounters, Stamps } from './stamps.ts'
import { Store } from './store.ts'

const counters = makeCounters()
const stamps = new Stamps(counters, 11)
const key = new Key(2)

function question(name: number | string): Question {
  const text = Buffer.from(`SELECT ${name}`)
  key.begin(1)
  key.add(text, 0, text.length)
  key.end()
  return key.copy()
}

/** An answer of so many bytes, which depends on the table of this number. */
const answer = (name: number | string, bytes: number, table = 1) =>
  new Kept(question(name), stamps, stamps.ask([stamps.table(table)], 0), [new Uint8Array(bytes)])

/** Each was asked for four times. */
const fill = (store: Store, bytes: number, howMany: number, from = 0) => {
  for (let name = from; name < from + howMany; name++) {
    for (let time = 0; time < 4; time++) store.find(question(name))
    store.add(answer(name, bytes))
  }
}

describe('whatever is asked and kept', () => {
  const name = fc.nat({ max: 40 })
  const step = fc.oneof(
    fc.record({ does: fc.constant('find' as const), name }),
    fc.record({ does: fc.constant('add' as const), name, bytes: fc.nat({ max: 12_000 }) }),
    fc.record({ does: fc.constant('remove' as const), name }),
    fc.record({ does: fc.constant('bump' as const), name }),
  )

  test('the bound holds, and what is found is what was kept last for that question', () => {
    const bound = 60_000
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const store = new Store(bound)
        const model = new Map<number, Kept>()
        for (const each of steps) {
          switch (each.does) {
            case 'find': {
              const kept = store.find(question(each.name))
              // What made room is not there; nothing else may be.
              if (kept) expect(kept).toBe(model.get(each.name))
              if (kept) store.use(kept)
              break
            }
            case 'add': {
              const kept = answer(each.name, each.bytes, each.name)
              const isIn = store.add(kept)
              model.set(each.name, kept)
              expect(store.find(question(each.name)) === kept).toBe(isIn)
              break
            }
            case 'remove': {
              const kept = model.get(each.name)
              if (kept) store.remove(kept)
              if (kept) expect(store.find(question(each.name))).toBeNull()
              break
            }
            case 'bump':
              stamps.bump(stamps.table(each.name))
          }
          const kept = [...model.keys()].flatMap(each => store.find(question(each)) ?? [])
          expect(store.size).toBe(kept.length)
          const weight = kept.reduce((sum, { weight }) => sum + weight, 0)
          expect(store.bytes).toBeGreaterThanOrEqual(weight)
          expect(store.bytes).toBeLessThanOrEqual(bound)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('a full store', () => {
  const mostBytes = 1_000_000
  const full = () => {
    const store = new Store(mostBytes)
    fill(store, 1_000, 1_000)
    return store
  }

  test('keeps what is asked for again against a scan of what is asked once', () => {
    const store = full()
    const before = store.size
    for (let name = 5_000; name < 8_000; name++) {
      store.find(question(name))
      store.add(answer(name, 1_000))
    }
    const left = Array.from({ length: 1_000 }, (_, name) => store.find(question(name))).filter(Boolean)
    expect(left.length).toBeGreaterThan(0.97 * before)
  })

  test('makes room for what is asked for more often than what is there', () => {
    const store = full()
    for (let time = 0; time < 100; time++) store.find(question('hot'))
    store.add(answer('hot', 12_000))
    expect(store.find(question('hot'))).not.toBeNull()
  })

  test('does not give up many for one that is asked for as often as each of them', () => {
    const store = full()
    const before = store.size
    for (let time = 0; time < 4; time++) store.find(question('large'))
    expect(store.add(answer('large', 100_000))).toBe(false)
    expect(store.size).toBe(before)
  })

  test('gives up what is not current for anything', () => {
    const store = full()
    stamps.bump(stamps.table(1))
    store.find(question('large'))
    expect(store.add(answer('large', 100_000, 2))).toBe(true)
  })

  test('keeps the next answer to a question that was asked often, though the one before is gone', () => {
    const store = full()
    for (let time = 0; time < 100; time++) store.find(question('hot'))
    const first = answer('hot', 12_000)
    store.add(first)
    store.remove(first)
    fill(store, 1_000, 100, 2_000)
    expect(store.add(answer('hot', 12_000))).toBe(true)
  })
})

test('what is larger than the store is not kept', () => {
  const store = new Store(100_000)
  expect(store.add(answer('huge', 200_000))).toBe(false)
  expect(store.size).toBe(0)
})

test('of two questions with one hash, neither is answered by what answers the other', () => {
  const store = new Store(100_000)
  const one = question('one')
  const other = { ...question('other'), hash: one.hash }
  const asked = stamps.ask([], 0)
  store.add(new Kept(one, stamps, asked, []))
  expect(store.find(other)).toBeNull()
  store.add(new Kept(other, stamps, asked, []))
  expect(store.find(one)).toBeNull()
  expect(store.find(other)).not.toBeNull()
  expect(store.size).toBe(1)
})
