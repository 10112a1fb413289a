/** PostgreSQL reports search_path since version 18. What names mean is known of older servers, too. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { type OlderServer, startOlderServer } from '../../support/older-server.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
const reader = `reader_${database.name}`
let server: OlderServer
let gateway: TestGateway
const read = 'select v from t'

beforeAll(async () => {
  await database.query(`create schema a; create table a.t (v text); insert into a.t values ('of a');
    create schema b; create table b.t (v text); insert into b.t values ('of b');
    create role ${reader} login password 'secret'; grant usage on schema a, b to ${reader};
    grant select on a.t, b.t to ${reader}; alter role ${reader} set search_path = a`)
  server = await startOlderServer(database.url)
  gateway = await startCachingGateway(server.url, byAge, { shutdownTimeoutMs: 100 })
})
afterAll(async () => {
  await gateway.stop()
  await server[Symbol.asyncDispose]()
  await database.query(`drop owned by ${reader}; drop role ${reader}`)
})

test('answers are kept of clients that have set no search_path, and of those that have', async () => {
  const client = await rawClient(gateway.urlOf(reader, 'secret'))
  const isHit = async (row: string) => {
    expect((await client.query(read))[1]).toBe(row)
    return (await client.query('show sluice.cache_status'))[1]!.startsWith('D(hit')
  }
  await expect.poll(() => isHit('D(of a)'), { timeout: 10_000 }).toBe(true)
  await client.query('set search_path = b')
  await expect.poll(() => isHit('D(of b)'), { timeout: 10_000 }).toBe(true)
  await client.query('reset search_path')
  await expect.poll(() => isHit('D(of a)'), { timeout: 10_000 }).toBe(true)
  client.destroy()
})

test('a write to a table that the search_path has found ends what was read of it', async () => {
  const client = await rawClient(gateway.url)
  await client.query('set search_path = b')
  await expect
    .poll(
      async () => {
        await client.query(read)
        return (await client.query('show sluice.cache_status'))[1]
      },
      { timeout: 10_000 },
    )
    .toMatch(/^D\(hit/)
  await client.query(`update t set v = 'changed'`)
  expect((await client.query(read))[1]).toBe('D(changed)')
  expect(await client.query('show sluice.opaque_commits')).not.toContain('what names mean')
  client.destroy()
})

test('the client hears of no parameter that its server would not report', async () => {
  const client = await rawClient(gateway.urlOf(reader, 'secret'))
  expect(client.parameters.get('server_version')).toBe('17.9')
  expect(client.parameters.has('search_path')).toBe(false)
  client.destroy()
})
