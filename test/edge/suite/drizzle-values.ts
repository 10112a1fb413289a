/** The table of values through Drizzle: select with a schema, relational queries, execute, in transactions. */
import assert from 'node:assert/strict'
import { asc, sql as drizzleSql, eq, gte, relations } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import { proves, smoke } from './case.ts'
import { dates, kindsOf, raw, rowsOf, texts } from './kinds.ts'
import { filledTable, inAnyOrder, readings } from './values.ts'

const bytea = pg.customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' })
const mood = pg.pgEnum('mood', ['sad', 'happy', `it's "odd", {really}`])

/** What a table with dates and times of one mode has in common with that of the other. */
const columns = {
  id: pg.integer().primaryKey(),
  int2: pg.smallint(),
  int4: pg.integer(),
  int8: pg.bigint({ mode: 'bigint' }),
  numeric: pg.numeric(),
  money15: pg.numeric({ precision: 15, scale: 2 }),
  float4: pg.real(),
  float8: pg.doublePrecision(),
  bool: pg.boolean(),
  text: pg.text(),
  varchar: pg.varchar({ length: 40 }),
  char: pg.char({ length: 5 }),
  bytea: bytea(),
  time: pg.time(),
  timetz: pg.time({ withTimezone: true }),
  interval: pg.interval(),
  json: pg.json(),
  jsonb: pg.jsonb(),
  uuid: pg.uuid(),
  inet: pg.inet(),
  cidr: pg.cidr(),
  mood: mood(),
  moods: mood().array(),
  ints: pg.integer().array(),
  bigints: pg.bigint({ mode: 'bigint' }).array(),
  texts: pg.text().array(),
  varchars: pg.varchar().array(),
  numerics: pg.numeric().array(),
  bools: pg.boolean().array(),
  uuids: pg.uuid().array(),
  byteas: bytea().array(),
  jsonbs: pg.jsonb().array(),
}

const asDates = pg.pgTable('everything', {
  ...columns,
  date: pg.date({ mode: 'date' }),
  timestamp: pg.timestamp({ mode: 'date' }),
  timestamptz: pg.timestamp({ mode: 'date', withTimezone: true }),
  instants: pg.timestamp({ mode: 'date', withTimezone: true }).array(),
})

const asTexts = pg.pgTable('everything', {
  ...columns,
  date: pg.date({ mode: 'string' }),
  timestamp: pg.timestamp({ mode: 'string' }),
  timestamptz: pg.timestamp({ mode: 'string', withTimezone: true }),
  instants: pg.timestamp({ mode: 'string', withTimezone: true }).array(),
})

const films = pg.pgTable('films', {
  id: pg.integer().primaryKey(),
  title: pg.text().notNull(),
  budget: pg.numeric(),
  extra: pg.jsonb(),
  at: pg.timestamp({ withTimezone: true }),
})
const views = pg.pgTable('views', {
  id: pg.integer().primaryKey(),
  film: pg
    .integer()
    .notNull()
    .references(() => films.id),
  at: pg.timestamp({ withTimezone: true }),
  tags: pg.text().array(),
})
const filmRelations = relations(films, ({ many }) => ({ views: many(views) }))
const viewRelations = relations(views, ({ one }) => ({
  film: one(films, { fields: [views.film], references: [films.id] }),
}))
const cinema = { films, views, filmRelations, viewRelations }

export const drizzleValues = [
  proves('Drizzle reads every value right, by any of its calls, in any order', async world => {
    const manager = world.manager()
    const env = world.env()
    const sql = manager.getOptimalConnection(env)
    await filledTable(world, sql)
    const kinds = kindsOf(sql)
    const db = manager.getOptimalDrizzle(env, { schema: { asDates } })
    const dbTexts = manager.getOptimalDrizzle(env, { schema: { asTexts } })
    const all = drizzleSql`select * from everything where id >= ${0} order by id`
    const expected: Record<string, unknown> = {
      dates: rowsOf(kinds, dates),
      texts: rowsOf(kinds, texts),
      raw: rowsOf(kinds, raw),
    }
    const drizzleReadings: Record<string, () => Promise<unknown>> = {
      'dates: select': () => db.select().from(asDates).orderBy(asc(asDates.id)),
      'dates: select of some': () => db.select().from(asDates).where(gte(asDates.id, 0)).orderBy(asDates.id),
      'dates: findMany': () => db.query.asDates.findMany({ orderBy: asDates.id }),
      'dates: in a transaction': () =>
        db.transaction(tx => tx.select().from(asDates).where(gte(asDates.id, 0)).orderBy(asDates.id)),
      'dates: findMany in a savepoint': () =>
        db.transaction(tx => tx.transaction(inner => inner.query.asDates.findMany({ orderBy: asDates.id }))),
      'dates: prepared': () =>
        db
          .select()
          .from(asDates)
          .where(gte(asDates.id, drizzleSql.placeholder('from')))
          .orderBy(asDates.id)
          .prepare('by_id')
          .execute({ from: 0 }),
      'dates: a join': async () =>
        (
          await db
            .select()
            .from(asDates)
            .leftJoin(drizzleSql`(select 1 as one) as other`, drizzleSql`true`)
            .orderBy(asDates.id)
        ).map(row => ('everything' in row ? row.everything : row)),
      'texts: select': () => dbTexts.select().from(asTexts).orderBy(asc(asTexts.id)),
      'texts: findMany': () => dbTexts.query.asTexts.findMany({ orderBy: asTexts.id }),
      'texts: in a transaction': () =>
        dbTexts.transaction(tx => tx.select().from(asTexts).orderBy(asTexts.id)),
      'raw: execute': async () => [...(await db.execute(all)).rows],
      'raw: execute in a transaction': () => db.transaction(async tx => [...(await tx.execute(all)).rows]),
    }
    for (const [name, read] of Object.entries(readings(sql))) drizzleReadings[`raw: sql, ${name}`] = read
    await inAnyOrder(world, manager, drizzleReadings, name => expected[name.split(':')[0]!])
  }),

  proves('what Drizzle writes is what raw SQL reads', async world => {
    const manager = world.manager()
    const env = world.env()
    const sql = manager.getOptimalConnection(env)
    await filledTable(world, sql)
    const kinds = kindsOf(sql)
    const db = manager.getOptimalDrizzle(env)
    // JSON's null can't be written by Drizzle: it sends SQL NULL, which reads as null too. Nor can arrays of bytea be.
    const rows = rowsOf(kinds, texts).map(row => ({ ...row, byteas: null }))
    await db.delete(asTexts)
    const inserted = await db
      .insert(asTexts)
      .values(rows as never)
      .returning()
    assert.deepEqual(inserted, rows)
    assert.deepEqual(
      [...(await sql`select * from everything order by id`)],
      rowsOf(kinds, raw).map(row => ({ ...row, byteas: null })),
    )

    // By date mode, as far as Drizzle can write: it knows no infinity, and no year but of four digits.
    const writable = (value: unknown) =>
      value instanceof Date && value.getUTCFullYear() > 0 && value.getUTCFullYear() < 10_000
    const times = ['date', 'timestamp', 'timestamptz'] as const
    for (const row of rowsOf(kinds, dates)) {
      const values = Object.fromEntries(times.map(name => [name, writable(row[name]) ? row[name] : null]))
      await db
        .update(asDates)
        .set(values)
        .where(eq(asDates.id, row.id as number))
      const [got] = await db
        .select()
        .from(asDates)
        .where(eq(asDates.id, row.id as number))
      assert.deepEqual(Object.fromEntries(times.map(name => [name, got![name]])), values)
    }
  }),

  proves('relational queries nest, with the values that a plain select gives', async world => {
    const manager = world.manager()
    await world.lab.query(`drop table if exists views, films;
      create table films (id int primary key, title text not null, budget numeric, extra jsonb, at timestamptz);
      create table views (id int primary key, film int not null references films, at timestamptz, tags text[]);
      insert into films values (1, 'Sluice', 12.50, '{"a":[1,null]}', '2024-05-06 07:08:09.123+00'), (2, 'Weir', null, '"123"', null);
      insert into views values (1, 1, '2024-05-06 07:08:09.123+00', '{a,NULL}'), (2, 1, null, null)`)
    const db = manager.getOptimalDrizzle(world.env(), { schema: cinema })
    const at = new Date('2024-05-06T07:08:09.123Z')
    const found = await db.query.films.findMany({
      with: { views: { orderBy: views.id } },
      orderBy: films.id,
    })
    assert.deepEqual(found, [
      {
        ...{ id: 1, title: 'Sluice', budget: '12.50', extra: { a: [1, null] }, at },
        views: [
          { id: 1, film: 1, at, tags: ['a', null] },
          { id: 2, film: 1, at: null, tags: null },
        ],
      },
      { id: 2, title: 'Weir', budget: null, extra: '123', at: null, views: [] },
    ])
    const view = await db.query.views.findFirst({
      with: { film: { columns: { at: true } } },
      orderBy: views.id,
    })
    assert.deepEqual(view, { id: 1, film: { at }, at, tags: ['a', null] })
    assert.equal(await db.query.films.findFirst({ where: eq(films.id, 99) }), undefined)
    const joined = await db
      .select()
      .from(films)
      .leftJoin(views, eq(views.film, films.id))
      .where(eq(films.id, 2))
    assert.deepEqual(joined, [
      { films: { id: 2, title: 'Weir', budget: null, extra: '123', at: null }, views: null },
    ])
    assert.equal(await db.$count(films), 2)
  }),

  proves('fields of raw SQL in a select give what sql gives, times as text', async world => {
    const db = world.db()
    const [row] = await db
      .select({
        count: drizzleSql<number>`1::int4`,
        big: drizzleSql<string>`2::int8`,
        at: drizzleSql<string>`'2024-05-06 07:08:09+00'::timestamptz`,
        json: drizzleSql<unknown>`'{"a":"1"}'::jsonb`,
        list: drizzleSql<unknown>`array[1,null]`,
        mapped: drizzleSql`'2024-05-06 07:08:09+00'::timestamptz`.mapWith(films.at),
        mappedJson: drizzleSql`'"123"'::jsonb`.mapWith(films.extra).as('mapped_json'),
      })
      .from(drizzleSql`(select 1) as one`)
    assert.deepEqual(row, {
      ...{ count: 1, big: '2', at: '2024-05-06 09:08:09+02', json: { a: '1' }, list: [1, null] },
      mapped: new Date('2024-05-06T07:08:09Z'),
      mappedJson: '123',
    })
  }),

  proves('an error under Drizzle is the library’s own, and shows no parameter', async world => {
    const db = world.db()
    await world.lab.query(
      `drop table if exists views, films; create table films (id int primary key, title text not null, budget numeric, extra jsonb, at timestamptz)`,
    )
    const row = { id: 1, title: 'a secret title' }
    await db.insert(films).values(row)
    await assert.rejects(db.insert(films).values(row), {
      ...{ name: 'DatabaseError', code: '23505', reason: 'sql', constraint: 'films_pkey', table: 'films' },
    })
    const error = await db
      .insert(films)
      .values(row)
      .catch((error: Error) => error)
    assert.ok(!JSON.stringify(error).includes('a secret title'))
    assert.ok(!(error as Error).stack!.includes('a secret title'))
  }),
]

for (const one of drizzleValues) smoke.add(one)
