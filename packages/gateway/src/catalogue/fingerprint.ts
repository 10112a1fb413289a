/**
 * One number that is another one when anything has changed on which a cached answer, or what a client was told of a
 * statement, could depend. It is asked for each second, so it reads few bytes of few rows.
 *
 * A row of a system catalogue is never changed in place by DDL: it gets a new version, with the transaction's xmin. So the
 * oids and xmins of all rows, hashed and summed, tell of rows that came, went or changed. What changes rows of pg_class
 * without changing what a statement means is left out by hashing its columns instead: TRUNCATE, CLUSTER and CREATE INDEX
 * write a new version. Of materialized views the file's number counts, for REFRESH is told of by nothing else.
 *
 * Answers depend on settings, too, of which neither the client nor the server speaks. What ALTER ROLE and ALTER DATABASE
 * … SET say counts for connections that are opened afterwards, so it has a number of its own. When the server's files
 * were read again is known to the second: each connection reads them for itself when it hears of it, so there is another
 * number once more a second later, when all have.
 *
 * What belongs to temporary tables is left out: other sessions don't see it, and they come and go with each transaction.
 * pg_roles stands for pg_authid, which few may read.
 *
 * Not here: REFRESH MATERIALIZED VIEW CONCURRENTLY, which changes rows and no catalogue.
 */
import type { Query } from './query.ts'
import { own, text, userOids } from './rows.ts'

/** Summed as numeric: the order of rows does not matter, and two changes don't cancel out as they would under XOR. */
const sum = (...values: string[]) =>
  `(count(*), sum(hashtextextended(concat_ws(' ', ${values.join(', ')}), 0)))::text`

const versions = (catalogue: string, identity: string, from: string = '') =>
  `SELECT (count(*), sum(hashint8extended(xmin::text::bigint, ${identity}::bigint)))::text FROM ${catalogue} ${from}`

const permanent = `SELECT oid FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND relpersistence <> 't'
    AND oid >= ${userOids}`

const parts: readonly string[] = [
  `SELECT ${sum(
    'oid',
    'relname',
    'relnamespace',
    'relowner',
    'relkind',
    'relpersistence',
    'relreplident',
    'relrowsecurity',
    'relforcerowsecurity',
    'relacl',
    'reloptions',
    "CASE relkind WHEN 'm' THEN relfilenode END",
  )} FROM pg_class WHERE oid IN (${permanent})`,
  versions('pg_attribute', 'attrelid', `WHERE attnum > 0 AND attrelid IN (${permanent})`),
  versions('pg_attrdef', 'oid', `WHERE adrelid IN (${permanent})`),
  versions('pg_rewrite', 'oid', `WHERE ev_class >= ${userOids}`),
  versions('pg_policy', 'oid'),
  versions('pg_trigger', 'oid', 'WHERE NOT tgisinternal'),
  versions('pg_inherits', 'inhrelid'),
  versions('pg_index', 'indexrelid', 'WHERE indisprimary OR indisreplident'),
  versions('pg_constraint', 'oid', "WHERE contype IN ('c', 'f') OR contypid <> 0"),
  versions('pg_proc', 'oid'),
  versions('pg_aggregate', 'aggfnoid::oid'),
  versions('pg_operator', 'oid'),
  versions('pg_cast', 'oid'),
  versions('pg_enum', 'oid'),
  versions('pg_range', 'rngtypid'),
  versions('pg_collation', 'oid'),
  versions(
    'pg_type',
    'oid',
    `WHERE typtype <> 'c' AND (typrelid = 0 OR typrelid >= ${userOids}) AND typcategory <> 'A'`,
  ),
  versions('pg_namespace', 'oid', "WHERE NOT starts_with(nspname, 'pg_')"),
  versions('pg_ts_config', 'oid'),
  versions('pg_ts_config_map', 'mapcfg'),
  versions('pg_ts_dict', 'oid'),
  versions('pg_conversion', 'oid'),
  versions('pg_opclass', 'oid'),
  versions('pg_database', 'oid', 'WHERE datname = current_database()'),
  versions('pg_foreign_table', 'ftrelid'),
  versions('pg_auth_members', 'member'),
  `SELECT ${sum('oid', 'rolname', 'rolsuper', 'rolinherit', 'rolbypassrls', 'rolcanlogin', 'rolvaliduntil')}
    FROM pg_roles`,
]

/** Of all databases, and of this one. */
const roleSettings = versions(
  'pg_db_role_setting',
  'setrole',
  'WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))',
)
const filesRead = `pg_conf_load_time(), clock_timestamp() - pg_conf_load_time() > '1 s'`
/** Before PostgreSQL 18 connections don't report what search_path the files have given them. */
const pathFilesRead = `CASE WHEN current_setting('server_version_num')::int < 180000 THEN pg_conf_load_time() END`

const fingerprintSql = own(
  `SELECT md5(concat_ws(' ', pg_is_in_recovery(), ${filesRead}, ${parts.map(part => `(${part})`).join(',\n')})), concat_ws(' ', (${roleSettings}), ${pathFilesRead})`,
)

export interface Fingerprint {
  readonly schema: string
  /** Of what a connection starts with. */
  readonly roleSettings: string
}

export async function readFingerprint(query: Query): Promise<Fingerprint> {
  const [row] = await query(fingerprintSql)
  return { schema: text(row?.[0]), roleSettings: text(row?.[1]) }
}

export const isSameFingerprint = (one: Fingerprint, other: Fingerprint): boolean =>
  one.schema === other.schema && one.roleSettings === other.roleSettings
