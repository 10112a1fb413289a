/**
 * What clients hear through a gateway that caches, without a stream: what others change behind its back is not seen
 * until an answer is old, which is how a test tells an answer that was kept from one of the origin's.
 */
import { bind, close, describe as describes, execute, flush, parse, query, sync } from '@sluice/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import { byAge, startCachingGateway } from '../../support/caching-gateway.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const database = await freshDatabase()
await database.query(
  `create table t (id int primary key, v int not null); create table other (id int primary key)`,
)

/** Behind the gateway's back. */
const set = (v: number) =>
  database.query(`insert into t values (1, ${v}) on conflict (id) do update set v = ${v}`)

let stop: TestGateway
let a: RawClient
let b: RawClient
beforeEach(async () => {
  await set(0)
  const gateway = await startCachingGateway(database.url, byAge, { shutdownTimeoutMs: 100 })
  stop = gateway
  ;[a, b] = (await Promise.all([rawClient(gateway.url), rawClient(gateway.url)])) as [RawClient, RawClient]
  // The catalogue is read when the first one asks.
  let v = 0
  const isKept = async () => {
    await set(++v)
    const before = await a.query(read)
    await set(++v)
    return (await a.query(read)).join() === before.join()
  }
  await expect.poll(isKept, { timeout: 20_000 }).toBe(true)
  await a.query('update t set v = 0')
  return async () => {
    for (const client of [a, b]) client.destroy()
    await stop[Symbol.asyncDispose]()
  }
})

const read = 'select v from t where id = 1'
const unnamed = [parse('', read), bind('', ''), describes('P', ''), execute(), sync()]
const answer = (v: number) => ['T(v)', `D(${v})`, 'C(SELECT 1)', 'Z I']

test('an answer is kept, and given to whoever asks the same', async () => {
  expect(await a.query(read)).toEqual(answer(0))
  await set(1)
  expect(await a.query(read)).toEqual(answer(0))
  expect(await b.query(read)).toEqual(answer(0))
})

describe('in the extended protocol', () => {
  test('by an unnamed statement', async () => {
    for (const client of [a, b, a]) {
      client.send(...unnamed)
      expect(await client.ready()).toEqual(['1', '2', ...answer(0)])
      await set(1)
    }
  })

  test('by a named one, described or not', async () => {
    a.send(parse('s', 'select v from t where id = $1'), describes('S', 's'), flush())
    await a.take(3)
    for (const _ of [1, 2, 3]) {
      a.send(bind('', 's', '1'), execute(), sync())
      expect(await a.ready()).toEqual(['2', 'D(0)', 'C(SELECT 1)', 'Z I'])
      a.send(bind('', 's', '1'), describes('P', ''), execute(), sync())
      expect(await a.ready()).toEqual(['2', ...answer(0)])
      await set(1)
    }
  })

  test('an unnamed statement that an answer brought can be bound again, though another was in the series', async () => {
    a.send(...unnamed)
    expect(await a.ready()).toEqual(['1', '2', ...answer(0)])
    await set(1)
    a.send(parse('', 'select 1'), flush())
    await a.take(1)
    for (const start of [[parse('', read)], []]) {
      a.send(...start, bind('', ''), execute(), sync())
      expect((await a.ready()).slice(start.length)).toEqual(['2', 'D(0)', 'C(SELECT 1)', 'Z I'])
    }
  })

  test('other values are other questions', async () => {
    a.send(parse('s', 'select v from t where id = $1'), sync())
    await a.ready()
    for (const [value, rows] of [
      ['1', ['D(0)', 'C(SELECT 1)']],
      ['2', ['C(SELECT 0)']],
      [null, ['C(SELECT 0)']],
      ['1', ['D(0)', 'C(SELECT 1)']],
    ] as const) {
      a.send(bind('', 's', value), execute(), sync())
      expect(await a.ready()).toEqual(['2', ...rows, 'Z I'])
      await set(1)
    }
  })

  test('a statement that was parsed here is there for the next Bind', async () => {
    for (const _ of [1, 2]) {
      a.send(...unnamed)
      await a.ready()
    }
    a.send(bind('', ''), execute('', 1), sync())
    expect(await a.ready()).toEqual(['2', 'D(0)', 's', 'Z I'])
  })

  test('a series that was begun at the origin is ended there', async () => {
    await a.query(read)
    a.send(parse('', read), bind('', ''), execute(), sync())
    await a.ready()
    a.send(parse('', read), describes('S', ''), flush())
    await a.take(3)
    a.send(bind('', ''), execute(), sync())
    expect(await a.ready()).toEqual(['2', 'D(0)', 'C(SELECT 1)', 'Z I'])
    const open = await database.query(
      `select from pg_stat_activity where datname = current_database() and state like 'idle in%'`,
    )
    expect(open).toEqual([])
  })
})

describe('a client sees what it has written, and so does everybody', () => {
  test('by a Query', async () => {
    await a.query(read)
    await a.query('update t set v = 2 where id = 1')
    expect(await b.query(read)).toEqual(answer(2))
    expect(await a.query(read)).toEqual(answer(2))
  })

  test('by a statement with values', async () => {
    await a.query(read)
    b.send(parse('', 'update t set v = $1 where id = $2'), bind('', '', '3', '1'), execute(), sync())
    await b.ready()
    expect(await a.query(read)).toEqual(answer(3))
  })

  test('in one segment', async () => {
    await a.query(read)
    a.send(query('update t set v = 4'), query(read))
    expect([...(await a.ready()), ...(await a.ready())]).toEqual(['C(UPDATE 1)', 'Z I', ...answer(4)])
  })

  test('when a transaction is committed, and not before', async () => {
    await a.query(read)
    await a.query('begin')
    await a.query('update t set v = 5')
    expect(await b.query(read)).toEqual(answer(0))
    expect((await a.query(read)).slice(0, 3)).toEqual(['T(v)', 'D(5)', 'C(SELECT 1)'])
    await a.query('commit')
    expect(await b.query(read)).toEqual(answer(5))
  })

  test('by several statements in one Query, as soon as it hears of the commit', async () => {
    await b.query(read)
    a.send(query(`begin; update t set v = 6; commit; select repeat('x', 10000); select pg_sleep(5)`))
    await a.until(() => a.heard.includes('C(COMMIT)'))
    expect(await b.query(read)).toEqual(answer(6))
  })

  test('a connection that is lost in the middle of a commit may have committed', async () => {
    await b.query(read)
    await a.query('begin; update t set v = 7')
    a.send(query(`commit; select repeat('x', 10000); select pg_sleep(60)`))
    await a.until(() => a.heard.includes('C(COMMIT)'))
    a.destroy()
    expect(await b.query(read)).toEqual(answer(7))
  })

  test('rows of a table that something else is written to stay', async () => {
    await a.query(read)
    await set(1)
    await a.query('insert into other values (1)')
    await a.query(`update t set v = 2 where id = 2`)
    expect(await a.query(read)).toEqual(answer(0))
    await a.query('delete from other')
  })
})

describe('what makes an answer another one', () => {
  test('a transaction', async () => {
    await a.query(read)
    await set(1)
    await a.query('begin')
    expect(await a.query(read)).toContain('D(1)')
    await a.query('rollback')
  })

  test('a temporary table of the same name', async () => {
    await a.query(read)
    await a.query('create temp table t (id int, v int); insert into t values (1, 9)')
    expect(await a.query(read)).toEqual(answer(9))
    expect(await b.query(read)).toEqual(answer(0))
  })

  test('a setting', async () => {
    const text = `select '2026-01-01 00:00:00+00'::timestamptz as v from t`
    const first = await a.query(text)
    await a.query(`set timezone = 'Asia/Tokyo'`)
    expect(await a.query(text)).not.toEqual(first)
    expect(await b.query(text)).toEqual(first)
  })

  test('sluice.cache = off', async () => {
    await a.query(read)
    await set(1)
    await b.query('set sluice.cache = off')
    expect(await b.query(read)).toEqual(answer(1))
    expect(await a.query(read)).toEqual(answer(0))
  })

  test('DDL', async () => {
    const all = 'select * from other'
    expect(await a.query(all)).toEqual(['T(id)', 'C(SELECT 0)', 'Z I'])
    await b.query('alter table other add w int')
    expect(await a.query(all)).toEqual(['T(id,w)', 'C(SELECT 0)', 'Z I'])
    await b.query('alter table other drop w')
  })
})

test('of many who ask the same, one asks the origin', async () => {
  const count = 'select count(*) as v from t'
  const holder = await rawClient(database.url)
  await holder.query('begin; lock table t')
  for (const client of [a, b]) client.send(query(count))
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1)
  await holder.query('commit')
  for (const client of [a, b]) expect(await client.ready()).toEqual(answer(1))
  await holder.query('begin; lock table t')
  await a.query('update other set id = id')
  a.send(query(`${count} where id > 0`))
  b.send(query(`${count} where id > 0`))
  await expect.poll(waiting, { timeout: 20_000 }).toBe(1)
  a.destroy()
  await holder.query('commit')
  expect(await b.ready()).toEqual(answer(1))
  holder.destroy()
})

async function waiting(): Promise<number> {
  const [row] = await database.query(
    `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  )
  return row.n
}

describe('what the last question came to', () => {
  const status = async () => (await a.query('show sluice.cache_status'))[1]

  test('is told in the same session, with its reason', async () => {
    expect(await status()).toMatch(/^D\(notaquery: /)
    await a.query(read)
    await a.query(read)
    expect(await status()).toMatch(/^D\(hit: the answer is \d+ ms old\)/)
    expect(await status()).toMatch(/^D\(hit: /)
    await a.query('select now()')
    expect(await status()).toMatch(/^D\(volatile: .*now/)
    await a.query('update t set v = 0')
    expect(await status()).toMatch(/^D\(notaquery: /)
    await a.query(read)
    expect(await status()).toMatch(/^D\(miss: the answer from before has ended/)
    await a.query(`${read} /* sluice: no-cache */`)
    expect(await status()).toMatch(/^D\(disabled: .*no-cache/)
    await a.query(`${read} /* sluice: max_age=soon */`)
    expect(await status()).toMatch(/^D\(uncacheable: .*max_age=soon/)
    await a.query('begin')
    await a.query(read)
    expect(await status()).toMatch(/^D\(transaction: /)
    await a.query('commit')
    await a.query('set sluice.cache = off')
    await a.query(read)
    expect(await status()).toBe('D(disabled: sluice.cache is off)')
  })

  test('in the extended protocol, too', async () => {
    a.send(...unnamed)
    await a.ready()
    a.send(...unnamed)
    await a.ready()
    a.send(parse('', 'show sluice.cache_status'), bind('', ''), execute(), sync())
    expect((await a.ready())[2]).toMatch(/^D\(hit: /)
  })
})

test('a comment says how old an answer may be', async () => {
  const young = `${read} /* sluice: max_age=0 */`
  await a.query(young)
  await set(1)
  expect(await a.query(young)).toEqual(answer(1))
})

test('the comment of a tracing library makes no other question, and any other does', async () => {
  const traced = (id: number) => `${read} /*traceparent='00-${id}-01',route='%2Ffilms'*/`
  await a.query(traced(1))
  await set(1)
  expect(await a.query(traced(2))).toEqual(answer(0))
  expect(await a.query(`${read} /* shard: 2 */`)).toEqual(answer(1))
})

describe('a statement is described without the origin', () => {
  const named = [parse('s', 'select v from t where id = $1'), describes('S', 's')]
  const run = [bind('', 's', '1'), execute(), sync()]
  const told = ['1', 't', 'T(v)']
  const hit = ['2', 'D(0)', 'C(SELECT 1)', 'Z I']

  /** Whoever comes first asks the origin for all of it. */
  async function warm() {
    a.send(...named, ...run)
    expect(await a.ready()).toEqual([...told, ...hit])
  }
  const statementsAtOrigin = () => {
    const { all } = stop.gateway.backends[0]!.pools[0]!
    return [...all].reduce((sum, { statements }) => sum + statements.size, 0)
  }

  test('by whoever comes later, in one piece or in two', async () => {
    await warm()
    await set(1)
    b.send(...named, ...run)
    expect(await b.ready()).toEqual([...told, ...hit])
    b.send(close('S', 's'), sync())
    expect(await b.ready()).toEqual(['3', 'Z I'])
    b.send(...named, flush())
    expect(await b.take(3)).toEqual(told)
    b.send(...run)
    expect(await b.ready()).toEqual(hit)
    expect(statementsAtOrigin()).toBe(1)
  })

  test('although its answer was kept before anybody had it described', async () => {
    a.send(parse('', 'select v from t where id = $1'), bind('', '', '1'), execute(), sync())
    await a.ready()
    await warm()
    const before = statementsAtOrigin()
    b.send(...named, ...run)
    expect(await b.ready()).toEqual([...told, ...hit])
    expect(statementsAtOrigin()).toBe(before)
    expect(await b.query('show sluice.cache_status')).toContainEqual(expect.stringMatching(/^D\(hit: /))
  })

  test('and is there when the origin is asked', async () => {
    await warm()
    b.send(...named, sync())
    expect(await b.ready()).toEqual([...told, 'Z I'])
    b.send(bind('', 's', '2'), execute(), sync())
    expect(await b.ready()).toEqual(['2', 'C(SELECT 0)', 'Z I'])
    await b.query('begin')
    b.send(...run)
    expect(await b.ready()).toEqual(['2', 'D(0)', 'C(SELECT 1)', 'Z T'])
    await b.query('rollback')
  })

  test('the unnamed one, too', async () => {
    const series = [parse('', read), describes('S', ''), flush()]
    a.send(parse('', read), describes('S', ''), bind('', ''), execute(), sync())
    expect(await a.ready()).toEqual([...told, ...hit])
    for (const client of [a, b, b]) {
      client.send(...series)
      expect(await client.take(3)).toEqual(told)
      client.send(bind('', ''), execute(), sync())
      expect(await client.ready()).toEqual(hit)
      await set(1)
    }
  })

  test('a name that is taken is refused', async () => {
    await warm()
    a.send(...named, sync())
    expect(await a.ready()).toEqual(['E 42P05', 'Z I'])
  })

  test('what has changed since is said as PostgreSQL says it', async () => {
    const star = [parse('s', 'select * from other'), describes('S', 's'), sync()]
    for (const client of [a, b]) {
      client.send(...star)
      expect(await client.ready()).toEqual(['1', 't', 'T(id)', 'Z I'])
    }
    await a.query('alter table other add w int')
    b.send(bind('', 's'), execute(), sync())
    expect(await b.ready()).toEqual(['E 0A000', 'Z I'])
    b.send(close('S', 's'), ...star)
    expect(await b.ready()).toEqual(['3', '1', 't', 'T(id,w)', 'Z I'])
    await a.query('alter table other drop w')
  })
})
