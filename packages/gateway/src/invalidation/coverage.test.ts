import { describe, expect, test } from 'vitest'
import { Coverage } from './coverage.ts'
import { Snapshot } from './snapshot.ts'

const at = (xmin: number, xmax: number) => new Snapshot(`${xmin}:${xmax}:`)
const since = (when: string, ...tables: number[]) => new Map(tables.map(table => [table, when]))

describe('Coverage', () => {
  test('a table is covered when every transaction has ended that was open when it was seen to be published', () => {
    const coverage = new Coverage()
    coverage.published(since('1', 1))
    coverage.probed(at(90, 100))
    coverage.probed(at(99, 120))
    expect([[...coverage.covered], coverage.waiting]).toEqual([[], 1])
    coverage.probed(at(100, 130))
    expect([[...coverage.covered], coverage.waiting]).toEqual([[1], 0])
  })

  test('the first snapshot covers nothing, even if nothing is open', () => {
    const coverage = new Coverage()
    coverage.published(since('1', 1))
    coverage.probed(at(100, 100))
    expect(coverage.covered.size).toBe(0)
  })

  test('a table that is added waits by itself; one that is taken away is covered no longer', () => {
    const coverage = new Coverage()
    coverage.published(since('1', 1, 2))
    coverage.probed(at(100, 100))
    coverage.probed(at(100, 100))
    coverage.published(since('1', 2, 3))
    expect([[...coverage.covered], coverage.waiting]).toEqual([[2], 1])
    coverage.probed(at(100, 110))
    coverage.published(since('1', 2, 3))
    coverage.probed(at(110, 110))
    expect([...coverage.covered]).toEqual([2, 3])
  })

  test('a table that was taken away and is back waits anew', () => {
    const coverage = new Coverage()
    coverage.published(since('1', 1, 2))
    coverage.probed(at(100, 100))
    coverage.probed(at(100, 100))
    coverage.published(new Map([...since('1', 1), ...since('2', 2)]))
    expect([[...coverage.covered], coverage.waiting]).toEqual([[1], 1])
    coverage.probed(at(100, 110))
    coverage.probed(at(110, 110))
    expect([...coverage.covered]).toEqual([1, 2])
  })

  test('in doubt, all tables wait anew', () => {
    const coverage = new Coverage()
    coverage.published(since('1', 1))
    coverage.probed(at(100, 100))
    coverage.probed(at(100, 100))
    coverage.doubt()
    expect([coverage.covered.size, coverage.waiting]).toEqual([0, 0])
    coverage.published(since('1', 1))
    coverage.probed(at(100, 110))
    coverage.probed(at(109, 110))
    expect(coverage.covered.size).toBe(0)
  })
})
