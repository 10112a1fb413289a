import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

const names = ['origin', 'origin_connection_limit', 'min_size', 'id', 'idle_timeout']

test.each([
  ['origin_conection_limit', 'origin_connection_limit'],
  ['ORIGIN', 'origin'],
  ['min-size', 'min_size'],
  ['idle_time', 'idle_timeout'],
  ['ids', 'id'],
  ['pool_size', undefined],
  ['', undefined],
])('"%s" probably means %s', (word, meant) => {
  expect(nearest(word, names)).toBe(meant)
})
