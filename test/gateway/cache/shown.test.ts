/** What SHOW tells an operator, who asks as any client does. */
import { readFile } from 'node:fs/promises'
import { bind, describe as describes, execute, flush, parse, sync } from '@sluice/wire'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { views } from '../../../packages/gateway/src/session/shown.ts'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { createDatabase, freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
await database.query(`create table t (id int primary key, v text); insert into t values (1, 'größer')`)

const read = 'select v from t where id = 1'
let gateway: TestGateway
beforeAll(async () => {
  gateway = await startCachingGateway(database.url, {}, { shutdownTimeoutMs: 100 })
})
afterAll(() => gateway.stop())

/** Of node-postgres: by the extended protocol if it has a name. */
let client: pg.Client
beforeEach(async () => {
  client = await connect(gateway.url)
  return () => client.end()
})

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}

// biome-ignore lint/suspicious/noExplicitAny: its columns are what the test asks for
async function show(view: string, by = client, name?: string): Promise<any[]> {
  const { rows } = await by.query({ text: `show sluice.${view}`, ...(name ? { name } : {}) })
  return rows
}

async function hit(by = client): Promise<void> {
  await expect
    .poll(async () => {
      await by.query(read)
      return (await show('cache_status', by))[0]['sluice.cache_status']
    })
    .toMatch(/^hit/)
}

test('each view and each of its columns is in the docs', async () => {
  const page = await readFile(new URL('../../../docs/caching.md', import.meta.url), 'utf8')
  const named = new Set(page.match(/\w+/g))
  for (const [view, columns] of Object.entries(views))
    expect([view, ...Object.keys(columns)].filter(name => !named.has(name))).toEqual([])
})

describe('the figures of the cache', () => {
  test('count each question under its word, and what it has saved', async () => {
    await hit()
    const [before] = await show('cache_stats')
    await client.query(read)
    await client.query('select now()')
    await client.query(`${read} /* sluice: no-cache */`)
    const [after] = await show('cache_stats')
    const grown = (column: string) => Number(after[column]) - Number(before[column])
    expect(['hit', 'volatile', 'disabled', 'miss'].map(grown)).toEqual([1, 1, 1, 0])
    expect(after.hit_ratio).toBeCloseTo(Number(after.hit) / (Number(after.hit) + Number(after.miss)))
    expect(after.origin_mean_ms).toBeGreaterThan(0)
    expect(Number(after.entries)).toBeGreaterThan(0)
    expect(Number(after.bytes)).toBeLessThan(Number(after.max_bytes))
  })

  test('are of the moment in a prepared statement, too', async () => {
    await hit()
    const [before] = await show('cache_stats', client, 'stats')
    await client.query(read)
    const [after] = await show('cache_stats', client, 'stats')
    expect(Number(after.hit) - Number(before.hit)).toBe(1)
  })

  test('by shape, with the reason and without the values', async () => {
    await client.query(`select v from t where v = 'a secret' and id > 10 order by random()`)
    await client.query(`select v from t where v = 'another' and id > 11 order by random()`)
    const rows = await show('cache_shapes')
    expect(rows).toContainEqual(
      expect.objectContaining({
        shape: 'select v from t where v = ? and id > ? order by random()',
        ...{ queries: '2', hit: '0', not_cached: '2', last_status: 'volatile' },
        why: 'random() is volatile: it may answer differently each time',
      }),
    )
    expect(JSON.stringify(rows)).not.toMatch(/secret|another/)
    await hit()
    const kept = (await show('cache_shapes')).find(({ shape }) => shape === 'select v from t where id = ?')
    expect(Number(kept.hit)).toBeGreaterThan(0)
    expect(kept.origin_mean_ms).toBeGreaterThan(0)
  })

  test('tell nobody what others ask, but how often', async () => {
    await hit()
    await database.query(`create role looker_${database.name} login password 'secret'`)
    const looker = await connect(gateway.urlOf(`looker_${database.name}`, 'secret'))
    try {
      const rows = await show('cache_shapes', looker)
      expect(rows.length).toBeGreaterThan(0)
      const hidden = '<insufficient privilege>'
      for (const row of rows) expect(row).toMatchObject({ shape: hidden, why: null })
      for (const { cause } of await show('opaque_commits', looker)) expect(cause).toBe(hidden)
    } finally {
      await looker.end()
      await database.query(`drop role looker_${database.name}`)
    }
  })
})

test.each(['LATIN1', 'SQL_ASCII', 'UTF8'])('what is shown comes from a server in %s, too', async encoding => {
  await using server = await createDatabase()
  const name = `${server.name}_${encoding.toLowerCase()}`
  await server.query(`create database ${name} template template0 encoding '${encoding}' locale 'C'`)
  const url = new URL(server.url)
  url.pathname = name
  const other = await startCachingGateway(url.href, byAge, { shutdownTimeoutMs: 100 })
  const by = await rawClient(other.url)
  try {
    await by.query("set client_encoding = 'UTF8'")
    await by.query('/* sluice: größe=1😀 */ select 1 where 1 in (1, 2, 3)')
    expect((await by.query('show sluice.cache_status'))[1]).toMatch(/^D\(/)
    // One of these is cut off within a character.
    for (const first of ['', 'x']) await by.query(`select 1 as "${first}${'😀'.repeat(300)}"`)
    const shapes = await by.query('show sluice.cache_shapes')
    expect(shapes.filter(each => each.startsWith('D(')).length).toBeGreaterThan(3)
  } finally {
    by.destroy()
    await other.stop()
    await server.query(`drop database ${name} with (force)`)
  }
})

describe('the stream', () => {
  test('that runs has a bound', async () => {
    await hit()
    const [status] = await show('stream_status')
    expect(status).toMatchObject({
      ...{ state: 'running', kept: 'by changes', detail: 'changes by others are told', remedy: null },
      ...{ covered_tables: '1', waiting_tables: null, held_by_pid: null, ddl: 'polled', losses: '0' },
    })
    expect(Number(status.bound_ms)).toBeGreaterThanOrEqual(1_000 + Number(status.delay_ms))
    expect(Number(status.uncovered_ms)).toBeGreaterThan(0)
  })

  test('that was lost says why, and nothing is kept', async () => {
    await hit()
    await database.query(`select pg_terminate_backend(pid) from pg_stat_replication r
      join pg_replication_slots s on s.active_pid = r.pid where s.database = current_database()`)
    await expect
      .poll(async () => (await show('stream_status'))[0])
      .toMatchObject({
        ...{ state: 'lost', kept: 'nothing', bound_ms: null, losses: '1' },
        detail: expect.stringMatching(/; it is tried again$/),
      })
    await hit()
    expect((await show('stream_status'))[0]).toMatchObject({ state: 'running', losses: '1' })
  })

  test('that an old transaction holds up names it', async () => {
    await using fresh = await createDatabase()
    await fresh.query('create table t (id int primary key, v text)')
    const old = await connect(fresh.url)
    await old.query('begin; insert into t values (2)')
    const [{ pid }] = (await old.query('select pg_backend_pid() as pid')).rows
    await using held = await startCachingGateway(fresh.url, {}, { shutdownTimeoutMs: 100 })
    const by = await connect(held.url)
    try {
      await expect
        .poll(async () => (await show('stream_status', by))[0], { timeout: 10_000 })
        .toMatchObject({
          ...{ state: 'opening', kept: 'nothing', held_by_pid: String(pid) },
          detail: expect.stringContaining(`the oldest is that of process ${pid}, `),
          remedy: `Let it end; SELECT pg_terminate_backend(${pid}) ends it at once.`,
        })
      expect(Number((await show('stream_status', by))[0].held_for_ms)).toBeGreaterThan(0)
      await old.query('commit')
      await hit(by)
    } finally {
      await by.end()
      await old.end()
    }
  })

  test('that can not be had says what would help, and how old answers may be', async () => {
    await using other = await startCachingGateway(database.url, byAge, { shutdownTimeoutMs: 100 })
    const by = await connect(other.url)
    await hit(by)
    expect((await show('stream_status', by))[0]).toMatchObject({
      ...{ state: 'impossible', kept: 'by age', bound_ms: '75000', losses: '0' },
      detail: 'there is no publication "there_is_none"; it is tried again',
      remedy: expect.stringMatching(/^Run as the owner of the tables: CREATE PUBLICATION/),
    })
    await by.end()
  })
})

test('writes whose tables can not be told are counted by their cause, with the time under suspicion', async () => {
  await hit()
  await client.query(`do $$ begin update t set v = v; end $$`)
  await expect
    .poll(() => show('opaque_commits'))
    .toContainEqual({
      ...{ cause: 'DO runs code that is not looked into', commits: '1', suspect: false },
      suspect_ms: expect.stringMatching(/^\d+$/),
    })
})

describe('what a client has set, and what it has not', () => {
  let raw: RawClient
  beforeEach(async () => {
    raw = await rawClient(gateway.url)
    return () => raw.destroy()
  })
  const answer = (name: string, value: string) => [`T(${name})`, `D(${value})`, expect.any(String), 'Z I']

  test.each([
    ['sluice.pool_mode', 'transaction', 'session'],
    ['sluice.cache', 'on', 'off'],
  ])('%s', async (name, before, after) => {
    expect(await raw.query(`show ${name}`)).toEqual(answer(name, before))
    raw.send(parse('s', `show ${name}`), describes('S', 's'), bind('', 's'), execute(), sync())
    expect(await raw.ready()).toContain(`D(${before})`)
    await raw.query(`set ${name} = '${after}'`)
    raw.send(bind('', 's'), execute(), sync())
    expect(await raw.ready()).toContain(`D(${after})`)
    await raw.query(`reset ${name}`)
    expect(await raw.query(`show ${name}`)).toEqual(answer(name, before))
  })

  test('the version', async () => {
    expect(await raw.query('show sluice_version')).toEqual(answer('sluice_version', '0.1.0'))
    expect(raw.parameters.get('sluice_version')).toBe('0.1.0')
  })

  test('what there is not', async () => {
    expect(await raw.query('show sluice.nothing')).toEqual(['E 42704', 'Z I'])
  })

  test('in a transaction, in a series that is flushed, and among other statements', async () => {
    await raw.query('begin')
    expect(await raw.query('show sluice.stream_status')).toContainEqual(expect.stringMatching(/^D\(/))
    expect(await raw.query('commit')).toContain('Z I')
    raw.send(parse('', 'show sluice.cache_stats'), describes('S', ''), flush())
    expect(await raw.take(3)).toEqual([
      '1',
      expect.any(String),
      expect.stringMatching(/^T\(hit_ratio,hit,stale/),
    ])
    raw.send(bind('', ''), execute(), sync())
    expect((await raw.ready())[1]).toMatch(/^D\(/)
    const several = await raw.query('select 1; show sluice.cache_stats; show sluice.cache_status')
    expect(several[4]).toMatch(/^D\(\[\{"hit_ratio":.*\}\]\)$/)
  })

  test('in an encoding of its own', async () => {
    await raw.query(`select 'größer' from t order by random()`)
    await raw.query(`set client_encoding = 'LATIN1'`)
    expect(await raw.query('show sluice.cache_shapes')).toContainEqual(expect.stringMatching(/^D\(/))
  })
})

test('a gateway without a cache says so', async () => {
  await using plain = await startGateway(database.url, {}, { shutdownTimeoutMs: 100 })
  const by = await connect(plain.url)
  expect((await show('stream_status', by))[0]).toMatchObject({
    ...{ state: 'off', kept: 'nothing', detail: 'caching is off', bound_ms: null },
  })
  for (const view of ['cache_stats', 'cache_shapes', 'opaque_commits'])
    expect(await show(view, by)).toEqual([])
  await by.end()
})
