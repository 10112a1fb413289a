/** The stream's beginning, its loss, and what keeps it from being. */
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { InvalidationLab, labOf } from '../../support/invalidation-lab.ts'
import { createDatabase } from '../../support/postgres.ts'

const schema = 'create table t (id int primary key, v int)'
const ours = `select pid from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
  where s.database = current_database()`

describe('a stream that was lost', () => {
  test.each([
    ['the replication connection', ours],
    [
      'the control connection',
      `select pid from pg_stat_activity where application_name = 'sluice' and backend_type = 'client backend'
        and datname = current_database()`,
    ],
  ])('begins anew after %s has ended, in another epoch', async (_, whose) => {
    await using at = await labOf(schema)
    await at.lab.covers('t')
    const { epochs } = at.lab
    await at.query(`select pg_terminate_backend(pid) from (${whose}) t`)
    await at.lab.until(() => at.lab.epochs > epochs)
    expect(at.lab.covered.size).toBe(0)
    await at.lab.covers('t')
    expect(at.lab.epochs).toBe(epochs + 2)
    expect(at.lab.invalidation.status).toMatchObject({ losses: 1, everRan: true })
    expect(at.lab.invalidation.status.uncoveredMs).toBeGreaterThan(0)
    await at.query('insert into t values (1)')
    expect(await at.lab.told()).toEqual(['t 1'])
  })

  test('is counted when no client was there, too, and left alone until one comes', async () => {
    await using at = await labOf(schema, { idleMs: 60_000 })
    await at.lab.covers('t')
    at.lab.invalidation.clients = 0
    await at.query(`select pg_terminate_backend(pid) from (${ours}) t`)
    await at.lab.until(() => at.lab.phase.at === 'resting')
    expect(at.lab.invalidation.status.losses).toBe(1)
    at.lab.invalidation.clients = 1
    await at.lab.covers('t')
  })

  test('is noticed if the server stops talking, though its connection lives', async () => {
    await using at = await labOf(schema, { silenceMs: 1_000 })
    await at.lab.covers('t')
    const { epochs } = at.lab
    const [{ pid }] = await at.query(ours)
    process.kill(pid, 'SIGSTOP')
    try {
      await at.lab.until(() => at.lab.phase.at === 'waiting')
      expect(at.lab.phase).toMatchObject({
        cause: 'the stream was silent for 1 s, though something was put into the WAL',
        possible: true,
      })
      expect([at.lab.epochs, at.lab.covered.size]).toEqual([epochs + 1, 0])
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await at.lab.covers('t')
  })

  test('shows no delay shorter than what a mark has been under way', async () => {
    await using at = await labOf(schema, { silenceMs: 60_000 })
    await at.lab.covers('t')
    const [{ pid }] = await at.query(ours)
    process.kill(pid, 'SIGSTOP')
    const { boundMs } = await at.lab
      .running(({ delayMs }) => delayMs > 300)
      .finally(() => process.kill(pid, 'SIGCONT'))
    expect(boundMs).toBeGreaterThan(500)
    await at.lab.running(({ delayMs }) => delayMs < 300)
  })
})

describe('opaque commits', () => {
  test('pass when what they changed was told, however many there are', async () => {
    await using at = await labOf(schema)
    await at.lab.covers('t')
    for (let number = 101; number <= 200; number++) {
      await at.query(`insert into t values (${number})`)
      at.lab.invalidation.opaque(number)
      if (number % 10 === 0) await at.lab.until(() => at.lab.passed >= number)
    }
    expect(new Set(at.lab.toldNow()).size).toBe(100)
  })

  test('from before a loss pass when the stream is there again', async () => {
    await using at = await labOf(schema)
    await at.lab.covers('t')
    await at.query(`select pg_terminate_backend(pid) from (${ours}) t`)
    await at.lab.until(() => at.lab.phase.at !== 'running')
    at.lab.invalidation.opaque(1_000)
    await at.lab.until(() => at.lab.passed === 1_000)
  })
})

describe('what it can not do is said, with what helps', () => {
  test('there is no publication, and none is to be made', async () => {
    await using at = await labOf(schema, { mayChange: false })
    await at.lab.until(() => at.lab.phase.at === 'waiting')
    expect(at.lab.phase).toMatchObject({
      ...{ possible: false, cause: 'there is no publication "sluice"' },
      hint: 'Run as the owner of the tables: CREATE PUBLICATION "sluice" FOR TABLE ONLY "public"."t"',
    })
  })

  test('the role may not replicate; it may as soon as it has the attribute, and nothing more', async () => {
    await using database = await createDatabase()
    const role = `r_${database.name}`
    await database.query(
      `${schema}; create publication sluice for table t; create role ${role} login password 'x'`,
    )
    const url = new URL(database.url)
    url.username = role
    url.password = 'x'
    try {
      await using refused = await InvalidationLab.start(url.href, { mayChange: false })
      await refused.until(() => refused.phase.at === 'waiting')
      expect(refused.phase).toMatchObject({
        possible: false,
        hint: 'Let the role of the origin replicate: ALTER ROLE … REPLICATION (on RDS: GRANT rds_replication TO …).',
      })
      await database.query(`alter role ${role} replication`)
      await using lab = await InvalidationLab.start(url.href, { mayChange: false })
      await lab.covers('t')
      await database.query('insert into t values (1)')
      expect(await lab.told()).toEqual(['t 1'])
    } finally {
      await database.query(`drop role ${role}`)
    }
  })
})

test('without a client the origin is left alone, and with the next one it begins anew', async () => {
  await using at = await labOf(schema, { idleMs: 50 })
  await at.lab.covers('t')
  at.lab.invalidation.clients = 0
  await at.lab.until(() => at.lab.phase.at === 'resting')
  expect([at.lab.covered.size, at.lab.invalidation.status.losses]).toEqual([0, 0])
  await at.connectionsFallTo(1)
  for (let slots = 1; slots > 0; await pause(20))
    slots = (await at.query('select from pg_replication_slots where database = current_database()')).length
  at.lab.invalidation.clients = 3
  await at.lab.covers('t')
})

test('the server keeps no WAL for it, though nothing of it is published', async () => {
  await using at = await labOf(`${schema}; create table unpublished (v text)`)
  await at.lab.covers('t')
  await at.query(`insert into unpublished select repeat('x', 1000) from generate_series(1, 10000)`)
  const [position] = await at.query('select pg_current_wal_insert_lsn() as lsn')
  const isBehind = async () =>
    (
      await at.query(
        `select from pg_replication_slots
          where database = current_database() and confirmed_flush_lsn < '${position.lsn}'`,
      )
    ).length > 0
  while (await isBehind()) await pause(20)
})
