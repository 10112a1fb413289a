/**
 * Answers depend on settings that neither a client nor PostgreSQL speaks of: what ALTER ROLE, ALTER DATABASE and the
 * server's files set while an answer is kept. It is noticed within `catalog_refresh`.
 */
import { startPostgres } from '@sluice/dev'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { createDatabase, freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const schema = `create table t (id int primary key, f float8, b bytea); insert into t values (1, 0.1::float8 + 0.2, 'a')`
const read = 'select f, b from t where id = 1'
const whole = 'D(0.30000000000000004,\\x61)'
const isHit = async (client: RawClient) =>
  (await client.query('show sluice.cache_status'))[1]!.startsWith('D(hit')

async function isKept(client: RawClient): Promise<void> {
  await expect
    .poll(
      async () => {
        await client.query(read)
        return isHit(client)
      },
      { timeout: 10_000 },
    )
    .toBe(true)
}

/** What is heard, from the cache too, for longer than it takes to notice. */
const becomes = (client: RawClient, row: string) =>
  expect.poll(async () => (await client.query(read))[1], { timeout: 10_000 }).toBe(row)

describe('what changes for new server connections', () => {
  let gateway: TestGateway
  let client: RawClient
  let reader: string
  const database = freshDatabase()

  beforeAll(async () => {
    const { name, url, query } = await database
    reader = `reader_${name}`
    await query(`${schema}; create role ${reader} login password 'secret'; grant select on t to ${reader}`)
    gateway = await startCachingGateway(url, byAge, { shutdownTimeoutMs: 100 })
    client = await rawClient(gateway.urlOf(reader, 'secret'))
  })
  afterAll(async () => {
    client.destroy()
    await gateway.stop()
    await (await database).query(`drop owned by ${reader}; drop role ${reader}`)
  })
  beforeEach(async () => {
    expect(await client.query(read)).toContain(whole)
    await isKept(client)
  })

  test.each([
    ['ALTER ROLE', () => `role ${reader}`, 'extra_float_digits', '0', 'D(0.3,\\x61)'],
    [
      'ALTER ROLE IN DATABASE',
      (name: string) => `role ${reader} in database ${name}`,
      'bytea_output',
      'escape',
      'D(0.30000000000000004,a)',
    ],
    [
      'ALTER DATABASE',
      (name: string) => `database ${name}`,
      'bytea_output',
      'escape',
      'D(0.30000000000000004,a)',
    ],
  ])('by %s', async (_, whose, parameter, value, row) => {
    const { name, query } = await database
    await query(`alter ${whose(name)} set ${parameter} = '${value}'`)
    await becomes(client, row)
    await isKept(client)
    expect(await client.query(read)).toContain(row)
    await query(`alter ${whose(name)} reset ${parameter}`)
    await becomes(client, whole)
  })

  test('is not said to a client before it is told of it', async () => {
    const { name, query } = await database
    await using another = await rawClient(gateway.urlOf(reader, 'secret'))
    await using third = await rawClient(gateway.urlOf(reader, 'secret'))
    await query(`alter database ${name} set timezone = 'Asia/Tokyo'`)
    const heard = () => client.query('select clock_timestamp()').then(() => client.changes)
    await expect.poll(heard, { timeout: 10_000 }).toContain('TimeZone=Asia/Tokyo')
    for (const each of [another, third]) {
      expect(await each.query('select to_timestamp(0)')).toContain('D(1970-01-01 09:00:00+09)')
      expect(each.changes).toEqual(['TimeZone=Asia/Tokyo'])
    }
    await query(`alter database ${name} reset timezone`)
  })

  test('is not said to others by who keeps an old connection', async () => {
    const { query } = await database
    await using keeper = await rawClient(gateway.urlOf(reader, 'secret'))
    await keeper.query('set sluice.pool_mode = session')
    await keeper.query(read)
    await query(`alter role ${reader} set bytea_output = 'escape'`)
    await becomes(client, 'D(0.30000000000000004,a)')
    const other = `${read} and true`
    expect(await keeper.query(other)).toContain(whole)
    expect(await client.query(other)).toContain('D(0.30000000000000004,a)')
    await query(`alter role ${reader} reset bytea_output`)
    await becomes(client, whole)
  })
})

test('what is read again from the files of the server ends what was kept', async () => {
  await using postgres = await startPostgres()
  await using database = await createDatabase(postgres.url)
  await database.query(schema)
  await using gateway = await startCachingGateway(database.url, byAge, { shutdownTimeoutMs: 100 })
  await using client = await rawClient(gateway.url)
  await isKept(client)
  await database.query('alter system set bytea_output = escape')
  await client.query(read)
  expect(await isHit(client)).toBe(true)
  await database.query('select pg_reload_conf()')
  await becomes(client, 'D(0.30000000000000004,a)')
  await isKept(client)
  expect(await client.query(read)).toContain('D(0.30000000000000004,a)')
})
