import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nameAt } from './name-at.ts'

test('a name is a string of its bytes, whichever names came before', () => {
  const name = fc.uint8Array({ maxLength: 80 }).map(bytes => bytes.map(byte => byte || 1))
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.nat(3)), { minLength: 1, maxLength: 50 }), names => {
      for (const [bytes, before] of names) {
        const message = Buffer.concat([Buffer.alloc(before, 0x50), bytes, Buffer.of(0)])
        const said = nameAt(message, before, before + bytes.length)
        expect(said).toBe(Buffer.from(bytes).toString('latin1'))
      }
    }),
  )
})

test('two names with one hash are two', () => {
  for (let number = 0; number < 5_000; number++) {
    const name = Buffer.from(`statement_${number}`)
    expect(nameAt(name, 0, name.length)).toBe(`statement_${number}`)
  }
})
