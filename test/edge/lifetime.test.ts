/** One connection for a request, closed when the request is done with it: not before, and in nobody's way. */
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { twoRoutes } from './two-routes.ts'

const { database, hyperdrive, direct, worker } = await twoRoutes('lifetime')
await database.query('create table notes (text text)')

let accepted = 0
beforeEach(async () => {
  accepted = hyperdrive.accepted
  hyperdrive.fault = null
  await database.query('truncate notes')
})
afterEach(async () => {
  await hyperdrive.until(({ open }) => open === 0)
  await database.connectionsFallTo(0)
})

const opened = () => hyperdrive.accepted - accepted
const notes = async () => (await database.query('select text from notes')).map(({ text }) => text)

/** Holds the lock that the Worker's later work waits for, until `release`. */
async function lock(): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client(database.url)
  await client.connect()
  await client.query('select pg_advisory_lock(1)')
  return { release: () => client.end() }
}

describe('under run', () => {
  test('all statements share one connection', async () => {
    await worker.json('/plain')
    expect(opened()).toBe(1)
  })

  test('without a context too', async () => {
    await worker.json('/without-context')
    expect(opened()).toBe(1)
  })

  test('a run in a run shares it, and does not close it', async () => {
    await worker.json('/nested')
    expect(opened()).toBe(1)
    expect(hyperdrive.connections.at(-1)!.ran).toEqual(['select 1', 'select 2', 'select 3'])
  })

  test.each(['/later', '/later-still'])(
    'the answer does not wait for what was handed to waitUntil, and the connection does (%s)',
    async path => {
      const { release } = await lock()
      const seen = direct.count('select pg_advisory')
      await worker.json(path)
      await direct.saw('select pg_advisory', seen + 1)
      expect(hyperdrive.open).toBe(1)
      expect(await notes()).toEqual([])
      await release()
      await hyperdrive.until(({ open }) => open === 0)
      expect(await notes()).toEqual([path === '/later' ? 'later' : 'later still'])
      expect(opened()).toBe(1)
    },
  )

  test('it closes after work that failed', async () => {
    expect((await worker.fetch('/fails')).status).toBe(500)
    await hyperdrive.until(({ open }) => open === 0)
    await worker.json('/later-fails')
  })

  test('a statement that nobody awaited leaves nothing open', async () => {
    await worker.json('/not-awaited')
  })

  test('the answer does not wait for the connection to close', async () => {
    // Two statements of five messages each: Parse, Bind, Describe, Execute, Sync. The next is the goodbye.
    hyperdrive.fault = { is: 'dark', at: { message: 11 }, moment: 'before', times: 1 }
    const { faults } = hyperdrive
    const began = performance.now()
    await worker.json('/plain')
    expect(performance.now() - began).toBeLessThan(2_000)
    await hyperdrive.until(() => hyperdrive.faults > faults)
  })
})

describe.each(['/stream', '/hono/stream'])('a streaming answer (%s)', path => {
  test('keeps its connection until the last row is read', async () => {
    const { body } = await worker.fetch(path)
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    expect(hyperdrive.open).toBe(1)
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
    expect(text.trimEnd().split('\n')).toHaveLength(20_000)
    expect(opened()).toBe(1)
  })

  test('gives it back when the client goes away', async () => {
    const leaving = new AbortController()
    const { body } = await worker.fetch(path, { signal: leaving.signal })
    await body!.getReader().read()
    expect(hyperdrive.open).toBe(1)
    leaving.abort()
    await hyperdrive.until(({ open }) => open === 0)
  })
})

describe('Hono', () => {
  test('its middleware gives all calls of a request one connection', async () => {
    expect(await worker.json('/hono/two')).toEqual([{ two: 2 }])
    expect(opened()).toBe(1)
  })

  test('what is handed to executionCtx.waitUntil keeps it open', async () => {
    const { release } = await lock()
    const seen = direct.count('select pg_advisory')
    await worker.json('/hono/later')
    await direct.saw('select pg_advisory', seen + 1)
    expect(hyperdrive.open).toBe(1)
    await release()
    await hyperdrive.until(({ open }) => open === 0)
    expect(await notes()).toEqual(['later'])
    expect(opened()).toBe(1)
  })

  test('has the health routes', async () => {
    expect(await worker.json('/hono/health')).toMatchObject({ status: 'ok' })
    expect(opened()).toBe(0)
    expect(await worker.json('/hono/health/ready')).toMatchObject({ ready: true, route: 'hyperdrive' })
    expect((await worker.fetch('/hono/health/nothing')).status).toBe(404)
  })
})
