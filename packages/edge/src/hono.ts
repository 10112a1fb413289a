/** `@sluice/edge/hono`: the health routes as a Hono app, and one scope for each request as a middleware. */
import { Hono, type MiddlewareHandler } from 'hono'
import { type HealthOptions, handleHealth } from './health/index.ts'
import { pathOf } from './health/options.ts'
import { DatabaseManager, type Env, type ExecutionContext, type Ways } from './index.ts'

/** `app.route('/', healthRoutes())`: the guide's four routes; see handleHealth. */
export function healthRoutes(options: HealthOptions = {}): Hono<{ Bindings: Env }> {
  const app = new Hono<{ Bindings: Env }>()
  const base = pathOf(options)
  for (const path of [base, `${base}/*`]) {
    app.all(path, async (c, next) => {
      const answer = await handleHealth(c.req.raw, c.env, executionContextOf(c), options)
      if (answer) return answer
      return next()
    })
  }
  return app
}

/** `app.use(databaseManager())`: all calls of one request share one connection a route; see DatabaseManager.run. */
export function databaseManager(manager: DatabaseManager = DatabaseManager): MiddlewareHandler {
  return (c, next) => manager.run(c.env as Ways, executionContextOf(c), next)
}

/** Hono throws where the runtime has none. */
function executionContextOf(c: { readonly executionCtx: ExecutionContext }): ExecutionContext | undefined {
  try {
    return c.executionCtx
  } catch {
    return undefined
  }
}
