/** Commits that wait for a standby: the stream shows them, and no snapshot sees them until it has them. */
import { type Postgres, startPostgres } from '@sluice/dev'
import { expect } from 'vitest'
import type { TestDatabase } from './postgres.ts'

/** A server whose standby is called so. */
export const standbyName = 'standby'

export const startWithStandby = (): Promise<Postgres> =>
  startPostgres({
    settings: {
      ...{ fsync: 'off', wal_level: 'logical', synchronous_standby_names: standbyName },
      // Who is to wait says so.
      synchronous_commit: 'local',
    },
  })

export const schema = 'create table t (id int primary key, v int); insert into t values (1, 0)'
export const waits = 'set synchronous_commit = on; update t set v = 1 where id = 1'

/** The process whose commit waits. */
export async function processThatWaits(database: Pick<TestDatabase, 'query'>): Promise<number> {
  const waiting = async () =>
    (
      await database.query(
        `select pid from pg_stat_activity where wait_event = 'SyncRep' and datname = current_database()`,
      )
    )[0]?.pid
  await expect.poll(waiting, { timeout: 20_000 }).toBeDefined()
  return waiting()
}
