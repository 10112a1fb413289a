/** A Worker that uses each kind of event and binding once: what the tests of test/support/worker.ts run. */
import pg from 'pg'

interface Env {
  HYPERDRIVE: { connectionString: string }
  GREETING: string
  COUNTER: { getByName(name: string): { fetch(url: string): Promise<Response> } }
  JOBS: { send(body: unknown): Promise<void> }
}

const since = { requests: 0 }

async function note(env: Env, text: string): Promise<void> {
  const client = new pg.Client(env.HYPERDRIVE.connectionString)
  await client.connect()
  await client.query('insert into notes values ($1)', [text])
  await client.end()
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url)
    switch (pathname) {
      case '/greeting':
        return Response.json({ greeting: env.GREETING, requests: ++since.requests })
      case '/note':
        await note(env, await request.text())
        return Response.json({ noted: true })
      case '/count':
        return env.COUNTER.getByName('one').fetch('http://counter/')
      case '/log':
        console.log('one line', { and: 'its object' })
        console.error('another')
        return Response.json({})
      case '/send':
        await env.JOBS.send(await request.text())
        return Response.json({})
      default:
        throw new Error(`no such thing as ${pathname}`)
    }
  },
  async scheduled(event: { cron: string }, env: Env): Promise<void> {
    await note(env, `cron ${event.cron}`)
  },
  async queue(batch: { messages: { body: string }[] }, env: Env): Promise<void> {
    for (const message of batch.messages) await note(env, `job ${message.body}`)
  },
}

export class Counter {
  #count = 0
  fetch(): Response {
    return Response.json({ count: ++this.#count })
  }
}
