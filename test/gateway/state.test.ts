/** What a client leaves in a server's session, and what of it others meet: the cases SE of users of other poolers. */
import { bind, execute, parse, query, sync } from '@sluice/wire'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
const role = `role_${database.name}`
let one: TestGateway
let a: RawClient
let b: RawClient

beforeAll(async () => {
  one = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 2_000 })
  await database.query(`create role ${role}`)
  await database.query('create table t (id serial primary key, x int)')
})
afterAll(async () => {
  await one.stop()
  await database.query(`drop role ${role}`)
})
beforeEach(async () => {
  a = await rawClient(one.url)
  b = await rawClient(one.url)
  return async () => {
    a.destroy()
    b.destroy()
  }
})

/** A URL as libpq's older way to say it. */
const keywords = (url: string) => {
  const { hostname, port, username, password, pathname } = new URL(url)
  return `host=${hostname} port=${port} user=${username} password=${password} dbname=${pathname.slice(1)}`
}

const value = async (client: RawClient, sql: string) => {
  const heard = await client.query(sql)
  return heard.find(word => word.startsWith('D('))?.slice(2, -1) ?? heard[0]
}

describe('parameters', () => {
  test('SE1: what is set in a transaction is its client’s alone, on any connection', async () => {
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y] = [await rawClient(two.url), await rawClient(two.url)]
    await x.query(`begin; select 1; set statement_timeout = '5s'; commit`)
    expect(await value(y, 'show statement_timeout')).toBe('0')
    await y.query('begin')
    expect(await value(x, 'show statement_timeout')).toBe('5s')
    await y.query('commit')
    expect(await value(x, 'show statement_timeout')).toBe('5s')
    expect(await value(y, 'show statement_timeout')).toBe('0')
    x.destroy()
    y.destroy()
    await two.stop()
  })

  test('SE2: a RESET that was rolled back is none', async () => {
    await a.query(`set search_path to ''`)
    await a.query('begin')
    await a.query('reset search_path')
    await a.query('rollback')
    expect(await value(a, 'show search_path')).toBe('""')
    await a.end()
    expect(await value(b, 'select count(*) from t')).toBe('0')
  })

  test('SE3: a parameter follows savepoints', async () => {
    await a.query(`begin; savepoint s; set client_min_messages = error; rollback to s; commit`)
    expect(await value(a, 'show client_min_messages')).toBe('notice')
    await a.query(
      `begin; set client_min_messages = error; savepoint s; set client_min_messages = warning; rollback to s; commit`,
    )
    expect(await value(b, 'show client_min_messages')).toBe('notice')
    expect(await value(a, 'show client_min_messages')).toBe('error')
  })

  test('SE4: a role ends with its client', async () => {
    await a.query(`set role ${role}`)
    expect(await value(a, 'select current_user')).toBe(role)
    expect(await value(b, 'select current_user')).toBe('sluice')
    expect(await value(a, 'select current_user')).toBe(role)
    await a.query(`reset role; set session authorization ${role}`)
    expect(await value(b, 'select session_user')).toBe('sluice')
    expect(await value(a, 'select session_user')).toBe(role)
    await a.end()
    expect(await value(b, 'select session_user, current_user')).toBe('sluice,sluice')
  })

  test('a role that is gone ends the session that had set it: what it sends would fail for ever', async () => {
    await database.query(`create role gone_${role}`)
    await a.query(`set role gone_${role}`)
    await b.query(`drop role gone_${role}`)
    expect(await a.query('select 1')).toEqual(['E 22023', 'closed'])
    expect(a.errors[0]).toMatchObject({ severity: 'FATAL', routine: 'sluice' })
    expect(await value(b, 'select current_user = session_user')).toBe('t')
  })

  test('SE5: RESET goes back to what the client started with, and the client is told', async () => {
    const boot = await rawClient(one.url, { parameters: { application_name: 'boot', datestyle: 'German' } })
    expect(boot.parameters.get('application_name')).toBe('boot')
    expect(boot.parameters.get('DateStyle')).toBe('German, DMY')
    for (const reset of [
      'reset application_name',
      'reset all',
      'discard all',
      'set application_name to default',
    ]) {
      await boot.query(`set application_name = 'x'`)
      expect(await value(b, 'show application_name')).toBe('')
      expect(await value(boot, 'show application_name')).toBe('x')
      await boot.query(reset)
      expect(boot.changes.at(-1)).toBe('application_name=boot')
      expect(await value(boot, 'show application_name')).toBe('boot')
      expect(await value(boot, 'show datestyle')).toBe('German, DMY')
    }
    boot.destroy()
  })

  test('what follows a RESET in one segment sees where the client started', async () => {
    const started = await rawClient(one.url, { parameters: { application_name: 'boot' } })
    started.send(query(`set application_name = 'x'`), query('reset all'), query('show application_name'))
    for (const tag of ['SET', 'RESET']) expect(await started.ready()).toEqual([`C(${tag})`, 'Z I'])
    expect(await started.ready()).toContain('D(boot)')
    started.destroy()
  })

  test('SE6: comments hide nothing', async () => {
    await a.query(`/* trace:1 */ SET statement_timeout = '8s'`)
    expect(await value(b, 'show statement_timeout')).toBe('0')
    expect(await value(a, 'show statement_timeout')).toBe('8s')
    await a.query('-- x\n reset all')
    expect(await value(a, 'show statement_timeout')).toBe('0')
    await a.query(`SET work_mem = '9MB'; SELECT 1`)
    expect(await value(b, 'show work_mem')).toBe('4MB')
    expect(await value(a, 'show work_mem')).toBe('9MB')
  })

  test('SE7: all startup parameters hold, on every connection', async () => {
    const started = await rawClient(one.url, {
      parameters: {
        extra_float_digits: '0',
        search_path: 'foo',
        options: '-c statement_timeout=4321 --geqo=off -c app.tenant=forty\\ two',
      },
    })
    await b.query(`set statement_timeout = '1s'`)
    expect(await value(started, 'show extra_float_digits')).toBe('0')
    expect(await value(started, 'show search_path')).toBe('foo')
    expect(await value(started, 'show statement_timeout')).toBe('4321ms')
    expect(await value(started, 'show geqo')).toBe('off')
    expect(await value(started, 'show app.tenant')).toBe('forty two')
    expect(await value(b, 'show geqo')).toBe('on')
    started.destroy()
    await expect(rawClient(one.url, { parameters: { nope: '1' } })).rejects.toMatchObject({ code: '42704' })
  })

  test('parameters with a dot, set by a function, are their client’s', async () => {
    await a.query(`select set_config('app.tenant', '42', false)`)
    expect(await value(b, `select current_setting('app.tenant', true)`)).not.toBe('42')
    expect(await value(a, `select current_setting('app.tenant')`)).toBe('42')
    a.send(parse('', 'select set_config($1, $2, false)'), bind('', '', 'app.other', '43'), execute(), sync())
    await a.ready()
    expect(await value(b, `select current_setting('app.other', true)`)).not.toBe('43')
    expect(await value(a, `select current_setting('app.other')`)).toBe('43')
  })

  test('parameters with a dot that a function sets, whose names no text of the client’s tells', async () => {
    await database.query(`create function log_in(who text) returns void language plpgsql as $$
      begin perform set_config('app.user', who, false); execute format('set session app.quoted = %L', who); end $$`)
    await a.query(`select log_in('alice')`)
    expect(
      await value(b, `select current_setting('app.user', true) || current_setting('app.quoted', true)`),
    ).toBe('')
    await b.query(`select log_in('bob')`)
    expect(await value(a, `select current_setting('app.user') || current_setting('app.quoted')`)).toBe(
      'alicealice',
    )
    await a.query(`do $$ begin perform log_in('carol'); end $$`)
    expect(await value(b, `select current_setting('app.user')`)).toBe('bob')
    expect(await value(a, `select current_setting('app.user')`)).toBe('carol')
  })

  test('a function is known from the COMMIT on that made it', async () => {
    await b.query('select now(), unnest(array[1])')
    await a.query('begin')
    await a.query(
      `create function sets_late() returns text language sql as $$ select set_config('app.late', 'x', false) $$`,
    )
    // Others ask for functions meanwhile, and see those that were there before.
    const two = await startGateway(database.url, { connectionLimit: 1 })
    await a.query('select log_in($$dave$$)')
    await a.query('commit')
    expect(await value(b, 'select sets_late()')).toBe('x')
    expect(await value(a, `select current_setting('app.late', true)`)).toBe('')
    await two.stop()
  })

  test('parameters with a dot may be many, and too many keep the connection', async () => {
    const set = (count: number) => Array.from({ length: count }, (_, n) => `set app.x${n} = 'a'`).join(';')
    await a.query(set(150))
    expect(await value(b, `select current_setting('app.x149', true)`)).toBe('')
    expect(await value(a, `select current_setting('app.x149', true)`)).toBe('a')
    await a.query(set(300))
    expect(await b.query('select 1')).toEqual(['E 53300', 'Z I'])
    await a.end()
    expect(await value(b, `select current_setting('app.x299', true)`)).toBe('null')
  })

  test('a parameter that a function of an extension sets is its client’s', async () => {
    await database.query('create extension pg_trgm')
    await value(a, 'select set_limit(0.9)')
    expect(await value(b, 'select show_limit()')).toBe('0.3')
    expect(await value(a, 'select show_limit()')).toBe('0.9')
  })

  test('a parameter with a dot goes back to what the client started with', async () => {
    const c = await rawClient(one.url, { parameters: { options: '-c app.start=mine' } })
    expect(await value(c, `set app.start = ''; select current_setting('app.start')`)).toBe('')
    await c.query('discard all')
    expect(await value(c, `select current_setting('app.start')`)).toBe('mine')
    c.destroy()
  })

  test('a value is right in any encoding', async () => {
    await database.query('create schema "straße"; create table "straße".here as select 5 as n')
    await a.query('set search_path to "straße"')
    await a.query('set client_encoding to latin1')
    await b.query(`set client_encoding to 'sjis'`)
    expect(await value(a, 'select n from here')).toBe('5')
    expect(await value(b, 'show client_encoding')).toBe('SJIS')
    await a.query('reset client_encoding')
    expect(await value(a, 'show search_path')).toBe('"straße"')
  })

  test('a statement_timeout is for the client’s statements, not for the gateway’s', async () => {
    const c = await rawClient(one.url, { parameters: { statement_timeout: '1' } })
    for (let n = 0; n < 20; n++) {
      await c.query(`set app.n = ${n}`)
      expect(await value(b, 'show statement_timeout')).toBe('0')
    }
    expect(await c.query('select pg_sleep(1)')).toEqual(['T(pg_sleep)', 'E 57014', 'Z I'])
    await c.query('reset all')
    c.destroy()
    await a.query('set statement_timeout = 1')
    for (let n = 0; n < 20; n++) await a.query(`set app.n = ${n}`)
    expect(await value(b, 'show statement_timeout')).toBe('0')
    await a.query('set statement_timeout = 0')
    expect(await value(a, 'select 1')).toBe('1')
  })

  test('SE12: several ParameterStatus within one answer all pass', async () => {
    const heard = await a.query(
      `select set_config('application_name', 'x', false), set_config('DateStyle', 'German', false); select 1`,
    )
    expect(heard.at(-1)).toBe('Z I')
    expect(a.changes).toEqual(expect.arrayContaining(['application_name=x', 'DateStyle=German, DMY']))
  })
})

describe('pins', () => {
  test('SE8: a session lock is its client’s alone, and ends with it', async () => {
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y] = [await rawClient(two.url), await rawClient(two.url)]
    await x.query('select pg_advisory_lock(7)')
    expect(await value(y, 'select pg_try_advisory_lock(7)')).toBe('f')
    await x.end()
    await y.until(() => true)
    let mine = 'f'
    while (mine === 'f') mine = (await value(y, 'select pg_try_advisory_lock(7)'))!
    await y.query('select pg_advisory_unlock(7)')
    y.destroy()
    await two.stop()
  })

  test('a pin ends with its cause: a pool of one is free after the unlock', async () => {
    await a.query('select pg_advisory_lock(8)')
    await a.query('select pg_advisory_unlock(8)')
    expect(await value(b, 'select 1')).toBe('1')
    await a.query('select pg_advisory_xact_lock(8)')
    expect(await value(b, 'select 1')).toBe('1')
    await a.query('create temp table mine (x int)')
    await a.query('drop table mine')
    expect(await value(b, 'select 1')).toBe('1')
    await a.query(`prepare p as select 1`)
    await a.query(`deallocate p`)
    expect(await value(b, 'select 1')).toBe('1')
  })

  test('a temporary table pins, and is gone for the next client', async () => {
    await a.query('create temp table mine (x int)')
    await a.query('insert into mine values (1)')
    const waiting = b.query('select count(*) from mine')
    expect(await value(a, 'select x from mine')).toBe('1')
    await a.end()
    expect(await waiting).toEqual(['E 42P01', 'Z I'])
  })

  test('functions and types that are temporary pin, too', async () => {
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y] = [await rawClient(two.url), await rawClient(two.url)]
    await x.query('create function pg_temp.seven() returns int language sql as $$ select 7 $$')
    await y.query('create domain pg_temp.positive as int check (value > 0)')
    expect(await value(y, 'select pg_temp.seven()')).toBe('E 42883')
    expect(await value(x, 'select pg_temp.seven()')).toBe('7')
    expect(await value(x, 'select 1::pg_temp.positive')).toBe('E 42704')
    await x.query('drop function pg_temp.seven()')
    await y.query('begin')
    expect(await value(x, 'select 1')).toBe('1')
    x.destroy()
    y.destroy()
    await two.stop()
  })

  test('a role that may not read what its session is like keeps its connection', async () => {
    const blind = `blind_${database.name}`
    await database.query(
      `create role ${blind} login password 'blind'; revoke select on pg_settings from public`,
    )
    const two = await startGateway(database.url, { connectionLimit: 2 })
    const [x, y] = await Promise.all([1, 2].map(() => rawClient(two.urlOf(blind, 'blind'))))
    await x!.query(`set work_mem = '9MB'`)
    expect(await value(y!, 'show work_mem')).toBe('4MB')
    expect(await value(x!, 'show work_mem')).toBe('9MB')
    await x!.query('listen blind')
    await y!.query('notify blind')
    await x!.until(() => x!.notifications.length > 0)
    await x!.end()
    expect(await value(y!, 'show work_mem')).toBe('4MB')
    y!.destroy()
    await two.stop()
    await database.query(`grant select on pg_settings to public; drop role ${blind}`)
  })

  test('SE9: a cursor WITH HOLD is there until it is closed, and not for others', async () => {
    await a.query('begin; declare c cursor with hold for select generate_series(1, 3); commit')
    expect(await value(a, 'fetch 1 from c')).toBe('1')
    expect(await value(a, 'fetch 1 from c')).toBe('2')
    await a.query('close c')
    expect(await value(b, 'select count(*) from pg_cursors')).toBe('0')
    await a.query('begin; declare c cursor with hold for select 1; commit')
    a.destroy()
    expect(await value(b, 'select count(*) from pg_cursors')).toBe('0')
  })

  test('SQL-level PREPARE pins, and is gone for the next client', async () => {
    await a.query('prepare p as select 5')
    expect(await value(a, 'execute p')).toBe('5')
    expect(await value(a, 'execute p')).toBe('5')
    await a.end()
    expect(await b.query('execute p')).toEqual(['E 26000', 'Z I'])
  })

  test.each([
    ['setseed', 'select setseed(0.5)', 'select random() = 0.9851677175347999'],
    [
      'a temporary replication slot',
      `select pg_create_physical_replication_slot('${database.name}', true, true)`,
      `select exists (select from pg_replication_slots where slot_name = '${database.name}')`,
    ],
    [
      'a replication origin',
      `select pg_replication_origin_create('${database.name}'); select pg_replication_origin_session_setup('${database.name}')`,
      'select pg_replication_origin_session_is_setup()',
    ],
    [
      'a connection of dblink',
      `create extension dblink; select dblink_connect('mine', '${keywords(database.url)}')`,
      `select dblink_get_connections() = '{mine}'`,
    ],
  ])('%s, which nothing undoes, keeps the connection, and ends with it', async (_what, makes, isThere) => {
    await a.query(makes)
    expect(await b.query(isThere)).toEqual(['E 53300', 'Z I'])
    expect(await value(a, isThere)).toBe('t')
    await a.end()
    expect(await value(b, isThere)).not.toBe('t')
  })

  test('SET sluice.pool_mode = session keeps the connection', async () => {
    await a.query('set sluice.pool_mode = session')
    const waiting = b.query('select 2')
    expect(await value(a, 'select 1')).toBe('1')
    await a.query('set sluice.pool_mode = transaction')
    expect(await waiting).toContain('D(2)')
  })
})

describe('sequences', () => {
  test('lastval and currval never show another client’s value', async () => {
    await a.query('insert into t (x) values (1)')
    expect(await b.query('select lastval()')).toContain('E 55000')
    expect(await b.query(`select currval('t_id_seq')`)).toContain('E 55000')
    await b.query('begin')
    await b.query('insert into t (x) values (2)')
    expect(await value(b, 'select lastval()')).toBe('2')
    await b.query('commit')
    await a.query('begin')
    expect(await a.query('select lastval()')).toContain('E 55000')
    await a.query('rollback')
  })
})

describe('LISTEN', () => {
  test('SE10: who listens hears, while idle; who does not, hears nothing', async () => {
    await a.query('listen ch')
    await b.query(`notify ch, 'one'`)
    await a.until(() => a.notifications.length > 0)
    expect(a.notifications).toEqual(['ch:one'])
    expect(b.notifications).toEqual([])
    await a.query('unlisten ch')
    await b.query(`notify ch, 'two'`)
    await a.query('listen other')
    await b.query(`notify other, 'three'`)
    await a.until(() => a.notifications.length > 1)
    expect(a.notifications).toEqual(['ch:one', 'other:three'])
  })

  test('SE11: LISTEN takes effect at COMMIT, and not after ROLLBACK', async () => {
    await a.query('begin; listen rolled; rollback')
    await a.query('begin')
    await a.query('listen "Held Back"')
    await a.query('commit')
    await b.query(`notify rolled, 'no'; notify "Held Back", 'yes'`)
    await a.until(() => a.notifications.length > 0)
    expect(a.notifications).toEqual(['Held Back:yes'])
    await a.query('begin; unlisten *; rollback')
    await b.query(`notify "Held Back", 'still'`)
    await a.until(() => a.notifications.length > 1)
    expect(a.notifications.at(-1)).toBe('Held Back:still')
  })

  test('many who listen at once all hear the first notification', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => rawClient(one.url)))
    await Promise.all(all.map(each => each.query('listen crowd')))
    await b.query(`notify crowd, 'now'`)
    await Promise.all(all.map(each => each.until(() => each.notifications.length > 0)))
    expect(all.map(each => each.notifications)).toEqual(all.map(() => ['crowd:now']))
    for (const each of all) each.destroy()
  })

  test('a listener that was lost is opened again, and who listens is told', async () => {
    await a.query('listen lasting')
    await database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'sluice'`,
    )
    await a.until(() => a.notices.length > 0)
    expect(a.notices).toEqual(['notifications may have been lost'])
    await b.query(`notify lasting, 'again'`)
    await a.until(() => a.notifications.length > 0)
    expect(a.notifications).toEqual(['lasting:again'])
  })
})

describe('functions', () => {
  test('what a function sets or locks is its caller’s alone', async () => {
    await database.query(`
      create function sets() returns void language plpgsql as $$ begin perform set_config('work_mem', '9MB', false); end $$;
      create function locks() returns void language sql as $$ select pg_advisory_lock(99) $$;
      create function unlocks() returns void language sql begin atomic select pg_advisory_unlock(99); end;
      create function adds(a int, b int) returns int language sql as $$ select a + b $$`)
    await a.query('select sets()')
    expect(await value(b, 'show work_mem')).toBe('4MB')
    expect(await value(a, 'show work_mem')).toBe('9MB')
    await a.query('select locks()')
    const waiting = b.query('select 1')
    expect(await value(a, 'select adds(1, 2)')).toBe('3')
    expect(b.heard).toEqual([])
    await a.query('select unlocks()')
    expect(await waiting).toContain('D(1)')
  })
})
