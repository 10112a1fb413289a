/** Commits that the stream shows and no snapshot sees: PostgreSQL waits for a standby. */

import type { Postgres } from '@sluice/dev'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { InvalidationLab, labOf } from '../../support/invalidation-lab.ts'
import { PhysicalReceiver } from '../../support/physical-receiver.ts'
import {
  processThatWaits,
  schema,
  standbyName,
  startWithStandby,
  waits,
} from '../../support/waiting-commits.ts'

let postgres: Postgres
beforeAll(async () => {
  postgres = await startWithStandby()
})
afterAll(() => postgres.stop())

async function client(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client(url)
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

describe('a commit that waits for its standby', () => {
  test('is told when it is shown and again when it is visible, and nothing before it passes', async () => {
    await using at = await labOf(schema, {}, postgres.url)
    await at.lab.covers('t')
    await using standby = await PhysicalReceiver.start(postgres.url, standbyName)
    standby.hold()
    const update = at.query(waits)
    await at.lab.running(({ unsettled }) => unsettled === 1)
    expect(at.lab.toldNow()).toEqual(['t 1'])
    // What a fill would read now.
    expect(await at.query('select v from t')).toEqual([{ v: 0 }])
    at.lab.invalidation.opaque(1_000)
    // The stream lives: heartbeats do not wait for the standby.
    const { forMs } = await at.lab.running()
    await at.lab.running(now => now.forMs > forMs + 500 && now.delayMs < 500)
    expect(at.lab.passed).toBeLessThan(1_000)
    standby.release()
    await update
    await at.lab.running(({ unsettled }) => unsettled === 0)
    await at.lab.until(() => at.lab.passed === 1_000)
    expect(at.lab.toldNow()).toEqual(['t 1', 't 1'])
    expect(await at.query('select v from t')).toEqual([{ v: 1 }])
  })

  test('keeps its table uncovered, if it committed before the stream began', async () => {
    await using at = await labOf(schema, { idleMs: 1 }, postgres.url)
    await at.lab.covers('t')
    at.lab.invalidation.clients = 0
    await at.lab.until(() => at.lab.phase.at === 'resting')

    await using first = await client(at.url)
    await using second = await client(at.url)
    await first.query('begin; insert into t values (2, 2)')
    await second.query('begin; insert into t values (3, 3)')
    at.lab.invalidation.clients = 1
    // PostgreSQL makes no replication slot while a transaction is open that was there before.
    await at.lab.until(() => at.lab.phase.at === 'opening' && at.lab.phase.heldBy?.processId !== undefined)
    await first.query('rollback')
    const update = at.query(waits)
    const processId = await processThatWaits(at)
    await second.query('rollback')
    // Whether the replication slot is made or not: what keeps its table waiting is named.
    const heldBy = ({ phase } = at.lab) =>
      phase.at === 'opening' ? phase.heldBy : phase.at === 'running' ? phase.quarantine?.heldBy : null
    await at.lab.until(() => heldBy()?.processId === processId)
    expect(at.lab.covered.size).toBe(0)
    await using standby = await PhysicalReceiver.start(postgres.url, standbyName)
    standby.release()
    await update
    await at.lab.covers('t')
  })
})

test('the first transaction that is open is named, while no replication slot can be made', async () => {
  await using at = await labOf(schema, { idleMs: 1 }, postgres.url)
  await using lab = await InvalidationLab.start(at.url, { publication: 'other' })
  await lab.running()
  await using open = await client(at.url)
  await open.query('begin; update t set v = 5')
  const { rows } = await open.query('select pg_backend_pid() as pid')
  lab.invalidation.reopen(new Error('the origin is elsewhere'))
  await lab.until(() => lab.phase.at === 'opening' && lab.phase.heldBy !== null)
  expect(lab.phase).toMatchObject({ step: 'creating', heldBy: { processId: rows[0].pid, user: 'sluice' } })
  await open.query('commit')
  await lab.running(({ covered }) => covered === 1)
})
