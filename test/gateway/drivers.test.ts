/**
 * Drivers that applications use, through gateways whose pools are smaller than the drivers' own: what each of them
 * can do, it does as on a connection of its own.
 */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'

const database = await freshDatabase()
await database.query('create table accounts (id int primary key, balance int not null)')
await database.query('create table copied (id int, word text)')

/** A query whose text contains this runs on the server, or waits there. */
async function runs(part: string): Promise<void> {
  const deadline = performance.now() + 10_000
  const running = `select from pg_stat_activity where state = 'active' and query like $1 and datname = $2 and pid <> pg_backend_pid()`
  while ((await database.query(running, [`%${part}%`, database.name])).length === 0)
    if (performance.now() > deadline) throw new Error(`nothing that contains ${part} runs`)
}

describe.each([1, 3, 20])('through a pool of %i', connectionLimit => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway(database.url, { connectionLimit })
  })
  afterAll(() => gateway.stop())
  beforeEach(async () => {
    await database.query(
      'truncate accounts, copied; insert into accounts select n, 100 from generate_series(1, 10) n',
    )
  })

  describe.each([true, false])('postgres.js, prepare: %s', prepare => {
    let sql: postgres.Sql
    beforeEach(() => {
      sql = postgres(gateway.url, { max: 10, prepare, onnotice: () => {} })
      return () => sql.end()
    })

    test('each of many queries at once gets its own answer', async () => {
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => sql`select ${n}::int as n, ${`word ${n % 7}`}::text as word`),
      )
      expect(answers.map(([row]) => row)).toEqual(
        Array.from({ length: 500 }, (_, n) => ({ n, word: `word ${n % 7}` })),
      )
    })

    test('transactions that run side by side lose nothing', async () => {
      const move = (from: number, to: number) =>
        sql.begin(async tx => {
          await tx`select id from accounts where id in (${from}, ${to}) order by id for update`
          await tx`update accounts set balance = balance - 1 where id = ${from}`
          await tx`update accounts set balance = balance + 1 where id = ${to}`
        })
      await Promise.all(Array.from({ length: 60 }, (_, n) => move((n % 9) + 1, 10)))
      const [row] = await sql`select sum(balance)::int as sum, max(balance) as most from accounts`
      expect(row).toEqual({ sum: 1_000, most: 160 })
    })

    test('a savepoint that fails is rolled back alone, and a transaction that fails as a whole', async () => {
      await sql.begin(async tx => {
        await tx`update accounts set balance = 1 where id = 1`
        await tx.savepoint(sp => sp`insert into accounts values (1, 0)`).catch(() => {})
        await tx`update accounts set balance = 2 where id = 2`
      })
      const failed = sql.begin(async tx => {
        await tx`update accounts set balance = 3 where id = 3`
        await tx`select 1 / 0`
      })
      await expect(failed).rejects.toMatchObject({ code: '22012' })
      expect(await sql`select balance from accounts where id <= 3 order by id`).toMatchObject([
        { balance: 1 },
        { balance: 2 },
        { balance: 100 },
      ])
    })

    test('queries of a transaction that are sent in one go come back in their order', async () => {
      const answers = await sql.begin(tx =>
        Array.from({ length: 50 }, (_, n) => tx`select ${n}::int as n, pg_backend_pid() as pid`),
      )
      expect(answers.map(([row]) => row?.n)).toEqual(Array.from({ length: 50 }, (_, n) => n))
      expect(new Set(answers.map(([row]) => row?.pid)).size).toBe(1)
    })

    test('an error in one of many queries at once is that query’s alone', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, n) => sql`select 60 / ${n % 6}::int as n`),
      )
      for (const [n, outcome] of outcomes.entries())
        if (n % 6 === 0) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: '22012' } })
        else expect(outcome).toMatchObject({ status: 'fulfilled', value: [{ n: 60 / (n % 6) }] })
    })

    test('LISTEN hears what another connection notifies', async () => {
      const heard: string[] = []
      const { unlisten } = await sql.listen('news', payload => heard.push(payload))
      let heardLast = () => {}
      const last = new Promise<void>(resolve => {
        heardLast = resolve
      })
      await sql.listen('last', () => heardLast())
      for (const word of ['one', 'two', 'three']) await sql.notify('news', word)
      await sql.notify('last', '')
      await last
      expect(heard).toEqual(['one', 'two', 'three'])
      await unlisten()
    })

    test('a cursor reads in parts, and may be left', async () => {
      const seen: number[] = []
      await sql`select n from generate_series(1, 100) n`.cursor(7, rows => {
        seen.push(...rows.map(row => row.n))
      })
      expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n + 1))
      for await (const [row] of sql`select n from generate_series(1, 100000) n`.cursor())
        if (row?.n === 3) break
      expect(await sql`select 1 as n`).toMatchObject([{ n: 1 }])
    })

    test('COPY goes both ways', async () => {
      const lines = Array.from({ length: 20_000 }, (_, n) => `${n}\tword ${n}\n`)
      await pipeline(Readable.from(lines), await sql`copy copied from stdin`.writable())
      expect(await text(await sql`copy (select * from copied order by id) to stdout`.readable())).toBe(
        lines.join(''),
      )
    })

    test('a cancelled query fails, and the next one does not', async () => {
      const query = sql`select pg_sleep(30)`.execute()
      await runs('pg_sleep')
      query.cancel()
      await expect(query).rejects.toMatchObject({ code: '57014' })
      expect(await sql`select 1 as n`).toMatchObject([{ n: 1 }])
    })

    test('a reserved connection keeps what was set on it, and others do not have it', async () => {
      const reserved = await sql.reserve()
      await reserved`set application_name to 'reserved'`
      await reserved`set search_path to nowhere`
      await expect(reserved`select * from accounts`).rejects.toMatchObject({ code: '42P01' })
      expect(await Promise.all(Array.from({ length: 9 }, () => sql`show search_path`))).toEqual(
        Array.from({ length: 9 }, () => [{ search_path: '"$user", public' }]),
      )
      expect(await reserved`show application_name`).toMatchObject([{ application_name: 'reserved' }])
      reserved.release()
    })

    test('several statements in one simple query give several results', async () => {
      expect(await sql`select 1 as a; select 2 as b, 3 as c`.simple()).toEqual([[{ a: 1 }], [{ b: 2, c: 3 }]])
    })
  })

  describe('node-postgres', () => {
    let pool: pg.Pool
    beforeEach(() => {
      const gone: Promise<unknown>[] = []
      pool = new pg.Pool({ connectionString: gateway.url, max: 20 })
      pool.on('connect', client => gone.push(once(client, 'end')))
      return async () => {
        await pool.end()
        // Its `end` does not wait for its connections', to which the gateway would say goodbye.
        await Promise.all(gone)
      }
    })

    const withClient = async <T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
      const client = await pool.connect()
      try {
        return await use(client)
      } finally {
        client.release()
      }
    }

    test('each of many queries at once gets its own answer', async () => {
      const answers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => pool.query('select $1::int as n', [n])),
      )
      expect(answers.map(({ rows }) => rows[0].n)).toEqual(Array.from({ length: 500 }, (_, n) => n))
    })

    test('named statements of many clients share the server’s connections', async () => {
      const answers = await Promise.all(
        Array.from({ length: 300 }, (_, n) =>
          pool.query({ name: `of ${n % 5}`, text: `select $1::int + ${n % 5} as n`, values: [n] }),
        ),
      )
      expect(answers.map(({ rows }) => rows[0].n)).toEqual(Array.from({ length: 300 }, (_, n) => n + (n % 5)))
    })

    test('transactions that run side by side lose nothing', async () => {
      const add = () =>
        withClient(async client => {
          await client.query('begin')
          const { rows } = await client.query('select balance from accounts where id = 1 for update')
          await client.query('update accounts set balance = $1 where id = 1', [rows[0].balance + 1])
          await client.query('commit')
        })
      await Promise.all(Array.from({ length: 60 }, add))
      expect((await pool.query('select balance from accounts where id = 1')).rows).toEqual([{ balance: 160 }])
    })

    test('a cursor reads in parts, beside other queries', async () => {
      await withClient(async client => {
        const cursor = client.query(new Cursor('select n from generate_series(1, $1::int) n', [10]))
        expect((await cursor.read(4)).map(row => row.n)).toEqual([1, 2, 3, 4])
        const other = connectionLimit > 1 ? await pool.query('select 5 as n') : null
        expect(other?.rows ?? [{ n: 5 }]).toEqual([{ n: 5 }])
        expect((await cursor.read(100)).map(row => row.n)).toEqual([5, 6, 7, 8, 9, 10])
        await cursor.close()
      })
    })

    test('a stream is read to its end, or left', async () => {
      await withClient(async client => {
        let sum = 0
        const all = new QueryStream('select n from generate_series(1, 5000) n', [], { batchSize: 100 })
        for await (const row of client.query(all)) sum += row.n
        expect(sum).toBe(12_502_500)
        const left = client.query(new QueryStream('select n from generate_series(1, 100000) n'))
        await once(left, 'data')
        left.destroy()
        await once(left, 'close')
        expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      })
    })

    test('COPY goes both ways', async () => {
      const lines = Array.from({ length: 20_000 }, (_, n) => `${n}\tword ${n}\n`)
      await withClient(client =>
        pipeline(Readable.from(lines), client.query(copyFrom('copy copied from stdin'))),
      )
      const copied = await withClient(client =>
        text(client.query(copyTo('copy (select * from copied order by id) to stdout'))),
      )
      expect(copied).toBe(lines.join(''))
    })

    test('a COPY whose data is wrong is an error, and its connection goes on', async () => {
      await withClient(async client => {
        const wrong = pipeline(
          Readable.from(['1\tone\n', 'two\ttwo\n']),
          client.query(copyFrom('copy copied from stdin')),
        )
        await expect(wrong).rejects.toMatchObject({ code: '22P02' })
        expect((await client.query('select count(*)::int from copied')).rows).toEqual([{ count: 0 }])
      })
    })

    test('a query that is cancelled fails, and the next one does not', async () => {
      await withClient(async client => {
        const query = client.query(new pg.Query('select pg_sleep(30)'))
        const failed = once(query, 'error')
        await runs('pg_sleep')
        const canceller = new pg.Client(gateway.url) as pg.Client & {
          cancel(client: pg.PoolClient, query: pg.Query): void
        }
        canceller.cancel(client, query)
        expect(await failed).toMatchObject([{ code: '57014' }])
        expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      })
    })

    // The signal needs a server connection of its own.
    test.skipIf(connectionLimit === 1)(
      'pg_cancel_backend with the id that a client shows reaches it',
      async () => {
        await withClient(async client => {
          const sleeping = client.query('select pg_sleep(30)')
          sleeping.catch(() => {})
          await runs('pg_sleep')
          const { processID } = client as unknown as { processID: number }
          const { rows } = await pool.query('select pg_cancel_backend($1)', [processID])
          expect(rows).toEqual([{ pg_cancel_backend: true }])
          await expect(sleeping).rejects.toMatchObject({ code: '57014' })
        })
      },
    )

    test('LISTEN hears what another client notifies', async () => {
      await withClient(async client => {
        await client.query('listen news')
        const notification = once(client, 'notification')
        await pool.query("select pg_notify('news', 'it works')")
        const [{ channel, payload }] = await notification
        expect({ channel, payload }).toEqual({ channel: 'news', payload: 'it works' })
        await client.query('unlisten *')
      })
    })

    test('an advisory lock that a migration holds stalls nobody else, and is gone with the unlock', async () => {
      const migration = await pool.connect()
      await migration.query('select pg_advisory_lock($1)', [4_711])
      const work = () => pool.query('update accounts set balance = balance + 1 where id = 1')
      if (connectionLimit > 1) await Promise.all(Array.from({ length: 60 }, work))
      const waiting = connectionLimit === 1 ? Array.from({ length: 60 }, work) : []
      await migration.query('begin')
      await migration.query('create table migrated (id int)')
      await migration.query('commit')
      await migration.query('drop table migrated')
      await migration.query('select pg_advisory_unlock($1)', [4_711])
      await Promise.all(waiting)
      migration.release()
      const another = await pool.query('select pg_try_advisory_lock(4711) as got, pg_advisory_unlock(4711)')
      expect(another.rows[0].got).toBe(true)
      expect((await pool.query('select balance from accounts where id = 1')).rows).toEqual([{ balance: 160 }])
    })
  })
})
