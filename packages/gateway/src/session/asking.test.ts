import { expect, test } from 'vitest'
import { Values } from '../origin/values.ts'
import { askingOf } from './asking.ts'

const told = Values.of([
  ['TimeZone', 'UTC'],
  ['client_encoding', 'UTF8'],
  ['search_path', '"$user", public'],
  ['server_version', '18.4'],
  ['standard_conforming_strings', 'on'],
])
const asking = (wants: Iterable<readonly [string, string]> = [], reported = told) =>
  askingOf('ann', Values.of(wants), reported)

test('what the server reports and answers depend on is in the key', () => {
  expect(asking()).toMatchObject({
    ...{ sessionUser: 'ann', role: 'ann', path: '"$user", public', off: false, refused: null },
    settings: [
      ['client_encoding', 'UTF8'],
      ['timezone', 'UTC'],
    ],
  })
})

test('so is all that the client has set, its own over what is reported', () => {
  expect(
    asking([
      ['timezone', 'CET'],
      ['app.tenant', '7'],
      ['work_mem', '4MB'],
    ]).settings,
  ).toEqual([
    ['app.tenant', '7'],
    ['client_encoding', 'UTF8'],
    ['timezone', 'CET'],
    ['work_mem', '4MB'],
  ])
})

test('what decides nothing is not', () => {
  const wants = [
    ['application_name', 'psql'],
    ['statement_timeout', '5s'],
    ['sluice.pool_mode', 'session'],
  ] as const
  expect(asking(wants)).toEqual(asking())
})

test('the path, the role and the session user are what the client has set', () => {
  expect(asking([['search_path', 'a, b']]).path).toBe('a, b')
  expect(asking([['role', 'bob']])).toMatchObject({ sessionUser: 'ann', role: 'bob' })
  expect(
    asking([
      ['session_authorization', 'carl'],
      ['role', 'none'],
    ]),
  ).toMatchObject({
    ...{ sessionUser: 'carl', role: 'carl' },
  })
})

test('a server that does not report its path leaves it unknown', () => {
  expect(asking([], Values.of([['TimeZone', 'UTC']])).path).toBeNull()
})

test('a client can switch the cache off, and some settings do', () => {
  for (const value of ['off', 'FALSE', '0', 'disabled', 'no-cache'])
    expect(asking([['sluice.cache', value]]).off).toBe(true)
  for (const value of ['on', 'True', '1', '']) expect(asking([['sluice.cache', value]]).off).toBe(false)
  expect(asking([['standard_conforming_strings', 'off']]).refused).toMatch(/standard_conforming_strings/)
  expect(asking([['client_encoding', 'LATIN1']]).refused).toMatch(/LATIN1/)
})
