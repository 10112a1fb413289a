import fc from 'fast-check'
import { expect, test } from 'vitest'
import { originOf } from './origin.ts'

const read = (url: string) => originOf(url, '/')

test.each([
  [
    'postgres://u@h',
    { user: 'u', database: 'u', origin: { addresses: [{ host: 'h', port: 5432 }], sslmode: 'prefer' } },
  ],
  ['postgresql://u:p@h:1/d', { user: 'u', password: 'p', database: 'd' }],
  ['postgres://u%40x:p%2Fq@h/d%20e', { user: 'u@x', password: 'p/q', database: 'd e' }],
  // As they are pasted: an @, a slash, a colon, a question mark and a lone percent sign.
  ['postgres://u:p@q/r:s?t%@h/d', { user: 'u', password: 'p@q/r:s?t%', database: 'd' }],
  [
    'postgres://u@a:1,b,[::1]:2/d',
    {
      origin: {
        sslmode: 'prefer',
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 5432 },
          { host: '::1', port: 2 },
        ],
      },
    },
  ],
  [
    'postgres://u@%2Frun%2Fpostgresql:6000/d',
    { origin: { sslmode: 'prefer', addresses: [{ path: '/run/postgresql/.s.PGSQL.6000' }] } },
  ],
  [
    'postgres://u@/d?host=/run/postgresql',
    { origin: { sslmode: 'prefer', addresses: [{ path: '/run/postgresql/.s.PGSQL.5432' }] } },
  ],
  ['postgres://u@h/d?sslmode=require&channel_binding=require', { origin: { sslmode: 'require' } }],
  ['postgres://u@h/d?sslrootcert=system', { origin: { sslmode: 'verify-full' } }],
])('%s', async (url, expected) => {
  expect(await read(url)).toMatchObject(expected)
})

test.each([
  ['mysql://u@h/d', 'is a URL that begins with postgres:// or postgresql://'],
  ['postgres://h/d', 'names no user'],
  ['postgres://u@/d', 'names no host'],
  ['postgres://u@a,,b/d', 'names no host'],
  ['postgres://u@h:port/d', 'has no readable host and port'],
  ['postgres://u:hush/hush/d', 'has no readable host and port'],
  ['postgres://u:hush@h:99999/d', 'has a port that is no whole number from 1 to 65535'],
  [
    'postgres://u:hush@h/d?sslmod=require',
    'has a parameter that Sluice does not take: "sslmod"; did you mean sslmode?',
  ],
  ['postgres://u:hush@h/d?sslmode=allow', 'has an sslmode that is none of disable, prefer, require'],
  [
    'postgres://u@h/d?sslmode=require&sslrootcert=system',
    'has sslrootcert=system, which needs sslmode=verify-full',
  ],
  [
    'postgres://u@h/d?sslrootcert=/none.pem',
    "has an sslrootcert that can't be read: /none.pem (there is no such file)",
  ],
  ['postgres://u@h/d?sslrootcert=/etc/hostname', 'has an sslrootcert that is no PEM: /etc/hostname'],
  ['postgres://u%00@h/d', 'holds a NUL character'],
])('%s is refused: it %s', async (url, message) => {
  const error = await read(url).catch(error => error)
  expect(error.message).toContain(message)
  expect(error.message).not.toContain('hush')
})

test('any user, password and database go in and out by percent escapes', async () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter(text => !text.includes('\0'))
  await fc.assert(
    fc.asyncProperty(name, name, name, async (user, password, database) => {
      const escaped = [user, password, database].map(encodeURIComponent)
      const url = `postgres://${escaped[0]}:${escaped[1]}@h/${escaped[2]}`
      expect(await read(url)).toMatchObject({ user, password, database })
    }),
  )
})

test('whatever a URL is, its password is in no error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.stringMatching(/^[a-z:/?#@%[\]]{0,12}$/), fc.string(), async (before, behind) => {
      const error = await read(`postgres://u:${before}HUSH${before}@${behind}`).catch(error => error)
      if (error instanceof Error) expect(error.message).not.toContain('HUSH')
    }),
  )
})
