import { pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { parseVerifier, saslprep } from './index.ts'
import { clientKeyOf, sha256 } from './scram.ts'

const prepared = (text: string) => new TextDecoder().decode(saslprep(new TextEncoder().encode(text)))

describe('saslprep', () => {
  test.each([
    ['a no-break space is a space', 'a\u00a0b', 'a b'],
    ['a soft hyphen is nothing', 'I\u00adX', 'IX'],
    ['a ligature is its letters', '\ufb01x', 'fix'],
    ['an accent by itself joins its letter', 'e\u0301', '\u00e9'],
    ['a superscript is a digit', 'x\u00b2', 'x2'],
    ['controls stay in a password of ASCII', 'a\u0007b', 'a\u0007b'],
    ['with a control it is taken as it is', 'a\u0007\u00a0', 'a\u0007\u00a0'],
    ['with a character newer than Unicode 3.2 it is taken as it is', '\u00a0\u{1f600}', '\u00a0\u{1f600}'],
    ['right-to-left stays if both ends are', '\u06271\u00a0\u0628', '\u06271 \u0628'],
    ['right-to-left that ends in a digit is taken as it is', '\u0627\u00a01', '\u0627\u00a01'],
    ['two directions are taken as they are', '\u0627a\u00a0\u0627', '\u0627a\u00a0\u0627'],
    ['what would be nothing is taken as it is', '\u00ad', '\u00ad'],
  ])('%s', (_what, password, expected) => expect(prepared(password)).toBe(expected))

  test('what is not UTF-8 is taken as it is', () => {
    const latin1 = Uint8Array.of(0xe9, 0x61)
    expect(saslprep(latin1)).toBe(latin1)
  })
})

describe('saslprep is that of PostgreSQL', async () => {
  const database = await freshDatabase()
  const role = `${database.name}_saslprep`
  const client = new pg.Client(database.url)
  beforeAll(async () => {
    await client.connect()
    await client.query(`create role ${role}; set scram_iterations = 1`)
  })
  afterAll(async () => {
    await client.query(`drop role ${role}`)
    await client.end()
  })

  /** Whether the server hashes the bytes that we would hash. */
  async function agrees(password: string): Promise<boolean> {
    await client.query(`alter role ${role} password ${pg.escapeLiteral(password)}`)
    const { rows } = await client.query(`select rolpassword from pg_authid where rolname = $1`, [role])
    const { salt, iterations, storedKey } = parseVerifier(rows[0].rolpassword)!
    const ours = saslprep(new TextEncoder().encode(password))
    const salted = pbkdf2Sync(ours, salt, iterations, 32, 'sha256')
    return Buffer.from(sha256(clientKeyOf(salted))).equals(storedKey)
  }

  test('for passwords of odd characters', async () => {
    const odd = fc.constantFrom(
      ...'aZ1 \u0007\u00a0\u00ad\u00b2\u00e9\u0301\u03a9\u0627\u0628\u0661\u200b\u200d\u200e\u2126\u3000\uac00\ufb01\ufb1d\ufefc\ufeff\ufffd',
      ...['\u{1d7ce}', '\u{1f130}', '\u{1f600}', '\u{e0020}', '\u{100000}'],
    )
    const password = fc.string({
      unit: fc.oneof(odd, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })),
      minLength: 1,
      maxLength: 5,
    })
    await fc.assert(
      fc.asyncProperty(
        password.filter(text => !text.includes('\0')),
        text => agrees(text),
      ),
      { numRuns: 1_500 },
    )
  })
})
