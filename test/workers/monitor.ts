/** The health routes with a token, as docs/health.md mounts them. */
import type { Env, ExecutionContext } from '@sluice/edge'
import { handleHealth } from '@sluice/edge/health'

export default {
  async fetch(
    request: Request,
    env: Env & { HEALTH_TOKEN: string },
    ctx: ExecutionContext,
  ): Promise<Response> {
    const token = (of: { HEALTH_TOKEN?: string }) => of.HEALTH_TOKEN
    return (await handleHealth(request, env, ctx, { token })) ?? new Response('not found', { status: 404 })
  },
}
