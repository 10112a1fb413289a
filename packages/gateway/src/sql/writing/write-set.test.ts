import { expect, test } from 'vitest'
import { type Writes, type Written, writesNothing } from '../writing.ts'
import { WriteSet } from './write-set.ts'

const nothing: Written = { tables: [], rows: [], inserts: [] }

function setOf(...statements: (Partial<Written> & Pick<Partial<Writes>, 'opaque' | 'ddl'>)[]): WriteSet {
  const set = new WriteSet()
  for (const { opaque = null, ddl = false, ...written } of statements)
    set.add({ ...writesNothing, opaque, ddl }, { ...nothing, ...written })
  return set
}

const row = (relation: number, ...key: string[]) => ({ relation, key })

test('rows and rows added count for nothing beside all of their table, whichever comes first', () => {
  const parts = [{ rows: [row(1, 'a')], inserts: [1] }, { tables: [1] }]
  for (const set of [setOf(...parts), setOf(...parts.toReversed())]) {
    expect([...set.tables]).toEqual([1])
    expect([...set.inserts]).toEqual([])
    expect([...set.rows]).toEqual([])
  }
})

test('rows of several statements come together', () => {
  const set = setOf({ rows: [row(1, 'a'), row(2, 'b')] }, { rows: [row(1, 'c', 'd')] })
  expect([...set.rows]).toEqual([
    [1, [['a'], ['c', 'd']]],
    [2, [['b']]],
  ])
})

test('a table of which very many rows are written counts as a whole', () => {
  const rows = Array.from({ length: 1_001 }, (_, n) => row(1, String(n)))
  expect([...setOf({ rows }, { rows: [row(1, 'more')] }).tables]).toEqual([1])
})

test('one opaque statement makes it opaque, and the first says why', () => {
  expect(setOf({}, { opaque: 'first' }, { opaque: 'second' }).opaque).toBe('first')
})

test('it is empty until something is written, and again when it is cleared', () => {
  expect(setOf({}).isEmpty).toBe(true)
  for (const part of [
    { tables: [1] },
    { rows: [row(1, 'a')] },
    { inserts: [1] },
    { opaque: 'why' },
    { ddl: true },
  ]) {
    const set = setOf(part)
    expect(set.isEmpty).toBe(false)
    set.clear()
    expect(set.isEmpty).toBe(true)
  }
})
