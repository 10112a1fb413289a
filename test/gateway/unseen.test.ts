/** What a statement does to its session by code that its text does not show: no other client meets it. */
import { bind, execute, parse, sync } from '@sluice/wire'
import { beforeAll, describe, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'
import { functions, kinds, unwritten } from './unseen/kinds.ts'

const database = await freshDatabase()
const other = await freshDatabase()

/** Two clients of a pool of one connection, to a database that has been read: until then everything is suspect. */
async function pair(database: TestDatabase) {
  const gateway = await startGateway(database.url, { connectionLimit: 1, waitTimeoutMs: 2_000 })
  const [a, b] = await Promise.all([rawClient(gateway.url), rawClient(gateway.url)])
  // The one connection is free only when the database has been asked what else is to be asked for.
  await a.query('table plain')
  await b.query('table plain')
  return {
    ...{ a, b, url: gateway.url },
    async [Symbol.asyncDispose]() {
      a.destroy()
      b.destroy()
      await gateway.stop()
    },
  }
}

const value = async (client: RawClient, sql: string) => {
  const heard = await client.query(sql)
  return heard.find(word => word.startsWith('D('))?.slice(2, -1) ?? heard[0]
}

beforeAll(async () => {
  await database.query([functions, ...kinds.map(([, made]) => made)].join(';\n'))
  await other.query([functions, ...unwritten.map(([, made]) => made)].join(';\n'))
})

/** What one client does leaves the other as it was, and is there for the first again. */
async function expectApart({ a, b }: { a: RawClient; b: RawClient }): Promise<void> {
  expect(await value(b, 'show work_mem')).toBe('4MB')
  expect(await value(a, 'show work_mem')).toBe('9MB')
}

describe('a parameter is its client’s alone that is set by', () => {
  test.each([
    ...kinds.map(([kind, , used]) => [kind, used, database] as const),
    ...unwritten.map(([kind, , used]) => [kind, used, other] as const),
  ])('%s', async (_kind, used, where) => {
    await using clients = await pair(where)
    expect(await clients.a.query(used)).not.toContainEqual(expect.stringMatching(/^E /))
    await expectApart(clients)
  })

  test('an event trigger', async () => {
    await using clients = await pair(other)
    await other.query(`create function on_command() returns event_trigger language plpgsql as
      $$ begin perform sets(); end $$; create event trigger e on ddl_command_end execute function on_command()`)
    await clients.a.query('comment on table plain is null')
    await other.query('drop event trigger e')
    await expectApart(clients)
  })

  test('a trigger that the same transaction made, and that others meet after it', async () => {
    await using clients = await pair(database)
    const { a, b, url } = clients
    await a.query('begin')
    await a.query('create table late (x int)')
    await a.query('create trigger t before insert on late for each row execute function on_change()')
    await a.query('insert into late values (1)')
    await a.query('commit')
    await expectApart(clients)
    await using c = await rawClient(url)
    await c.query('insert into late values (1)')
    await expectApart({ a: c, b })
  })

  test('a trigger that a DO made', async () => {
    await using clients = await pair(database)
    const { a } = clients
    await a.query(`do $$ begin create table done (x int);
      create trigger t before insert on done for each row execute function on_change(); end $$`)
    await a.query('insert into done values (1)')
    await expectApart(clients)
  })

  test('a view, in each run of a prepared statement', async () => {
    await using clients = await pair(database)
    const { a } = clients
    a.send(parse('s', 'select * from v1'), bind('', 's'), execute(), sync())
    await a.ready()
    await expectApart(clients)
    await a.query('reset work_mem')
    a.send(bind('', 's'), execute(), sync())
    await a.ready()
    await expectApart(clients)
  })

  test('a trigger, if the text is too long to be parsed', async () => {
    await using clients = await pair(database)
    const rows = Array.from({ length: 5_000 }, (_, n) => (n % 2 === 0 ? '(1)' : '(1 + 1)'))
    await clients.a.query(`insert into t1 values ${rows}`)
    await expectApart(clients)
  })
})

test.each([
  ['a trigger', 'locks', 'insert into locks values (1)'],
  ['a default', 'locking', 'insert into locking default values'],
])('a lock that %s takes is its client’s alone', async (_what, table, used) => {
  await database.query(
    `create table ${table} (x int ${table === 'locking' ? 'default (pg_try_advisory_lock(9)::int)' : ''})`,
  )
  if (table === 'locks')
    await database.query(`create function locks() returns trigger language plpgsql as
      $$ begin perform pg_advisory_lock(9); return new; end $$;
      create trigger t before insert on locks for each row execute function locks()`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query(used)
  const waiting = b.query(
    `select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`,
  )
  expect(await value(a, 'select pg_advisory_unlock(9)')).toBe('t')
  expect(await waiting).toContain('D(0)')
})

test('a temporary table that a view’s function makes is its client’s alone', async () => {
  await database.query(`create function makes() returns int language plpgsql as
    $$ begin create temp table made (x int); return 1; end $$; create view making as select makes()`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query('select * from making')
  const waiting = b.query('select count(*) from made')
  expect(await value(a, 'select count(*) from made')).toBe('0')
  await a.end()
  expect(await waiting).toEqual(['E 42P01', 'Z I'])
})

test('so are parameters of an application’s own, whose names no text of the client’s tells', async () => {
  await database.query(`create function names() returns trigger language plpgsql as
      $$ begin perform set_config('app.by_trigger', 'a', false); return new; end $$;
    create table naming (x int, y text default set_config('app.by_default', 'a', false));
    create trigger t before insert on naming for each row execute function names();
    create view named as select set_config('app.by_view', 'a', false)`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query('insert into naming values (1); select * from named')
  for (const name of ['app.by_trigger', 'app.by_default', 'app.by_view']) {
    expect(await value(b, `select current_setting('${name}', true)`)).toBe('')
    expect(await value(a, `select current_setting('${name}', true)`)).toBe('a')
  }
})

test('lastval is not what a trigger of another client’s DELETE took of a sequence', async () => {
  await database.query(`create table removed (id serial, x int); create table removing as select 1 as x;
    create function keeps() returns trigger language plpgsql as
      $$ begin insert into removed (x) values (old.x); return old; end $$;
    create trigger t after delete on removing for each row execute function keeps()`)
  await using clients = await pair(database)
  const { a, b } = clients
  await a.query('delete from removing')
  expect(await b.query('select lastval()')).toContain('E 55000')
})
