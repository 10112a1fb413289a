/** Whom the beginning waits for. */
import type { OldTransaction } from './status.ts'

/** The oldest transaction that has written, in any database: transaction numbers are one server's. */
export const oldTransactionSql = `SELECT pid, gid, round(extract(epoch FROM clock_timestamp() - since) * 1000), "user", application
  FROM (SELECT pid, NULL AS gid, xact_start AS since, usename AS "user", application_name AS application, backend_xid AS xid
      FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
    UNION ALL SELECT NULL, gid, prepared, owner, NULL, transaction FROM pg_prepared_xacts) AS t
  ORDER BY age(xid) DESC LIMIT 1`

export function readOldTransaction(row: readonly (string | null)[] | undefined): OldTransaction | null {
  if (!row) return null
  const [processId = null, gid = null, ageMs = null, user = null, application = null] = row
  return {
    processId: processId === null ? null : Number(processId),
    ageMs: ageMs === null ? null : Number(ageMs),
    ...{ gid, user, application },
  }
}
