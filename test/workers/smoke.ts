import { env as moduleEnv } from 'cloudflare:workers'
import { createDatabaseManager, type Env } from '@sluice/edge'
import { handleHealth } from '@sluice/edge/health'

const manager = createDatabaseManager()
const sql = manager.getOptimalConnection(moduleEnv as unknown as Env)
const db = manager.getOptimalDrizzle(moduleEnv as unknown as Env)

export default {
  async fetch(request: Request, env: Env, ctx: { waitUntil(p: Promise<unknown>): void }): Promise<Response> {
    const health = await handleHealth(request, env, ctx, { manager })
    if (health) return health
    const work = async () => {
      const big = 'x'.repeat(200_000)
      const [[a], [b], n] = await Promise.all([
        sql`select ${1}::int as one, length(${big}) as l`,
        sql`select 2 as two`,
        sql.transaction(async tx => {
          const [r] = await tx`select 3 as three`
          const [q] = await sql`select 4 as four`
          return { ...r, ...q }
        }),
      ])
      const d = await db.execute('select 5 as five')
      const rows = []
      for await (const r of sql`select generate_series(1,3) as i`) rows.push(r)
      return Response.json({ a, b, n, d, rows, info: manager.getConnectionInfo() })
    }
    if (new URL(request.url).pathname === '/run') return manager.run(env, ctx, work)
    return work()
  },
}
