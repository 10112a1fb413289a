import { expect, test } from 'vitest'
import { backendMessageName, frontendMessageName } from './index.ts'

const printable = Array.from({ length: 94 }, (_, index) => index + 33)

test('each byte has one name in each direction, as in the documentation', () => {
  const named = (name: (type: number) => string) =>
    printable
      .filter(type => !name(type).startsWith('0x'))
      .map(type => String.fromCharCode(type))
      .join('')
  expect(named(backendMessageName)).toBe('123ACDEGHIKNRSTVWZcdnstv')
  expect(named(frontendMessageName)).toBe('BCDEFHPQSXcdfp')
})

test('an unknown byte is shown as a number', () => {
  expect(backendMessageName(0x01)).toBe('0x01')
})
