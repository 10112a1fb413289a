/** Cursors: results that are too large to hold. */
import assert from 'node:assert/strict'
import { proves } from './case.ts'

const many = 100_000

export const cursors = [
  proves('a cursor reads 100,000 rows without holding them', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    const { process } = globalThis as { process?: { memoryUsage?: () => { heapUsed: number; rss: number } } }
    const used = () => process?.memoryUsage?.().heapUsed ?? 0
    await world.together(manager, async () => {
      let count = 0
      let sum = 0
      let most = 0
      const before = used()
      // 100 bytes a row: 10 MB as text, several times that as rows.
      for await (const batch of sql<{
        n: number
        text: string
      }>`select n, repeat('x', 100) as text from generate_series(1, ${many}::int) as n`.cursor(1000)) {
        count += batch.length
        for (const { n } of batch) sum += n
        most = Math.max(most, used() - before)
      }
      assert.deepEqual([count, sum], [many, (many * (many + 1)) / 2])
      assert.ok(most < 64 * 1024 * 1024, `${most} bytes`)
    })
    // It was the server that kept the rest: no single answer was large.
    const { statements } = await world.lab.seen()
    assert.ok(statements.filter(text => text.startsWith('fetch 1000 ')).length >= many / 1000)
  }),

  proves('a loop may break off or throw, and the connection is as before', async world => {
    const manager = world.manager({ maxConnections: 1 })
    const sql = manager.getOptimalConnection(world.env())
    const numbers = () => sql<{ n: number }>`select n from generate_series(1, 1000) as n`
    await world.together(manager, async () => {
      let last = 0
      for await (const { n } of numbers()) {
        last = n
        if (n === 150) break
      }
      assert.equal(last, 150)
      const own = new Error('mine')
      await assert.rejects(async () => {
        for await (const { n } of numbers()) if (n === 250) throw own
      }, own)
      await assert.rejects(
        async () => {
          for await (const _ of sql`select 1 / (n - 500) from generate_series(1, 1000) as n`);
        },
        { code: '22012' },
      )
      await assert.rejects(
        async () => {
          for await (const _ of sql`select nope`);
        },
        { code: '42703' },
      )
      // Begun and left: what never began holds nothing.
      numbers()[Symbol.asyncIterator]()
      const [row] = await sql`select count(*)::int as open from pg_cursors where name like 'sluice%'`
      assert.deepEqual(row, { open: 0 })
    })
  }),

  proves('a cursor in a transaction sees it, and breaking off undoes nothing', async world => {
    await world.lab.query('drop table if exists notes; create table notes (id int primary key)')
    const sql = world.sql()
    await sql.transaction(async tx => {
      await tx`insert into notes select generate_series(1, 500)`
      const seen: number[] = []
      for await (const { id } of tx<{ id: number }>`select id from notes order by id`) {
        // Statements between two rows, the same transaction's.
        if (id % 100 === 0) await tx`insert into notes values (${1000 + id})`
        seen.push(id)
        if (id === 300) break
      }
      assert.equal(seen.length, 300)
      const [open] = await tx`select count(*)::int as open from pg_cursors where name like 'sluice%'`
      assert.deepEqual(open, { open: 0 })
      // Two at once.
      const sums = await Promise.all(
        [1, 2].map(async times => {
          let sum = 0
          for await (const { id } of tx<{ id: number }>`select id from notes where id <= 500`)
            sum += times * id
          return sum
        }),
      )
      assert.deepEqual(sums, [125_250, 250_500])
    })
    assert.deepEqual(await world.lab.query('select count(*)::int as n from notes'), [{ n: 503 }])
  }),

  proves('a signal ends a cursor', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    await world.together(manager, async () => {
      const stop = new AbortController()
      let seen = 0
      await assert.rejects(
        async () => {
          const query = sql`select n from generate_series(1, 1000) as n`.with({ signal: stop.signal })
          for await (const _ of query) if (++seen === 150) stop.abort()
        },
        { reason: 'query-aborted' },
      )
      assert.equal(seen, 200)
      await assert.rejects(
        async () => {
          for await (const _ of sql`select 1`.with({ signal: AbortSignal.abort() }));
        },
        { reason: 'query-aborted', sent: 'no' },
      )
      assert.equal((await sql`select 1`).length, 1)
    })
  }),

  proves('a cursor’s batches are as large as asked', async world => {
    const sql = world.sql()
    const sizes: number[] = []
    for await (const batch of sql`select n from generate_series(1, 10) as n`.cursor(4))
      sizes.push(batch.length)
    assert.deepEqual(sizes, [4, 4, 2])
    for (const wrong of [0, -1, 1.5, Number.NaN])
      await assert.rejects(
        async () => {
          for await (const _ of sql`select 1`.cursor(wrong));
        },
        { reason: 'bad-parameter' },
      )
  }),
]
