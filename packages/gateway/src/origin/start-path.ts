/**
 * The search_path that a connection starts with, where the server does not report it: PostgreSQL does since 18. Without
 * it nobody can tell what the names in a client's statements mean, and nothing could be kept.
 *
 * It is asked once, behind the login, and stands with what the server reports; clients, who would not hear it from the
 * server, do not hear it from the gateway. What a client sets is known from the client. What the server's files set anew
 * is noticed by the catalogue's fingerprint, which has the connections opened anew.
 */
import { askWithin, type Patience } from './own-query.ts'
import type { ServerConnection } from './server-connection.ts'
import type { Values } from './values.ts'

const searchPath = 'search_path'

/** The first that reports it. */
const reportingVersion = 18

/** Whether a client hears this from its server. */
export const isReported = (name: string, { byName }: Values): boolean =>
  name !== searchPath || Number.parseInt(byName.get('server_version') ?? '', 10) >= reportingVersion

/** Without effect if the server reports it, or won't say it. */
export function learnStartPath(server: ServerConnection, patience: Patience): Promise<void> {
  if (server.reported.byName.has(searchPath)) return Promise.resolve()
  return new Promise(resolve => {
    askWithin(patience, server, `SHOW ${searchPath}`, answer => {
      const path = 'rows' in answer ? answer.rows[0]?.[0] : null
      if (typeof path === 'string') server.reported = server.reported.with([[searchPath, path]])
      resolve()
    })
  })
}
