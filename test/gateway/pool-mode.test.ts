/** Session mode where the configuration says so: for an origin, a database, a user. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OriginOptions } from '../../packages/gateway/src/gateway.ts'
import { startGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'
import { rawClient } from '../support/raw-client.ts'

const [shop, books] = [await freshDatabase(), await freshDatabase()]
const role = `migrator_${shop.name}`
beforeAll(() => shop.query(`create role ${role} login password 'pw'`))
afterAll(() => shop.query(`drop role ${role}`))

/** Who keeps its connection between two statements: with one connection in all, nobody else gets one. */
async function keepers(options: Partial<OriginOptions>): Promise<string[]> {
  await using gateway = await startGateway(shop.url, { anyDatabase: true, ...options })
  const of = (url: string, database: string) => Object.assign(new URL(url), { pathname: database }).href
  const urls = {
    shop: gateway.url,
    books: of(gateway.url, books.name),
    'migrator in shop': gateway.urlOf(role, 'pw'),
    'migrator in books': of(gateway.urlOf(role, 'pw'), books.name),
  }
  const found: string[] = []
  for (const [name, url] of Object.entries(urls)) {
    await using client = await rawClient(url)
    await client.query('select 1')
    const { limit, pools } = gateway.gateway.backends[0]!
    if (limit.open > pools.reduce((sum, { idle }) => sum + idle, 0)) found.push(name)
    await client.end()
  }
  return found
}

test.each<[string, Partial<OriginOptions>, string[]]>([
  ['nobody', {}, []],
  ['all of an origin', { mode: 'session' }, ['shop', 'books', 'migrator in shop', 'migrator in books']],
  [
    'all of an origin but a user',
    { mode: 'session', userModes: new Map([[role, 'transaction']]) },
    ['shop', 'books'],
  ],
  [
    'a user, in all databases',
    { userModes: new Map([[role, 'session']]) },
    ['migrator in shop', 'migrator in books'],
  ],
  [
    'all of a database',
    { databaseModes: new Map([[books.name, 'session']]) },
    ['books', 'migrator in books'],
  ],
  [
    'all of a database but a user',
    { databaseModes: new Map([[books.name, 'session']]), userModes: new Map([[role, 'transaction']]) },
    ['books'],
  ],
])('%s', async (_, options, expected) => {
  expect(await keepers(options)).toEqual(expected)
})
