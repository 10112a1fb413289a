/** A client that connects, prepares and asks what is hot is answered without the origin. */
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import postgres from 'postgres'
import { expect, test, vi } from 'vitest'
import { startCachingGateway } from '../../support/caching-gateway.ts'
import { FaultProxy } from '../../support/fault-proxy.ts'
import { freshDatabase } from '../../support/postgres.ts'

const database = await freshDatabase()
await database.query(`create table t (id int primary key, v text not null); insert into t values (1, 'one')`)

type Ask = (url: string) => Promise<unknown>

const byPg: Ask = async url => {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query('select v from t where id = $1', [1])
  await client.end()
  return rows
}
const byPostgresJs: Ask = async url => {
  const sql = postgres(url, { max: 1, fetch_types: false })
  const rows = await sql`select v from t where id = ${1}`
  await sql.end()
  return [...rows]
}

test.each([
  ["node-postgres's unnamed series", byPg],
  ["postgres.js's named one", byPostgresJs],
])('%s', async (_, ask) => {
  await using origin = await FaultProxy.start(database.url)
  await using gateway = await startCachingGateway(origin.url)
  /** What clients' connections have sent, and how many there were. */
  const sent = () => [
    origin.connections.length,
    origin.statements.filter(text => text.includes('from t') || text === '').length,
    origin.count('select v from t where id = $1'),
  ]
  await vi.waitFor(async () => {
    await ask(gateway.url)
    const before = sent()
    await ask(gateway.url)
    expect(sent()).toEqual(before)
  }, 20_000)
  // On a busy machine the catalogue may be in doubt for a moment.
  await vi.waitFor(async () => {
    await pause(1_000)
    const before = sent()
    expect(await ask(gateway.url)).toEqual([{ v: 'one' }])
    expect(sent()).toEqual(before)
  }, 20_000)
})
