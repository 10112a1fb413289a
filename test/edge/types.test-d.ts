/** What TypeScript knows of the library; `npm run types` is the run of this test. */
import type { Hyperdrive } from '@cloudflare/workers-types'
import {
  DatabaseManager,
  type Drizzle,
  type Env,
  type Field,
  type Query,
  type Rows,
  type Sql,
} from '@sluice/edge'
import { sql as drizzleSql, eq, relations } from 'drizzle-orm'
import { integer, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { expectTypeOf } from 'vitest'

declare const env: Env
declare const url: string

const films = pgTable('films', { id: integer().primaryKey(), title: text().notNull(), at: timestamp() })
const views = pgTable('views', { id: integer().primaryKey(), film: integer().notNull() })
const filmRelations = relations(films, ({ many }) => ({ views: many(views) }))
const viewRelations = relations(views, ({ one }) => ({
  film: one(films, { fields: [views.film], references: [films.id] }),
}))
const schema = { films, views, filmRelations, viewRelations }

interface Film {
  id: number
  title: string
}

export async function sqlTypes(sql: Sql) {
  expectTypeOf(DatabaseManager.getConnection(url)).toEqualTypeOf<Sql>()
  expectTypeOf(DatabaseManager.getOptimalConnection(env)).toEqualTypeOf<Sql>()

  const rows = await sql<Film>`select id, title from films`
  expectTypeOf(rows).toEqualTypeOf<Rows<Film>>()
  expectTypeOf(rows).toExtend<Film[]>()
  expectTypeOf(rows[0]).toEqualTypeOf<Film | undefined>()
  expectTypeOf(rows.rows).toEqualTypeOf<Film[]>()
  expectTypeOf(rows.rowCount).toEqualTypeOf<number | null>()
  expectTypeOf(rows.command).toEqualTypeOf<string>()
  expectTypeOf(rows.fields).toEqualTypeOf<readonly Field[]>()
  expectTypeOf(await sql`select 1`).toEqualTypeOf<Rows<Record<string, unknown>>>()
  expectTypeOf(sql.query<Film>('select', [1, null])).toEqualTypeOf<Query<Film>>()
  expectTypeOf(sql<Film>`select 1`.with({ deadlineMs: 1, signal: AbortSignal.timeout(1) })).toEqualTypeOf<
    Query<Film>
  >()

  expectTypeOf(sql.query<Film>('select', [], { fresh: true })).toEqualTypeOf<Query<Film>>()
  expectTypeOf(sql<Film>`select 1`.with({ fresh: true, deadlineMs: 1 })).toEqualTypeOf<Query<Film>>()
  expectTypeOf(DatabaseManager.getOptimalConnection(env, { fresh: true })).toEqualTypeOf<Sql>()
  expectTypeOf(DatabaseManager.getConnection(url, { fresh: true })).toEqualTypeOf<Sql>()
  // @ts-expect-error true or false
  sql`select 1`.with({ fresh: '75s' })

  // A query stands where a promise is wanted.
  const promise: Promise<Rows<Film>> = sql<Film>`select 1`
  expectTypeOf(await Promise.all([promise, sql<{ n: number }>`select 1`])).toEqualTypeOf<
    [Rows<Film>, Rows<{ n: number }>]
  >()
  for await (const film of sql<Film>`select 1`) expectTypeOf(film).toEqualTypeOf<Film>()
  for await (const batch of sql<Film>`select 1`.cursor(10)) expectTypeOf(batch).toEqualTypeOf<Film[]>()

  expectTypeOf(await sql.transaction(async tx => (await tx<Film>`select 1`)[0]?.title)).toEqualTypeOf<
    string | undefined
  >()
  expectTypeOf(await sql.transaction(tx => tx<Film>`select 1`, { isolation: 'serializable' })).toEqualTypeOf<
    Rows<Film>
  >()
  // @ts-expect-error no such isolation level
  sql.transaction(async () => 1, { isolation: 'snapshot' })
  // @ts-expect-error a template, not a call
  sql('select 1')
}

export async function drizzleTypes() {
  const db = DatabaseManager.getOptimalDrizzle(env, { schema })
  expectTypeOf(db).toEqualTypeOf<Drizzle<typeof schema>>()
  expectTypeOf(DatabaseManager.getDrizzle(url, { schema })).toEqualTypeOf<Drizzle<typeof schema>>()
  expectTypeOf(DatabaseManager.getOptimalDrizzle(env, { schema, fresh: true })).toEqualTypeOf<
    Drizzle<typeof schema>
  >()
  expectTypeOf(DatabaseManager.getOptimalDrizzle(env, { fresh: true })).toEqualTypeOf<Drizzle>()
  expectTypeOf(DatabaseManager.getDrizzle(url, { schema, fresh: true })).toEqualTypeOf<
    Drizzle<typeof schema>
  >()
  expectTypeOf(await db.select().from(films)).toEqualTypeOf<
    { id: number; title: string; at: Date | null }[]
  >()
  const found = await db.query.films.findFirst({ with: { views: true }, where: eq(films.id, 1) })
  expectTypeOf(found).toEqualTypeOf<
    { id: number; title: string; at: Date | null; views: { id: number; film: number }[] } | undefined
  >()
  expectTypeOf(
    await db.transaction(async tx => {
      expectTypeOf(tx.query.views.findMany).toBeFunction()
      return tx.insert(views).values({ id: 1, film: 1 }).returning({ id: views.id })
    }),
  ).toEqualTypeOf<{ id: number }[]>()
  const executed = await db.execute<{ n: number }>(drizzleSql`select 1 as n`)
  expectTypeOf(executed).toEqualTypeOf<Rows<{ n: number }>>()
  expectTypeOf(executed.rows[0]).toEqualTypeOf<{ n: number } | undefined>()
  const bare = DatabaseManager.getOptimalDrizzle(env)
  // @ts-expect-error no schema was given
  bare.query.films
  // @ts-expect-error a title is needed
  db.insert(films).values({ id: 1 })
}

export async function executeTypes() {
  expectTypeOf(
    await DatabaseManager.executeOptimalQuery(env, async (sql, db) => {
      expectTypeOf(sql).toEqualTypeOf<Sql>()
      expectTypeOf(db).toEqualTypeOf<Drizzle>()
      return (await sql<Film>`select 1`)[0]
    }),
  ).toEqualTypeOf<Film | undefined>()
  expectTypeOf(
    await DatabaseManager.executeOptimalQuery(env, sql => sql<Film>`select 1`, { readOnly: true }),
  ).toEqualTypeOf<Rows<Film>>()
  expectTypeOf(
    await DatabaseManager.executeOptimalQuery(env, sql => sql<Film>`select 1`, {
      fresh: true,
      repeatable: true,
    }),
  ).toEqualTypeOf<Rows<Film>>()
  expectTypeOf(await DatabaseManager.executeQuery(url, (_, db) => db.select().from(views))).toEqualTypeOf<
    { id: number; film: number }[]
  >()
  expectTypeOf(await DatabaseManager.run(env, undefined, () => 7)).toEqualTypeOf<number>()
}

export function envTypes(binding: Hyperdrive) {
  // Cloudflare's own binding fits, and an env that holds more.
  const worker = { HYPERDRIVE: binding, DATABASE_URL: url, CACHE: {} }
  expectTypeOf(worker).toExtend<Env>()
  expectTypeOf<{ DATABASE_URL: string }>().toExtend<Env>()
  const uncached = { ...worker, HYPERDRIVE_FRESH: binding }
  expectTypeOf(uncached).toExtend<Env>()
  DatabaseManager.getOptimalConnection(uncached, { fresh: true })
  DatabaseManager.getOptimalConnection(worker)
  DatabaseManager.getOptimalDrizzle(worker, { schema })
}

/** What `wrangler types` generates: with all, with the binding only, with other things beside, with nothing. */
export function environments(
  all: { DATABASE_URL: string; HYPERDRIVE: Hyperdrive; KV: object },
  bindingOnly: { HYPERDRIVE: Hyperdrive },
  urlOnly: { DATABASE_URL: string },
  // biome-ignore lint/complexity/noBannedTypes: the interface that Cloudflare's types declare, empty until generated
  nothing: {},
) {
  for (const env of [all, bindingOnly, urlOnly, nothing]) {
    expectTypeOf(DatabaseManager.getOptimalConnection(env)).toEqualTypeOf<Sql>()
  }
}
