/**
 * Fresh reads: those that no cache may answer.
 *
 *     Sluice's gateway, on any route     a comment in the statement says so
 *     Cloudflare's Hyperdrive            HYPERDRIVE_FRESH, a binding that caches nothing, in the place of HYPERDRIVE
 *        without such a binding          the read runs in a transaction, where Hyperdrive answers nothing itself
 *
 * The comment alone does not pass Hyperdrive: its cache goes by the text, so a constant comment is but another entry.
 * A transaction costs two trips more, over a connection that is there; the direct route would cost connecting, some
 * seven trips on Workers, and one more connection to the database. What is behind HYPERDRIVE can't be known: that a
 * gateway reports itself (`sluice_version`) does not say that no Hyperdrive is in between.
 *
 * Source: Cloudflare's documentation of Hyperdrive, "Query caching", and "Metrics and analytics" (the cache status
 * `transaction`).
 */
import type { Statement } from './drivers/driver.ts'
import { isRead } from './guard.ts'
import type { Route } from './route.ts'

/** At the end, so that an error's `position` stays; on a line of its own, for the text may end in a comment of one. */
const noCache = '\n/* sluice: no-cache */'

/** The same statement, which a gateway of ours hands to the database. */
export const pastGateway = (statement: Statement): Statement => ({
  ...statement,
  text: statement.text + noCache,
})

/** True if Hyperdrive might answer the statement itself. Writes it never does, and some of them allow no transaction. */
export const mayBeKept = ({ name }: Route, { text }: Statement): boolean =>
  name === 'hyperdrive' && isRead(text)
