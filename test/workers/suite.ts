/** The library's suite in workerd: `POST /case` runs one case. */
import { type Place, runCase, World } from '../edge/suite/case.ts'
import { suite } from '../edge/suite/index.ts'

const stray: string[] = []
addEventListener('unhandledrejection', event => {
  const { reason } = event as unknown as { reason: unknown }
  stray.push(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`)
})

interface Env {
  HYPERDRIVE: { connectionString: string }
}

export default {
  async fetch(
    request: Request,
    env: Env,
    ctx: { waitUntil(promise: Promise<unknown>): void },
  ): Promise<Response> {
    const { name, place } = (await request.json()) as { name: string; place: Place }
    const one = suite.find(each => each.name === name)!
    const outcome = await runCase(one, new World(place, ctx, env.HYPERDRIVE))
    const astray = stray.splice(0).join('\n') || null
    return Response.json({ ...outcome, error: outcome.error ?? astray })
  },
}
