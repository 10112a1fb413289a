/** What one caller does must not reach what another does beside it, nor be undone by it. */
import assert from 'node:assert/strict'
import { proves, type World } from './case.ts'

const fresh = (world: World, ...texts: string[]) =>
  world.lab.query(['drop table if exists beside', 'create table beside (who text)', ...texts].join(';'))
const who = async (world: World) =>
  (await world.lab.query('select who from beside order by who')).map(row => row.who)

/** A promise and what fulfils it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return { opened, open }
}

export const beside = [
  proves('a nested transaction that outlives its outer one touches nobody else’s', async world => {
    await fresh(world)
    const sql = world.sql({ maxConnections: 1 })
    const held = gate()
    let orphan: Promise<unknown> = Promise.resolve()
    await assert.rejects(
      sql.transaction(async tx => {
        const nestedIsOpen = gate()
        orphan = tx
          .transaction(async inner => {
            await inner`insert into beside values ('orphan')`
            nestedIsOpen.open()
            await held.opened
            throw new Error('the nested one fails late')
          })
          .catch(() => {})
        await nestedIsOpen.opened
        throw new Error('the outer one fails at once')
      }),
      /fails at once/,
    )
    await sql.transaction(async tx => {
      await tx`insert into beside values ('innocent')`
      held.open()
      await orphan
      await tx`insert into beside values ('innocent too')`
    })
    assert.deepEqual(await who(world), ['innocent', 'innocent too'])
  }),

  proves('a statement beside an open savepoint is not undone with it', async world => {
    await fresh(world)
    const sql = world.sql()
    await sql.transaction(async tx => {
      const nestedIsOpen = gate()
      const results = await Promise.allSettled([
        tx.transaction(async inner => {
          await inner`insert into beside values ('inner')`
          nestedIsOpen.open()
          await inner`select pg_sleep(0.05)`
          throw new Error('the savepoint is rolled back')
        }),
        nestedIsOpen.opened.then(() => tx`insert into beside values ('outer')`),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['rejected', 'fulfilled'],
      )
    })
    assert.deepEqual(await who(world), ['outer'])
  }),

  proves('two nested transactions at once each keep or lose what is theirs', async world => {
    await fresh(world)
    const sql = world.sql()
    await sql.transaction(async tx => {
      const results = await Promise.allSettled([
        tx.transaction(async inner => {
          await inner`insert into beside values ('lost')`
          await inner`select pg_sleep(0.05)`
          throw new Error('this one fails')
        }),
        tx.transaction(inner => inner`insert into beside values ('kept')`),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['rejected', 'fulfilled'],
      )
    })
    assert.deepEqual(await who(world), ['kept'])
  }),

  proves(
    'the outer handle, used inside a nested transaction, belongs to it and does not wait for it',
    async world => {
      await fresh(world)
      const sql = world.sql()
      await sql.transaction(async tx => {
        await tx.transaction(async () => {
          await tx`insert into beside values ('by the outer handle')`
        })
      })
      assert.deepEqual(await who(world), ['by the outer handle'])
    },
  ),

  proves('a signal of a nested transaction ends what runs in it', async world => {
    const sql = world.sql()
    await assert.rejects(
      sql.transaction(tx =>
        tx.transaction(inner => inner`select pg_sleep(30)`, { signal: AbortSignal.timeout(100) }),
      ),
      { reason: 'query-aborted' },
    )
  }),

  proves(
    'a nested transaction is read-only if it says so, and the outer one goes on writing',
    async world => {
      await fresh(world)
      const sql = world.sql()
      await sql.transaction(async tx => {
        await assert.rejects(
          tx.transaction(inner => inner`insert into beside values ('refused')`, { readOnly: true }),
          { code: '25006' },
        )
        await tx`insert into beside values ('outer')`
        await assert.rejects(
          tx.transaction(inner => inner`select 1`, { isolation: 'serializable' }),
          { reason: 'bad-parameter' },
        )
      })
      assert.deepEqual(await who(world), ['outer'])
    },
  ),

  proves('a query that is iterated keeps what its functions write, as one that is awaited', async world => {
    await fresh(
      world,
      `create or replace function beside_writes(who text) returns text language sql volatile
        as 'insert into beside values (who) returning who'`,
    )
    const sql = world.sql()
    const seen: unknown[] = []
    for await (const row of sql<{
      who: string
    }>`select beside_writes(v) as who from (values ('a'), ('b')) t (v)`) {
      seen.push(row.who)
    }
    assert.deepEqual(
      [seen, await who(world)],
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    )
  }),

  proves('a procedure that commits and then asks for a retry is not called retryable', async world => {
    await fresh(
      world,
      `create or replace procedure beside_commits() language plpgsql as $$
        begin insert into beside values ('committed'); commit; raise 'again' using errcode = '40001'; end $$`,
    )
    const sql = world.sql()
    await assert.rejects(sql`/* once */ call beside_commits()`.execute(), { code: '40001', retryable: false })
    assert.deepEqual(await who(world), ['committed'])
  }),

  proves('a hook that throws does not turn a success into a failure', async world => {
    await fresh(world)
    const sql = world.sql({
      onQuery: () => {
        throw new Error('the hook fails')
      },
    })
    const { error } = console
    const complaints: unknown[] = []
    console.error = (...words: unknown[]) => complaints.push(words)
    try {
      await sql.transaction(tx => tx`insert into beside values ('kept')`)
    } finally {
      console.error = error
    }
    assert.deepEqual(await who(world), ['kept'])
    assert.ok(complaints.length > 0)
  }),

  proves(
    'a deadline longer than a timer counts is none that ends at once; one that is no time is refused',
    async world => {
      const sql = world.sql()
      for (const deadlineMs of [Number.POSITIVE_INFINITY, 2 ** 31]) {
        assert.deepEqual([...(await sql`select 1 as one`.with({ deadlineMs }))], [{ one: 1 }])
      }
      for (const deadlineMs of [0, -1, Number.NaN]) {
        await assert.rejects(sql`select 1`.with({ deadlineMs }).execute(), { reason: 'bad-parameter' })
      }
    },
  ),

  proves('a text with parameters of its own is no piece of another statement', async world => {
    const sql = world.sql()
    const own = sql.query('select $1::int as n', [5])
    await assert.rejects(sql`select n, ${1}::int from (${own}) own`.execute(), { reason: 'bad-parameter' })
  }),

  proves('COPY is refused at once, on a handle and in a transaction', async world => {
    await fresh(world)
    const sql = world.sql()
    for (const text of ['copy beside from stdin', '/* all */ COPY beside TO STDOUT']) {
      await assert.rejects(sql.query(text).execute(), { reason: 'copy-text' })
      await assert.rejects(
        sql.transaction(tx => tx.query(text)),
        { reason: 'copy-text' },
      )
    }
  }),

  proves(
    'what a session would keep is refused on a handle, and does not outlive a transaction',
    async world => {
      await fresh(world)
      const sql = world.sql({ maxConnections: 1 })
      const texts = [
        'create temp table beside (who text)',
        'CREATE LOCAL TEMPORARY TABLE beside (who text)',
        "load 'plpgsql'",
        'declare c cursor with hold for select 1',
        '-- a comment that ends with a carriage return\rset search_path to nowhere',
      ]
      for (const text of texts) await assert.rejects(sql.query(text).execute(), { reason: 'session-text' })
      await sql.transaction(async tx => {
        await tx.query('create temp table beside (who text)')
        await tx`insert into beside values ('in the temporary one')`
      })
      assert.deepEqual([...(await sql`select who from beside`)], [])
    },
  ),

  proves(
    'a crowd of transactions that each ask beside themselves does not come to a standstill',
    async world => {
      await fresh(world)
      const sql = world.sql({ maxConnections: 2 })
      const one = () =>
        sql.transaction(async tx => {
          await tx`select 1`
          await sql`insert into beside values ('beside')`
        })
      await Promise.all(Array.from({ length: 12 }, one))
      assert.equal((await who(world)).length, 12)
    },
  ),

  proves(
    'a transaction whose signal aborts between two statements is rolled back, and says so',
    async world => {
      await fresh(world)
      const sql = world.sql()
      const stop = new AbortController()
      await assert.rejects(
        sql.transaction(
          async tx => {
            await tx`insert into beside values ('given up')`
            stop.abort()
          },
          { signal: stop.signal },
        ),
        { reason: 'query-aborted' },
      )
      assert.deepEqual(await who(world), [])
    },
  ),

  proves('a column that only a later row has is not left out of a bulk insert', async world => {
    await fresh(world, 'alter table beside add note text')
    const sql = world.sql()
    const rows = [
      { who: 'a', note: null },
      { note: 'kept', who: 'b' },
    ]
    await sql`insert into beside ${sql.rows(rows)}`
    const stored = await world.lab.query('select who, note from beside order by who')
    assert.deepEqual(stored, [
      { who: 'a', note: null },
      { who: 'b', note: 'kept' },
    ])
    const uneven = [{ who: 'c' }, { who: 'd', note: 'would be lost' }]
    await assert.rejects(sql`insert into beside ${sql.rows(uneven)}`.execute(), { reason: 'bad-parameter' })
  }),

  proves(
    'two that wait for each other across a nested transaction are told so at the deadline',
    async world => {
      const sql = world.sql()
      await sql.transaction(async tx => {
        const nestedIsOpen = gate()
        const outside = nestedIsOpen.opened.then(() => tx`select 1`.with({ deadlineMs: 300 }).execute())
        await assert.rejects(
          tx.transaction(async inner => {
            await inner`select 1`
            nestedIsOpen.open()
            await outside
          }),
          { reason: 'query-deadline', sent: 'no', message: /nested transaction/ },
        )
        assert.deepEqual([...(await tx`select 2 as two`)], [{ two: 2 }])
      })
    },
  ),

  proves(
    'fragments nested a hundred thousand deep are an error of the library’s, not the engine’s',
    async world => {
      const sql = world.sql()
      let deep = sql`true`
      for (let depth = 0; depth < 100_000; depth++) deep = sql`not ${deep}`
      await assert.rejects(sql`select ${deep}`.execute(), { reason: 'bad-parameter' })
    },
  ),
]
