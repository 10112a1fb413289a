import { expect, test } from 'vitest'
import { replay } from './replay.ts'
import { Values } from './values.ts'

const steps = (wants: Record<string, string>, has: Record<string, string>) =>
  replay(Values.of(Object.entries(wants)), Values.of(Object.entries(has)))
    .split(';')
    .map(step => step.replace(/SELECT pg_catalog\.set_config\('(\w+)','(.*)',false\)/, '$1 = $2'))

test('what differs is set, and what is not wanted is reset', () => {
  expect(steps({ work_mem: '8MB', lock_timeout: '1s' }, { work_mem: '4MB', search_path: 'a' })).toEqual([
    'RESET "search_path"',
    'lock_timeout = 1s',
    'work_mem = 8MB',
  ])
})

test('a user is put back first and changed behind all else', () => {
  expect(steps({ role: 'a', work_mem: '8MB' }, { role: 'b' })).toEqual([
    ...['RESET SESSION AUTHORIZATION', 'RESET ROLE'],
    ...['work_mem = 8MB', 'role = a'],
  ])
})

test('limits of time end first and begin last: the replay itself must not be ended by them', () => {
  expect(
    steps(
      { statement_timeout: '1ms', role: 'a', work_mem: '8MB' },
      { transaction_timeout: '1', statement_timeout: '1ms' },
    ),
  ).toEqual([
    ...['RESET statement_timeout', 'RESET transaction_timeout', 'RESET SESSION AUTHORIZATION', 'RESET ROLE'],
    ...['work_mem = 8MB', 'role = a', 'statement_timeout = 1ms'],
  ])
})
