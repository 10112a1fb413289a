/**
 * A read that no cache may answer, where HYPERDRIVE is a binding as Cloudflare's: it keeps what it has once answered.
 *
 *     Worker ──HYPERDRIVE────────▶ cache ──▶ kept ─────▶ PostgreSQL ◀── written past them all
 *        ├─────HYPERDRIVE_FRESH─────────────▶ uncached ──▶   "
 *        └─────DATABASE_URL─────────────────▶ direct ────▶   "
 */
import { createDatabaseManager, DatabaseError, type DatabaseManager, type Env } from '@sluice/edge'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { HyperdriveCache } from '../support/hyperdrive-cache.ts'
import { freshDatabase } from '../support/postgres.ts'
import { runWorker } from '../support/worker.ts'
import type { forms } from '../workers/fresh.ts'

const database = await freshDatabase()
await database.query(`
  create table things (id int primary key, v int not null);
  insert into things values (1, 0);
  create procedure commits() language plpgsql as 'begin update things set v = v + 1; commit; end'`)
const kept = await FaultProxy.start(database.url)
const cache = await HyperdriveCache.start(kept.url)
const uncached = await FaultProxy.start(database.url)
const direct = await FaultProxy.start(database.url)
const worker = await runWorker(new URL('../workers/fresh.ts', import.meta.url), {
  hyperdrives: { HYPERDRIVE: cache.url, HYPERDRIVE_FRESH: uncached.url },
  bindings: { DATABASE_URL: direct.url },
})
const managers: DatabaseManager[] = []
afterAll(async () => {
  for (const manager of managers) manager.close()
  await worker.stop()
  await cache[Symbol.asyncDispose]()
  for (const proxy of [kept, uncached, direct]) await proxy.stop()
})

/** Written where no cache hears of it. */
const write = (v: number) => database.query('update things set v = $1', [v])
async function failureOf(query: PromiseLike<unknown>): Promise<DatabaseError> {
  try {
    await query
  } catch (error) {
    if (error instanceof DatabaseError) return error
    throw error
  }
  throw new Error('it succeeded')
}

const comment = '/* sluice: no-cache */'
const marked = (text: string) => text.endsWith(comment)

describe.each([
  { binding: 'with HYPERDRIVE_FRESH', query: '&uncached' },
  { binding: 'without HYPERDRIVE_FRESH', query: '' },
])('in a Worker, $binding', ({ query }) => {
  const isBound = query !== ''

  test.each<keyof typeof forms>([
    ...(['text', 'template', 'handle', 'drizzle', 'function', 'drizzleInFunction', 'repeatable'] as const),
  ])('%s: another’s write is seen by the fresh read, and by no other', async form => {
    const read = async (fresh: string) => (await worker.json(`/${form}?${fresh}${query}`))[0].v
    await write(0)
    // Whatever an earlier test has left in the cache.
    const old = await read('')
    await write(old + 1)
    expect(await read('')).toBe(old)
    const before = { kept: kept.count(marked), uncached: uncached.count(marked), begun: kept.count('begin') }
    expect(await read('fresh')).toBe(old + 1)
    expect(uncached.count(marked) - before.uncached).toBe(isBound ? 1 : 0)
    expect(kept.count(marked) - before.kept).toBe(isBound ? 0 : 1)
    expect(kept.count('begin') - before.begun).toBe(isBound ? 0 : 1)
    await write(old + 2)
    expect(await read('fresh')).toBe(old + 2)
    expect(await read('')).toBe(old)
    expect(direct.accepted).toBe(0)
  })
})

describe('through HYPERDRIVE alone', () => {
  const binding = { connectionString: cache.url }
  const env = { HYPERDRIVE: binding, DATABASE_URL: '' }
  const managed = (given: Env = env) => {
    const manager = createDatabaseManager({ log: () => {} })
    managers.push(manager)
    return { manager, sql: manager.getOptimalConnection(given) }
  }
  const { sql } = managed()
  beforeEach(() => {
    kept.fault = null
  })

  test('the comment alone would be answered by the cache like any text', async () => {
    const text = `select v from things ${comment}`
    const [before] = await sql.query(text)
    await write(50)
    const { hits } = cache
    expect(await sql.query(text)).toEqual([before])
    expect(cache.hits).toBe(hits + 1)
  })

  test('what writes, or is no read, is one trip, and may commit inside', async () => {
    const begun = kept.count('begin')
    await sql`update things set v = 60`.with({ fresh: true })
    await sql`call commits()`.with({ fresh: true })
    expect(kept.count('begin')).toBe(begun)
    expect(await sql`select v from things`.with({ fresh: true })).toEqual([{ v: 61 }])
  })

  test('a fresh read that writes after all is committed', async () => {
    const text = 'with written as (update things set v = 70 returning v) select v from written'
    expect(await sql.query(text, [], { fresh: true })).toEqual([{ v: 70 }])
    expect(await database.query('select v from things')).toEqual([{ v: 70 }])
  })

  test.each([
    'select v from things -- the last line',
    'select v from things;',
    '/* sluice: max_age=9 */ (select v from things)',
  ])('the comment ends no statement wrongly: %s', async text => {
    expect(await sql.query(text, [], { fresh: true })).toHaveLength(1)
  })

  test('an error is the statement’s own, at its own position, and the connection goes on', async () => {
    const text = 'select nope from things'
    const own = await failureOf(sql.query(text))
    const accepted = kept.accepted
    const fresh = await failureOf(sql.query(text, [], { fresh: true }))
    expect(fresh).toMatchObject({ code: '42703', reason: 'sql', position: own.position })
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
    expect(kept.accepted).toBe(accepted)
  })

  test('its deadline ends it, and is what the error names', async () => {
    const error = await failureOf(sql`select pg_sleep(5)`.with({ deadlineMs: 300, fresh: true }))
    expect(error).toMatchObject({ reason: 'query-deadline', route: 'hyperdrive', sent: 'maybe' })
    expect(error.message).toContain('300 ms')
  })

  test('its signal ends it, and gives the error its cause', async () => {
    const stop = new AbortController()
    const query = sql`select 'stopped', pg_sleep(5)`.with({ signal: stop.signal, fresh: true })
    const failure = failureOf(query)
    await kept.saw(/'stopped'/)
    stop.abort(new Error('the user went away'))
    expect(await failure).toMatchObject({
      ...{ reason: 'query-aborted', route: 'hyperdrive', sent: 'maybe' },
      cause: { message: 'the user went away' },
    })
  })

  test('a handle that is fresh can be asked not to be', async () => {
    const { manager } = managed()
    const handle = manager.getOptimalConnection(env, { fresh: true })
    const read = () => handle`select v, 'not fresh' from things`.with({ fresh: false })
    const before = await read()
    await write(80)
    expect(await read()).toEqual(before)
  })

  test('in a transaction, which no cache answers, nothing is added', async () => {
    const before = kept.count(marked)
    await write(90)
    const read = sql.transaction(tx => tx`select v from things`.with({ fresh: true }))
    expect(await read).toEqual([{ v: 90 }])
    expect(kept.count(marked)).toBe(before)
  })

  test('while it refuses connections, a fresh read goes directly', async () => {
    const { sql } = managed({ HYPERDRIVE: { connectionString: cache.url }, DATABASE_URL: direct.url })
    kept.fault = { is: 'close' }
    const before = direct.count(marked)
    expect(await sql`select 7 as seven`.with({ fresh: true })).toEqual([{ seven: 7 }])
    expect(direct.count(marked)).toBe(before + 1)
  })

  test('a repeatable function whose fresh read stays unanswered runs again, directly', async () => {
    const { manager } = managed()
    kept.fault = { is: 'dark', at: /unanswered/, moment: 'before' }
    const read = manager.executeOptimalQuery(
      { ...env, DATABASE_URL: direct.url },
      sql => sql`select 'unanswered' as said`.with({ deadlineMs: 500 }),
      { fresh: true, repeatable: true },
    )
    expect(await read).toEqual([{ said: 'unanswered' }])
  })
})

test('checkConfig tries HYPERDRIVE_FRESH too', async () => {
  const manager = createDatabaseManager({ log: () => {} })
  managers.push(manager)
  const closed = Object.assign(new URL(database.url), { port: '1' }).href
  const { ok, findings } = await manager.checkConfig({
    HYPERDRIVE: { connectionString: kept.url },
    HYPERDRIVE_FRESH: { connectionString: closed },
    DATABASE_URL: direct.url,
  })
  expect(ok).toBe(false)
  expect(findings.map(({ route, level }) => `${route} ${level}`)).toEqual([
    'hyperdrive ok',
    'direct ok',
    'hyperdrive-fresh error',
  ])
  expect(findings[2]!.message).toContain("can't connect through the HYPERDRIVE_FRESH binding")
})

test('a fresh handle is kept beside the usual one, for each env of its own', () => {
  const manager = createDatabaseManager()
  const HYPERDRIVE = { connectionString: 'postgres://localhost/' }
  const HYPERDRIVE_FRESH = { connectionString: 'postgres://localhost/' }
  const usual = manager.getOptimalConnection({ HYPERDRIVE })
  const fresh = manager.getOptimalConnection({ HYPERDRIVE }, { fresh: true })
  expect(fresh).not.toBe(usual)
  expect(manager.getOptimalConnection({ HYPERDRIVE }, { fresh: true })).toBe(fresh)
  expect(manager.getOptimalConnection({ HYPERDRIVE, HYPERDRIVE_FRESH }, { fresh: true })).not.toBe(fresh)
  manager.getOptimalDrizzle({ HYPERDRIVE })
  manager.getOptimalDrizzle({ HYPERDRIVE }, { fresh: true })
  expect(manager.getConnectionInfo()).toMatchObject({ hyperdriveConnections: 2, drizzleInstances: 2 })
})
