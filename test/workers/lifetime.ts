/** How long a request's connections live: under `run`, in Hono's middleware, and with work that outlives the answer. */
import { createDatabaseManager, type Env, type ExecutionContext, type Sql } from '@sluice/edge'
import { databaseManager, healthRoutes } from '@sluice/edge/hono'
import { Hono } from 'hono'
import { respond } from './respond.ts'

const manager = createDatabaseManager()

type Handler = (sql: Sql, env: Env, ctx: ExecutionContext) => Promise<unknown>

/** Ends when the test lets go of its lock; on a connection of the direct route, so that the other lies idle. */
const released = (env: Env) => manager.getConnection(env.DATABASE_URL)`select pg_advisory_xact_lock(1)`

const handlers: Record<string, Handler> = {
  '/plain': async sql => {
    await sql`select 1`
    await sql`select 2`
  },

  '/later': async (sql, env, ctx) => {
    await sql`select 1`
    ctx.waitUntil(released(env).then(() => sql`insert into notes values ('later')`))
  },

  /** What is handed to waitUntil while other such work runs counts too. */
  '/later-still': async (sql, env, ctx) => {
    await sql`select 1`
    const last = async () => {
      await released(env)
      await sql`insert into notes values ('later still')`
    }
    ctx.waitUntil(Promise.resolve().then(() => ctx.waitUntil(last())))
  },

  '/later-fails': async (sql, _env, ctx) => {
    await sql`select 1`
    ctx.waitUntil(sql`select 1 / 0`.execute())
  },

  '/nested': async (sql, env, ctx) => {
    await sql`select 1`
    await manager.run(env, ctx, () => sql`select 2`)
    await sql`select 3`
  },

  '/fails': async sql => {
    await sql`select 1 / 0`
  },

  '/not-awaited': async sql => {
    sql`insert into notes values ('not awaited')`.catch(() => {})
  },
}

/** A row at a time, and no faster than it is read. */
function stream(sql: Sql): Response {
  const rows = sql<{ line: string }>`
    select n || ' ' || repeat('x', 1000) as line from generate_series(1, 20000) as n`[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  return new Response(
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { value, done } = await rows.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(`${value.line}\n`))
      },
      async cancel() {
        await rows.return?.(undefined)
      },
    }),
  )
}

const app = new Hono<{ Bindings: Env }>()
app.use('/hono/*', databaseManager(manager))
app.get('/hono/two', async c => {
  const sql = manager.getOptimalConnection(c.env)
  await sql`select 1`
  const db = manager.getOptimalDrizzle(c.env)
  return c.json(await db.execute('select 2 as two'))
})
app.get('/hono/later', async c => {
  const sql = manager.getOptimalConnection(c.env)
  await sql`select 1`
  c.executionCtx.waitUntil(released(c.env).then(() => sql`insert into notes values ('later')`))
  return c.json({})
})
app.get('/hono/stream', c => stream(manager.getOptimalConnection(c.env)))
app.route('/', healthRoutes({ manager, path: '/hono/health' }))

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/hono/')) return app.fetch(request, env, ctx as never)
    const sql = manager.getOptimalConnection(env)
    if (pathname === '/stream') return manager.run(env, ctx, () => stream(sql))
    if (pathname === '/without-context') {
      return respond(() => manager.run(env, undefined, () => handlers['/plain']!(sql, env, ctx)))
    }
    return respond(() => manager.run(env, ctx, () => handlers[pathname]!(sql, env, ctx)))
  },
}
