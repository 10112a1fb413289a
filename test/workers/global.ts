/** What happens to a query outside of any request: in global scope, while the module is being loaded. */
import { env as moduleEnv } from 'cloudflare:workers'
import { createDatabaseManager } from '@sluice/edge'

const manager = createDatabaseManager()
const sql = manager.getOptimalConnection(moduleEnv)
const db = manager.getOptimalDrizzle(moduleEnv)

const tell = (error: unknown) => {
  const { name, message, code, reason, hint } = error as Record<string, unknown>
  return { name, message, code, reason, hint }
}
const early = [
  sql`select 1`.catch(tell),
  db.execute('select 1').catch(tell),
  sql.transaction(tx => tx`select 1`.execute()).catch(tell),
  manager.executeOptimalQuery(moduleEnv, sql => sql`select 1`.execute()).catch(tell),
]
const told: unknown[] = []
for (const each of early) each.then(what => told.push(what))

export default {
  async fetch(): Promise<Response> {
    const [row] = await sql`select 1 as one`
    return Response.json({ told, row })
  },
}
