/** What is large or slow must cost nobody else: big statements, big parameters, big results, readers that stop. */
import { bind, copyData, copyDone, execute, parse, query, sync } from '@sluice/wire'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeTransport } from '../../packages/gateway/src/transport/node.ts'
import type { Transport } from '../../packages/gateway/src/transport/transport.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freshDatabase } from '../support/postgres.ts'
import { rawClient } from '../support/raw-client.ts'

const database = await freshDatabase()
let two: TestGateway

beforeAll(async () => {
  two = await startGateway(database.url, { connectionLimit: 2 })
  await database.query('create table big (n int, x text)')
})
afterAll(() => two.stop())

const megabytes = 1_048_576

test('a statement of 10 MB runs, by both protocols, and the next one is understood', async () => {
  const client = await rawClient(two.url)
  const text = 'y'.repeat(10 * megabytes)
  client.send(query(`insert into big values (1, '${text}')`))
  expect(await client.ready()).toEqual(['C(INSERT 0 1)', 'Z I'])
  client.send(parse('', `insert into big values (2, '${text}')`), bind('', ''), execute(), sync())
  expect(await client.ready()).toEqual(['1', '2', 'C(INSERT 0 1)', 'Z I'])
  client.send(parse('named', 'insert into big values (3, $1)'), sync())
  await client.ready()
  client.send(bind('', 'named', text), execute(), sync())
  expect(await client.ready()).toEqual(['2', 'C(INSERT 0 1)', 'Z I'])
  expect(await client.query('select n, length(x) from big order by n')).toEqual([
    ...[
      'T(n,length)',
      `D(1,${text.length})`,
      `D(2,${text.length})`,
      `D(3,${text.length})`,
      'C(SELECT 3)',
      'Z I',
    ],
  ])
  client.destroy()
})

test('what stands behind many rows in a large statement is not missed', async () => {
  const [client, other] = [await rawClient(two.url), await rawClient(two.url)]
  const rows = Array.from({ length: 50_000 }, (_, n) => `(${n}, 'row')`).join(',')
  client.send(query(`insert into big values ${rows}; set work_mem = '9MB'`))
  expect(await client.ready()).toEqual(['C(INSERT 0 50000)', 'C(SET)', 'Z I'])
  await client.query('begin')
  expect(await other.query('show work_mem')).toContain('D(4MB)')
  await client.query('commit')
  await other.query('begin')
  expect(await client.query('show work_mem')).toContain('D(9MB)')
  await other.query('commit')
  client.destroy()
  other.destroy()
})

test('a large statement whose beginning the gateway would rewrite passes as it is', async () => {
  const client = await rawClient(two.url)
  client.send(query(`select 7 as seven, pg_cancel_backend(1999999999) is null /* ${'x'.repeat(300_000)} */`))
  const heard = await client.ready()
  expect(heard).toContain('D(7,f)')
  expect(heard.at(-1)).toBe('Z I')
  client.destroy()
})

test('a client that stops reading a large result holds little memory and delays nobody', async () => {
  const [slow, other] = [await rawClient(two.url), await rawClient(two.url)]
  slow.socket.pause()
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external
  slow.send(query(`select repeat('x', 1000) from generate_series(1, 300000)`))
  for (let n = 0; n < 200; n++) expect(await other.query(`select ${n}`)).toContain(`D(${n})`)
  const held = process.memoryUsage().arrayBuffers + process.memoryUsage().external - before
  expect(held).toBeLessThan(20 * megabytes)
  slow.socket.resume()
  expect((await slow.ready()).length).toBe(300_003)
  slow.destroy()
  other.destroy()
})

test.each([
  ['rows', 100],
  ['messages', megabytes],
])(
  'a COPY of small or large %s to a server that does not read on is not read on either',
  async (_what, size) => {
    const [slow, other, holder] = await Promise.all(
      [two.url, two.url, database.url].map(url => rawClient(url)),
    )
    await holder!.query(`create or replace function waits() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(77); return new; end'`)
    await holder!.query('create table slow (x text); select pg_advisory_lock(77)')
    await holder!.query('create trigger waits before insert on slow for each row execute function waits()')
    slow!.send(query('copy slow from stdin'))
    await slow!.take(1)
    const row = Buffer.from(copyData(Buffer.from(`${'x'.repeat(size - 1)}\n`)))
    const count = Math.ceil((40 * megabytes) / size)
    slow!.send(Buffer.concat(Array(count).fill(row)), copyDone())
    for (let n = 0; n < 300; n++) expect(await other!.query(`select ${n}`)).toContain(`D(${n})`)
    expect(slow!.socket.writableLength).toBeGreaterThan(20 * megabytes)
    await holder!.query('select pg_advisory_unlock(77)')
    expect(await slow!.ready()).toEqual([`C(COPY ${count})`, 'Z I'])
    await holder!.query('drop table slow')
    for (const each of [slow, other, holder]) each!.destroy()
  },
)

test('of many statements that a client sends at once some are taken, and the others when these have answered', async () => {
  let sent = 0
  const counting: Transport = {
    ...nodeTransport,
    async connect(...to) {
      const socket = await nodeTransport.connect(...to)
      const write = socket.write.bind(socket)
      return Object.assign(socket, {
        write(bytes: Uint8Array) {
          sent += bytes.length
          return write(bytes)
        },
      })
    },
  }
  const gateway = await startGateway(database.url, { connectionLimit: 1 }, {}, { transport: counting })
  const [crowd, other] = [await rawClient(gateway.url), await rawClient(gateway.url)]
  const holder = await rawClient(database.url)
  await holder.query('select pg_advisory_lock(78)')
  await crowd.query('select 1')
  const before = sent
  const count = 10_000
  crowd.send(query('select pg_advisory_xact_lock(78)'), ...Array(count).fill(query('select 1')))
  for (let n = 0; n < 100; n++) {
    other.send(sync())
    await other.ready()
  }
  expect(sent - before).toBeGreaterThan(0)
  expect(sent - before).toBeLessThan((query('select 1').length * count) / 10)
  await holder.query('select pg_advisory_unlock(78)')
  await crowd.until(() => crowd.heard.length === 4 * (count + 1))
  expect(crowd.heard.length).toBe(4 * (count + 1))
  for (const each of [crowd, other, holder]) each.destroy()
  await gateway.stop()
})

test('a client that vanishes in the middle of a large message leaves nothing behind', async () => {
  const one = await startGateway(database.url, { connectionLimit: 1 })
  for (const message of [
    query(`insert into big values (7, '${'z'.repeat(megabytes)}')`),
    parse('', `insert into big values (7, '${'z'.repeat(megabytes)}')`),
    bind('', '', 'z'.repeat(megabytes)),
  ]) {
    const client = await rawClient(one.url)
    if (message[0] === 0x42) client.send(parse('', 'insert into big values (7, $1)'))
    client.send(message.subarray(0, 600_000))
    client.socket.end()
    client.destroy()
    const next = await rawClient(one.url)
    expect(await next.query('select count(*) from big where n = 7 and length(x) > 9')).toContain('D(0)')
    next.destroy()
  }
  await one.stop()
})
