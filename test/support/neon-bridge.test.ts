import { Client, neon, neonConfig, Pool } from '@neondatabase/serverless'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { FaultProxy } from './fault-proxy.ts'
import { NeonBridge } from './neon-bridge.ts'
import { freshDatabase } from './postgres.ts'

const database = await freshDatabase()
const proxy = await FaultProxy.start(database.url)
const bridge = await NeonBridge.start(proxy.url)
Object.assign(neonConfig, bridge.settings, { webSocketConstructor: WebSocket })
const sql = neon(bridge.neonUrl(database.url))

afterAll(async () => {
  await bridge.stop()
  await proxy.stop()
})

beforeEach(async () => {
  proxy.fault = null
  proxy.latencyMs = { toServer: 0, toClient: 0 }
  bridge.answerLimit = 10_000_000
  await database.query('drop table if exists paid; create table paid (id int primary key)')
})

const rowsPaid = async () => (await database.query('select count(*)::int as count from paid'))[0].count

describe('over HTTP', () => {
  test('a query gives typed rows', async () => {
    const rows =
      await sql`select ${7}::int as seven, ${'x'}::text as x, null::int as nothing, '{1,2}'::int[] as list`
    expect(rows).toEqual([{ seven: 7, x: 'x', nothing: null, list: [1, 2] }])
  })

  test('full results tell command, count and fields', async () => {
    expect(await sql.query('insert into paid values (1), (2)', [], { fullResults: true })).toMatchObject({
      command: 'INSERT',
      rowCount: 2,
    })
    const selected = await sql.query('select id from paid', [], { fullResults: true, arrayMode: true })
    expect(selected).toMatchObject({ rows: [[1], [2]], fields: [{ name: 'id', dataTypeID: 23 }] })
    expect(await sql.query('create table if not exists paid ()', [], { fullResults: true })).toMatchObject({
      command: 'CREATE',
      rowCount: null,
    })
  })

  test('an error has the fields of PostgreSQL', async () => {
    await sql`insert into paid values (1)`
    await expect(sql`insert into paid values (1)`).rejects.toMatchObject({
      name: 'NeonDbError',
      code: '23505',
      severity: 'ERROR',
      constraint: 'paid_pkey',
      detail: 'Key (id)=(1) already exists.',
      hint: undefined,
    })
  })

  test('a second statement in the text is refused', async () => {
    await expect(sql.query('select 1; select 2')).rejects.toMatchObject({ code: '42601' })
  })

  test('a batch is one transaction, with its options', async () => {
    const [level, readOnly] = await sql.transaction(
      [sql`show transaction_isolation`, sql`show transaction_read_only`],
      {
        isolationLevel: 'Serializable',
        readOnly: true,
        deferrable: true,
      },
    )
    expect([level, readOnly]).toEqual([
      [{ transaction_isolation: 'serializable' }],
      [{ transaction_read_only: 'on' }],
    ])
    await expect(
      sql.transaction([sql`insert into paid values (1)`, sql`select 1 / 0`]),
    ).rejects.toMatchObject({
      code: '22012',
    })
    expect(await rowsPaid()).toBe(0)
  })

  test('a wrong password is a 400 without a code, an unknown database a 500', async () => {
    const withPassword = (password: string) =>
      neon(bridge.neonUrl(database.url.replace(/:[^:@]+@/, `:${password}@`)))
    await expect(withPassword('wrong')`select 1`).rejects.toMatchObject({
      message: 'password authentication failed for user "sluice"',
      code: '',
    })
    const elsewhere = neon(bridge.neonUrl(database.url.replace(database.name, 'nowhere')))
    await expect(elsewhere`select 1`).rejects.toThrow(/HTTP status 500.*3D000/)
  })

  test('a connection that is lost under a statement is an error without a code', async () => {
    proxy.fault = { is: 'cut', at: 'select', moment: 'before' }
    await expect(sql`select 1`).rejects.toMatchObject({ name: 'NeonDbError', code: '' })
  })

  test('an answer that is too large is a 507', async () => {
    bridge.answerLimit = 1_000
    await expect(sql`select repeat('x', 1000)`).rejects.toThrow(
      /507.*response is too large \(max is 1000 bytes\)/,
    )
  })
})

describe('over a WebSocket', () => {
  test('a pipelined connect needs one flight, with a user who is asked for a clear-text password', async () => {
    const client = new Client(bridge.neonUrl(database.clearTextUrl))
    // With a distance between the two, an answer can't come before the driver has said all it has to say.
    proxy.latencyMs = { toServer: 10, toClient: 10 }
    await client.connect()
    expect((await client.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }])
    expect(proxy.connections.at(-1)?.flights).toBe(1)
    await client.end()
    expect(proxy.connections.at(-1)?.parameters?.get('user')).toBe('clear_text')
  })

  test('with SCRAM, pipelineConnect has to be off', async () => {
    const client = new Client(bridge.neonUrl(database.url))
    client.neonConfig.pipelineConnect = false
    await client.connect()
    expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    await client.end()
    const pipelined = new Client(bridge.neonUrl(database.url))
    const lost = new Promise(resolve => pipelined.on('error', resolve))
    pipelined.connect().catch(() => {})
    await lost
  })

  test('interactive transactions, in a pool', async () => {
    const pool = new Pool({ connectionString: bridge.neonUrl(database.clearTextUrl) })
    const client = await pool.connect()
    await client.query('begin')
    const { rows } = await client.query('insert into paid values (1) returning id')
    await client.query('insert into paid values ($1)', [rows[0].id + 1])
    await client.query('commit')
    client.release()
    await pool.end()
    expect(await rowsPaid()).toBe(2)
  })

  test('poolQueryViaFetch sends the queries of a pool by HTTP', async () => {
    neonConfig.poolQueryViaFetch = true
    try {
      const pool = new Pool({ connectionString: bridge.neonUrl(database.url) })
      const { requests, webSockets } = bridge
      expect((await pool.query('select $1::int as n', [1])).rows).toEqual([{ n: 1 }])
      expect([bridge.requests, bridge.webSockets]).toEqual([requests + 1, webSockets])
      await pool.end()
    } finally {
      neonConfig.poolQueryViaFetch = false
    }
  })

  test('a connection that is lost at PostgreSQL is lost for the client', async () => {
    const client = new Client(bridge.neonUrl(database.clearTextUrl))
    await client.connect()
    await client.query('select 1')
    const lost = new Promise(resolve => client.on('error', resolve))
    proxy.cut()
    expect(await lost).toBeInstanceOf(Error)
  })

  test('a client that goes takes its server connection along', async () => {
    const client = new Client(bridge.neonUrl(database.clearTextUrl))
    await client.connect()
    await client.query('select 1')
    await client.end()
    await database.connectionsFallTo(0)
  })
})
