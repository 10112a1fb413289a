import { expect, test } from 'vitest'
import type { Examined, Facts } from './examine.ts'
import { type Judged, judge } from './judge.ts'
import type { Line } from './line.ts'
import { caching, invalidation } from './test/cached.ts'

const origin: Judged = {
  origin: { addresses: [], sslmode: 'verify-full' },
  ...{ user: 'app', password: 'p', database: 'shop', roles: 'pg_authid', users: [], anyDatabase: false },
  ...{ connectionLimit: 60, connectTimeoutMs: 15_000 },
  ...{ caching: { ...caching, disabled: true }, invalidation },
}
const facts: Facts = {
  ...{ version: '18.4', tls: 'TLSv1.3', superuser: false, readsAuthid: true, standby: false },
  ...{ maxConnections: 100, reserved: 3, others: 5, databaseLimit: null, roleLimit: null, refusedUsers: [] },
}
const address = { host: 'db.example.com', port: 5432 }
const reached = (of: Partial<Facts> = {}): Examined => ({
  ...{ is: 'reached', address, ms: 20.4, facts: { ...facts, ...of } },
})
const refused = (code: string): Examined => ({
  ...{ is: 'refused', address, fields: { severity: 'FATAL', code, message: 'no' } },
})
const down: Examined = {
  ...{ is: 'unreachable', address, error: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) },
}
const unusable = (message: string): Examined => ({ is: 'unreachable', address, error: new Error(message) })

const judged = (examined: Examined[], of: Partial<Judged> = {}, ...others: Judged[]) => {
  const itself = { ...origin, ...of }
  return judge(itself, examined, [itself, ...others])
}
const notOk = (lines: Line[]) =>
  lines.filter(({ verdict }) => verdict !== 'ok').map(({ verdict, what }) => `${verdict}: ${what}`)

test('all is well', () => {
  expect(judged([reached()])).toEqual([
    {
      verdict: 'ok',
      what: 'db.example.com:5432 is PostgreSQL 18.4; "app" logged in to "shop" in 20 ms, encrypted (TLSv1.3)',
    },
    {
      verdict: 'ok',
      what: 'Sluice may open 62 connections here, its own included; PostgreSQL has 97 for it (max_connections 100, 3 reserved); others hold 5 now',
    },
    {
      verdict: 'ok',
      what: 'every role of the origin may come in with its own password (pg_authid can be read)',
    },
  ])
})

test('connections: more than there are is wrong, more than are free is a warning', () => {
  expect(judged([reached()], { connectionLimit: 96 })[1]).toMatchObject({
    verdict: 'wrong',
    cure: expect.stringContaining('to 95 at most'),
  })
  expect(judged([reached({ others: 40 })])[1]).toMatchObject({
    ...{ verdict: 'warning', cure: expect.stringContaining('to 55 at most') },
  })
  expect(judged([reached({ maxConnections: 5 })])[1]).toMatchObject({ cure: 'Raise max_connections.' })
})

test('connections: origins on one server share them, and each has some of its own', () => {
  expect(judged([reached()], {}, origin)[1]).toMatchObject({
    what: expect.stringContaining('Sluice may open 124 connections here'),
    cure: expect.stringContaining('to 93 at most (over all [[hyperdrive]] on this server)'),
  })
})

test('connections: of further databases nobody knows how many there will be', () => {
  expect(judged([reached()], { anyDatabase: true })[1]?.what).toContain(
    'Sluice may open 62 connections here, its own included, and 2 more for each further database that clients name;',
  )
})

test('connections: one more measures the stream; the stream itself counts for a role and a database alone', () => {
  const lines = judged([reached({ roleLimit: 63 })], { caching })
  expect(lines[1]?.what).toContain('Sluice may open 63 connections here')
  expect(notOk(lines)).toEqual(['wrong: role "app" may have 63 connections, and Sluice may open 64'])
})

test('limits of a role or a database are wrong where Sluice may open more', () => {
  expect(notOk(judged([reached({ roleLimit: 10, databaseLimit: 62 })]))).toEqual([
    'wrong: role "app" may have 10 connections, and Sluice may open 62',
  ])
  expect(notOk(judged([reached({ roleLimit: 10, superuser: true })]))).toEqual([])
})

test('plain text over a network, and a certificate that nobody checks', () => {
  expect(notOk(judged([reached({ tls: null })]))).toEqual([
    'warning: passwords and data go over the network in plain text',
  ])
  expect(notOk(judged([reached()], { origin: { addresses: [], sslmode: 'require' } }))).toEqual([
    'warning: sslmode=require does not check who answers',
  ])
})

test.each([
  ['db.example.com:5432 does not speak TLS, and sslmode is require', 'Switch ssl on'],
  ['db.example.com:5432 did not answer within 15 s', 'A firewall'],
  ['the certificate of db.example.com was refused: DEPTH_ZERO_SELF_SIGNED_CERT', 'sslrootcert'],
  [
    'the certificate that was shown is not made for db.example.com, but for db',
    'Call the host as its certificate',
  ],
  ['the origin answered a request for TLS with neither yes nor no', 'Is the address right'],
  ['the origin closed the connection before the login was complete', 'Its log says why'],
  ['connect EHOSTUNREACH 192.0.2.1:5432', 'No way leads there'],
])('an origin of which is said "%s" has a cure', (message, cure) => {
  const [line] = judged([unusable(message)])
  expect(line).toMatchObject({ verdict: 'wrong', cure: expect.stringContaining(cure) })
  expect(line?.what.match(/db\.example\.com:5432/g)).toHaveLength(1)
})

test('of a list of hosts, one that is down is a warning as long as another answers', () => {
  expect(notOk(judged([down, reached()]))).toEqual(['warning: nobody listens at db.example.com:5432'])
  expect(notOk(judged([down]))).toEqual(['wrong: nobody listens at db.example.com:5432'])
})

test('a standby takes no writes', () => {
  expect(notOk(judged([reached({ standby: true })]))).toEqual([
    'warning: db.example.com:5432 is a standby: it takes no writes',
  ])
})

test.each([
  ['08P01', 'Name the database itself as origin'],
  ['28P01', 'Is it the password of this user?'],
  ['28000', 'pg_hba.conf'],
  ['3D000', 'CREATE DATABASE "shop"'],
  ['42501', 'GRANT CONNECT ON DATABASE "shop" TO "app".'],
  ['53300', 'raise max_connections'],
  ['57P03', 'try again'],
])('%s has a cure', (code, cure) => {
  expect(judged([refused(code)])).toEqual([
    {
      verdict: 'wrong',
      what: `db.example.com:5432 refuses "app": no (${code})`,
      cure: expect.stringContaining(cure),
    },
  ])
})

test('auth_query', () => {
  const verifier = `SCRAM-SHA-256$4096:c2FsdA==$${'A'.repeat(43)}=:${'B'.repeat(43)}=`
  const roles = { query: 'select … $1' }
  const last = (authQuery: NonNullable<Facts['authQuery']>) =>
    judged([reached({ authQuery })], { roles }).at(-1)
  expect(last({ row: [verifier] })).toEqual({ verdict: 'ok', what: 'auth_query works' })
  expect(last({ row: null })).toEqual({ verdict: 'ok', what: 'auth_query works; it knows no user "app"' })
  expect(last({ row: [`md5${'0'.repeat(32)}`] })).toMatchObject({ verdict: 'wrong' })
  expect(last({ row: ['app', verifier] })).toEqual({ verdict: 'ok', what: 'auth_query works' })
  expect(last({ row: [null, 't', 'f'] })).toEqual({ verdict: 'ok', what: 'auth_query works' })
  const noPassword = { verdict: 'wrong', what: "auth_query's answer has no password as pg_authid keeps it" }
  expect(last({ row: ['another', verifier] })).toMatchObject(noPassword)
  expect(last({ row: ['app'] })).toMatchObject(noPassword)
  expect(last({ error: 'no such table' })).toMatchObject({ what: 'auth_query fails: no such table' })
})
