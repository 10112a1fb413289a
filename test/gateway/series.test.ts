/** Pipelines, Sync and Flush, prepared statements: the cases PL, PS and TX of users of other poolers. */
import {
  bind,
  close,
  describe as describes,
  execute,
  flush,
  parse,
  query,
  sync,
  terminate,
} from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
let one: TestGateway
let client: RawClient
let other: RawClient

beforeAll(async () => {
  // A pool of one: whatever is left behind is met by the next client.
  one = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 1_000 })
  await database.query('create table numbers (n int primary key)')
  await database.query('create schema a create table t (x int)')
  await database.query('create schema b create table t (y text)')
  await database.query(`insert into a.t values (1)`)
  await database.query(`insert into b.t values ('one')`)
})
afterAll(() => one.stop())
beforeEach(async () => {
  client = await rawClient(one.url)
  other = await rawClient(one.url)
  return async () => {
    client.destroy()
    other.destroy()
  }
})

describe('pipelines, Sync and Flush', () => {
  test('PL1: what follows the Sync of a failed batch belongs to the next one', async () => {
    client.send(
      parse('', 'select 1/0'),
      bind('', ''),
      execute(),
      sync(),
      parse('p', 'select 2'),
      describes('S', 'p'),
      flush(),
    )
    expect(await client.ready()).toEqual(['1', 'E 22012', 'Z I'])
    expect(await client.take(3)).toEqual(['1', 't', 'T(?column?)'])
    client.send(bind('', 'p'), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(2)', 'C(SELECT 1)', 'Z I'])
  })

  test('PL2: a simple Query within a series that failed is discarded with it', async () => {
    await client.query('begin')
    client.send(
      query('savepoint a'),
      parse('', 'select 1/0'),
      bind('', ''),
      execute(),
      query('release savepoint a'),
    )
    expect(await client.ready()).toEqual(['C(SAVEPOINT)', 'Z T'])
    expect(await client.take(2)).toEqual(['1', 'E 22012'])
    client.send(sync())
    expect(await client.ready()).toEqual(['Z E'])
    expect(await client.query('rollback to savepoint a')).toEqual(['C(ROLLBACK)', 'Z T'])
    expect(await client.query('commit')).toEqual(['C(COMMIT)', 'Z I'])
  })

  test('a simple Query within a series that did not fail is answered as PostgreSQL answers it', async () => {
    client.send(parse('', 'select 1'), bind('', ''), execute(), query('select 2'))
    expect(await client.ready()).toEqual([
      '1',
      '2',
      'D(1)',
      'C(SELECT 1)',
      'T(?column?)',
      'D(2)',
      'C(SELECT 1)',
      'Z T',
    ])
    client.send(parse('', 'select 3'), bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['1', '2', 'D(3)', 'C(SELECT 1)', 'Z I'])
  })

  test('what the Sync behind such a Query leaves open is met by the same client only', async () => {
    client.send(parse('', 'insert into numbers values (-5)'), bind('', ''), execute(), query('select 2'))
    expect(await client.ready()).toContain('Z T')
    client.send(sync())
    expect(await client.ready()).toEqual(['Z I'])
    const waiting = other.query('select count(*) from numbers where n = -5')
    // So says PostgreSQL 18 itself: StartTransactionCommand: unexpected state STARTED.
    expect(await client.query('select 3')).toEqual(['E XX000', 'Z I'])
    expect(await waiting).toContain('D(0)')
    expect(await client.query('select 3')).toContain('D(3)')
  })

  test('nor does it hold back the answer to that Sync, whatever the Query was', async () => {
    client.send(parse('', 'select 1'), bind('', ''), execute(), query('reset work_mem'))
    expect(await client.ready()).toContain('Z T')
    client.send(sync())
    expect(await client.ready()).toEqual(['Z I'])
    expect(await client.query('select 3')).toEqual(['E XX000', 'Z I'])
    expect(await other.query('select 4')).toContain('D(4)')
  })

  test('PL4: a batch that waited too long is answered by one error and one ReadyForQuery', async () => {
    await other.query('begin')
    client.send(parse('s', 'select 1'), bind('', 's'), describes('P', ''), execute(), sync())
    expect(await client.ready()).toEqual(['E 53300', 'Z I'])
    expect(client.errors[0]?.hint).toContain('origin_connection_limit')
    await other.query('commit')
    client.send(parse('s', 'select 2'), bind('', 's'), execute(), sync())
    expect(await client.ready()).toEqual(['1', '2', 'D(2)', 'C(SELECT 1)', 'Z I'])
  })

  test('PL5: what the gateway answers by itself is skipped after an error, too', async () => {
    client.send(parse('s', 'select 1/n from generate_series(0, $1::int) n'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    client.send(bind('', 's', '0'), execute(), close('S', 's'), sync())
    expect(await client.ready()).toEqual(['2', 'E 22012', 'Z I'])
    client.send(bind('', 's', '-1'), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'C(SELECT 0)', 'Z I'])
  })

  test('PL6: a client that goes away in the middle of a series leaves nothing behind', async () => {
    client.send(parse('', 'select 1'), bind('', ''))
    client.send(flush())
    await client.take(2)
    client.destroy()
    expect(await other.query('select 2')).toEqual(['T(?column?)', 'D(2)', 'C(SELECT 1)', 'Z I'])
  })

  test('a client that is turned away in the middle of a COPY leaves nothing behind', async () => {
    await client.query('create temp table copied (x int)')
    client.send(query('copy copied from stdin'))
    await client.take(1)
    // No such message belongs there, and this one is longer than any.
    client.send(Uint8Array.of(0x44, 0x40, 0, 0, 0))
    expect(await client.ready()).toEqual(['E 54000', 'closed'])
    expect(await other.query('select 2')).toEqual(['T(?column?)', 'D(2)', 'C(SELECT 1)', 'Z I'])
  })

  test('PL7: what stands before a Terminate is run', async () => {
    for (let n = 0; n < 20; n++) {
      const fired = await rawClient(one.url)
      fired.send(query(`insert into numbers values (${n})`), terminate())
      await fired.end()
      const closed = await rawClient(one.url)
      closed.socket.end(query(`insert into numbers values (${100 + n})`))
      await closed.until(() => false).catch(() => {})
      closed.destroy()
    }
    expect(await other.query('select count(*) from numbers')).toContain('D(40)')
  })

  test('PL8: a client that shut down its writing half gets its answer', async () => {
    client.socket.end(query('select pg_sleep(0.1), 5'))
    expect(await client.ready()).toEqual(['T(pg_sleep,?column?)', 'D(,5)', 'C(SELECT 1)', 'Z I'])
  })

  test('that is so behind a statement after which the gateway asks something of its own, too', async () => {
    client.socket.end(query('reset all'))
    expect(await client.ready()).toEqual(['C(RESET)', 'Z I'])
    other.send(query('execute nothing'), terminate())
    expect(await other.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('PL9: Sync and Flush with nothing open take no server connection', async () => {
    await other.query('begin')
    client.send(sync(), sync(), sync(), flush())
    expect([...(await client.ready()), ...(await client.ready()), ...(await client.ready())]).toEqual([
      'Z I',
      'Z I',
      'Z I',
    ])
    await other.query('commit')
  })

  test('a Flush brings what the gateway itself answers, too', async () => {
    client.send(parse('c1', 'select 1'), bind('', 'c1'), execute(), close('S', 'c1'), flush())
    expect(await client.take(5)).toEqual(['1', '2', 'D(1)', 'C(SELECT 1)', '3'])
    client.send(parse('c1', 'select 2'), sync(), close('S', 'c1'), flush())
    expect(await client.take(3)).toEqual(['1', 'Z I', '3'])
    client.send(sync())
    expect(await client.ready()).toEqual(['Z I'])
  })

  test('many series in flight are answered in their order', async () => {
    const series = Array.from({ length: 500 }, (_, n) => [
      parse('', `select ${n}`),
      bind('', ''),
      execute(),
      sync(),
    ])
    client.send(...series.flat())
    for (let n = 0; n < 500; n++)
      expect(await client.ready()).toEqual(['1', '2', `D(${n})`, 'C(SELECT 1)', 'Z I'])
  })
})

describe('prepared statements', () => {
  test('PS1: after a Flush the connection stays with the client', async () => {
    client.send(parse('', 'select 1 as mine'), describes('S', ''), flush())
    expect(await client.take(3)).toEqual(['1', 't', 'T(mine)'])
    other.send(query('select 2'))
    client.send(bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(1)', 'C(SELECT 1)', 'Z I'])
    expect(await other.ready()).toContain('D(2)')
  })

  test('PS2: an unknown statement costs an error, not the connection', async () => {
    client.send(describes('S', 'nope'), sync())
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
    expect(client.errors[0]?.message).toBe('prepared statement "nope" does not exist')
    expect(await client.query('select 1')).toContain('D(1)')
  })

  test('PS3: a name that is taken is refused, and keeps its statement', async () => {
    client.send(
      parse('s1', 'select 1'),
      sync(),
      parse('s1', 'select 2'),
      sync(),
      bind('', 's1'),
      execute(),
      sync(),
    )
    expect(await client.ready()).toEqual(['1', 'Z I'])
    expect(await client.ready()).toEqual(['E 42P05', 'Z I'])
    expect(client.errors[0]?.message).toBe('prepared statement "s1" already exists')
    expect(await client.ready()).toEqual(['2', 'D(1)', 'C(SELECT 1)', 'Z I'])
  })

  test('that is so within a series on a connection which lacks it, too', async () => {
    client.send(parse('s1', 'select 1'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    await database.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    )
    client.send(close('P', ''), flush())
    expect(await client.take(1)).toEqual(['3'])
    client.send(parse('s1', 'select 2'), sync())
    expect(await client.ready()).toEqual(['E 42P05', 'Z I'])
  })

  test('PS4: a Parse that failed is forgotten', async () => {
    await client.query('begin')
    await client.query('select 1/0')
    client.send(parse('k', 'select 3'), sync())
    expect(await client.ready()).toEqual(['E 25P02', 'Z E'])
    await client.query('rollback')
    client.send(parse('k', 'select 3'), bind('', 'k'), execute(), sync())
    expect(await client.ready()).toEqual(['1', '2', 'D(3)', 'C(SELECT 1)', 'Z I'])
  })

  test('PS5: the same text under another search_path is another statement', async () => {
    const inA = await rawClient(one.url, { parameters: { search_path: 'a' } })
    const inB = await rawClient(one.url, { parameters: { search_path: 'b' } })
    for (const [who, value] of [
      [inA, '1'],
      [inB, 'one'],
    ] as const) {
      who.send(parse('s', 'select * from t'), sync())
      expect(await who.ready()).toEqual(['1', 'Z I'])
      for (let round = 0; round < 3; round++) {
        who.send(bind('', 's'), execute(), sync())
        expect(await who.ready()).toEqual(['2', `D(${value})`, 'C(SELECT 1)', 'Z I'])
      }
    }
    for (const [who, value] of [
      [inA, '1'],
      [inB, 'one'],
      [inA, '1'],
    ] as const) {
      who.send(bind('', 's'), execute(), sync())
      expect(await who.ready()).toEqual(['2', `D(${value})`, 'C(SELECT 1)', 'Z I'])
    }
    inA.destroy()
    inB.destroy()
  })

  test.each([
    ['datestyle', 'SQL, DMY', `select extract(month from '01/02/2026'::date)`, ['2', '1']],
    ['timezone', 'Asia/Tokyo', `select '2026-01-01'::timestamptz = '2026-01-01Z'::timestamptz`, ['f', 't']],
    ['intervalstyle', 'sql_standard', `select '-1 2:00'::interval = '-1 day -2:00'::interval`, ['t', 'f']],
    ['array_nulls', 'off', `select ('{NULL}'::text[])[1] is null`, ['f', 't']],
    ['transform_null_equals', 'on', 'select (x = null) is null from (select 1) as one (x)', ['f', 't']],
  ])('a literal means what its own client’s %s makes of it', async (parameter, value, text, means) => {
    await client.query(`set timezone = 'UTC'`)
    await other.query(`set timezone = 'UTC'`)
    await client.query(`set ${parameter} = '${value}'`)
    for (const [at, each] of [client, other].entries()) {
      each.send(parse('s', text), bind('', 's'), execute(), sync())
      expect(await each.ready()).toEqual(['1', '2', `D(${means[at]})`, 'C(SELECT 1)', 'Z I'])
    }
  })

  test('a literal that means the present moment means that of its own client’s Parse', async () => {
    const moments: string[] = []
    for (const each of [client, other]) {
      each.send(parse('s', `select 'now'::timestamptz`), bind('', 's'), execute(), sync())
      moments.push((await each.ready())[2]!)
    }
    expect(moments[1]).not.toBe(moments[0])
  })

  test('PS6: a portal and a statement of one name are two things', async () => {
    client.send(parse('s', 'select 1'), sync(), close('P', 's'), sync(), bind('s', 's'), execute('s'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    expect(await client.ready()).toEqual(['3', 'Z I'])
    expect(await client.ready()).toEqual(['2', 'D(1)', 'C(SELECT 1)', 'Z I'])
  })

  test('PS7: declared types are part of a statement', async () => {
    const int4 = 23
    const int8 = 20
    client.send(parse('a', 'select pg_typeof($1)', [int4]), parse('b', 'select pg_typeof($1)', [int8]))
    client.send(bind('', 'a', '1'), execute(), bind('', 'b', '1'), execute(), sync())
    expect(await client.ready()).toEqual([
      ...['1', '1', '2', 'D(integer)', 'C(SELECT 1)', '2', 'D(bigint)', 'C(SELECT 1)', 'Z I'],
    ])
    other.send(parse('a', 'select pg_typeof($1)', [int8]), bind('', 'a', '1'), execute(), sync())
    expect(await other.ready()).toEqual(['1', '2', 'D(bigint)', 'C(SELECT 1)', 'Z I'])
  })

  test('a statement is there on every connection of a pool', async () => {
    const three = await startGateway(database.url, { connectionLimit: 3 })
    const clients = await Promise.all([1, 2, 3].map(() => rawClient(three.url)))
    const [first, second, third] = clients as [RawClient, RawClient, RawClient]
    first.send(parse('mine', 'select $1::int + 1'), sync())
    await first.ready()
    await second.query('begin')
    await third.query('begin')
    for (const held of [second, third, null]) {
      first.send(bind('', 'mine', '41'), execute(), sync())
      expect(await first.ready()).toEqual(['2', 'D(42)', 'C(SELECT 1)', 'Z I'])
      await held?.query('commit')
      await first.query('begin')
      first.send(bind('', 'mine', '1'), execute(), sync())
      expect(await first.ready()).toEqual(['2', 'D(2)', 'C(SELECT 1)', 'Z T'])
      await first.query('commit')
    }
    for (const each of clients) each.destroy()
    await three.stop()
  })

  test('the unnamed statement outlives its series, and ends with a simple Query', async () => {
    client.send(parse('', 'select 7'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    await other.query('select 1')
    client.send(bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(7)', 'C(SELECT 1)', 'Z I'])
    await client.query('select 1')
    client.send(bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('the unnamed statement outlives what the gateway itself asks of a connection', async () => {
    await database.query('create sequence if not exists asked')
    client.send(parse('', `select set_config('work_mem', '5MB', false)`), bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['1', '2', 'D(5MB)', 'C(SELECT 1)', 'Z I'])
    client.send(bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(5MB)', 'C(SELECT 1)', 'Z I'])
    client.send(parse('', `select nextval('asked') > 0`), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    await other.query(`select nextval('asked')`)
    client.send(bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(t)', 'C(SELECT 1)', 'Z I'])
  })

  test('a client without an unnamed statement meets no other client’s', async () => {
    client.send(parse('', 'select 7'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    other.send(bind('', ''), execute(), sync(), describes('S', ''), sync())
    expect(await other.ready()).toEqual(['E 26000', 'Z I'])
    expect(await other.ready()).toEqual(['E 26000', 'Z I'])
    client.send(bind('', ''), execute(), sync(), close('S', ''), bind('', ''), sync(), bind('', ''), sync())
    expect(await client.ready()).toEqual(['2', 'D(7)', 'C(SELECT 1)', 'Z I'])
    expect(await client.ready()).toEqual(['3', 'E 26000', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('what a series in flight makes of the unnamed statement is waited for', async () => {
    client.send(
      parse('', 'select 7'),
      sync(),
      bind('', 'nope'),
      close('S', ''),
      sync(),
      bind('', ''),
      execute(),
      sync(),
    )
    expect(await client.ready()).toEqual(['1', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
    expect(await client.ready()).toEqual(['2', 'D(7)', 'C(SELECT 1)', 'Z I'])
  })

  test('DEALLOCATE by a Query within or behind a series finds what a Parse made', async () => {
    client.send(parse('w', 'select 1'), bind('', 'w'), execute(), query('deallocate w'))
    expect(await client.ready()).toEqual(['1', '2', 'D(1)', 'C(SELECT 1)', 'C(DEALLOCATE)', 'Z T'])
    expect(await client.query('commit')).toEqual(['C(COMMIT)', 'Z I'])
    client.send(parse('w', 'select 3'), bind('', 'w'), execute(), query('execute w'))
    expect(await client.ready()).toContain('D(3)')
    await client.query('commit')
    client.send(close('S', 'w'), parse('w', 'select 2'), sync(), query('deallocate w'), bind('', 'w'), sync())
    expect(await client.ready()).toEqual(['3', '1', 'Z I'])
    expect(await client.ready()).toEqual(['C(DEALLOCATE)', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('what can’t be prepared any more is told in its place', async () => {
    await database.query('create table going (x int)')
    client.send(parse('going', 'select * from going'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    // Behind it nothing is asked about the connection any more.
    await client.query('select 1')
    await database.query('drop table going')
    // On another connection it has to be prepared again.
    await database.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    )
    client.send(parse('', 'select 7'), bind('', ''), execute(), bind('', 'going'), execute(), sync())
    expect(await client.ready()).toEqual(['1', '2', 'D(7)', 'C(SELECT 1)', 'E 42P01', 'Z I'])
  })

  test('a Parse or Close that is skipped after an error leaves the unnamed statement as it was', async () => {
    client.send(
      parse('', 'select 7'),
      sync(),
      bind('', 'nope'),
      close('S', ''),
      parse('', 'select 8'),
      sync(),
    )
    expect(await client.ready()).toEqual(['1', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
    await other.query('select 1')
    client.send(bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(7)', 'C(SELECT 1)', 'Z I'])
    client.send(parse('', 'selec 9'), sync(), bind('', ''), sync())
    expect(await client.ready()).toEqual(['E 42601', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('an error names a statement as the client does, also one whose Close it has skipped', async () => {
    client.send(parse('s', 'select 1'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    client.send(parse('s', 'select 2'), close('S', 's'), parse('s', 'select 3'), sync())
    expect(await client.ready()).toEqual(['E 42P05', 'Z I'])
    expect(client.errors[0]?.message).toBe('prepared statement "s" already exists')
    // Of two names for one text it is the one that was used.
    client.send(parse('t', 'select $1::int'), parse('u', 'select $1::int'), bind('', 't'), sync())
    expect(await client.ready()).toEqual(['1', '1', 'E 08P01', 'Z I'])
    client.send(parse('s', 'select 2'), sync(), close('S', 's'), parse('s', 'select 1'), sync())
    expect(await client.ready()).toEqual(['E 42P05', 'Z I'])
    expect(client.errors[1]?.message).toContain('but prepared statement "t" requires 1')
    expect(client.errors[2]?.message).toBe('prepared statement "s" already exists')
    expect(await client.ready()).toEqual(['3', '1', 'Z I'])
    client.send(bind('', 's'), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(1)', 'C(SELECT 1)', 'Z I'])
  })

  test('DEALLOCATE ends what was made by Parse, and DISCARD ALL all of it', async () => {
    client.send(parse('d1', 'select 1'), parse('d2', 'select 2'), sync())
    await client.ready()
    expect(await client.query('deallocate d1')).toEqual(['C(DEALLOCATE)', 'Z I'])
    client.send(bind('', 'd1'), sync(), bind('', 'd2'), sync())
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
    expect(await client.ready()).toEqual(['2', 'Z I'])
    expect(await client.query('discard all')).toEqual(['C(DISCARD ALL)', 'Z I'])
    client.send(bind('', 'd2'), sync())
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('DEALLOCATE by the extended protocol ends what was made by Parse, too', async () => {
    client.send(parse('d1', 'select 1'), parse('d2', 'select 2'), sync())
    await client.ready()
    const deallocate = [parse('', 'deallocate d1'), bind('', ''), describes('P', ''), execute(), sync()]
    client.send(...deallocate)
    expect(await client.ready()).toEqual(['1', '2', 'n', 'C(DEALLOCATE)', 'Z I'])
    client.send(...deallocate)
    expect(await client.ready()).toEqual(['1', '2', 'n', 'E 26000', 'Z I'])
    client.send(parse('d1', 'select 3'), bind('', 'd1'), execute(), bind('', 'd2'), execute(), sync())
    expect(await client.ready()).toEqual([
      ...['1', '2', 'D(3)', 'C(SELECT 1)', '2', 'D(2)', 'C(SELECT 1)', 'Z I'],
    ])
    client.send(...deallocate)
    expect(await client.ready()).toEqual(['1', '2', 'n', 'C(DEALLOCATE)', 'Z I'])
  })

  test('a Query of several statements finds by its name what a Parse made', async () => {
    client.send(parse('d1', 'select 1'), parse('d2', 'select $1::int'), sync())
    await client.ready()
    expect(await client.query('begin; deallocate d1; execute d2(2); commit')).toEqual([
      ...['C(BEGIN)', 'C(DEALLOCATE)', 'T(int4)', 'D(2)', 'C(SELECT 1)', 'C(COMMIT)', 'Z I'],
    ])
    client.send(bind('', 'd1'), sync(), bind('', 'd2', '3'), execute(), sync())
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
    expect(await client.ready()).toEqual(['2', 'D(3)', 'C(SELECT 1)', 'Z I'])
    expect(await client.query('prepare d2 as select 4')).toEqual(['E 42P05', 'Z I'])
    expect(await client.query('select 1/0; deallocate d2')).toEqual(['E 22012', 'Z I'])
    expect(await client.query('explain (costs off) execute d2(5)')).toContain('D(Result)')
    client.send(query('execute d2(5)'), query('select 6'), bind('', 'd2', '7'), execute(), sync())
    expect(await client.ready()).toEqual(['T(int4)', 'D(5)', 'C(SELECT 1)', 'Z I'])
    expect(await client.ready()).toEqual(['T(?column?)', 'D(6)', 'C(SELECT 1)', 'Z I'])
    expect(await client.ready()).toEqual(['2', 'D(7)', 'C(SELECT 1)', 'Z I'])
    expect(await client.query('deallocate d2; prepare d2 as select 6; execute d2')).toEqual([
      ...['C(DEALLOCATE)', 'C(PREPARE)', 'T(?column?)', 'D(6)', 'C(SELECT 1)', 'Z I'],
    ])
    client.send(bind('', 'd2'), execute(), sync(), parse('d2', 'select 7'), sync())
    expect(await client.ready()).toEqual(['2', 'D(6)', 'C(SELECT 1)', 'Z I'])
    expect(await client.ready()).toEqual(['E 42P05', 'Z I'])
    expect(await client.query('deallocate d2')).toEqual(['C(DEALLOCATE)', 'Z I'])
    // What was lent is nobody else's.
    expect(await other.query('execute d2')).toEqual(['E 26000', 'Z I'])
    expect(await other.query('prepare d1 as select 1')).toEqual(['C(PREPARE)', 'Z I'])
  })

  test('a Close ends what a PREPARE made, and the pin with it', async () => {
    await client.query('prepare d as select 1')
    client.send(close('S', 'd'), sync())
    expect(await client.ready()).toEqual(['3', 'Z I'])
    expect(await other.query('select 2')).toEqual(['T(?column?)', 'D(2)', 'C(SELECT 1)', 'Z I'])
  })

  test('a statement may deallocate itself', async () => {
    client.send(parse('d', 'deallocate d'), bind('', 'd'), execute(), sync(), bind('', 'd'), sync())
    expect(await client.ready()).toEqual(['1', '2', 'C(DEALLOCATE)', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
  })

  test('a DEALLOCATE that fails with its transaction ends nothing', async () => {
    client.send(parse('d1', 'select 1'), sync())
    await client.ready()
    await client.query('begin')
    await client.query('select 1/0')
    client.send(parse('', 'deallocate d1'), bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['E 25P02', 'Z E'])
    await client.query('rollback')
    client.send(bind('', 'd1'), execute(), sync())
    expect(await client.ready()).toEqual(['2', 'D(1)', 'C(SELECT 1)', 'Z I'])
    expect(await other.query('prepare d1 as select 1')).toEqual(['C(PREPARE)', 'Z I'])
  })

  test('what follows DISCARD ALL in one segment finds no statement of before', async () => {
    client.send(parse('d3', 'select 1'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    client.send(query('discard all'), parse('d3', 'select 3'), sync(), bind('', 'd3'), execute(), sync())
    expect(await client.ready()).toEqual(['C(DISCARD ALL)', 'Z I'])
    expect(await client.ready()).toEqual(['1', 'Z I'])
    expect(await client.ready()).toEqual(['2', 'D(3)', 'C(SELECT 1)', 'Z I'])
    client.send(parse('', 'discard all'), bind('', ''), execute(), sync(), describes('S', 'd3'), sync())
    expect(await client.ready()).toEqual(['1', '2', 'C(DISCARD ALL)', 'Z I'])
    expect(await client.ready()).toEqual(['E 26000', 'Z I'])
    expect(client.errors[0]?.message).toBe('prepared statement "d3" does not exist')
  })

  test('after DDL a statement that means something else is refused as PostgreSQL refuses it, and its next Parse succeeds', async () => {
    await database.query(
      'drop table if exists changing; create table changing (a int); insert into changing values (1)',
    )
    client.send(parse('c', 'select * from changing'), describes('S', 'c'), bind('', 'c'), execute(), sync())
    expect(await client.ready()).toEqual(['1', 't', 'T(a)', '2', 'D(1)', 'C(SELECT 1)', 'Z I'])
    await database.query('alter table changing add column b int')
    client.send(bind('', 'c'), execute(), sync())
    expect(await client.ready()).toEqual(['E 0A000', 'Z I'])
    client.send(close('S', 'c'), parse('c', 'select * from changing'), bind('', 'c'), execute(), sync())
    expect(await client.ready()).toEqual(['3', '1', '2', 'D(1,null)', 'C(SELECT 1)', 'Z I'])
  })
})

test('who prepares a text after DDL, whoever knew it before, gets what it means now', async () => {
  await database.query('drop table if exists again; create table again (a int)')
  for (const client of [await rawClient(one.url), await rawClient(one.url)]) {
    client.send(parse('s', 'select * from again'), sync())
    expect(await client.ready()).toEqual(['1', 'Z I'])
    client.destroy()
  }
  await database.query('drop table again; create table again (b text, c int)')
  client.send(parse('s', 'select * from again'), describes('S', 's'), flush())
  expect(await client.take(3)).toEqual(['1', 't', 'T(b,c)'])
  client.send(bind('', 's'), execute(), sync())
  expect(await client.ready()).toEqual(['2', 'C(SELECT 0)', 'Z I'])
})

describe('transactions and odd messages', () => {
  test('TX1: COMMIT AND CHAIN keeps the connection', async () => {
    expect(await client.query('begin')).toEqual(['C(BEGIN)', 'Z T'])
    expect(await client.query('commit and chain')).toEqual(['C(COMMIT)', 'Z T'])
    other.send(query('select 2'))
    expect(await client.query('select 1')).toContain('D(1)')
    expect(await client.query('rollback')).toEqual(['C(ROLLBACK)', 'Z I'])
    expect(await other.ready()).toContain('D(2)')
  })

  test('TX2: several statements in one Query are one transaction', async () => {
    expect(await client.query('begin; select 1; commit; select 2; begin')).toContain('Z T')
    await client.query('rollback')
    expect(await client.query('insert into numbers values (999); select 1/0; select 3')).toEqual([
      'C(INSERT 0 1)',
      'E 22012',
      'Z I',
    ])
    expect(await client.query('select count(*) from numbers where n = 999')).toContain('D(0)')
    await client.query(`set work_mem = '9MB'; select 1/0`)
    expect(await client.query('show work_mem')).toContain('D(4MB)')
  })

  test('TX4: empty queries are answered as such', async () => {
    expect(await client.query('')).toEqual(['I', 'Z I'])
    expect(await client.query(';')).toEqual(['I', 'Z I'])
    client.send(parse('', ''), bind('', ''), execute(), sync())
    expect(await client.ready()).toEqual(['1', '2', 'I', 'Z I'])
    client.send(parse('', ' -- x'), describes('S', ''), bind('', ''), describes('P', ''), execute(), sync())
    expect(await client.ready()).toEqual(['1', 't', 'n', '2', 'n', 'I', 'Z I'])
  })
})

describe('the number of prepared statements', () => {
  test('PS8, PS10: a connection keeps as many as its limit, and a client’s name never vanishes', async () => {
    const few = await startGateway(database.url, { connectionLimit: 1, statementLimit: 5 })
    const [x, y] = [await rawClient(few.url), await rawClient(few.url)]
    for (let n = 0; n < 50; n++) {
      x.send(parse(`s${n}`, `select ${n}`), sync())
      expect(await x.ready()).toEqual(['1', 'Z I'])
    }
    expect(
      await y.query(`select count(*) <= 6 from pg_prepared_statements where name like 'sluice%'`),
    ).toContain('D(t)')
    for (const n of [0, 49, 7]) {
      x.send(bind('', `s${n}`), execute(), parse('bad', 'selec'), sync())
      expect(await x.ready()).toEqual(['2', `D(${n})`, 'C(SELECT 1)', 'E 42601', 'Z I'])
      x.send(bind('', `s${n}`), execute(), sync())
      expect(await x.ready()).toEqual(['2', `D(${n})`, 'C(SELECT 1)', 'Z I'])
    }
    x.destroy()
    y.destroy()
    await few.stop()
  })
})

test('pg_prepared_statements shows a client its own statements under its own names', async () => {
  client.send(parse('mine', 'select 41'), parse('other', 'select 42'), sync())
  await client.ready()
  await database.query('select 1')
  expect(await client.query('select name, statement from pg_prepared_statements order by 1')).toEqual([
    ...['T(name,statement)', 'D(mine,select 41)', 'D(other,select 42)', 'C(SELECT 2)', 'Z I'],
  ])
  expect(
    await other.query('with x as (select 1) select count(*) from pg_catalog.pg_prepared_statements'),
  ).toContain('D(0)')
  const three = await startGateway(database.url, { connectionLimit: 3 })
  const [x, y] = [await rawClient(three.url), await rawClient(three.url)]
  x.send(parse('far', 'select 3'), sync())
  await x.ready()
  await y.query('begin')
  x.send(parse('', 'select 4'), flush())
  expect(await x.take(1)).toEqual(['1'])
  expect(await x.query('select name from pg_prepared_statements')).toContain('D(far)')
  for (const each of [x, y]) each.destroy()
  await three.stop()
})
