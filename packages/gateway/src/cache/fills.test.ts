import { commandComplete, dataRow, errorResponse, readyForQuery, rowDescription } from '@sluice/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Entry } from './entry.ts'
import { type Fill, Fills, type FillWaiter, largeMs, patienceMs } from './fills.ts'
import { Key } from './key.ts'
import { makeCounters, Stamps } from './stamps.ts'

const head = rowDescription([{ name: 'n' }])
const tail = Buffer.concat([commandComplete('SELECT 1'), readyForQuery('I')])
const failure = Buffer.concat([
  errorResponse({ severity: 'ERROR', code: '57014', message: 'canceling statement due to user request' }),
  readyForQuery('I'),
])
const subject = { shape: {}, tables: [] }
const simple = { subject, simple: true, describes: true }
const withoutDescription = { subject, simple: false, describes: false }

const counters = makeCounters()
const key = new Key(1)
let stamps: Stamps
let fills: Fills
let kept: Entry[]

beforeEach(() => {
  stamps = new Stamps(counters, 3)
  fills = new Fills({ maxResultBytes: 200, allowanceBytes: 1_000 })
  kept = []
})

/** Whoever waits for an answer writes down what it hears. */
class Waiter implements FillWaiter {
  heard: (string | Entry)[] = []
  onAnswer(entry: Entry): void {
    this.heard.push(entry)
  }
  onNoAnswer(): void {
    this.heard.push('ask yourself')
  }
}

function ask(text: string): void {
  key.begin(1)
  key.add(Buffer.from(text), 0, text.length)
  key.end()
}

function begin(text = 'SELECT n FROM t', form = simple, at = 0): Fill {
  ask(text)
  return fills.begin(key, form, stamps.ask([stamps.table(1)], at), stamps, entry => kept.push(entry))
}

function joined(fill: Fill): Waiter {
  const waiter = new Waiter()
  fill.join(waiter)
  return waiter
}

function answer(fill: Fill, value = '7') {
  fill.onBytes(head)
  fill.onBytes(Buffer.concat([dataRow([value]), tail]))
  return fill.onAnswered(20)
}

const found = (text = 'SELECT n FROM t') => {
  ask(text)
  return fills.get(key)
}

describe('a fill whose answer is whole', () => {
  test('is kept, and given to a thousand who ask the same', () => {
    const fill = begin()
    const waiters = Array.from({ length: 1_000 }, () => joined(found()!))
    expect(answer(fill)).toBeNull()
    expect(kept).toHaveLength(1)
    expect(waiters.every(({ heard }) => heard.length === 1 && heard[0] === kept[0])).toBe(true)
    expect(kept[0]!.tookMs).toBe(20)
    expect(found()).toBeNull()
    expect(fills.bytes).toBe(0)
  })

  test('is what was said: an Entry tells its parts', () => {
    answer(begin())
    const { bytes, descriptionAt, rowsAt, commandCompleteAt, readyAt } = kept[0]!
    expect(bytes.subarray(descriptionAt, rowsAt)).toEqual(new Uint8Array(head))
    expect(bytes.subarray(rowsAt, commandCompleteAt)).toEqual(new Uint8Array(dataRow(['7'])))
    expect(bytes.subarray(readyAt)).toEqual(new Uint8Array(readyForQuery('I')))
  })

  test('answers who joined before a change, and is not kept after it', () => {
    const fill = begin()
    const before = joined(fill)
    stamps.bump(stamps.table(1))
    expect(fill.current).toBe(false)
    expect(answer(fill)).toBe('changed')
    expect(kept).toEqual([])
    expect(before.heard).toHaveLength(1)
    expect(before.heard[0]).not.toBe('ask yourself')
  })

  test('is another for another question, also if their hashes were one', () => {
    const fill = begin()
    expect(found('SELECT n FROM u')).toBeNull()
    expect(fill.answers({ bytes: new Uint8Array(3), length: 3, hash: fill.question.hash })).toBe(false)
  })
})

describe('a fill that comes to nothing hurts nobody: who waits asks by itself', () => {
  test.each<[string, (fill: Fill) => void]>([
    ['its statement fails', fill => fill.onBytes(failure)],
    ['its connection is lost', fill => fill.onLost()],
    ['its client does not keep up', fill => fill.onPaused()],
    ['its answer is too large', fill => fill.onBytes(dataRow(['x'.repeat(300)]))],
  ])('if %s', (_, end) => {
    const fill = begin()
    const waiters = [joined(fill), joined(fill)]
    fill.onBytes(head)
    end(fill)
    // Again is harmless.
    fill.onLost()
    for (const { heard } of waiters) expect(heard).toEqual(['ask yourself'])
    expect(found()).toBeNull()
    expect(kept).toEqual([])
  })

  test('a slow client keeps no one waiting, and its answer is kept', () => {
    const fill = begin()
    fill.onPaused()
    expect(answer(fill)).toBeNull()
    expect(kept).toHaveLength(1)
  })

  test('who has left hears nothing', () => {
    const fill = begin()
    const [leaver, stayer] = [joined(fill), joined(fill)]
    fill.leave(leaver)
    answer(fill)
    expect(leaver.heard).toEqual([])
    expect(stayer.heard).toHaveLength(1)
  })

  test('who asks by itself when told so begins another, which others may join', () => {
    const fill = begin()
    fill.join({ onAnswer: () => {}, onNoAnswer: () => void begin() })
    const second = new Waiter()
    fill.join(second)
    fill.onLost()
    expect(found()).not.toBeNull()
    expect(second.heard).toEqual(['ask yourself'])
  })
})

describe('a fill that takes long', () => {
  test('lets one of those who wait ask by itself each time that patience ends; the others wait for that one', () => {
    const fill = begin()
    const waiters = [joined(fill), joined(fill), joined(fill)]
    const heard = () => waiters.map(waiter => waiter.heard.length)
    fills.sweep(patienceMs - 1)
    expect(heard()).toEqual([0, 0, 0])
    fills.sweep(patienceMs)
    fills.sweep(patienceMs)
    expect(heard()).toEqual([1, 0, 0])
    answer(begin('SELECT n FROM t', simple, patienceMs), '8')
    expect(heard()).toEqual([1, 1, 1])
    expect(waiters[2]!.heard[0]).toBe(kept[0])
    answer(fill)
    expect(heard()).toEqual([1, 1, 1])
  })

  test('lets those who wait ask also when a newer one, after a change, is what others join', () => {
    const waiter = joined(begin())
    stamps.bump(stamps.table(1))
    begin()
    fills.sweep(patienceMs)
    expect(waiter.heard).toEqual(['ask yourself'])
  })

  test('hands nobody over to one without the description that was asked for', () => {
    const fill = begin()
    const waiters = [joined(fill), joined(fill)]
    fills.sweep(patienceMs)
    begin('SELECT n FROM t', withoutDescription, patienceMs)
    answer(fill)
    expect(waiters[1]!.heard[0]).toBe(kept[0])
  })

  test('who leaves after being handed over has left', () => {
    const fill = begin()
    const [, leaver] = [joined(fill), joined(fill)]
    fills.sweep(patienceMs)
    const second = begin('SELECT n FROM t', simple, patienceMs)
    fill.leave(leaver)
    answer(second)
    expect(leaver.heard).toEqual([])
  })
})

test('an answer that was too large is not waited for again for a while, nor copied', () => {
  const large = dataRow(['x'.repeat(300)])
  begin('SELECT n FROM t', simple, 0).onBytes(large)
  for (const at of [1, largeMs - 1]) {
    const next = begin('SELECT n FROM t', simple, at)
    expect(found()).toBeNull()
    expect(answer(next)).toBe('oversized')
  }
  expect(answer(begin('SELECT n FROM t', simple, largeMs))).toBeNull()
  expect(kept).toHaveLength(1)
})

test('copies on their way share one allowance', () => {
  const many = Array.from({ length: 20 }, (_, id) => begin(`SELECT ${id}`))
  for (const fill of many) fill.onBytes(Buffer.concat([head, dataRow(['x'.repeat(100)])]))
  expect(fills.bytes).toBeLessThanOrEqual(1_000)
  for (const fill of many) {
    fill.onBytes(tail)
    fill.onAnswered(1)
  }
  expect(kept.length).toBeGreaterThan(0)
  expect(kept.length).toBeLessThan(20)
  expect(fills.bytes).toBe(0)
})
