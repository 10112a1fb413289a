/** What a statement costs in round trips, told by the proxy: how often the client spoke after it had heard. */
import assert from 'node:assert/strict'
import { eq } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { type Place, proves, type World } from './case.ts'

const items = pgTable('items', { id: integer().primaryKey(), name: text() })

const overHttp = (place: Place) => place.way === 'neon by HTTP' && 'each statement is one HTTP request'

/** Flights of the one connection since the last question; with a distance, so that an answer can't come in between. */
async function flightsOf(world: World, act: () => Promise<unknown>): Promise<number> {
  const total = async () =>
    (await world.lab.seen()).connections.reduce((sum, { flights }) => sum + flights, 0)
  const before = await total()
  await act()
  return (await total()) - before
}

export const trips = [
  proves(
    'a parametrised query costs one trip from its second run at the latest, Drizzle’s too',
    async world => {
      await world.lab.query(
        `drop table if exists items; create table items (id int primary key, name text); insert into items values (1, 'one')`,
      )
      const manager = world.manager({ maxConnections: 1 })
      const env = world.env()
      const sql = manager.getOptimalConnection(env)
      const db = manager.getOptimalDrizzle(env, { schema: { items } })
      const runs: Record<string, () => Promise<unknown>> = {
        template: () => sql`select * from items where id = ${1}`.execute(),
        text: () => sql.query('select name from items where id = $1', [1]).execute(),
        'without parameters': () => sql`select count(*) from items`.execute(),
        write: () => sql`update items set name = ${'one'} where id = ${1}`.execute(),
        'Drizzle select': () => db.select().from(items).where(eq(items.id, 1)).execute(),
        'Drizzle findMany': () => db.query.items.findMany({ where: eq(items.id, 1) }),
        'Drizzle insert': () => db.insert(items).values({ id: 1 }).onConflictDoNothing().execute(),
      }
      await world.together(manager, async () => {
        await sql`select 1`
        await world.lab.latency(5)
        for (const [name, run] of Object.entries(runs)) {
          const first = await flightsOf(world, run)
          assert.ok(first <= (world.driver === 'postgres' ? 2 : 1), `${name}: ${first} trips the first time`)
          assert.equal(await flightsOf(world, run), 1, name)
          assert.equal(await flightsOf(world, run), 1, name)
        }
        // BEGIN, the statement, COMMIT.
        const transaction = () => sql.transaction(tx => tx`select * from items where id = ${1}`)
        await transaction()
        assert.equal(await flightsOf(world, transaction), 3)
        const drizzle = () => db.transaction(tx => tx.select().from(items).where(eq(items.id, 1)))
        await drizzle()
        assert.equal(await flightsOf(world, drizzle), 3)
        // BEGIN, DECLARE, FETCH, CLOSE, COMMIT.
        const cursor = async () => {
          for await (const _ of sql`select * from items`);
        }
        await cursor()
        assert.ok((await flightsOf(world, cursor)) <= 5 + (world.driver === 'postgres' ? 2 : 0))
      })
      assert.equal((await world.lab.seen()).accepted, 1)
    },
    overHttp,
  ),

  proves(
    'a fresh read costs one trip, through a binding whose cache it must pass two more; a fresh write one',
    async world => {
      await world.lab.query(
        `drop table if exists items; create table items (id int primary key, name text); insert into items values (1, 'one')`,
      )
      const manager = world.manager({ maxConnections: 1 })
      const env = world.env()
      const sql = manager.getOptimalConnection(env, { fresh: true })
      const db = manager.getOptimalDrizzle(env, { schema: { items }, fresh: true })
      const row = { id: 1, name: 'one' }
      const read = async () => assert.deepEqual([...(await sql`select * from items where id = ${1}`)], [row])
      const drizzle = async () => assert.deepEqual(await db.query.items.findMany(), [row])
      const write = () => sql`update items set name = ${'one'} where id = ${1}`.execute()
      const ofRead = world.route === 'hyperdrive' ? 3 : 1
      await world.together(manager, async () => {
        for (const run of [read, drizzle, write]) await run()
        await world.lab.latency(5)
        assert.equal(await flightsOf(world, read), ofRead)
        assert.equal(await flightsOf(world, drizzle), ofRead)
        assert.equal(await flightsOf(world, write), 1)
      })
      assert.equal((await world.lab.seen()).accepted, 1)
    },
    overHttp,
  ),

  proves(
    'a statement by HTTP is one request, its second run and a Drizzle query too',
    async world => {
      await world.lab.query(`drop table if exists items; create table items (id int primary key, name text)`)
      const manager = world.manager()
      const sql = manager.getOptimalConnection(world.env())
      const db = manager.getOptimalDrizzle(world.env())
      await sql`select * from items where id = ${1}`
      await sql`select * from items where id = ${1}`
      await db.select().from(items)
      assert.equal((await world.lab.seen()).requests, 3)
    },
    place => !overHttp(place) && 'it goes by a connection',
  ),

  proves(
    'a cold connection is ready after the trips that its login needs',
    async world => {
      const sql = world.sql(
        {},
        world.urlWith(url => url.searchParams.set('sslmode', 'disable')),
      )
      await world.lab.latency(5)
      await sql`select ${1}::int`
      const [connection] = (await world.lab.seen()).connections
      // StartupMessage, SCRAM's two messages, the statement; postgres.js describes it first.
      assert.ok(connection!.startUpFlights! <= 3, String(connection!.startUpFlights))
      // Without a request to share it, a Worker says goodbye right behind.
      const most = (world.driver === 'postgres' ? 5 : 4) + (world.place.runtime === 'workerd' ? 1 : 0)
      assert.ok(connection!.flights <= most, String(connection!.flights))
    },
    overHttp,
  ),

  proves(
    'Neon’s pipelined connect takes the first statement along',
    async world => {
      const url = world.urlWith(url => {
        url.username = 'clear_text'
        url.password = 'clear_text'
      })
      const sql = world.sql({ neon: { ...world.place.neon, poolQueryViaFetch: false } }, url)
      await world.lab.latency(10)
      assert.deepEqual([...(await sql`select ${7}::int as n`)], [{ n: 7 }])
      assert.deepEqual([...(await sql`select ${8}::int as n`)], [{ n: 8 }])
      assert.equal(
        await sql.transaction(async tx => (await tx<{ n: number }>`select ${9}::int as n`)[0]!.n),
        9,
      )
      const [connection] = (await world.lab.seen()).connections
      assert.ok(connection!.startUpFlights! <= 2, String(connection!.startUpFlights))
      // What the server says to the login it says to the first statement; nothing of it has run.
      for (const statement of [0, 1]) {
        const wrong = world.sql(
          { neon: { ...world.place.neon, poolQueryViaFetch: false } },
          url.replace(/:clear_text@/, ':wrong@'),
        )
        const promise = statement ? wrong`select 1`.execute() : wrong.transaction(async () => 1)
        await assert.rejects(promise, { reason: 'refused', code: '28P01', sent: 'no' })
      }
    },
    place => place.way !== 'neon by WebSocket' && 'only Neon’s driver has it, by its WebSocket',
  ),

  proves(
    'one statement at a time on a connection: those at once take others, up to the limit',
    async world => {
      const manager = world.manager({ maxConnections: 3 })
      const sql = manager.getOptimalConnection(world.env())
      await Promise.all(Array.from({ length: 12 }, () => sql`select pg_sleep(0.02)`))
      assert.equal((await world.lab.seen()).accepted, 3)
      await Promise.all(Array.from({ length: 12 }, () => sql`select pg_sleep(0.01)`))
      assert.equal((await world.lab.seen()).accepted, 3)
    },
    place => overHttp(place) || (place.runtime === 'workerd' && 'a request has one connection'),
  ),
]
