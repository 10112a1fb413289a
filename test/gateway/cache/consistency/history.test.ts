import { expect, test } from 'vitest'
import { History, type Read, type Versions, type Way } from './history.ts'

/** Row 1 had version 5 at 0 ms; then it was written to, at 100 ms. */
function historyOf(way: Way): History {
  const history = new History(1_000)
  history.acknowledged(way, new Map([[1, 5]]), 0)
  history.acknowledged(way, new Map([[1, 6]]), 100)
  return history
}

const nothing: Versions = new Map()

function violationOf(history: History, read: Partial<Read>, version: number): string | undefined {
  history.answered({ through: 0, sentAt: 150, boundMs: 100, wrote: nothing, ...read }, [{ row: 1, version }])
  return history.violations[0]
}

test('a gateway has to say what it has acknowledged before the read was sent', () => {
  expect(violationOf(historyOf(0), {}, 5)).toContain(
    'row 1 of version 5, when this gateway had acknowledged 6',
  )
  expect(violationOf(historyOf(0), {}, 6)).toBeUndefined()
  expect(violationOf(historyOf(0), { sentAt: 90 }, 5)).toBeUndefined()
})

test.each([
  ['another gateway', 1],
  ['nobody', null],
] as const)('what %s has acknowledged has to be said when the bound has passed', (_, way) => {
  expect(violationOf(historyOf(way), { sentAt: 190 }, 5)).toBeUndefined()
  expect(violationOf(historyOf(way), { sentAt: 210 }, 5)).toContain('more than 100 ms after 6')
})

test('without a stream all has to be said', () => {
  expect(violationOf(historyOf(1), { boundMs: null }, 5)).toContain('without a stream, there was 6')
})

test('a read sees what was written before it in its segment', () => {
  expect(violationOf(historyOf(1), { wrote: new Map([[1, 7]]) }, 6)).toContain('segment')
})

test('a version that was heard of later than a newer one is no floor', () => {
  const history = historyOf(0)
  history.acknowledged(0, new Map([[1, 4]]), 120)
  expect(violationOf(history, {}, 5)).toContain('had acknowledged 6')
})

test('a sum that is another one is torn', () => {
  const history = new History(1_000)
  history.answered({ through: 0, sentAt: 0, boundMs: 0, wrote: nothing }, [{ sum: 1_000 }])
  expect(history.violations).toEqual([])
  history.answered({ through: 0, sentAt: 0, boundMs: 0, wrote: nothing }, [{ sum: 990 }])
  expect(history.violations[0]).toContain('a torn sum: 990')
})

test('when all was told, a gateway says what there is', () => {
  const history = new History(1_000)
  history.drained(0, [{ row: 1, version: 6 }], [{ row: 1, version: 6 }])
  expect(history.violations).toEqual([])
  history.drained(0, [{ row: 1, version: 5 }], [{ row: 1, version: 6 }])
  expect(history.violations).toHaveLength(1)
})

test('what a server has lost has to be said by nobody', () => {
  const history = historyOf(0)
  history.forget()
  expect(violationOf(history, {}, 5)).toBeUndefined()
})
