/** Deadlines and signals; servers that say nothing: nothing stays pending. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { type Place, proves, type World } from './case.ts'

const waits = pgTable('waits', { id: integer().primaryKey() })

const overHttp = (place: Place) => place.way === 'neon by HTTP'
const byNeon = (place: Place) => place.way.startsWith('neon')
const noScript = (place: Place) => byNeon(place) && 'the bridge, not the driver, meets that server'

/** For what must succeed, however busy the machine is. */
const patient = { deadlineMs: 15_000 }

/** How many statements with this text run on the server. */
async function running(world: World, mark: string): Promise<number> {
  const [row] = await world.lab.query(
    `select count(*)::int as n from pg_stat_activity
      where datname = current_database() and state = 'active' and query like $1 and pid <> pg_backend_pid()`,
    [`%${mark}%`],
  )
  return row.n
}

/** On a route that carries a cancel request it goes at once; on others its connection ends, and so with its last word. */
const cancels = (world: World) => world.route === 'direct' && world.driver !== 'neon'
/** In seconds: too long to wait for, where it must not be waited for. */
const long = (world: World) => (cancels(world) ? 20 : 1.2)

async function isGivenUp(world: World, mark: string): Promise<void> {
  for (let look = 0; look < 150; look++) {
    const still = cancels(world) ? await running(world, mark) : (await world.lab.seen()).open
    if (still === 0) return
    await pause(20)
  }
  assert.fail(`it still runs: ${mark}`)
}

async function runs(world: World, mark: string): Promise<void> {
  for (let look = 0; look < 250; look++) {
    if ((await running(world, mark)) > 0) return
    await pause(20)
  }
  assert.fail(`it never ran: ${mark}`)
}

/** The promise's error, and how long it took; an error of the case if it takes longer than `ms`. */
async function failsWithin(
  ms: number,
  promise: PromiseLike<unknown>,
): Promise<Error & Record<string, unknown>> {
  const began = performance.now()
  let timer: ReturnType<typeof setTimeout> | undefined
  const error = await Promise.race([
    Promise.resolve(promise).then(
      () => new Error('it succeeded'),
      (error: unknown) => error,
    ),
    new Promise<Error>(resolve => {
      timer = setTimeout(() => resolve(new Error(`pending after ${ms} ms`)), ms)
    }),
  ])
  clearTimeout(timer)
  assert.ok(error instanceof Error && error.name === 'DatabaseError', (error as Error).stack)
  assert.ok(performance.now() - began < ms)
  return error as Error & Record<string, unknown>
}

export const limits = [
  proves(
    'a statement that outlives its deadline fails, and ends on the server or with its connection',
    async world => {
      const manager = world.manager()
      const sql = manager.getOptimalConnection(world.env())
      await world.together(manager, async () => {
        await sql`select 1`
        const error = await failsWithin(
          5_000,
          sql`select pg_sleep(${long(world)}), 'deadline'`.with({ deadlineMs: 300 }),
        )
        assert.equal(error.reason, 'query-deadline')
        assert.equal(error.sent, 'maybe')
        assert.equal(error.retryable, false)
        assert.match(error.message, /300 ms/)
        await isGivenUp(world, `'deadline'`)
        assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
      })
      assert.equal((await world.lab.seen()).cancels, cancels(world) ? 1 : 0)
    },
    overHttpKeepsRunning,
  ),

  proves(
    'a statement by HTTP that outlives its deadline fails',
    async world => {
      const sql = world.sql()
      const error = await failsWithin(5_000, sql`select pg_sleep(2)`.with({ deadlineMs: 300 }))
      assert.equal(error.reason, 'query-deadline')
      assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
    },
    place => !overHttp(place) && 'it goes by a connection',
  ),

  proves(
    'the manager’s deadline holds where a query names none, in Drizzle and in transactions',
    async world => {
      await world.lab.query('drop table if exists waits; create table waits (id int primary key)')
      const manager = world.manager({ queryDeadlineMs: 400 })
      const env = world.env()
      const sql = manager.getOptimalConnection(env)
      const db = manager.getOptimalDrizzle(env)
      assert.equal((await failsWithin(5_000, sql`select pg_sleep(5)`)).reason, 'query-deadline')
      assert.equal((await failsWithin(5_000, db.execute('select pg_sleep(5)'))).reason, 'query-deadline')
      const error = await failsWithin(
        5_000,
        db.transaction(async tx => {
          await tx.insert(waits).values({ id: 1 })
          await tx.execute('select pg_sleep(5)')
        }),
      )
      assert.equal(error.reason, 'query-deadline')
      assert.deepEqual(await world.lab.query('select * from waits'), [])
      // A longer one of its own wins.
      assert.equal((await sql`select pg_sleep(0.6)`.with({ deadlineMs: 5_000 })).length, 1)
    },
  ),

  proves(
    'a signal ends a statement, there too, and the reason is its cause',
    async world => {
      const manager = world.manager()
      const sql = manager.getOptimalConnection(world.env())
      const why = new Error('the user went away')
      await world.together(manager, async () => {
        const stop = new AbortController()
        const query = sql`select pg_sleep(${long(world)}), 'signal'`.with({ signal: stop.signal }).execute()
        const failure = failsWithin(10_000, query)
        await runs(world, `'signal'`)
        stop.abort(why)
        const error = await failure
        assert.deepEqual([error.reason, error.sent, error.cause], ['query-aborted', 'maybe', why])
        await isGivenUp(world, `'signal'`)
        const before = await failsWithin(
          1_000,
          sql`select 'never sent'`.with({ signal: AbortSignal.abort(why) }),
        )
        assert.deepEqual([before.reason, before.sent, before.cause], ['query-aborted', 'no', why])
        const { statements } = await world.lab.seen()
        assert.ok(!statements.some(text => text.includes('never sent')))
      })
    },
    overHttpKeepsRunning,
  ),

  proves('a signal that aborts later leaves no listener behind, and does no harm', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    const { signal } = new AbortController()
    await world.together(manager, async () => {
      // More than the eleven at which Node warns of a leak.
      for (let time = 0; time < 20; time++) await sql`select ${time}::int`.with({ signal })
      const stop = new AbortController()
      await sql`select 1`.with({ signal: stop.signal })
      stop.abort()
      assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
    })
  }),

  proves('a signal ends a transaction and what it runs', async world => {
    await world.lab.query('drop table if exists waits; create table waits (id int primary key)')
    const sql = world.sql()
    const stop = new AbortController()
    const failure = failsWithin(
      10_000,
      sql.transaction(
        async tx => {
          await tx`insert into waits values (1)`
          await tx`select pg_sleep(${long(world)}), 'transaction'`
        },
        { signal: stop.signal },
      ),
    )
    await runs(world, `'transaction'`)
    stop.abort()
    assert.equal((await failure).reason, 'query-aborted')
    await isGivenUp(world, `'transaction'`)
    assert.deepEqual(await world.lab.query('select * from waits'), [])
    const cold = world.sql()
    const never = await failsWithin(
      1_000,
      cold.transaction(async () => 1, { signal: AbortSignal.abort() }),
    )
    assert.deepEqual([never.reason, never.sent], ['query-aborted', 'no'])
  }),

  proves(
    'who waits for a pool slot is freed by deadline, signal and the pool’s own limit',
    async world => {
      const manager = world.manager({ maxConnections: 1, connectDeadlineMs: 1_000 })
      const sql = manager.getOptimalConnection(world.env())
      await sql`select 1`
      const held = sql`select pg_sleep(3), 'holds'`.execute()
      await runs(world, `'holds'`)
      const stop = new AbortController()
      const waiting = [
        failsWithin(1_400, sql`select 1`.with({ deadlineMs: 200 })),
        failsWithin(1_400, sql`select 1`.with({ signal: stop.signal })),
        failsWithin(2_900, sql`select 1`),
        failsWithin(
          4_900,
          sql.transaction(async () => 1),
        ),
      ]
      setTimeout(() => stop.abort(), 100)
      const errors = await Promise.all(waiting)
      assert.deepEqual(
        errors.map(({ reason, sent }) => [reason, sent]),
        [
          ['query-deadline', 'no'],
          ['query-aborted', 'no'],
          ['pool-exhausted', 'no'],
          ['pool-exhausted', 'no'],
        ],
      )
      await held
      assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
    },
    place =>
      overHttp(place)
        ? 'no connections are pooled'
        : place.runtime === 'workerd' && 'a request waits for no one but itself',
  ),

  proves('a server that accepts and never speaks holds nobody beyond the deadlines', async world => {
    await world.lab.fault({ is: 'hang' })
    const cold = () => world.sql({ connectDeadlineMs: 2_000, queryDeadlineMs: 3_000 })
    const urls = [world.place.url, world.urlWith(url => url.searchParams.set('sslmode', 'disable'))]
    const failures = await Promise.all(
      urls.flatMap(url => {
        const sql = world.sql({ connectDeadlineMs: 400, queryDeadlineMs: 1_000 }, url)
        return [
          failsWithin(3_000, sql`select 1`),
          failsWithin(
            3_000,
            sql.transaction(tx => tx`select 1`),
          ),
          failsWithin(
            3_000,
            (async () => {
              for await (const _ of sql`select 1`);
            })(),
          ),
        ]
      }),
    )
    for (const { reason } of failures)
      assert.ok(
        reason === 'connect-deadline' || (overHttp(world.place) && reason === 'query-deadline'),
        String(reason),
      )
    // A signal does not wait for the connect deadline.
    const sql = cold()
    const aborted = await failsWithin(1_000, sql`select 1`.with({ signal: AbortSignal.timeout(50) }))
    assert.equal(aborted.reason, 'query-aborted')
    await world.lab.fault(null)
    assert.equal((await sql`select 1`.with({ deadlineMs: 5_000 })).length, 1)
  }),

  proves(
    'a server that falls silent during login holds nobody, wherever it does',
    async world => {
      const hex = (...bytes: (string | number)[]) =>
        bytes.map(byte => (typeof byte === 'number' ? byte.toString(16).padStart(2, '0') : byte)).join('')
      const authenticationOk = '52 00000008 00000000'.replaceAll(' ', '')
      const cleartext = '52 00000008 00000003'.replaceAll(' ', '')
      // AuthenticationSASL: SCRAM-SHA-256.
      const sasl = `5200000017 0000000a ${Buffer.from('SCRAM-SHA-256\0\0').toString('hex')}`.replaceAll(
        ' ',
        '',
      )
      const backendKey = '4b 0000000c 00000001 00000002'.replaceAll(' ', '')
      const stages: [string, string, string[]][] = [
        ['no answer to SSLRequest', 'prefer', []],
        ['no answer to the StartupMessage', 'disable', []],
        ['no answer behind SSLRequest’s', 'prefer', [hex('4e')]],
        ['half a message', 'disable', ['52000000']],
        ['asked for the password, then silent', 'disable', [cleartext]],
        ['SASL begun, then silent', 'disable', [sasl]],
        ['authenticated, then silent', 'disable', [authenticationOk]],
        ['a key, and no ReadyForQuery', 'disable', [authenticationOk + backendKey]],
      ]
      await Promise.all(
        stages.map(async ([stage, sslmode, answers]) => {
          const port = await world.lab.scripted(answers)
          const url = `postgres://user:password@127.0.0.1:${port}/db?sslmode=${sslmode}`
          const sql = world.sql({ connectDeadlineMs: 500, queryDeadlineMs: 2_000 }, url)
          const { reason, sent } = await failsWithin(3_000, sql`select 1`)
          assert.deepEqual([stage, reason, sent], [stage, 'connect-deadline', 'no'])
          // And the socket is not left open.
          for (let look = 0; look < 50 && (await world.lab.scriptedSeen(port)).open > 0; look++)
            await pause(20)
          const { accepted, open } = await world.lab.scriptedSeen(port)
          assert.deepEqual([stage, open], [stage, 0])
          assert.ok(accepted <= 2, `${stage}: ${accepted} connections`)
        }),
      )
    },
    noScript,
  ),

  proves(
    'a server that falls silent under a statement holds nobody, and its connection is not used again',
    async world => {
      const moments = ['before', 'forwarded', 'answered'] as const
      for (const moment of moments) {
        await world.lab.reset()
        const manager = world.manager({ queryDeadlineMs: 500 })
        const sql = manager.getOptimalConnection(world.env())
        await world.together(manager, async () => {
          await sql`select 1`
          await world.lab.fault({ is: 'dark', at: `select 'dark'`, moment, times: 1 })
          const { reason, sent } = await failsWithin(4_000, sql`select 'dark'`)
          assert.deepEqual([moment, reason, sent], [moment, 'query-deadline', 'maybe'])
          assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
        })
      }
    },
  ),

  proves(
    'a server that falls silent at COMMIT leaves an error that says that the outcome is unknown',
    async world => {
      const manager = world.manager({ queryDeadlineMs: 1_000 })
      const sql = manager.getOptimalConnection(world.env())
      for (const at of ['begin', 'commit', 'rollback', 'savepoint', 'declare', 'fetch'] as const) {
        await world.lab.reset()
        await world.lab.fault({ is: 'dark', at, moment: 'before', times: 1 })
        const promise =
          at === 'declare' || at === 'fetch'
            ? (async () => {
                for await (const _ of sql`select 1`);
              })()
            : sql.transaction(async tx => {
                await tx`select 1`
                await tx.transaction(inner => inner`select 2`)
                if (at === 'rollback')
                  throw Object.assign(new Error('rolled back'), { name: 'DatabaseError', reason: 'own' })
              })
        const { reason } = await failsWithin(9_000, promise)
        const expected = at === 'commit' ? 'commit-unknown' : at === 'rollback' ? 'own' : 'query-deadline'
        assert.deepEqual([at, reason], [at, expected])
      }
      assert.equal((await sql`select 1`.with(patient)).length, 1)
    },
  ),

  proves('a server that closes during login is met by a few sockets, not by a storm', async world => {
    for (const after of ['StartupMessage', 'Authentication'] as const) {
      await world.lab.reset()
      await world.lab.fault({ is: 'closeAtStartUp', after })
      const sql = world.sql({ connectDeadlineMs: 1_000, queryDeadlineMs: 2_000 })
      const { reason, sent } = await failsWithin(4_000, sql`select 1`)
      if (overHttp(world.place)) assert.equal(sent, 'maybe')
      else assert.deepEqual([reason, sent], ['connect-failed', 'no'])
      await pause(200)
      const { accepted } = await world.lab.seen()
      assert.ok(accepted <= 3, `${accepted} connections`)
    }
  }),

  proves(
    'an idle connection that died is noticed before it is used, or told of',
    async world => {
      const manager = world.manager()
      const sql = manager.getOptimalConnection(world.env())
      await sql`select 1`
      await world.lab.cut()
      await pause(100)
      assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
      assert.equal(await sql.transaction(async () => 'ok'), 'ok')
    },
    place => place.runtime === 'workerd' && 'no connection outlives its request',
  ),

  proves('close() lets a manager’s connections go, and the manager goes on', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    await Promise.all([sql`select pg_sleep(0.05)`, sql`select pg_sleep(0.05)`])
    const held = sql`select pg_sleep(0.2)`.execute()
    manager.close()
    await held
    const gone = async () => (await world.lab.seen()).open === 0
    for (let look = 0; look < 100 && !(await gone()); look++) await pause(20)
    assert.ok(await gone())
    assert.deepEqual([...(await sql`select 2 as two`.with(patient))], [{ two: 2 }])
  }),
]

function overHttpKeepsRunning(place: Place): string | false {
  return overHttp(place) && 'Neon’s HTTP carries no cancel: the driver only stops listening'
}
