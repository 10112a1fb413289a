/** The health routes as any Worker mounts them, with a manager by name. */
import type { Env, ExecutionContext } from '@sluice/edge'
import { handleHealth } from '@sluice/edge/health'
import { managerOf } from './respond.ts'

export default {
  async fetch(request: Request, env: Env & { TOKEN?: string }, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url)
    const manager = managerOf(url.searchParams.get('manager') ?? 'default')
    const way = url.searchParams.has('direct') ? { DATABASE_URL: env.DATABASE_URL } : env
    if (url.pathname === '/query') {
      return Response.json(await manager.getOptimalConnection(way)`select 1 as one`)
    }
    const token = url.searchParams.has('locked') ? 'open sesame' : undefined
    const answer = await handleHealth(request, way, ctx, { manager, ...(token && { token }) })
    return answer ?? new Response('not found', { status: 404 })
  },
}
