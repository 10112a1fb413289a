/**
 * An answer past its age is heard at once by whoever asks, the first one too, and another is fetched in the background.
 *
 * Time stands still but for what the test says, so that only then something grows stale, and a pause ends. No stream
 * tells of others' writes: what is written behind the gateway's back is seen when an answer was fetched anew.
 */
import { Bind, bind, describe as describes, execute, message, parse, sync } from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../packages/gateway/src/transport/clock.ts'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import type { startGateway } from '../../support/gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
const reader = `reader_${database.name}`
beforeAll(() =>
  database.query(`
    create table t (id int primary key, v int not null);
    create table letters (id int primary key, tenant text not null, sent timestamptz not null);
    create function slow(int) returns int immutable language plpgsql as $$
      begin perform pg_advisory_lock_shared(1); perform pg_advisory_unlock_shared(1); return $1; end $$;
    create role ${reader};
    grant select on letters to ${reader};
    alter table letters enable row level security;
    create policy own on letters to ${reader} using (tenant = current_setting('app.tenant'))`),
)
afterAll(() => database.query(`drop owned by ${reader}; drop role ${reader}`))

/** The machine may be busy. */
const patience = { timeout: 10_000 }

const maxAgeMs = 60_000
const options: Parameters<typeof startGateway>[1] = {
  invalidation: { ...byAge!.invalidation!, refreshMs: 3_600_000 },
  caching: {
    ...{ disabled: false, maxAgeMs, staleWhileRevalidateMs: 3_600_000, maxAgeUntoldMs: 0 },
    ...{ stable: false, withoutStream: null },
  },
}

const read = 'select v from t where id = 1'
const other = 'select id, v from t'
const slow = 'select sum(slow(v)) as sum from t'
const answer = (value: number | string, name = 'v') => [`T(${name})`, `D(${value})`, 'C(SELECT 1)', 'Z I']

/** Behind the gateway's back. */
const set = (v: number) => database.query(`update t set v = ${v}`)

let now: number
let line: CachingLine
let a: RawClient
let b: RawClient

async function start(changed: typeof options = {}): Promise<void> {
  now = 0
  line = await CachingLine.start(
    database.url,
    { ...options, ...changed },
    { clock: { now: () => now, after: systemClock.after } },
  )
  ;[a, b] = [await line.connect(), await line.connect()]
}

beforeEach(async () => {
  await database.query('truncate t; insert into t values (1, 1)')
  return () => line[Symbol.asyncDispose]()
})

/** Time enough for all that is kept to be stale. */
const growStale = () => {
  now += maxAgeMs
}

const refreshes = () => line.gateway.gateway.backends[0]!.refreshes
const refreshed = () => expect.poll(() => refreshes().size, patience).toBe(0)

/** Whoever reads the table, at the origin, waits until this is over. */
async function heldTable(): Promise<RawClient> {
  const holder = await rawClient(database.url)
  await holder.query('begin; lock table t')
  return holder
}

async function waiting(): Promise<number> {
  const [row] = await database.query(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return row.n
}

test('all hear what is stale at once, and one refresh serves all, though its client left', async () => {
  await start()
  await line.untilKept(a, read)
  const before = line.origin.count(read)
  await set(2)
  growStale()
  await using holder = await heldTable()
  for (const client of [a, b, a, b]) expect(await client.query(read)).toEqual(answer(1))
  await expect.poll(waiting, patience).toBe(1)
  a.destroy()
  expect((await b.query('show sluice.cache_status'))[1]).toBe(
    'D(stale: the answer is 60000 ms old, and a new one is fetched in the background)',
  )
  await holder.query('commit')
  await refreshed()
  expect(await b.query(read)).toEqual(answer(2))
  expect((await b.query('show sluice.cache_status'))[1]).toMatch(/^D\(hit: /)
  expect(line.origin.count(read)).toBe(before + 1)
})

test('a refresh is counted as such, and not as a question', async () => {
  await start()
  await line.untilKept(a, read)
  const { total } = line.reads.tallies
  const { hit, miss } = total.counts
  growStale()
  await a.query(read)
  await refreshed()
  await a.query(read)
  expect(total).toMatchObject({ counts: { stale: 1, hit: hit + 1, miss }, refreshes: 1 })
})

test('a client that has no server connection to wait for hears what is stale, and gets one when it is free', async () => {
  await start({ connectionLimit: 1 })
  await line.untilKept(a, read)
  await set(2)
  growStale()
  await b.query('begin')
  for (const _ of [1, 2]) expect(await a.query(read)).toEqual(answer(1))
  await b.query('commit')
  expect(await a.query(read)).toEqual(answer(1))
  await refreshed()
  expect(await a.query(read)).toEqual(answer(2))
})

test('where no connection is open, one is opened', async () => {
  await start({ idleTimeoutMs: 1_000 })
  await line.untilKept(a, read)
  await set(2)
  growStale()
  const [pool] = line.gateway.gateway.backends[0]!.pools
  await expect.poll(() => pool!.size, patience).toBe(0)
  expect(await a.query(read)).toEqual(answer(1))
  await refreshed()
  expect(await a.query(read)).toEqual(answer(2))
})

test('a refresh asks with the settings and the role of the clients whose answer it is', async () => {
  await database.query(`truncate letters; insert into letters values
    (1, 'x', '2026-01-02 03:04:05Z'), (2, 'y', '2026-01-02 03:04:05Z')`)
  await start({ connectionLimit: 1 })
  await a.query(
    `set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set app.tenant = 'x'; set role ${reader}`,
  )
  const letters = 'select sent from letters order by id'
  await line.untilKept(a, letters)
  expect(await a.query(letters)).toEqual(answer('02.01.2026 12:04:05 JST', 'sent'))
  await database.query(`update letters set sent = sent + interval '1 day'`)
  growStale()
  // The only connection has what another client wants.
  await b.query(`set timezone = 'UTC'; select 1`)
  const asked = line.origin.count(letters)
  expect(await a.query(letters)).toEqual(answer('02.01.2026 12:04:05 JST', 'sent'))
  // As soon as that client does not need it any more.
  await line.untilHeard(a, letters, answer('03.01.2026 12:04:05 JST', 'sent'))
  expect(line.origin.count(letters)).toBe(asked + 1)
  // What it has set there is nobody else's.
  expect(await b.query('select count(*) from letters')).toEqual(answer(2, 'count'))
})

describe('in the extended protocol', () => {
  const text = 'select v from t where id = $1'
  /** With the value 1 and the result in binary. */
  const binaryBind = (name: string) =>
    message(Bind, Buffer.from(`\0${name}\0`), Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0x31, 0, 1, 0, 1))
  test.each([
    ['by a name, with a value', [bind('', 's', '1'), execute(), sync()], (v: number) => ['2', `D(${v})`]],
    [
      'described, with a binary result',
      [binaryBind('s'), describes('P', ''), execute(), sync()],
      (v: number) => ['2', 'T(v)', `D(\0\0\0${String.fromCharCode(v)})`],
    ],
    [
      'unnamed',
      [parse('', text, [23]), bind('', '', '1'), describes('P', ''), execute(), sync()],
      (v: number) => ['1', '2', 'T(v)', `D(${v})`],
    ],
  ])('%s', async (_, unit, heard) => {
    await start()
    a.send(parse('s', text), sync())
    await a.ready()
    const ask = async () => {
      a.send(...unit)
      return a.ready()
    }
    const hears = (v: number) => [...heard(v), 'C(SELECT 1)', 'Z I']
    await expect
      .poll(async () => {
        await ask()
        const before = line.origin.count(text)
        await ask()
        return line.origin.count(text) - before
      }, patience)
      .toBe(0)
    await set(2)
    growStale()
    const before = line.origin.count(text)
    expect(await ask()).toEqual(hears(1))
    await refreshed()
    expect(await ask()).toEqual(hears(2))
    expect(line.origin.count(text)).toBe(before + 1)
    // The unnamed statement of the refresh is no client's.
    b.send(bind('', ''), execute(), sync())
    expect(await b.ready()).toEqual(['E 26000', 'Z I'])
  })
})

describe('what a refresh brings is not kept', () => {
  test('if a client has written meanwhile: what is stale is not served after that, either', async () => {
    await start()
    await line.untilKept(a, slow)
    growStale()
    await using holder = await rawClient(database.url)
    await holder.query('select pg_advisory_lock(1)')
    expect(await a.query(slow)).toEqual(answer(1, 'sum'))
    await expect.poll(waiting, patience).toBe(1)
    await b.query('update t set v = 3')
    await holder.query('select pg_advisory_unlock(1)')
    await refreshed()
    const before = line.origin.count(slow)
    expect(await a.query(slow)).toEqual(answer(3, 'sum'))
    expect(line.origin.count(slow)).toBe(before + 1)
  })

  test('if it is an error, which nobody hears: it is tried again after pauses that grow', async () => {
    const divided = 'select 6 / v as n from t where id = 1'
    await start()
    await line.untilKept(a, divided)
    await set(0)
    growStale()
    const before = line.origin.count(divided)
    for (const [pauseMs, tries] of [
      [0, 1],
      [999, 1],
      [1, 2],
      [1_999, 2],
      [1, 3],
    ] as const) {
      now += pauseMs
      for (const client of [a, b]) expect(await client.query(divided)).toEqual(answer(6, 'n'))
      await refreshed()
      expect(line.origin.count(divided)).toBe(before + tries)
    }
    await set(3)
    now += 4_000
    await a.query(divided)
    await refreshed()
    expect(await a.query(divided)).toEqual(answer(2, 'n'))
  })

  test('if it is larger than max_result_size', async () => {
    const repeated = `select repeat('x', v) from t`
    await start()
    await line.untilKept(a, repeated)
    await set(5_000_000)
    growStale()
    for (const _ of [1, 2]) {
      expect(await a.query(repeated)).toEqual(answer('x', 'repeat'))
      await refreshed()
    }
  })

  test('if its connection is lost, and no other can be opened', async () => {
    await start()
    await line.untilKept(a, read)
    await set(2)
    growStale()
    await using holder = await heldTable()
    await a.query(read)
    await expect.poll(waiting, patience).toBe(1)
    await line.origin.refuse()
    line.origin.cut()
    await holder.query('commit')
    await refreshed()
    now += 1_000
    for (const client of [a, b]) expect(await client.query(read)).toEqual(answer(1))
    await refreshed()
    expect(await a.query(read)).toEqual(answer(1))
  })
})

describe('a refresh is given up, and cancelled at the origin', () => {
  test.each([
    [
      'when it has taken query_timeout',
      () => {
        now += 60_000
      },
    ],
    ['when the configuration is read anew', () => line.gateway.reload({ connectionLimit: 10 })],
    ['when the gateway stops', () => line.gateway.stop()],
  ])('%s', async (_, happens) => {
    await start()
    await line.untilKept(a, read)
    growStale()
    await using _holder = await heldTable()
    expect(await a.query(read)).toEqual(answer(1))
    await expect.poll(waiting, patience).toBe(1)
    await happens()
    await refreshed()
    await expect.poll(waiting, patience).toBe(0)
  })
})

test('refreshes take a quarter of the connections at most', async () => {
  await start({ connectionLimit: 4 })
  await line.untilKept(a, read, other)
  const before = line.origin.count(other)
  growStale()
  await using holder = await heldTable()
  await a.query(read)
  await expect.poll(waiting, patience).toBe(1)
  await a.query(other)
  expect(refreshes().size).toBe(1)
  await holder.query('commit')
  await refreshed()
  await a.query(other)
  await refreshed()
  expect(line.origin.count(other)).toBe(before + 1)
})
