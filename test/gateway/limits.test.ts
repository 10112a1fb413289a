/**
 * Limits of time that a client sets are for its own statements: what the gateway asks on the client's connection must
 * outlive them. Here each question about a session's state takes long, because another session holds very many locks.
 */
import { startPostgres } from '@sluice/dev'
import { bind, execute, parse, sync } from '@sluice/wire'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { startGateway } from '../support/gateway.ts'
import { type RawClient, rawClient } from '../support/raw-client.ts'

const postgres = await startPostgres({ settings: { fsync: 'off', max_locks_per_transaction: '4000' } })
const holder = await rawClient(postgres.url)
await holder.query('select count(pg_advisory_lock(n)) from generate_series(1, 300000) n')
const gateway = await startGateway(postgres.url, { connectionLimit: 1 })
afterAll(async () => {
  holder.destroy()
  await gateway.stop()
  await postgres.stop()
})

let a: RawClient
let b: RawClient
beforeEach(async () => {
  a = await rawClient(gateway.url)
  b = await rawClient(gateway.url)
  return async () => {
    a.destroy()
    b.destroy()
  }
})

const limits = ['statement_timeout', 'transaction_timeout']

test.each(limits)('a short %s is carried like any parameter, and keeps no connection', async limit => {
  expect(await a.query(`set ${limit} = '60ms'`)).toEqual(['C(SET)', 'Z I'])
  expect(await b.query(`show ${limit}`)).toContain('D(0)')
  for (let n = 0; n < 3; n++) {
    expect(await a.query(`set work_mem = '${n + 5}MB'`)).toEqual(['C(SET)', 'Z I'])
    expect(await b.query('show work_mem')).toContain('D(4MB)')
  }
  expect(await a.query(`show ${limit}`)).toContain('D(60ms)')
  expect(await a.query('show work_mem')).toContain('D(7MB)')
  expect(await a.query(`reset ${limit}`)).toEqual(['C(RESET)', 'Z I'])
  expect(await b.query('select 1')).toContain('D(1)')
  expect(await a.query(`show ${limit}`)).toContain('D(0)')
})

test.each(limits)('a short %s in the startup parameters holds', async limit => {
  await using client = await rawClient(gateway.url, { parameters: { [limit]: '60ms', work_mem: '9MB' } })
  expect(await client.query(`show ${limit}`)).toContain('D(60ms)')
  expect(await client.query('show work_mem')).toContain('D(9MB)')
})

test('a limit that a statement passes is told in PostgreSQL’s words', async () => {
  await a.query(`set statement_timeout = '60ms'`)
  expect(await a.query('select pg_sleep(10)')).toEqual(['T(pg_sleep)', 'E 57014', 'Z I'])
  expect(a.errors[0]?.message).toBe('canceling statement due to statement timeout')
  await a.query(`set transaction_timeout = '50ms'`)
  a.send(parse('', 'select pg_sleep(10)'), bind('', ''), execute(), sync())
  expect(await a.ready()).toEqual(['1', '2', 'E 25P04', 'closed'])
  expect(a.errors[1]).toMatchObject({
    severity: 'FATAL',
    message: 'terminating connection due to transaction timeout',
  })
  expect(await b.query('select 1')).toContain('D(1)')
})
