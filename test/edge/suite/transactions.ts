/** Transactions: what they do, and what handles refuse. */
import assert from 'node:assert/strict'
import type { Sql } from '@sluice/edge'
import { sql as drizzleSql } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { proves, smoke, type World } from './case.ts'

const notes = pgTable('notes', { id: integer().primaryKey() })

const withNotes = (world: World) =>
  world.lab.query('drop table if exists notes; create table notes (id int primary key)')
const ids = async (world: World) =>
  (await world.lab.query('select id from notes order by id')).map(({ id }) => id)
const note = (tx: Sql, id: number) => tx`insert into notes values (${id})`.execute()

class OwnError extends Error {}

export const transactions = [
  proves('a transaction commits when its function returns, and gives what it returned', async world => {
    await withNotes(world)
    const sql = world.sql()
    const got = await sql.transaction(async tx => {
      await note(tx, 1)
      await note(tx, 2)
      return 'done'
    })
    assert.equal(got, 'done')
    assert.deepEqual(await ids(world), [1, 2])
  }),

  proves(
    'a transaction rolls back when its function throws, and the error is the function’s',
    async world => {
      await withNotes(world)
      const sql = world.sql()
      const own = new OwnError('mine')
      const thrown = await sql
        .transaction(async tx => {
          await note(tx, 1)
          throw own
        })
        .catch((error: unknown) => error)
      assert.equal(thrown, own)
      await assert.rejects(
        sql.transaction(async tx => note(tx, 1).then(() => note(tx, 1))),
        { code: '23505' },
      )
      // What is thrown before the first await too.
      await assert.rejects(
        sql.transaction(() => {
          throw own
        }),
        own,
      )
      assert.deepEqual(await ids(world), [])
    },
  ),

  proves('savepoints nest: what fails in one is undone, what is around it stays', async world => {
    await withNotes(world)
    const sql = world.sql()
    await sql.transaction(async tx => {
      await note(tx, 1)
      await tx.transaction(async inner => {
        await note(inner, 2)
        await inner
          .transaction(async innermost => {
            await note(innermost, 3)
            throw new OwnError()
          })
          .catch(() => {})
        await assert.rejects(
          inner.transaction(async innermost => note(innermost, 1)),
          { code: '23505' },
        )
        await note(inner, 4)
      })
      await tx.transaction(async inner => note(inner, 5))
    })
    assert.deepEqual(await ids(world), [1, 2, 4, 5])
  }),

  proves('statements that a transaction runs at once run in order on its one connection', async world => {
    await withNotes(world)
    const sql = world.sql()
    await sql.transaction(async tx => {
      const pids = await Promise.all(
        Array.from({ length: 10 }, (_, id) =>
          tx<{ pid: number }>`insert into notes values (${id}) returning pg_backend_pid() as pid`.then(
            ([row]) => row!.pid,
          ),
        ),
      )
      assert.equal(new Set(pids).size, 1)
    })
    assert.deepEqual(await ids(world), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  }),

  proves('a statement that was started and not awaited belongs to the transaction', async world => {
    await withNotes(world)
    const sql = world.sql()
    await sql.transaction(async tx => {
      void note(tx, 1)
      await note(tx, 2)
      void note(tx, 3)
    })
    assert.deepEqual(await ids(world), [1, 2, 3])
    await assert.rejects(
      sql.transaction(async tx => {
        void note(tx, 4)
        throw new OwnError('rolled back behind it')
      }),
      OwnError,
    )
    assert.deepEqual(await ids(world), [1, 2, 3])
  }),

  proves('isolation, read only and deferrable are what the server says they are', async world => {
    const sql = world.sql()
    const modes = (tx: Sql) =>
      tx`select current_setting('transaction_isolation') as isolation,
          current_setting('transaction_read_only') as readonly, current_setting('transaction_deferrable') as deferrable`.then(
        ([row]) => Object.values(row!),
      )
    assert.deepEqual(await sql.transaction(modes), ['read committed', 'off', 'off'])
    for (const isolation of [
      'read uncommitted',
      'read committed',
      'repeatable read',
      'serializable',
    ] as const)
      assert.deepEqual(await sql.transaction(modes, { isolation }), [isolation, 'off', 'off'])
    assert.deepEqual(
      await sql.transaction(modes, { isolation: 'serializable', readOnly: true, deferrable: true }),
      ['serializable', 'on', 'on'],
    )
    await withNotes(world)
    await assert.rejects(
      sql.transaction(tx => note(tx, 1), { readOnly: true }),
      { code: '25006' },
    )
    await assert.rejects(
      sql.transaction(async () => 1, { isolation: 'serializable; drop table notes' as never }),
      /isolation/,
    )
    const db = world.db()
    const [row] = await db.transaction(
      async tx =>
        (
          await tx.execute(
            drizzleSql`select current_setting('transaction_isolation') as i, current_setting('transaction_read_only') as r`,
          )
        ).rows,
      { isolationLevel: 'repeatable read', accessMode: 'read only' },
    )
    assert.deepEqual(row, { i: 'repeatable read', r: 'on' })
  }),

  proves('an error that the function swallowed ends in transaction-failed, not in silence', async world => {
    await withNotes(world)
    const sql = world.sql()
    await assert.rejects(
      sql.transaction(async tx => {
        await note(tx, 1)
        await note(tx, 1).catch(() => {})
        return 'all is well'
      }),
      { name: 'DatabaseError', reason: 'transaction-failed', code: '25P02' },
    )
    assert.deepEqual(await ids(world), [])
    // A savepoint around it is the remedy that the error names.
    await sql.transaction(async tx => {
      await note(tx, 1)
      await tx.transaction(inner => note(inner, 1)).catch(() => {})
    })
    // A swallowed error in a savepoint is no silence either.
    await assert.rejects(
      sql.transaction(async tx => {
        await tx.transaction(async inner => {
          await note(inner, 1).catch(() => {})
        })
      }),
      { code: '25P02' },
    )
    assert.deepEqual(await ids(world), [1])
  }),

  proves('a constraint that fails at COMMIT gives its own SQLSTATE', async world => {
    await world.lab.query(`drop table if exists child, parent; create table parent (id int primary key);
      create table child (id int references parent deferrable initially deferred)`)
    const sql = world.sql()
    await assert.rejects(
      sql.transaction(async tx => {
        await tx`insert into child values (${1})`
      }),
      { code: '23503', reason: 'sql', table: 'child', constraint: 'child_id_fkey' },
    )
    assert.deepEqual(await world.lab.query('select count(*)::int as n from child'), [{ n: 0 }])
    assert.deepEqual([...(await sql`select 1 as one`)], [{ one: 1 }])
  }),

  proves('a transaction’s handle refuses all after its end, a savepoint’s too', async world => {
    await withNotes(world)
    const sql = world.sql()
    const kept: Sql[] = []
    await sql.transaction(async tx => {
      kept.push(tx)
      await tx.transaction(async inner => {
        kept.push(inner)
      })
      await assert.rejects(note(kept[1]!, 1), { reason: 'handle-ended' })
    })
    for (const handle of kept) {
      await assert.rejects(note(handle, 1), { reason: 'handle-ended', sent: 'no' })
      await assert.rejects(
        handle.transaction(inner => note(inner, 1)),
        { reason: 'handle-ended' },
      )
      await assert.rejects(
        async () => {
          for await (const _ of handle`select 1`);
        },
        { reason: 'handle-ended' },
      )
    }
    assert.deepEqual(await ids(world), [])
  }),

  proves('transaction control as text is refused on a handle, whatever stands before it', async world => {
    const sql = world.sql()
    const texts = [
      ...[
        'begin',
        'BEGIN',
        'Start Transaction',
        'commit',
        'COMMIT;',
        'end',
        'rollback',
        'ABORT',
        'savepoint a',
      ],
      ...[
        'release savepoint a',
        'rollback to savepoint a',
        "prepare transaction 'x'",
        '  \n\t begin',
        ';; begin',
      ],
      ...[
        '-- a comment\nbegin',
        '/* a /* nested */ comment */ begin',
        '/* one */ -- two\n /**/ COMMIT',
        'begin/* */',
      ],
    ]
    for (const text of texts) {
      await assert.rejects(sql.query(text), (error: Error & { reason?: string; hint?: string }) => {
        assert.equal(error.reason, 'transaction-text', text)
        assert.match(error.hint!, /sql\.transaction/)
        return true
      })
    }
    await assert.rejects(world.db().execute(drizzleSql`begin`), { reason: 'transaction-text' })
    assert.equal((await world.lab.seen()).accepted, 0)
    // Words that only look like it.
    assert.equal((await sql`select 'begin' as commit`).length, 1)
    assert.equal(
      (
        await sql`-- begin
      select 1`
      ).length,
      1,
    )
  }),

  proves('inside a transaction COMMIT and ROLLBACK are refused, savepoints by hand are not', async world => {
    await withNotes(world)
    const sql = world.sql()
    await sql.transaction(async tx => {
      await note(tx, 1)
      for (const text of ['commit', 'rollback', '/* x */ END', 'begin', 'abort'])
        await assert.rejects(tx.query(text), { reason: 'transaction-text' })
      await tx`savepoint mine`
      await note(tx, 2)
      await tx`rollback to savepoint mine`
      await note(tx, 3)
    })
    assert.deepEqual(await ids(world), [1, 3])
  }),

  proves('SET, LISTEN and their kin are refused on a handle', async world => {
    const sql = world.sql()
    const texts = [
      ...[
        "set timezone = 'UTC'",
        'SET SESSION a.b = 1',
        'set local a.b = 1',
        'reset all',
        'discard all',
        'listen a',
      ],
      ...['unlisten *', 'prepare p as select 1', 'deallocate all', '/* x */ SeT role postgres'],
    ]
    for (const text of texts) await assert.rejects(sql.query(text), { reason: 'session-text', sent: 'no' })
    assert.equal((await world.lab.seen()).accepted, 0)
  }),

  proves('what a transaction sets for the session does not reach the next user of the pool', async world => {
    const manager = world.manager({ maxConnections: 1 })
    const sql = manager.getOptimalConnection(world.env())
    const settings = () =>
      sql`select current_setting('timezone') as zone, coalesce(current_setting('app.tenant', true), '') as tenant`.then(
        ([row]) => Object.values(row!),
      )
    await world.together(manager, async () => {
      for (const set of [
        `set timezone = 'UTC'`,
        `set session timezone to 'UTC'`,
        `set local timezone = 'UTC'`,
        `set app.tenant = 'leaked'`,
        'set local app.tenant = 1',
        `/* a */ SET session characteristics as transaction read only`,
        'listen leaks',
        'prepare leaks as select 1',
      ]) {
        await sql.transaction(async tx => {
          await tx.query(set)
        })
        assert.deepEqual(await settings(), ['Europe/Prague', ''], set)
      }
      await sql.transaction(async tx => {
        await tx`select set_config('app.tenant', 'local', true)`
      })
      assert.deepEqual(await settings(), ['Europe/Prague', ''])
      assert.equal((await sql`select current_setting('transaction_read_only') as r`)[0]!.r, 'off')
    })
  }),

  proves(
    'a query on the handle inside its transaction does not wait for it, even with one connection',
    async world => {
      await withNotes(world)
      const manager = world.manager({ maxConnections: 1, connectDeadlineMs: 3_000, queryDeadlineMs: 8_000 })
      const env = world.env()
      const sql = manager.getOptimalConnection(env)
      const db = manager.getOptimalDrizzle(env)
      const seen = await db.transaction(async tx => {
        await tx.insert(notes).values({ id: 1 })
        const [outside, inside] = [await db.select().from(notes), await tx.select().from(notes)]
        await Promise.all([db.select().from(notes), sql`select 1`, tx.select().from(notes)])
        return [outside.length, inside.length]
      })
      assert.deepEqual(seen, [0, 1])
      await sql.transaction(async tx => {
        await note(tx, 2)
        await sql.transaction(async other => {
          await note(other, 3)
        })
      })
      // A loop over a cursor holds a connection too, but nothing tells its body apart: it needs a second one.
      const roomy = world.manager({ maxConnections: 2, connectDeadlineMs: 3_000 })
      const read = roomy.getOptimalConnection(env)
      await world.together(roomy, async () => {
        for await (const row of read<{ id: number }>`select id from notes order by id`)
          assert.equal((await read`select id from notes where id = ${row.id}`).length, 1)
      })
      assert.deepEqual(await ids(world), [1, 2, 3])
    },
  ),

  proves(
    'the first thing on a cold client may be a transaction, a cursor, or either by Drizzle',
    async world => {
      await withNotes(world)
      const env = world.env()
      await world
        .manager()
        .getOptimalConnection(env)
        .transaction(tx => note(tx, 1))
      await world
        .manager()
        .getOptimalDrizzle(env)
        .transaction(tx => tx.insert(notes).values({ id: 2 }))
      const rows: unknown[] = []
      for await (const row of world.manager().getOptimalConnection(env)`select id from notes order by id`)
        rows.push(row)
      assert.deepEqual(rows, [{ id: 1 }, { id: 2 }])
      const got = await world
        .manager()
        .executeOptimalQuery(env, async (sql, db) => [
          await sql.transaction(async tx => (await tx`select 1 as one`)[0]),
          (await db.execute(drizzleSql`select 2 as two`)).rows[0],
        ])
      assert.deepEqual(got, [{ one: 1 }, { two: 2 }])
    },
  ),

  proves('Drizzle’s transactions are the library’s: commit, rollback, savepoints', async world => {
    await withNotes(world)
    const db = world.db()
    await db.transaction(async tx => {
      await tx.insert(notes).values({ id: 1 })
      await assert.rejects(
        tx.transaction(async inner => {
          await inner.insert(notes).values({ id: 2 })
          inner.rollback()
        }),
      )
      await tx.insert(notes).values({ id: 3 })
    })
    const own = new OwnError()
    await assert.rejects(
      db.transaction(async tx => {
        await tx.insert(notes).values({ id: 4 })
        throw own
      }),
      own,
    )
    await assert.rejects(
      db.transaction(async tx => {
        await tx.insert(notes).values({ id: 5 })
        await tx
          .insert(notes)
          .values({ id: 1 })
          .catch(() => {})
      }),
      { reason: 'transaction-failed' },
    )
    assert.deepEqual(await ids(world), [1, 3])
  }),

  proves('a query that a function returns without awaiting it runs as part of the function', async world => {
    await withNotes(world)
    const manager = world.manager({ maxConnections: 1, connectDeadlineMs: 3_000 })
    const env = world.env()
    const sql = manager.getOptimalConnection(env)
    const db = manager.getOptimalDrizzle(env)
    assert.deepEqual([...(await manager.executeOptimalQuery(env, sql => sql`select 1 as one`))], [{ one: 1 }])
    assert.deepEqual(await manager.executeOptimalQuery(env, (_, db) => db.select().from(notes)), [])
    await sql.transaction(tx => tx`insert into notes values (1)`)
    // On the outer handle, while the transaction holds the one connection.
    assert.deepEqual([...(await sql.transaction(() => sql`select id from notes`))], [{ id: 1 }])
    assert.deepEqual(await sql.transaction(() => db.select().from(notes)), [{ id: 1 }])
  }),

  proves('a function that leaves a transaction behind does not hand it to the next', async world => {
    const manager = world.manager({ maxConnections: 1 })
    const sql = manager.getOptimalConnection(world.env())
    await withNotes(world)
    // No first word tells: a DO block, a procedure that commits inside our transaction.
    await world.lab.query(
      `create or replace procedure commits() language plpgsql as $$ begin insert into notes values (9) on conflict do nothing; commit; end $$`,
    )
    await world.together(manager, async () => {
      await sql`call commits()`
      await assert.rejects(
        sql.transaction(async tx => {
          await tx`call commits()`
        }),
        { code: '2D000' },
      )
      assert.deepEqual([...(await sql`select id from notes`)], [{ id: 9 }])
    })
  }),
]

for (const one of transactions) smoke.add(one)
