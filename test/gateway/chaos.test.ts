/**
 * Chaos under load: queries that each return their own number, while clients are killed, cancels fly, waits time out,
 * server connections are terminated and the origin restarts.
 *
 * What happens is counted in queries, not in time: every so many one of the disturbances comes.
 * SLUICE_QUERIES=1000000 asks that many in place of 20,000.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '@sluice/dev'
import * as wire from '@sluice/wire'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { queryOnce } from '../support/postgres.ts'
import { rawClient } from '../support/raw-client.ts'
import { cancel, Member, newTally } from './crowd.ts'

const queries = Number(process.env.SLUICE_QUERIES ?? 20_000)
const clients = 40
const poolSize = 6
const minSize = 2
const waitTimeoutMs = 250
/** Longer than any wait, look-up or restart: who hears nothing for so long is left hanging. */
const patienceMs = 30_000
/** One disturbance of a kind for so many queries. */
const every = { cancel: 25, terminate: 150, hold: 1_500, restart: Math.max(5_000, queries / 20) }

const folder = await mkdtemp(join(tmpdir(), 'sluice-chaos-'))
const settings = { fsync: 'off', max_connections: '40' }
let postgres: Postgres
let gateway: TestGateway

beforeAll(async () => {
  postgres = await startPostgres({ dataFolder: join(folder, 'data'), settings })
  await admin('create table writes (n bigint)')
  gateway = await startGateway(postgres.url, { connectionLimit: poolSize, minSize, waitTimeoutMs })
})
afterAll(async () => {
  await gateway.stop()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
})

test('no foreign answer, no lost or doubled write, nobody left hanging, and a whole pool afterwards', async () => {
  const tally = newTally()
  let asked = 0
  const disturbing = new Set<Promise<unknown>>()
  const happened = { cancel: 0, terminate: 0, hold: 0, restart: 0 }
  const disturb = (kind: keyof typeof happened, act: () => Promise<unknown>) => {
    if (asked % every[kind] !== 0) return
    happened[kind]++
    const disturbance: Promise<unknown> = act().finally(() => disturbing.delete(disturbance))
    disturbing.add(disturbance)
  }
  const nextNumber = () => {
    asked++
    disturb('cancel', async () => {
      const key = members[Math.floor(Math.random() * clients)]!.key
      if (key) await cancel(gateway.url, key)
    })
    disturb('terminate', () => terminateOne().catch(() => {}))
    disturb('hold', holdAll)
    disturb('restart', restart)
    return asked
  }
  const members = Array.from({ length: clients }, () => new Member(gateway.url, tally, nextNumber))
  await Promise.all(
    members.map(async member => {
      while (asked < queries) await within(patienceMs, member.step())
    }),
  )
  await Promise.all(disturbing)
  await Promise.all(members.map(member => within(patienceMs, member.end())))

  console.log(`${asked} queries, ${tally.answered} exchanges answered`, { ...happened }, [...tally.failed])
  expect(tally.wrong).toEqual([])
  // Else this was no chaos.
  expect([...tally.failed.keys()]).toEqual(
    expect.arrayContaining(['killed', '57014', '53300', '57P01', '08006']),
  )
  expect(await misplacedWrites(tally.fates)).toEqual([])
  await isWhole()
}, 3_600_000)

async function misplacedWrites(fates: ReadonlyMap<number, string>): Promise<string[]> {
  const rows = await admin('select n::int, count(*)::int as times from writes group by n')
  const times = new Map(rows.map(row => [row.n as number, row.times as number]))
  const misplaced: string[] = []
  for (const [n, fate] of fates) {
    const there = times.get(n) ?? 0
    const right = fate === 'unknown' ? there <= 1 : there === (fate === 'acknowledged' ? 1 : 0)
    if (!right) misplaced.push(`${n} was ${fate} and is there ${there} times`)
    times.delete(n)
  }
  return [...misplaced, ...[...times.keys()].map(n => `${n} was never written`)]
}

/** All of its connections are idle, counted right, known to the server, and usable at once. */
async function isWhole(): Promise<void> {
  const [backend] = gateway.gateway.backends
  const [pool] = backend!.pools
  await expect.poll(() => gateway.gateway.clients).toBe(0)
  // A restart may have been the last that happened: the pool pauses between its tries.
  await expect.poll(() => pool!.idle, { timeout: 10_000 }).toBeGreaterThanOrEqual(minSize)
  await expect.poll(() => pool!.size - pool!.idle).toBe(0)
  expect(pool!.waiting).toBe(0)
  expect(backend!.limit.open).toBe(pool!.size)
  await expect.poll(states).toEqual(Array(pool!.size).fill('idle'))
  const all = await Promise.all(Array.from({ length: poolSize }, () => rawClient(gateway.url)))
  for (const client of all) expect(await client.query('begin')).toEqual(['C(BEGIN)', 'Z T'])
  for (const client of all) expect(await client.query('commit')).toEqual(['C(COMMIT)', 'Z I'])
  for (const client of all) await client.end()
}

/** What the pool's connections do, as the server sees it. */
async function states(): Promise<unknown[]> {
  const rows = await admin(`select state from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name <> 'sluice'`)
  return rows.map(row => row.state)
}

const terminateOne = () =>
  admin(`select pg_terminate_backend(pid) from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit 1`)

/** Takes every connection of the pool for longer than others wait. */
async function holdAll(): Promise<void> {
  const sleep = async () => {
    const client = await rawClient(gateway.url).catch(() => null)
    client?.send(wire.query(`select pg_sleep(${(2 * waitTimeoutMs) / 1_000})`))
    await client?.ready()
    await client?.end()
  }
  await Promise.all(Array.from({ length: poolSize }, sleep))
}

let restarts = 0
/** By turns in order and as if the machine had lost power. */
async function restart(): Promise<void> {
  if (restarts++ % 2 === 0) await postgres.stop()
  else await postgres.kill()
  const { port } = postgres
  postgres = await startPostgres({ dataFolder: join(folder, 'data'), settings, port })
}

const admin = (sql: string) => queryOnce(postgres.url, sql)

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a client heard nothing for ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
