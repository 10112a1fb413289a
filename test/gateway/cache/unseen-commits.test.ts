/**
 * Commits that the stream shows and no snapshot sees yet. What is read in between is old, and comes after what the stream
 * has told: it may be kept only as long as the commit is not visible.
 */
import type { Postgres } from '@sluice/dev'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { CachingLine } from '../../support/caching-line.ts'
import { PhysicalReceiver } from '../../support/physical-receiver.ts'
import { createDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'
import {
  processThatWaits,
  schema,
  standbyName,
  startWithStandby,
  waits,
} from '../../support/waiting-commits.ts'

const read = 'select v from t where id = 1'
const answer = (v: number) => ['T(v)', `D(${v})`, 'C(SELECT 1)', 'Z I']

describe('a commit that waits for its standby', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startWithStandby()
  })
  afterAll(() => postgres.stop())

  test('ends what was read after it was told, when it becomes visible', async () => {
    await using database = await createDatabase(postgres.url)
    await database.query(schema)
    await using standby = await PhysicalReceiver.start(postgres.url, standbyName)
    await using line = await CachingLine.start(database.url)
    const client = await line.connect()
    await line.untilKept(client, read)
    standby.hold()
    const update = database.query(waits)
    await vi.waitFor(() => expect(line.reads.status.phase).toMatchObject({ unsettled: 1 }), 20_000)
    // From the origin, after the change was told; and it may be said again, for nobody sees another.
    expect(await client.query(read)).toEqual(answer(0))
    await line.untilKept(client, read)
    standby.release()
    await update
    await line.untilHeard(client, read, answer(1))
  })

  test('from before the stream ran keeps answers from being kept until it is visible', async () => {
    await using database = await createDatabase(postgres.url)
    await database.query(schema)
    await using first = await rawClient(database.url)
    await using second = await rawClient(database.url)
    const slotWaitsFor = ({ key }: RawClient) =>
      expect
        .poll(
          () =>
            database.query(`select from pg_stat_activity where backend_type = 'walsender'
              and datname = current_database() and ${key!.processId} = any (pg_blocking_pids(pid))`),
          { timeout: 20_000 },
        )
        .toHaveLength(1)
    // A replication slot is made when two transactions have ended one after the other: what commits before the second one
    // has is not shown by its stream.
    await first.query('begin; insert into t values (2, 2)')
    await using line = await CachingLine.start(database.url)
    const client = await line.connect()
    await client.query(read)
    await slotWaitsFor(first)
    await second.query('begin; insert into t values (3, 3)')
    await first.query('rollback')
    await slotWaitsFor(second)
    const update = database.query(waits)
    const processId = await processThatWaits(database)
    await second.query('rollback')
    await vi.waitFor(
      () =>
        expect(line.reads.status.phase).toMatchObject({
          ...{ at: 'running', covered: 0 },
          quarantine: { heldBy: { processId } },
        }),
      20_000,
    )
    for (const _ of [1, 2, 3]) expect(await client.query(read)).toEqual(answer(0))
    expect(await line.keeps(client, read)).toBe(false)
    await using standby = await PhysicalReceiver.start(postgres.url, standbyName)
    standby.release()
    await update
    expect(await client.query(read)).toEqual(answer(1))
    await line.untilKept(client, read)
  })
})

describe('commits of many writers', () => {
  const rows = 8
  const rounds = 15
  const crowd = { writers: 16, readers: 6, writes: 5 }
  const readOf = (id: number) => `select v from t where id = ${id}`
  const marker = 'select n from markers'
  const anyRow = () => 1 + Math.floor(Math.random() * rows)

  test('are all in what is kept, once all was told', { timeout: 120_000 }, async () => {
    await using database = await createDatabase()
    await database.query(`create table t (id int primary key, v int);
      insert into t select id, 0 from generate_series(1, ${rows}) id;
      create table markers (n int primary key); insert into markers values (0)`)
    await using line = await CachingLine.start(database.url)
    const [first, ...readers] = await Promise.all(
      Array.from({ length: 1 + crowd.readers }, () => line.connect()),
    )
    const writers = await Promise.all(Array.from({ length: crowd.writers }, () => rawClient(database.url)))
    const { counts } = line.reads.tallies.total
    for (let round = 1; round <= rounds; round++) {
      await line.untilKept(first!, marker)
      let isOver = false
      const reading = readers.map(async reader => {
        while (!isOver) await reader.query(readOf(anyRow()))
      })
      await Promise.all(
        writers.map(async writer => {
          for (let left = crowd.writes; left > 0; left--)
            await writer.query(`update t set v = v + 1 where id = ${anyRow()}`)
        }),
      )
      isOver = true
      await Promise.all(reading)
      // What was kept of it says the old one until the stream has shown the new one, and all before it.
      await database.query(`update markers set n = ${round}`)
      await line.untilHeard(first!, marker, ['T(n)', `D(${round})`, 'C(SELECT 1)', 'Z I'])
      await vi.waitFor(() => expect(line.reads.status.phase).toMatchObject({ unsettled: 0 }), 20_000)
      const there = await database.query<{ v: number }>('select v from t order by id')
      for (const [at, { v }] of there.entries())
        expect(await first!.query(readOf(at + 1)), `round ${round}`).toEqual(answer(v))
    }
    expect(line.reads.status.losses).toBe(0)
    expect(counts.hit).toBeGreaterThan(rounds * rows)
    for (const writer of writers) writer.destroy()
  })
})
