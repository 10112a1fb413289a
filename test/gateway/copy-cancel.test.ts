/** COPY, cancel requests, and what fails: the cases CP, CA and FA of users of other poolers. */
import { connect } from 'node:net'
import {
  bind,
  cancelRequest,
  copyData,
  copyDone,
  copyFail,
  execute,
  flush,
  parse,
  query,
  sync,
} from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { FaultProxy } from '../support/fault-proxy.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { VirtualClock } from '../support/memory-transport.ts'
import { freshDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
let one: TestGateway
let a: RawClient
let b: RawClient

beforeAll(async () => {
  one = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 2_000 })
  await database.query('create table t (x int primary key)')
})
afterAll(() => one.stop())
beforeEach(async () => {
  await database.query('truncate t')
  a = await rawClient(one.url)
  b = await rawClient(one.url)
  return async () => {
    a.destroy()
    b.destroy()
  }
})

const encoder = new TextEncoder()
const row = (text: string) => copyData(encoder.encode(`${text}\n`))

async function cancel(client: RawClient): Promise<void> {
  const { remotePort: port, remoteAddress: hostname } = client.socket
  const socket = connect(Number(port), hostname)
  socket.write(cancelRequest(client.key!.processId, client.key!.secretKey))
  await new Promise(resolve => socket.once('close', resolve).resume())
}

/** Waits until a client sleeps in PostgreSQL. */
const sleeping = () =>
  database.query(
    `do $$ begin while not exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep') loop perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); end loop; end $$`,
  )

/** Waits until somebody waits for a lock in PostgreSQL. */
const waitingForLock = () =>
  database.query(
    `do $$ begin while not exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') loop perform pg_sleep(0.01); perform pg_stat_clear_snapshot(); end loop; end $$`,
  )

/** Waits until nobody has a server connection: after its answer, a statement may have been asked about. */
const allIdle = ({ gateway }: TestGateway) =>
  vi.waitUntil(() => gateway.backends[0]!.pools.every(({ idle, size }) => idle === size), {
    ...{ timeout: 10_000, interval: 5 },
  })

/** A transaction that holds a lock until its end, on a connection of its own. */
async function holding(lock: string): Promise<RawClient> {
  const holder = await rawClient(database.url)
  await holder.query(`begin; ${lock}`)
  return holder
}

describe('COPY', () => {
  test('in by the simple protocol, in one write and in several', async () => {
    a.send(query('copy t from stdin'), row('1'), row('2'), copyDone(), query('select count(*) from t'))
    expect(await a.ready()).toEqual(['G', 'C(COPY 2)', 'Z I'])
    expect(await a.ready()).toContain('D(2)')
    a.send(query('copy t from stdin'))
    expect(await a.take(1)).toEqual(['G'])
    a.send(row('3'), copyData(new Uint8Array(0)), flush(), sync())
    a.send(copyDone())
    expect(await a.ready()).toEqual(['C(COPY 1)', 'Z I'])
    expect(await b.query('select count(*) from t')).toContain('D(3)')
  })

  test('in by the extended protocol', async () => {
    a.send(parse('', 'copy t from stdin'), bind('', ''), execute(), sync())
    expect(await a.take(3)).toEqual(['1', '2', 'G'])
    a.send(row('1'), copyDone(), sync())
    expect(await a.ready()).toEqual(['C(COPY 1)', 'Z I'])
    a.send(parse('', 'copy t from stdin'), bind('', ''), execute(), flush())
    expect(await a.take(3)).toEqual(['1', '2', 'G'])
    a.send(row('1'), copyDone(), sync())
    expect(await a.ready()).toEqual(['E 23505', 'Z I'])
    expect(await b.query('select count(*) from t')).toContain('D(1)')
  })

  test('in by the extended protocol, with the data sent before the server asks for it', async () => {
    const copy = [parse('', 'copy t from stdin'), bind('', ''), execute()]
    a.send(...copy, row('1'), copyDone(), sync(), query('select count(*) from t'))
    expect(await a.ready()).toEqual(['1', '2', 'G', 'C(COPY 1)', 'Z I'])
    expect(await a.ready()).toContain('D(1)')
    a.send(...copy, row('2'), copyDone(), ...copy, row('3'), row('4'), copyDone(), sync())
    const copied = ['1', '2', 'G', 'C(COPY 1)', '1', '2', 'G', 'C(COPY 2)', 'Z I']
    expect(await a.ready()).toEqual(copied)
    a.send(...copy, row('5'), sync(), row('6'), copyDone(), sync())
    expect(await a.ready()).toEqual(['1', '2', 'G', 'C(COPY 2)', 'Z I'])
    a.send(parse('', 'copy missing from stdin'), bind('', ''), execute(), row('7'), copyDone(), sync())
    expect(await a.ready()).toEqual(['1', '2', 'E 42P01', 'Z I'])
    expect(await b.query('select count(*) from t')).toContain('D(6)')
  })

  test('in by a Query within a series', async () => {
    a.send(parse('', 'select 1'), bind('', ''), execute(), query('copy t from stdin'), row('1'), copyDone())
    expect(await a.ready()).toEqual(['1', '2', 'D(1)', 'C(SELECT 1)', 'G', 'C(COPY 1)', 'Z T'])
    expect(await a.query('commit')).toEqual(['C(COMMIT)', 'Z I'])
    expect(await b.query('select count(*) from t')).toContain('D(1)')
  })

  test('what comes behind data that is no good is answered, whoever is first', async () => {
    for (let n = 0; n < 50; n++) {
      a.send(query('copy t from stdin'))
      expect(await a.take(1)).toEqual(['G'])
      a.send(row('nonsense'))
      a.send(parse('', 'select 7'), bind('', ''), execute(), sync())
      expect(await a.ready()).toEqual(['E 22P02', 'Z I'])
      expect(await a.ready()).toEqual(['1', '2', 'D(7)', 'C(SELECT 1)', 'Z I'])
      a.send(parse('', 'copy t from stdin'), bind('', ''), execute(), flush())
      expect(await a.take(3)).toEqual(['1', '2', 'G'])
      a.send(row('nonsense'))
      a.send(query('select 7'), sync())
      expect(await a.ready()).toEqual(['E 22P02', 'Z I'])
    }
  })

  test('out, and a large one both ways', async () => {
    expect(await a.query('copy (select 1 union all select 2) to stdout')).toEqual([
      ...['H', 'd(1\n)', 'd(2\n)', 'c', 'C(COPY 2)', 'Z I'],
    ])
    a.send(query('copy t from stdin'))
    const block = encoder.encode(Array.from({ length: 10_000 }, (_, n) => `${n}\n`).join(''))
    a.send(copyData(block))
    for (let n = 10_000; n < 100_000; n += 1_000)
      a.send(copyData(encoder.encode(Array.from({ length: 1_000 }, (_, at) => `${n + at}\n`).join(''))))
    a.send(copyDone())
    expect(await a.ready()).toEqual(['G', 'C(COPY 100000)', 'Z I'])
    const out = await a.query('copy t to stdout')
    expect(out.length).toBe(100_004)
    expect(await b.query('select count(*) from t')).toContain('D(100000)')
  })

  test('CP1: data that comes after the error reaches nobody', async () => {
    for (const inTransaction of [false, true]) {
      if (inTransaction) await a.query('begin')
      a.send(query('copy t from stdin'), row('1'), row('1'), copyDone())
      expect(await a.ready()).toEqual(['G', 'E 23505', inTransaction ? 'Z E' : 'Z I'])
      for (let n = 0; n < 100; n++) a.send(row(String(n)), row('x'.repeat(10_000)))
      a.send(copyDone())
      if (inTransaction) await a.query('rollback')
      expect(await b.query('select count(*) from t')).toContain('D(0)')
      a.send(copyFail('late'))
      expect(await a.query('select 1')).toContain('D(1)')
    }
  })

  test('CP1, FA8: data that is cut by the error leaves no half message behind', async () => {
    const wide = (x: number) => row(`${x}\t${'z'.repeat(70_000)}`)
    await database.query('create table if not exists wide (x int primary key, y text)')
    for (let n = 0; n < 20; n++) {
      a.send(query('copy wide from stdin'), wide(1), wide(1), wide(1), copyDone(), query('select 7'))
      expect(await a.ready()).toEqual(['G', 'E 23505', 'Z I'])
      expect(await a.ready()).toContain('D(7)')
      expect(await b.query('select 8')).toContain('D(8)')
    }
  })

  test('CP2: CopyFail ends it with an error', async () => {
    a.send(query('copy t from stdin'), row('1'), copyFail('enough'))
    expect(await a.ready()).toEqual(['G', 'E 57014', 'Z I'])
    expect(await b.query('select count(*) from t')).toContain('D(0)')
  })

  test('a client that goes away in the middle leaves nothing behind', async () => {
    a.send(query('copy t from stdin'), row('1'))
    await a.take(1)
    a.destroy()
    expect(await b.query('select count(*) from t')).toContain('D(0)')
    b.send(query('select 1').subarray(0, 7))
    b.destroy()
    const c = await rawClient(one.url)
    expect(await c.query('select 2')).toContain('D(2)')
    c.destroy()
  })
})

describe('cancel', () => {
  test('stops what its own client runs', async () => {
    a.send(query('select pg_sleep(30)'))
    await sleeping()
    await cancel(a)
    expect(await a.ready()).toEqual(['T(pg_sleep)', 'E 57014', 'Z I'])
    expect(await b.query('select 1')).toContain('D(1)')
  })

  test('is heard although max_clients are there', async () => {
    await using full = await startGateway(database.url, {}, { maxClients: 1 })
    await using inside = await rawClient(full.url)
    inside.send(query('select pg_sleep(30)'))
    await sleeping()
    await cancel(inside)
    expect(await inside.ready()).toEqual(['T(pg_sleep)', 'E 57014', 'Z I'])
  })

  test('ends the wait of a client that waits', async () => {
    await b.query('begin')
    a.send(parse('', 'select 1'), bind('', ''), execute(), sync())
    a.send(query('select 2'))
    await cancel(a)
    expect(await a.ready()).toEqual(['E 57014', 'Z I'])
    await b.query('commit')
    expect(await a.ready()).toContain('D(2)')
  })

  test.each([
    { block: '', status: 'I' },
    { block: 'begin', status: 'E' },
  ])('ends the wait of one whose statement is still being prepared ($status)', async ({ block, status }) => {
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y] = [await rawClient(two.url), await rawClient(two.url)]
    x.send(parse('s1', 'select x from t'), sync())
    expect(await x.ready()).toEqual(['1', 'Z I'])
    await allIdle(two)
    // So that x gets a connection that does not have it.
    await y.query('begin')
    if (block) await x.query(block)
    await using holder = await holding('lock table t in access exclusive mode')
    x.send(bind('', 's1'), execute(), sync())
    await waitingForLock()
    await cancel(x)
    expect(await x.ready()).toEqual(['E 57014', `Z ${status}`])
    expect(x.errors[0]?.message).toBe('canceling statement due to user request')
    if (block) await x.query('rollback')
    await holder.end()
    x.send(bind('', 's1'), execute(), sync())
    expect(await x.ready()).toEqual(['2', 'C(SELECT 0)', 'Z I'])
    await y.query('rollback')
    x.destroy()
    y.destroy()
    await two.stop()
  })

  test('a client whose preparation was cancelled keeps no connection', async () => {
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y, z] = [await rawClient(two.url), await rawClient(two.url), await rawClient(two.url)]
    x.send(parse('s1', 'select x from t'), sync())
    expect(await x.ready()).toEqual(['1', 'Z I'])
    await allIdle(two)
    await y.query('begin')
    await using holder = await holding('lock table t in access exclusive mode')
    // It lists what its connection must have first.
    x.send(query('select name from pg_prepared_statements'))
    await waitingForLock()
    await cancel(x)
    expect(await x.ready()).toEqual(['E 57014', 'Z I'])
    expect(await z.query('select 1')).toContain('D(1)')
    await holder.end()
    expect(await x.query('select name from pg_prepared_statements')).toContain('D(s1)')
    for (const client of [x, y, z]) client.destroy()
    await two.stop()
  })

  test('ends the wait of one whose server connection does not take over its parameters', async () => {
    await using proxy = await FaultProxy.start(database.url)
    const silent = await startGateway(proxy.url, { connectionLimit: 2 })
    const [x, y] = [await rawClient(silent.url), await rawClient(silent.url)]
    await x.query(`set work_mem = '7MB'`)
    await allIdle(silent)
    await y.query('begin')
    proxy.fault = { is: 'dark', at: /set_config\('work_mem'/, moment: 'before' }
    x.send(query('select 1'))
    await proxy.saw(/set_config\('work_mem'/)
    await cancel(x)
    expect(await x.ready()).toEqual(['E 57014', 'Z I'])
    proxy.cut()
    x.destroy()
    y.destroy()
    await silent.stop()
  })

  test('ends the wait behind the gateway’s own question, and the question goes on', async () => {
    await using holder = await holding('lock table pg_catalog.pg_depend in access exclusive mode')
    expect(await a.query(`set work_mem = '5MB'`)).toEqual(['C(SET)', 'Z I'])
    await waitingForLock()
    await cancel(a)
    a.send(parse('', 'select 1'), bind('', ''), execute(), sync(), query('select 2'))
    await cancel(a)
    await a.until(() => a.errors.length > 0)
    await holder.end()
    expect(await a.ready()).toEqual(['E 57014', 'Z I'])
    expect(await a.ready()).toContain('D(2)')
    expect(await a.query('show work_mem')).toContain('D(5MB)')
    expect(await b.query('show work_mem')).toContain('D(4MB)')
  })

  test('CA2: for an idle client does nothing', async () => {
    await cancel(a)
    for (let n = 0; n < 3; n++) expect(await a.query(`select ${n}`)).toContain(`D(${n})`)
  })

  test('CA1: never hits another client', async () => {
    const foreign: string[] = []
    for (let round = 0; round < 200; round++) {
      a.send(query('select 1'))
      const cancelled = cancel(a)
      b.send(query(`select pg_sleep(0.001), ${round}`))
      await a.ready()
      const heard = await b.ready()
      if (!heard.includes(`D(,${round})`)) foreign.push(heard.join(' '))
      await cancelled
    }
    expect(foreign).toEqual([])
  })

  test('keys are 4 bytes under protocol 3.0, 32 under 3.2, and no process id of a backend', async () => {
    const newer = await rawClient(one.url, { version: 0x0003_0002 })
    expect(a.key?.secretKey.length).toBe(4)
    expect(newer.key?.secretKey.length).toBe(32)
    expect(a.key!.processId).toBeGreaterThan(2 ** 22)
    await cancel(newer)
    newer.destroy()
  })
})

describe('failures', () => {
  test('FA1: a backend that was terminated while idle is not handed out', async () => {
    for (let round = 0; round < 50; round++) {
      await a.query('select 1')
      await database.query(
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      )
      expect(await a.query('select 2')).toContain('D(2)')
    }
  })

  test('FA2: one that is terminated in the middle is one error, with the origin’s code', async () => {
    a.send(query('select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)'))
    const heard = await a.ready()
    expect(heard.filter(word => word.startsWith('E '))).toEqual(['E 57P01'])
    expect(heard.at(-1)).toBe('closed')
    expect(await b.query('select 1')).toContain('D(1)')
  })

  test('FA2: so is one that is terminated while the gateway asks it something', async () => {
    await using holder = await holding('lock table pg_catalog.pg_depend in access exclusive mode')
    expect(await a.query(`set work_mem = '5MB'`)).toEqual(['C(SET)', 'Z I'])
    await waitingForLock()
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    expect(await a.ready()).toEqual(['E 57P01', 'closed'])
    await holder.end()
    expect(await b.query('select 1')).toContain('D(1)')
  })

  test('a client that vanishes in a transaction has it rolled back, and the connection goes on', async () => {
    await a.query('begin')
    await a.query('insert into t values (1)')
    a.destroy()
    expect(await b.query('select count(*) from t')).toContain('D(0)')
  })

  describe('an origin that says no more, without a query_timeout', () => {
    let clock: VirtualClock
    let proxy: FaultProxy
    let patient: TestGateway
    let x: RawClient
    beforeEach(async () => {
      clock = new VirtualClock()
      proxy = await FaultProxy.start(database.url)
      patient = await startGateway(proxy.url, { connectionLimit: 2, queryTimeoutMs: 0 }, {}, { clock })
      x = await rawClient(patient.url)
      return async () => {
        x.destroy()
        const ticking = setInterval(() => clock.advance(100), 1)
        await patient.stop()
        clearInterval(ticking)
        await proxy.stop()
      }
    })

    test('when a client’s parameters go to a connection: the client gets another one', async () => {
      await x.query(`set work_mem = '7MB'`)
      await using y = await rawClient(patient.url)
      await allIdle(patient)
      await y.query('begin')
      proxy.fault = { is: 'dark', at: /set_config\('work_mem'/, moment: 'before', times: 1 }
      x.send(query('select 7'))
      await proxy.saw(/set_config\('work_mem'/)
      clock.advance(61_000)
      expect(await x.ready()).toContain('D(7)')
      expect(await x.query('show work_mem')).toContain('D(7MB)')
    })

    test('when it is asked what a statement has left behind: the client hears that it is lost', async () => {
      proxy.fault = { is: 'dark', at: /pg_my_temp_schema/, moment: 'before', times: 1 }
      expect(await x.query(`set work_mem = '7MB'`)).toEqual(['C(SET)', 'Z I'])
      await proxy.saw(/pg_my_temp_schema/)
      clock.advance(61_000)
      expect(await x.ready()).toEqual(['E 08006', 'closed'])
      await using y = await rawClient(patient.url)
      expect(await y.query('select 7')).toContain('D(7)')
    })
  })

  test('query_timeout says what it is where the statement is only being prepared', async () => {
    const strict = await startGateway(database.url, { connectionLimit: 2, queryTimeoutMs: 200 })
    const [x, y] = [await rawClient(strict.url), await rawClient(strict.url)]
    x.send(parse('s1', 'select x from t'), sync())
    expect(await x.ready()).toEqual(['1', 'Z I'])
    await allIdle(strict)
    await y.query('begin')
    await using holder = await holding('lock table t in access exclusive mode')
    x.send(bind('', 's1'), execute(), sync())
    expect(await x.ready()).toEqual(['E 57014', 'Z I'])
    expect(x.errors[0]?.message).toContain('query_timeout')
    await holder.end()
    x.destroy()
    y.destroy()
    await strict.stop()
  })

  test('query_timeout and idle_in_transaction_timeout say what they are', async () => {
    const strict = await startGateway(database.url, {
      connectionLimit: 1,
      queryTimeoutMs: 200,
      idleInTransactionTimeoutMs: 300,
    })
    const client = await rawClient(strict.url)
    expect(await client.query('select pg_sleep(10)')).toEqual(['T(pg_sleep)', 'E 57014', 'Z I'])
    expect(client.errors[0]?.message).toContain('query_timeout')
    await client.query('begin')
    await client.until(() => client.errors.length > 1)
    expect(client.errors[1]).toMatchObject({ severity: 'FATAL', code: '25P03' })
    client.destroy()
    await strict.stop()
  })
})

describe('pg_cancel_backend and pg_terminate_backend with an id of the gateway', () => {
  test('reach the client that has it, by both protocols, and say true', async () => {
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y] = [await rawClient(two.url), await rawClient(two.url)]
    const { processId } = x.key!
    x.send(query('select pg_sleep(30)'))
    await sleeping()
    expect(await y.query(`select pg_cancel_backend(${processId})`)).toEqual([
      ...['T(pg_cancel_backend)', 'D(t)', 'C(SELECT 1)', 'Z I'],
    ])
    expect(await x.ready()).toContain('E 57014')
    x.send(query('select pg_sleep(30)'))
    await sleeping()
    y.send(parse('', 'select pg_cancel_backend($1)'), bind('', '', String(processId)), execute(), sync())
    expect(await y.ready()).toEqual(['1', '2', 'D(t)', 'C(SELECT 1)', 'Z I'])
    expect(await x.ready()).toContain('E 57014')
    y.send(parse('k', 'select pg_terminate_backend($1)'), bind('', 'k', String(processId)), execute(), sync())
    expect(await y.ready()).toEqual(['1', '2', 'D(t)', 'C(SELECT 1)', 'Z I'])
    await x.until(() => x.errors.some(({ code }) => code === '57P01'))
    y.destroy()
    await two.stop()
  })
})
