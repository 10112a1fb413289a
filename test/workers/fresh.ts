/**
 * The one row of `things`, read in all forms in which a fresh read can be asked for.
 *
 *     /<form>?fresh&uncached       uncached: with HYPERDRIVE_FRESH bound
 */
import type { DatabaseManager, Env } from '@sluice/edge'
import { eq } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { managerOf, respond } from './respond.ts'

const things = pgTable('things', { id: integer().primaryKey(), v: integer() })
const schema = { things }

interface Row {
  v: number | null
}

type Read = (manager: DatabaseManager, env: Env, fresh: boolean) => Promise<readonly Row[]>

export const forms = {
  text: (manager, env, fresh) =>
    manager.getOptimalConnection(env).query<Row>('select v from things where id = $1', [1], { fresh }),

  template: (manager, env, fresh) =>
    manager.getOptimalConnection(env)<Row>`select v from things where id = ${1}`.with({ fresh }),

  handle: (manager, env, fresh) =>
    manager.getOptimalConnection(env, { fresh })<Row>`select v from things where id = ${1}`,

  drizzle: (manager, env, fresh) => {
    const db = manager.getOptimalDrizzle(env, { schema, fresh })
    return db.query.things.findMany({ columns: { v: true }, where: eq(things.id, 1) })
  },

  function: (manager, env, fresh) =>
    manager.executeOptimalQuery(env, sql => sql<Row>`select v from things where id = ${1}`, { fresh }),

  drizzleInFunction: (manager, env, fresh) =>
    manager.executeOptimalQuery(env, (_, db) => db.select({ v: things.v }).from(things), { fresh }),

  repeatable: (manager, env, fresh) =>
    manager.executeOptimalQuery(env, sql => sql<Row>`select v from things where id = ${1}`, {
      fresh,
      repeatable: true,
    }),
} satisfies Record<string, Read>

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const read: Read = forms[pathname.slice(1) as keyof typeof forms]
    const { HYPERDRIVE, DATABASE_URL } = env
    const ways = searchParams.has('uncached') ? env : ({ HYPERDRIVE, DATABASE_URL } as Env)
    return respond(() => read(managerOf('fresh'), ways, searchParams.has('fresh')))
  },
}
