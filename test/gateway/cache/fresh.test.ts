/** `{ fresh: true }` of the edge library through the gateway's cache, and what needs it: nothing of one's own. */
import { createDatabaseManager, type Sql, type Ways } from '@sluice/edge'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'

const database = await freshDatabase()
await database.query('create table t (id int primary key, v int not null); insert into t values (1, 0)')

const manager = createDatabaseManager()
let line: CachingLine
beforeAll(async () => {
  line = await CachingLine.start(database.url)
  await line.untilKept(await line.connect(), 'select * from t')
})
afterAll(async () => {
  manager.close()
  await line[Symbol.asyncDispose]()
})

const patient = { timeout: 20_000 }
const comment = '/* sluice: no-cache */'

describe.each<{ way: string; envOf: (url: string) => Ways; begins: number }>([
  { way: 'DATABASE_URL', envOf: url => ({ DATABASE_URL: url }), begins: 0 },
  // What a binding leads to can't be known, so the library takes a transaction.
  { way: 'HYPERDRIVE', envOf: url => ({ HYPERDRIVE: { connectionString: url } }), begins: 1 },
  {
    way: 'HYPERDRIVE and HYPERDRIVE_FRESH',
    envOf: url => ({
      HYPERDRIVE: { connectionString: url },
      HYPERDRIVE_FRESH: { connectionString: url },
    }),
    begins: 0,
  },
])('by $way', ({ way, envOf, begins }) => {
  const text = `select v, '${way}' as way from t where id = $1`
  const arrived = () => line.origin.count(text)
  const arrivedFresh = () => line.origin.count(`${text}\n${comment}`)

  /** True if the usual read is answered without the origin. */
  async function isKept(sql: Sql): Promise<boolean> {
    const before = arrived()
    await sql.query(text, [1])
    return arrived() === before
  }

  test('a fresh read is answered by the database, and the others by what was kept', async () => {
    const sql = manager.getOptimalConnection(envOf(line.gateway.url))
    await expect.poll(() => isKept(sql), patient).toBe(true)
    const before = { fresh: arrivedFresh(), begun: line.origin.count('begin') }
    const [written] = await database.query('update t set v = v + 1 returning v')
    const read = () => sql.query(text, [1], { fresh: true })
    expect(await read()).toEqual([{ ...written, way }])
    expect(await read()).toEqual([{ ...written, way }])
    expect(arrivedFresh()).toBe(before.fresh + 2)
    expect(line.origin.count('begin')).toBe(before.begun + 2 * begins)
    // The stream tells the gateway of it, and what is kept again is the new answer.
    await expect.poll(() => sql.query(text, [1]), patient).toEqual([{ ...written, way }])
    await expect.poll(() => isKept(sql), patient).toBe(true)
    expect(await sql.query(text, [1])).toEqual([{ ...written, way }])
  })

  test('a read after a write through the gateway sees it, without being fresh', async () => {
    const sql = manager.getOptimalConnection(envOf(line.gateway.url))
    let kept = 0
    for (let round = 0; round < 30; round++) {
      const [written] = await sql`update t set v = v + 1 returning v`
      expect(await sql.query(text, [1])).toEqual([{ ...written, way }])
      if (await isKept(sql)) kept++
    }
    expect(kept).toBeGreaterThan(0)
  })
})
