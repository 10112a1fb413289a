/**
 * Many requests through one isolate, with handles made at module level.
 *
 * SLUICE_REQUESTS=20000 sends that many in place of 1,000, four of five under `run`.
 */
import { expect, test } from 'vitest'
import { inParallel } from '../support/parallel.ts'
import { twoRoutes } from './two-routes.ts'

const requests = Number(process.env.SLUICE_REQUESTS ?? 1_000)
const atOnce = 50
/** Without `run` each query opens a connection of its own, which costs more than all else. */
const alone = requests / 5

const { database, hyperdrive, direct, worker } = await twoRoutes('load')
await database.query(`
  create table accounts (id int primary key, owner text, balance int not null);
  create table transfers (request int);
  insert into accounts select id, 'owner ' || id, 0 from generate_series(1, 100) as id`)

async function send(path: string, from: number, count: number): Promise<void> {
  const answers = await inParallel(count, atOnce, async n => {
    const response = await worker.fetch(`${path}?n=${from + n}`)
    return { n: from + n, status: response.status, body: await response.text() }
  })
  const bad = answers.filter(({ n, status, body }) => status !== 200 || body !== JSON.stringify({ n }))
  expect(bad).toEqual([])
}

test('requests without `run` have no error, and the origin sees every statement come by the binding', async () => {
  await send('/', 0, alone)
  expect(hyperdrive.count('select')).toBe(alone * 4)
  expect(hyperdrive.count('commit')).toBe(alone)
  expect(direct.accepted).toBe(0)
  await database.connectionsFallTo(0)
})

test('under `run` the median request opens one connection, and none is left at the end', async () => {
  const before = hyperdrive.accepted
  await send('/run', alone, requests - alone)
  expect(direct.accepted).toBe(0)
  await database.connectionsFallTo(0)
  const connectionsOf = new Map<string, number>()
  for (const { ran } of hyperdrive.connections.slice(before)) {
    for (const request of new Set(ran.flatMap(text => /request \d+/.exec(text) ?? []))) {
      connectionsOf.set(request, (connectionsOf.get(request) ?? 0) + 1)
    }
  }
  expect(connectionsOf.size).toBe(requests - alone)
  const sorted = [...connectionsOf.values()].sort((a, b) => a - b)
  expect(sorted[sorted.length >> 1]).toBe(1)
  expect(hyperdrive.accepted - before).toBe(requests - alone)
})

test('all of it is there, once', async () => {
  const [sums] = await database.query(
    `select (select sum(balance)::int from accounts) as balance, (select count(*)::int from transfers) as transfers,
       (select count(distinct request)::int from transfers) as requests`,
  )
  expect(sums).toEqual({ balance: requests, transfers: requests, requests })
  const { sockets, routes } = await worker.json('/info')
  expect(sockets).toMatchObject({ open: 0, failed: 0 })
  expect(routes).toMatchObject([{ name: 'hyperdrive', breaker: 'closed', fallbacks: 0 }, { name: 'direct' }])
})
