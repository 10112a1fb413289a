/** What `sluice check` reckons with for the gateway itself is what the gateway opens. */
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { startCachingGateway } from '../../../../test/support/caching-gateway.ts'
import { startGateway, type TestGateway } from '../../../../test/support/gateway.ts'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { ownConnections } from './judge.ts'

const database = await freshDatabase()
const role = `guest_${database.name}`
await database.query(`create role ${role} login password 'pw'`)
await database.query(`create function one() returns int language sql as 'select 1'`)
afterAll(() => database.query(`drop role ${role}`))

/** Of the gateway's own: by what PostgreSQL counts them against. */
const open = async () => {
  const [row] = await database.query(`
    select count(*) filter (where backend_type = 'client backend')::int as clients,
      count(*) filter (where backend_type = 'walsender')::int as walsenders
    from pg_stat_activity where application_name = 'sluice' and datname = current_database()`)
  return row
}

async function useAll(gateway: TestGateway) {
  const client = new pg.Client(gateway.urlOf(role, 'pw'))
  await client.connect()
  await client.query('listen news')
  await client.query('select one()')
  return client
}

test('a role of the origin that listens and calls a function has the gateway open all of its own', async () => {
  await using gateway = await startGateway(database.url)
  const client = await useAll(gateway)
  await expect.poll(open).toEqual({ clients: ownConnections({ disabled: true }), walsenders: 0 })
  await client.end()
})

test('where answers are cached, one more, and the stream', async () => {
  await database.connectionsFallTo(0)
  await using gateway = await startCachingGateway(database.url)
  const client = await useAll(gateway)
  await expect.poll(open).toEqual({ clients: ownConnections({ disabled: false }), walsenders: 1 })
  await client.end()
})
