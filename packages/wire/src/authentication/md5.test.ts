import { expect, test } from 'vitest'
import { isMd5Stored, md5Answer, md5Matches, md5Stored } from './index.ts'

const salt = Uint8Array.of(1, 2, 3, 4)

test('what is stored is what PostgreSQL stores', () => {
  // select 'md5' || md5('pencil' || 'me')
  expect(md5Stored('me', 'pencil')).toBe('md50a9f5db71eafc5fd35ad0dbcc9d81309')
})

test('what is stored already is not hashed again', () => {
  const stored = md5Stored('me', 'pencil')
  expect(isMd5Stored(stored)).toBe(true)
  expect(md5Stored('me', stored)).toBe(stored)
  expect(isMd5Stored('md5pencil')).toBe(false)
})

test('an answer holds for its salt and its password only', () => {
  const stored = md5Stored('me', 'pencil')
  const answer = md5Answer(stored, salt)
  expect(md5Matches(answer, stored, salt)).toBe(true)
  expect(md5Matches(answer, stored, Uint8Array.of(1, 2, 3, 5))).toBe(false)
  expect(md5Matches(answer, md5Stored('me', 'pen'), salt)).toBe(false)
  expect(md5Matches(new Uint8Array(0), stored, salt)).toBe(false)
})
