/**
 * The race that the second telling is for, run on PostgreSQL: readers fill a toy cache while writers commit, and a
 * synchronous standby holds commits back between their flush and their visibility.
 */
import { setImmediate as pause } from 'node:timers/promises'
import { startPostgres } from '@sluice/dev'
import pg from 'pg'
import { expect, test } from 'vitest'
import { makeCounters, Stamps } from '../../../packages/gateway/src/cache/stamps.ts'
import { labOf } from '../../support/invalidation-lab.ts'
import { PhysicalReceiver } from '../../support/physical-receiver.ts'

const rows = 8
const rounds = 40
const actors = 4
const writesPerRound = 10

test('no answer that was stored stays current and wrong, whatever the standby does', async () => {
  await using postgres = await startPostgres({
    settings: {
      ...{ fsync: 'off', wal_level: 'logical', synchronous_standby_names: 'standby' },
      synchronous_commit: 'local',
    },
  })
  await using at = await labOf(
    `create table t (id int primary key, v int); insert into t select n, 0 from generate_series(0, ${rows - 1}) n`,
    {},
    postgres.url,
  )
  await at.lab.covers('t')
  await using standby = await PhysicalReceiver.start(postgres.url, 'standby')
  await using clients = await connect(at.url, 2 * actors)
  const stamps = new Stamps(makeCounters(), 1)
  const slotOf = (row: number) => stamps.row(at.lab.oidOf('t'), [String(row)])
  at.lab.onTold = word => stamps.bump(slotOf(Number(word.split(' ')[1])))

  const stored = new Map<number, { v: number; stamp: number }>()
  const isCurrent = (row: number) => stored.has(row) && stamps.current(stored.get(row)!.stamp, [slotOf(row)])
  let hits = 0
  const read = async (client: pg.Client, row: number) => {
    if (isCurrent(row)) {
      hits++
      // A hit takes no time of its own, and would leave none to the others.
      await pause()
    } else {
      const stamp = stamps.sum([slotOf(row)])
      const result = await client.query('select v from t where id = $1', [row])
      if (stamps.current(stamp, [slotOf(row)])) stored.set(row, { v: result.rows[0].v, stamp })
    }
  }
  const anyRow = () => Math.floor(Math.random() * rows)
  const write = async (client: pg.Client) => {
    for (let left = writesPerRound; left > 0; left--)
      await client.query('update t set v = v + 1 where id = $1', [anyRow()])
  }

  const [writers, readers] = [clients.all.slice(0, actors), clients.all.slice(actors)]
  for (const client of writers) await client.query('set synchronous_commit = on')

  for (let round = 0; round < rounds; round++) {
    standby.delayMs = round % 2 === 0 ? 0 : Math.random() * 5
    let isOver = false
    const reading = readers.map(async client => {
      while (!isOver) await read(client, anyRow())
    })
    await Promise.all(writers.map(write))
    isOver = true
    await Promise.all(reading)
    await at.lab.told()
    await at.lab.running(({ unsettled }) => unsettled === 0)
    const now = await at.query<{ id: number; v: number }>('select id, v from t')
    const wrong = now.filter(({ id, v }) => isCurrent(id) && stored.get(id)!.v !== v)
    expect(wrong).toEqual([])
  }
  expect(hits).toBeGreaterThan(rounds)
})

async function connect(url: string, count: number): Promise<AsyncDisposable & { all: pg.Client[] }> {
  const all = Array.from({ length: count }, () => new pg.Client(url))
  await Promise.all(all.map(client => client.connect()))
  return {
    all,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map(client => client.end()))
    },
  }
}
