/** Asks an origin what its answers can be cached by: the publication, the role's rights, a replication connection. */
import { streamParameters } from '../invalidation/connections.ts'
import { type Failure, lost, refused, tooOld } from '../invalidation/failure.ts'
import { type Examined, examineSql, readExamined } from '../invalidation/publication.ts'
import { type DialOptions, dial } from '../origin/dial.ts'
import { LoginRefused } from '../origin/pool.ts'
import type { Keeper } from '../origin/server-connection.ts'

export type CacheFacts =
  | { readonly is: 'too old'; readonly failure: Failure }
  | {
      readonly is: 'examined'
      readonly examined: Examined
      /** Why the role gets no replication connection; null if it does. */
      readonly noStream: Failure | null
      /** CREATE on the database. */
      readonly mayCreate: boolean
      readonly mayMakeTriggers: boolean
    }

type Ask = (sql: string) => Promise<(string | null)[][]>

/** @param reach as the gateway logs in; the replication connection is closed at once */
export async function examineCache(ask: Ask, publication: string, reach: DialOptions): Promise<CacheFacts> {
  const [rights] = await ask(rightsSql)
  const [version, mayCreate, mayMakeTriggers] = rights!
  if (Number(version) < 140_000)
    return { is: 'too old', failure: tooOld(`${Math.trunc(+version! / 10_000)}`) }
  return {
    is: 'examined',
    examined: readExamined(await ask(examineSql(publication, ''))),
    noStream: await tryStream(reach),
    ...{ mayCreate: mayCreate === 't', mayMakeTriggers: mayMakeTriggers === 't' },
  }
}

/** PostgreSQL lets superusers make event triggers; RDS, Cloud SQL and Supabase a role of theirs. */
const rightsSql = `SELECT
  current_setting('server_version_num'),
  has_database_privilege(current_database(), 'CREATE'),
  rolsuper
    OR EXISTS (SELECT FROM pg_roles may
      WHERE may.rolname IN ('rds_superuser', 'cloudsqlsuperuser') AND pg_has_role(may.oid, 'USAGE'))
    OR rolname = 'postgres' AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'supabase_admin')
  FROM pg_roles WHERE rolname = session_user`

const keeper: Keeper = { onGone() {}, onNotification() {} }

/** Whether it may is decided by an attribute, by pg_hba.conf, and by what stands in between: so it is tried. */
async function tryStream(reach: DialOptions): Promise<Failure | null> {
  try {
    const server = await dial(
      { ...reach, parameters: streamParameters },
      keeper,
      new AbortController().signal,
    )
    server.close(new Error('it was opened to see whether it can be'))
    return null
  } catch (error) {
    return error instanceof LoginRefused ? refused(error.fields) : lost((error as Error).message)
  }
}
