import { expect, test } from 'vitest'
import { progressBar } from './progress.ts'

const written = (isTTY: boolean, steps: [done: number, total: number][]) => {
  const all: string[] = []
  const bar = progressBar('Filling', { isTTY, write: text => all.push(String(text)) > 0 })
  for (const [done, total] of steps) bar(done, total)
  return all.join('')
}

test('on a terminal one line is redrawn, and ended at the end', () => {
  const all = written(true, [
    [0, 2],
    [1, 2],
    [2, 2],
  ])
  expect(all.split('\r').map(line => line.trim().slice(-5))).toEqual(['', '  0 %', ' 50 %', '100 %'])
  expect(all.endsWith('100 %\n')).toBe(true)
})

test('steps that look the same are not drawn again', () => {
  expect(
    written(true, [
      [10, 10_000],
      [11, 10_000],
      [12, 10_000],
    ]).match(/\r/g),
  ).toHaveLength(1)
})

test('in a pipe there are two plain lines', () => {
  expect(
    written(false, [
      [0, 3],
      [1, 3],
      [2, 3],
      [3, 3],
    ]),
  ).toBe('  Filling …\n  Filling: done\n')
})

test('an empty data set is done', () => {
  expect(written(true, [[0, 0]])).toContain('100 %')
})
