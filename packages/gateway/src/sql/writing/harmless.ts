/** Functions that are declared volatile, or are C's, and change no table's rows. */
import { builtinFunctions } from '../builtin-functions.ts'
import { functionEffects } from '../function-effects.ts'

/**
 * Of pg_catalog: what others learn of by it is no row (sequences, locks, settings, notifications, large objects), and
 * what it runs is no SQL. A name that is not known here, because PostgreSQL is newer, may do anything.
 */
export const isHarmlessBuiltin = (name: string): boolean =>
  builtinFunctions.has(name) || functionEffects.has(name) || others.has(name)

const others: ReadonlySet<string> = new Set(
  `set_config pg_listening_channels pg_nextoid pg_backup_start pg_backup_stop
  pg_replication_origin_session_reset pg_replication_origin_session_is_setup
  pg_replication_origin_session_progress`.split(/\s+/),
)

/** They run SQL that they are given, or read what a name stands for. */
export const runsSqlUnseen = (name: string): boolean => /_to_xml|^ts_stat$|^ts_rewrite$/.test(name)

/** Trigger functions of pg_catalog that users may name. They assign columns that are no keys, or nothing. */
export const harmlessTriggers: ReadonlySet<string> = new Set([
  'tsvector_update_trigger',
  'tsvector_update_trigger_column',
  'suppress_redundant_updates_trigger',
])

/** Of extensions, in C and volatile: uuid-ossp, pgcrypto, pg_uuidv7, pg_trgm, tablefunc, pgjwt's like; and moddatetime. */
export const harmlessExtensionFunctions: ReadonlySet<string> = new Set(
  `uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuid_generate_v7
  gen_random_bytes gen_random_uuid gen_salt pgp_sym_encrypt pgp_sym_encrypt_bytea pgp_pub_encrypt
  pgp_pub_encrypt_bytea set_limit normal_rand moddatetime`.split(/\s+/),
)
