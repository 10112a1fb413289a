import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { FaultProxy } from './fault-proxy.ts'
import { freshDatabase } from './postgres.ts'
import { runWorker } from './worker.ts'

const database = await freshDatabase()
const proxy = await FaultProxy.start(database.url)
const worker = await runWorker(new URL('../workers/probe.ts', import.meta.url), {
  hyperdrives: { HYPERDRIVE: proxy.url },
  bindings: { GREETING: 'hello' },
  durableObjects: { COUNTER: 'Counter' },
  queues: ['JOBS'],
})

afterAll(async () => {
  await worker.stop()
  await proxy.stop()
})

beforeEach(() => database.query('drop table if exists notes; create table notes (text text)'))

const notes = async () =>
  (await database.query('select text from notes order by text')).map(({ text }) => text)
const post = (body: string) => ({ method: 'POST', body })

describe('runWorker', () => {
  test('runs one isolate, with its variables', async () => {
    expect(await worker.json('/greeting')).toEqual({ greeting: 'hello', requests: 1 })
    expect(await worker.json('/greeting')).toEqual({ greeting: 'hello', requests: 2 })
  })

  test('reaches PostgreSQL through its Hyperdrive binding', async () => {
    const { accepted } = proxy
    await worker.json('/note', post('from fetch'))
    expect(await notes()).toEqual(['from fetch'])
    expect(proxy.accepted).toBe(accepted + 1)
  })

  test('has Durable Objects', async () => {
    expect(await worker.json('/count')).toEqual({ count: 1 })
    expect(await worker.json('/count')).toEqual({ count: 2 })
  })

  test('runs cron triggers', async () => {
    expect(await worker.scheduled('0 * * * *')).toMatchObject({ outcome: 'ok' })
    expect(await notes()).toEqual(['cron 0 * * * *'])
  })

  test('runs queues, with a batch of the test and with what it sent itself', async () => {
    expect(await worker.queue('JOBS', ['a', 'b'])).toMatchObject({ outcome: 'ok' })
    await worker.json('/send', post('c'))
    await vi.waitFor(async () => expect(await notes()).toEqual(['job a', 'job b', 'job c']), 5_000)
  })

  test('collects what it logs', async () => {
    await worker.json('/log')
    await vi.waitFor(
      () => expect(worker.console).toEqual([`one line { and: 'its object' }`, 'another']),
      5_000,
    )
  })

  test('shows what a handler threw', async () => {
    await expect(worker.json('/nothing')).rejects.toThrow(/answered 500: .*no such thing as \/nothing/)
  })
})
