import { expect, test, vi } from 'vitest'
import { Parser } from './parser.ts'

test('a text that is asked for again at once is not parsed again', async () => {
  const parser = await Parser.load()
  const first = parser.parse('select a from t')
  expect(first).toHaveLength(1)
  expect(parser.parse('select a from t')).toBe(first)
  expect(parser.parse('select b from t')).not.toEqual(first)
  expect(parser.parse('select a from t')).toEqual(first)
})

test('a text that could not be read, for the parser was being made anew, is read when it is there', async () => {
  const parser = await Parser.load()
  expect(parser.parse(`select 1${'+1'.repeat(50_000)}`)).toBeNull()
  expect(parser.busy).toBe(true)
  expect(parser.parse('select 1')).toBeNull()
  await vi.waitFor(() => expect(parser.busy).toBe(false))
  expect(parser.parse('select 1')).toHaveLength(1)
})
