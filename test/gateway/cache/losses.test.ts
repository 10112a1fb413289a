/** What is lost: an answer to COMMIT, a stream, a server with its last commits. Nothing that was kept outlives it. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startPostgres } from '@sluice/dev'
import { describe, expect, test, vi } from 'vitest'
import { byAge } from '../../support/caching-gateway.ts'
import { CachingLine } from '../../support/caching-line.ts'
import { createDatabase, queryOnce } from '../../support/postgres.ts'
import type { RawClient } from '../../support/raw-client.ts'

const schema = 'create table t (id int primary key, v int not null); insert into t values (1, 1)'
const read = 'select v from t where id = 1'
const answer = (v: number) => ['T(v)', `D(${v})`, 'C(SELECT 1)', 'Z I']
const stream = `select pid from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
  where s.database = current_database()`

test('a commit whose answer was lost counts as committed', async () => {
  await using database = await createDatabase()
  await database.query(schema)
  await using line = await CachingLine.start(database.url, byAge)
  const [a, b] = [await line.connect(), await line.connect()]
  await line.untilKept(b, read)
  await a.query('begin')
  await a.query('update t set v = 2')
  line.origin.fault = { is: 'cut', at: 'commit', moment: 'answered', times: 1 }
  expect(await a.query('commit')).not.toContain('C(COMMIT)')
  expect(line.origin.faults).toBe(1)
  const again = await line.connect()
  for (const client of [again, b]) expect(await client.query(read)).toEqual(answer(2))
})

describe('a stream that is silent while its connection lives is lost, and answers', () => {
  const silent = { publication: 'sluice', mayChange: true, refreshMs: 200, heartbeatMs: 100, silenceMs: 500 }
  test.each([
    ['are not kept until it is back', null, false],
    ['are kept by their age alone, where that is wanted', 'age', true],
  ] as const)('%s', async (_, withoutStream, isKept) => {
    await using database = await createDatabase()
    await database.query(schema)
    await using line = await CachingLine.start(database.url, {
      invalidation: { ...silent, idleMs: 0 },
      caching: {
        ...{ disabled: false, maxAgeMs: 60_000, staleWhileRevalidateMs: 0, maxAgeUntoldMs: 0 },
        ...{ stable: false, withoutStream },
      },
    })
    const client = await line.connect()
    await vi.waitFor(
      () => expect(line.reads.status.phase).toMatchObject({ at: 'running', covered: 1 }),
      20_000,
    )
    await line.untilKept(client, read)
    const [{ pid }] = await database.query(stream)
    process.kill(pid, 'SIGSTOP')
    try {
      await database.query('update t set v = 2')
      await line.untilHeard(client, read, answer(2))
      expect(line.reads.status).toMatchObject({
        losses: 1,
        phase: { at: 'waiting', cause: expect.stringContaining('the stream was silent') },
      })
      expect(await line.keeps(client, read)).toBe(isKept)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await vi.waitFor(
      () => expect(line.reads.status.phase).toMatchObject({ at: 'running', covered: 1 }),
      20_000,
    )
    expect(await client.query(read)).toEqual(answer(2))
    await line.untilKept(client, read)
  })
})

test('nothing is left of a server whose last commits a promoted standby does not have', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-promoted-'))
  const settings = { fsync: 'off', wal_level: 'logical' }
  const start = (name: string, port?: number) =>
    startPostgres({ dataFolder: join(folder, name), settings, ...(port && { port }) })
  const others = (url: string, many: number) =>
    queryOnce(url, 'update other set n = n + 1; '.repeat(many)).then(() => queryOnce(url, xid))
  const xid = 'select txid_current()::int as xid'
  try {
    const first = await start('primary')
    await queryOnce(
      first.url,
      `${schema}; create table other (n int primary key); insert into other values (0)`,
    )
    await first.stop()
    // A standby that has all up to here.
    await promisify(execFile)('cp', ['-a', join(folder, 'primary'), join(folder, 'standby')])
    const primary = await start('primary', first.port)
    await using line = await CachingLine.start(primary.url)
    const client = await line.connect()
    await line.untilKept(client, read, 'select n from other')
    await queryOnce(primary.url, 'update t set v = 2')
    await line.untilHeard(client, read, answer(2))
    await line.untilKept(client, read)
    const lost = await others(primary.url, 5)
    await primary.kill()

    await writeFile(join(folder, 'standby', 'cluster', 'standby.signal'), '')
    await using promoted = await start('standby', first.port)
    await queryOnce(promoted.url, 'select pg_promote()')
    expect((await others(promoted.url, 1))[0].xid).toBeLessThan(lost[0].xid)
    const again = await connectUntil(line)
    for (const _ of [1, 2]) expect(await again.query(read)).toEqual(answer(1))
    expect(await again.query('select n from other')).toContain('D(1)')
    await line.untilKept(again, read)
    expect(await again.query(read)).toEqual(answer(1))
    await queryOnce(promoted.url, 'update t set v = 3')
    await line.untilHeard(again, read, answer(3))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

async function connectUntil(line: CachingLine): Promise<RawClient> {
  return vi.waitFor(() => line.connect(), 20_000)
}
