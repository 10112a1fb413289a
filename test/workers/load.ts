/**
 * Handles made once, at module level, and used by every request: several queries and a transaction each.
 *
 *     /?n=7        each call on its own
 *     /run?n=7     all calls in DatabaseManager.run
 */
import { env as moduleEnv } from 'cloudflare:workers'
import { DatabaseManager, type Env } from '@sluice/edge'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { eq } from 'drizzle-orm/sql'
import { respond } from './respond.ts'

const accounts = pgTable('accounts', { id: integer().primaryKey(), owner: text(), balance: integer() })

const sql = DatabaseManager.getOptimalConnection(moduleEnv)
const db = DatabaseManager.getOptimalDrizzle(moduleEnv, { schema: { accounts } })

/** Each statement names its request, so that whoever sees it knows whose it is. */
const by = (n: number) => sql.identifier(`request ${n}`)

async function work(n: number) {
  const [one] = await sql<{ n: number }>`select ${n}::int as n, 1 as ${by(n)}`
  const [owner, [same]] = await Promise.all([
    db.query.accounts.findFirst({ where: eq(accounts.id, 1 + (n % 100)) }),
    sql<{ owner: string }>`select owner, 1 as ${by(n)} from accounts where id = ${1 + (n % 100)}`,
  ])
  const moved = await sql.transaction(async tx => {
    await tx`update accounts set balance = balance + 1 where id = ${1 + (n % 100)}`
    const [after] = await tx<{ balance: number }>`
      select balance, 1 as ${by(n)} from accounts where id = ${1 + (n % 100)}`
    await tx`insert into transfers values (${n})`
    return after!.balance
  })
  if (one!.n !== n || owner?.owner !== same!.owner || moved < 1) throw new Error('another request’s answer')
  return { n }
}

export default {
  fetch(request: Request, env: Env, ctx: { waitUntil(promise: Promise<unknown>): void }): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const n = Number(searchParams.get('n'))
    if (pathname === '/info') return respond(async () => DatabaseManager.getConnectionInfo())
    return respond(() => (pathname === '/run' ? DatabaseManager.run(env, ctx, () => work(n)) : work(n)))
  },
}
