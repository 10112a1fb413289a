import fc from 'fast-check'
import { expect, test } from 'vitest'
import { asJson, asSelect, sayable, viewNamed } from './shown.ts'

const own = { version: '1.2.3', mode: 'session' } as const

test('rows come as ASCII, whatever is in them', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ text: fc.string({ unit: 'grapheme' }) })), rows => {
      const json = asJson(rows, 'UTF8')
      expect(Buffer.byteLength(json)).toBe(json.length)
      expect(JSON.parse(json)).toEqual(rows)
    }),
  )
})

test('what a server has no character for is said without it', () => {
  const cut = 'größer 😀'.slice(0, -1)
  expect(sayable(cut, 'UTF8')).toBe('größer \ufffd')
  expect(sayable('größer 😀 …', 'LATIN1')).toBe('gr??er ? ...')
  expect(asJson([{ cut }], 'SQL_ASCII')).toBe('[{"cut":"gr??er ?"}]')
})

test('a view is a SELECT with its columns', () => {
  expect(asSelect('sluice.opaque_commits', own)).toMatch(
    /^SELECT \* FROM .*'sluice\.opaque_commits'.* AS opaque_commits \(cause pg_catalog\.text, commits pg_catalog\.int8, /,
  )
})

test.each([
  ['sluice_version', 'SELECT \'1.2.3\'::pg_catalog.text AS "sluice_version"'],
  ['sluice.pool_mode', expect.stringContaining("ELSE 'session' END")],
  ['sluice.cache', expect.stringContaining("ELSE 'on' END")],
  // PostgreSQL knows it, or says that there is none.
  ['sluice.cache_status', null],
  ['sluice.nothing', null],
  ['sluice.toString', null],
  ['cache_stats', null],
])('SHOW %s', (name, select) => {
  expect(asSelect(name, own)).toEqual(select)
  expect(viewNamed(name)).toBeNull()
})
