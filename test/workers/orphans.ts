/**
 * Requests that end while something of theirs is under way: in workerd nothing of it goes on after that.
 *
 *     /query      awaits one query
 *     /ready      awaits a readiness probe
 *     …?early     answers without awaiting it
 */
import type { Env, ExecutionContext } from '@sluice/edge'
import { handleHealth } from '@sluice/edge/health'
import { managerOf, respond } from './respond.ts'

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const manager = managerOf(searchParams.get('manager')!)
    const way = searchParams.has('direct') ? { DATABASE_URL: env.DATABASE_URL } : env
    const work = async (): Promise<Response> => {
      switch (pathname) {
        case '/info':
          return Response.json(manager.getConnectionInfo())
        case '/ready': {
          const probe = new Request('http://worker/api/health/ready')
          return (await handleHealth(probe, way, ctx, { manager }))!
        }
        case '/transaction':
          return respond(() =>
            manager.getOptimalConnection(way).transaction(async tx => tx`select pg_sleep(60)`),
          )
        case '/sleep':
          return respond(() => manager.getOptimalConnection(way)`select pg_sleep(4)`.execute())
        default:
          return respond(() => manager.getOptimalConnection(way)`select 1 as one`.execute())
      }
    }
    const working = work()
    if (!searchParams.has('early')) return working
    working.catch(() => {})
    // Not at once: what is begun with the next turns of the event loop is begun.
    await scheduler.wait(Number(searchParams.get('early')))
    return Response.json({})
  },
}

declare const scheduler: { wait(ms: number): Promise<void> }
