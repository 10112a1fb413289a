/**
 * Functions that may run a second time, and how often they did.
 *
 *     /<function>?mode=readOnly     or repeatable, or neither
 */
import { DatabaseError, type Env, type OptimalQueryOptions, type Sql } from '@sluice/edge'
import { managerOf } from './respond.ts'

type Fn = (sql: Sql, outside: Sql) => PromiseLike<unknown>

const functions: Record<string, Fn> = {
  read: sql => sql`select name from items order by name`,

  /** Its first statement is answered, whatever becomes of the second. */
  readTwice: async sql => {
    await sql`select 1 as first`
    return sql`select name from items order by name`
  },

  write: sql => sql`insert into items values ('written')`,

  /** Two statements that need a connection each; the second waits for its own while the first runs. */
  writeTwo: sql =>
    Promise.all([
      sql.transaction(tx => tx`insert into items values ('in transaction')`.execute()),
      sql`insert into items values ('beside')`,
    ]),

  /** Two statements that share a connection: the second waits for the first. */
  writePair: sql =>
    Promise.all([sql`insert into items values ('first')`, sql`insert into items values ('second')`]),

  unlock: async sql => {
    await sql`set transaction read write`
    await sql`insert into items values ('unlocked')`
  },

  /** Writes past the promise, by a handle made outside. */
  writeOutside: async (sql, outside) => {
    await outside`insert into items values ('outside')`
    return sql`select name from items order by name`
  },

  /** Reads by a handle made outside, in a transaction of its own. */
  transactionOutside: async (sql, outside) => {
    await outside.transaction(tx => tx`insert into items values ('outside')`.execute())
    return sql`select name from items order by name`
  },

  catchAndGoOn: async sql => {
    await sql`select name from items`.catch(() => {})
    throw new TypeError('something else')
  },

  divide: sql => sql`select 1 / 0`,
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const manager = managerOf(searchParams.get('manager')!)
    const outside = manager.getOptimalConnection(env)
    const fn = functions[pathname.slice(1)]!
    const options: OptimalQueryOptions = { [searchParams.get('mode') ?? 'neither']: true }
    let runs = 0
    const answer = await manager
      .executeOptimalQuery(
        env,
        async sql => {
          runs++
          return await fn(sql, outside)
        },
        options,
      )
      .then(
        result => ({ result }),
        error => ({ error: error instanceof DatabaseError ? error : { name: (error as Error).name } }),
      )
    return Response.json({ runs, ...answer })
  },
}
