/** One manager, one pair of handles, and every kind of event: each notes a row by `sql` and a row by Drizzle. */
import { DurableObject, env as moduleEnv } from 'cloudflare:workers'
import { createDatabaseManager, type Env } from '@sluice/edge'
import { sql as text } from 'drizzle-orm/sql'
import { respond } from './respond.ts'

const manager = createDatabaseManager()
const sql = manager.getOptimalConnection(moduleEnv)
const db = manager.getOptimalDrizzle(moduleEnv)

interface Context {
  waitUntil(promise: Promise<unknown>): void
}

async function note(event: string): Promise<void> {
  await sql.transaction(async tx => {
    await tx`insert into notes values (${`${event} by sql`})`
  })
  await db.execute(text`insert into notes values (${`${event} by drizzle`})`)
}

export default {
  async fetch(request: Request, env: Env & { OBJECT: DurableObjects }, ctx: Context): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    if (pathname.startsWith('/object')) {
      return env.OBJECT.getByName('one').fetch(`http://object${(pathname + search).slice('/object'.length)}`)
    }
    if (pathname === '/run') return respond(() => manager.run(env, ctx, () => note('fetch under run')))
    return respond(() => note('fetch'))
  },
  async scheduled(_event: unknown, env: Env, ctx: Context): Promise<void> {
    await note('scheduled')
    await manager.run(env, ctx, () => note('scheduled under run'))
  },
  async queue(batch: { messages: { body: string }[] }, env: Env, ctx: Context): Promise<void> {
    for (const { body } of batch.messages) await note(`queue ${body}`)
    await manager.run(env, ctx, () => note('queue under run'))
  },
}

interface DurableObjects {
  getByName(name: string): { fetch(url: string): Promise<Response> }
}

/** Its state lives through many events at once, unlike a Worker's context. */
export class NotingObject extends DurableObject<Env> {
  private readonly gates = new Map<string, () => void>()

  fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case '/alarm':
        return respond(() => this.ctx.storage.setAlarm(Date.now()))
      case '/open':
        return respond(async () => this.gates.get(searchParams.get('gate')!)?.())
      case '/later':
        return respond(() => this.later(searchParams.get('name')!))
      default:
        return respond(async () => {
          await note('object fetch')
          await manager.run(this.env, this.ctx, () => note('object fetch under run'))
        })
    }
  }

  /** Work that goes on after the answer, until `/open?gate=name` lets it. */
  private later(name: string): Promise<void> {
    return manager.run(this.env, this.ctx, async () => {
      await sql`select 1`
      const gate = new Promise<void>(resolve => this.gates.set(name, resolve))
      this.ctx.waitUntil(gate.then(() => note(`later ${name}`)))
    })
  }

  async alarm(): Promise<void> {
    await note('alarm')
    await manager.run(this.env, this.ctx, () => note('alarm under run'))
  }
}
