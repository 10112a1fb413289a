/** What nobody can read may have been anything; a mistake must not end what is kept all the same. */
import { expect, test, vi } from 'vitest'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'

const database = await freshDatabase()
await database.query(
  'create table t (id int primary key, v int); insert into t select n, n from generate_series(1, 200) n',
)
const read = (id: number) => `select v from t where id = ${id}`

test('what was kept is served again after a statement that PostgreSQL does not understand', async () => {
  await using line = await CachingLine.start(database.url)
  const client = await line.connect()
  const isKept = async (id: number) => {
    const before = line.origin.count(read(id))
    await client.query(read(id))
    return line.origin.count(read(id)) === before
  }
  await line.untilKept(client, read(1))
  for (let id = 1; id <= 200; id++) await client.query(read(id))
  expect((await client.query('selec v from t'))[0]).toBe('E 42601')
  // What is asked for before it is known whether that was DDL is asked of the origin: each time another one.
  let id = 0
  await vi.waitFor(async () => expect(await isKept(++id)).toBe(true), { timeout: 9_000, interval: 50 })
})
