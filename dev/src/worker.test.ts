import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PortTaken } from './ports.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { isRunning, processId } from './processes.ts'
import { startWorker } from './worker.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } })
})
afterAll(() => postgres.stop())

const quiet = { handleRuntimeStdio: () => {} }
const says = (code: string) =>
  `export default { async fetch(request, env) { return Response.json(${code}) } }`

test('a Worker gets its variables and its Hyperdrive binding, and none of them over the Internet', async () => {
  await using worker = await startWorker({
    script: says('{ ...env, HYPERDRIVE: env.HYPERDRIVE.user }'),
    hyperdrives: { HYPERDRIVE: postgres.url },
    bindings: { DATABASE_URL: postgres.url, LIMITS: { rows: 5 } },
  })
  const heard = await (await fetch(worker.url)).json()
  expect(heard).toEqual({ HYPERDRIVE: 'sluice', DATABASE_URL: postgres.url, LIMITS: { rows: 5 } })
})

test('a database that is not there is an error in the Worker, and not the end of this process', async () => {
  const gone = Object.assign(new URL(postgres.url), { port: '1' }).href
  await using worker = await startWorker({
    script: says(`await env.HYPERDRIVE.connect().opened.then(() => 'opened', error => error.message)`),
    hyperdrives: { HYPERDRIVE: gone },
    miniflare: quiet,
  })
  expect(await (await fetch(worker.url)).json()).toContain('failed')
})

test('after stop no process is left, and stopping again is harmless', async () => {
  const worker = await startWorker({ script: says('1') })
  const workerd = processId(worker.pid)!
  await worker.stop()
  await worker.stop()
  expect(await worker.ended).toBe('signal SIGKILL')
  expect(isRunning(workerd)).toBe(false)
})

test("Ctrl-C stays ours: no listener of Miniflare's ends the process", async () => {
  const before = process.listenerCount('SIGINT')
  await using worker = await startWorker({ script: says('1') })
  expect(worker.pid).toBeGreaterThan(0)
  expect(process.listenerCount('SIGINT')).toBe(before)
})

test('Workers that start at the same time know their own processes', async () => {
  const workers = await Promise.all([1, 2].map(n => startWorker({ script: says(`${n}`) })))
  expect(new Set(workers.map(({ pid }) => pid)).size).toBe(2)
  await workers[0]!.stop()
  expect(await (await fetch(workers[1]!.url)).json()).toBe(2)
  await workers[1]!.stop()
})

test('a port that is taken is told apart from other failures', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await expect(startWorker({ script: says('1'), port, miniflare: quiet })).rejects.toThrow(PortTaken)
  other.close()
})

test('a Worker that throws while it loads is an error that says so', async () => {
  const start = startWorker({ script: `throw new Error('not today')`, miniflare: quiet })
  await expect(start).rejects.toThrow('the Worker did not start')
})

test('a start that is given up leaves no process', async () => {
  const stop = new AbortController()
  const spawned: number[] = []
  const onSpawn = (pid: number) => {
    spawned.push(pid)
    stop.abort()
  }
  await expect(startWorker({ script: says('1'), signal: stop.signal, onSpawn })).rejects.toThrow('aborted')
  expect(spawned.map(processId)).toEqual([null])
})
