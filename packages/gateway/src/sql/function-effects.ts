/** What functions do to a session, or need, beyond their result. set_config is judged by its arguments. */
import { Needs, Touches } from './plan.ts'

export interface Effect {
  readonly touches?: number
  readonly needs?: number
}

const advisoryLock: Effect = { touches: Touches.advisoryLock }
const lasting: Effect = { touches: Touches.lasting }

/** Of pg_catalog's. */
export const functionEffects: ReadonlyMap<string, Effect> = new Map<string, Effect>([
  ['pg_advisory_lock', advisoryLock],
  ['pg_advisory_lock_shared', advisoryLock],
  ['pg_try_advisory_lock', advisoryLock],
  ['pg_try_advisory_lock_shared', advisoryLock],
  ['pg_advisory_unlock', advisoryLock],
  ['pg_advisory_unlock_shared', advisoryLock],
  ['pg_advisory_unlock_all', advisoryLock],
  ['nextval', { touches: Touches.sequences }],
  ['setval', { touches: Touches.sequences }],
  ['currval', { needs: Needs.sequences }],
  ['lastval', { needs: Needs.sequences }],
  ['pg_prepared_statement', { needs: Needs.statementNames }],
  ['pg_cancel_backend', { needs: Needs.backendSignal }],
  ['pg_terminate_backend', { needs: Needs.backendSignal }],
  ['setseed', lasting],
  ['pg_replication_origin_session_setup', lasting],
  // The slot may be a temporary one, which ends with the session.
  ['pg_create_logical_replication_slot', lasting],
  ['pg_create_physical_replication_slot', lasting],
  ['pg_copy_logical_replication_slot', lasting],
  ['pg_copy_physical_replication_slot', lasting],
])

/** Of the extensions that come with PostgreSQL, in whatever schema they are: what they do is not written in their SQL. */
export const extensionEffects: ReadonlyMap<string, Effect> = new Map<string, Effect>([
  ['dblink_connect', lasting],
  ['dblink_connect_u', lasting],
  ['set_limit', { touches: Touches.settings }],
])

/** They run SQL that they are given as a value. */
export const runsSql: ReadonlySet<string> = new Set([
  'query_to_xml',
  'query_to_xmlschema',
  'query_to_xml_and_xmlschema',
  'ts_rewrite',
  'ts_stat',
])
