/** One-row reads in workerd: a new Client for each request, and the same through DatabaseManager. */
import { DatabaseManager, type Env } from '@sluice/edge'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Client } from 'pg'
import { items } from './schema.ts'

interface Context {
  waitUntil(promise: Promise<unknown>): void
}

type Read = (env: Env, id: number) => Promise<unknown>

async function withClient(
  env: Env,
  ctx: Context,
  read: (client: Client) => Promise<unknown>,
): Promise<unknown> {
  const client = new Client({ connectionString: env.HYPERDRIVE!.connectionString })
  await client.connect()
  const answer = await read(client)
  ctx.waitUntil(client.end())
  return answer
}

const text = 'select id, title, price from items where id = $1'

const reads: Record<string, (env: Env, ctx: Context, id: number) => Promise<unknown>> = {
  '/bare': (env, ctx, id) => withClient(env, ctx, async client => (await client.query(text, [id])).rows),
  '/bare-drizzle': (env, ctx, id) =>
    withClient(env, ctx, client => drizzle(client).select().from(items).where(eq(items.id, id)).execute()),
  '/ours': ours((env, id) =>
    DatabaseManager.getOptimalConnection(env)`select id, title, price from items where id = ${id}`.execute(),
  ),
  '/ours-drizzle': ours((env, id) =>
    DatabaseManager.getOptimalDrizzle(env).select().from(items).where(eq(items.id, id)).execute(),
  ),
}

function ours(read: Read) {
  return (env: Env, ctx: Context, id: number) => DatabaseManager.run(env, ctx, () => read(env, id))
}

export default {
  async fetch(request: Request, env: Env, ctx: Context): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    return Response.json(await reads[pathname]!(env, ctx, Number(searchParams.get('id'))))
  },
}
