/** What `sluice check` reckons with for the gateway itself is what the gateway opens. */
import pg from 'pg'
import { afterAll, expect, test } from 'vitest'
import { startGateway } from '../../../../test/support/gateway.ts'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { ownConnections } from './judge.ts'

const database = await freshDatabase()
const role = `guest_${database.name}`
await database.query(`create role ${role} login password 'pw'`)
await database.query(`create function one() returns int language sql as 'select 1'`)
afterAll(() => database.query(`drop role ${role}`))

const open = async () => {
  const [row] = await database.query(
    `select count(*)::int from pg_stat_activity where application_name = 'sluice' and datname = current_database()`,
  )
  return row!.count
}

test('a role of the origin that listens and calls a function has the gateway open all of its own', async () => {
  await using gateway = await startGateway(database.url)
  const client = new pg.Client(gateway.urlOf(role, 'pw'))
  await client.connect()
  await client.query('listen news')
  await client.query('select one()')
  await expect.poll(open).toBe(ownConnections)
  await client.end()
})
