/**
 * The publication: which tables the stream tells of, judged.
 *
 *     examineSql ─▶ rows of JSON ─▶ judge ─▶ missing: the statement that would make it
 *                                        ├─▶ unfit, and why
 *                                        └─▶ fit: tables that it tells of, tables left out and why, what would mend it
 *
 * Published is only what can be named when it changes: with a publication of all tables, UPDATE and DELETE fail on a
 * table without an identity. Nor is anything published through a partition's root: a TRUNCATE of a partition is not
 * told then. A publication FOR ALL TABLES is taken if somebody made it, but never made.
 * Source: PostgreSQL documentation, "CREATE PUBLICATION" and "Publication".
 */
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'
import { ddlToldSinceSql } from './ddl.ts'
import { type Failure, isStandby, tooOld, unfit, walLevel } from './failure.ts'
import { publicationStateSql } from './publication-state.ts'

/** What is read of an origin. */
export interface Examined {
  /** As server_version_num. */
  readonly version: number
  readonly walLevel: string
  readonly standby: boolean
  /** Another one when anything of this has changed. */
  readonly state: string
  /** The replication slot is on this server. */
  readonly slot: boolean
  /** Since when the event triggers are there; null if they are not. */
  readonly ddl: string | null
  readonly publication: {
    readonly insert: boolean
    readonly update: boolean
    readonly delete: boolean
    readonly truncate: boolean
    readonly viaRoot: boolean
    readonly allTables: boolean
  } | null
  readonly tables: readonly ExaminedTable[]
  /** What the publication says of its tables; PostgreSQL 14 knows no columns and no filters. */
  readonly published: readonly {
    readonly relid: number
    /** What is another one once the table was out of the publication, by itself or by a table above it. */
    readonly since: string
    readonly attrs: readonly number[] | null
    readonly qual: unknown
  }[]
}

export interface ExaminedTable {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** r, p, m, f: as in pg_class. */
  readonly kind: string
  readonly persistence: string
  readonly replicaIdentity: string
  /** Columns of the index that is the replica identity, or of the primary key, as int2vector prints them; null if the stream can't name rows by it. */
  readonly key: string | null
  readonly generated: boolean
  /** The topmost table of a partition; null for any other table. */
  readonly root: number | null
  /** Named in the publication itself. */
  readonly member: boolean
  /** The role may publish it: it owns it, or is a member of who does. */
  readonly owned: boolean
}

export type Judged =
  | Fit
  | { readonly is: 'unfit'; readonly failure: Failure }
  | {
      readonly is: 'missing'
      /** The statement that would make it. */
      readonly statement: string
      /** The same with the role's own tables only; null if it has none of them. */
      readonly ownStatement: string | null
      readonly leftOut: Fit['leftOut']
    }

export interface Fit {
  readonly is: 'fit'
  /** Tables whose changes are told, and since when each is. */
  readonly covered: ReadonlyMap<number, string>
  readonly leftOut: readonly { readonly table: string; readonly why: string }[]
  readonly ddl: 'told' | 'polled'
  /** Statements that add what could be published, and take out what can't be updated as it is. */
  readonly changes: readonly string[]
  /** The same with the role's own tables only. */
  readonly ownChanges: readonly string[]
}

/**
 * One row for the server, then one for each table and for what the publication has.
 *
 * Of pg_get_publication_tables a row is read by way of SELECT *: in PostgreSQL 14 it has one column, and would be taken
 * for that column's value.
 *
 * @param slot the name of our replication slot
 */
export const examineSql = (
  publication: string,
  slot: string,
): string => `SELECT json_build_object('is', 'server',
    'version', current_setting('server_version_num')::int,
    'walLevel', current_setting('wal_level'),
    'standby', pg_is_in_recovery(),
    'slot', EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)} AND active),
    'ddl', ${ddlToldSinceSql},
    'state', ${publicationStateSql(publication)},
    'publication', (SELECT json_build_object('insert', pubinsert, 'update', pubupdate, 'delete', pubdelete,
      'truncate', pubtruncate, 'viaRoot', pubviaroot, 'allTables', puballtables)
      FROM pg_publication WHERE pubname = ${quoteLiteral(publication)}))
  UNION ALL SELECT json_build_object('is', 'published', 'relid', relid::bigint, 'attrs', t->'attrs', 'qual', t->'qual',
      'since', concat_ws(' ', p.oid, p.xmin,
        (SELECT string_agg(r.oid || ':' || r.xmin, ' ' ORDER BY r.oid) FROM pg_publication_rel r
          WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT relid UNION ALL SELECT pg_partition_ancestors(relid))),
        (SELECT string_agg(i.inhparent || ':' || i.xmin, ' ' ORDER BY i.inhparent) FROM pg_inherits i
          WHERE i.inhrelid IN (SELECT pg_partition_ancestors(relid)))))
    FROM pg_publication p, LATERAL (SELECT to_jsonb(t) AS t FROM (SELECT * FROM pg_get_publication_tables(p.pubname::text)) t) t,
      LATERAL (SELECT (t->>'relid')::oid AS relid) r
    WHERE p.pubname = ${quoteLiteral(publication)}
  UNION ALL SELECT json_build_object('is', 'table', 'oid', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
      'kind', c.relkind, 'persistence', c.relpersistence, 'replicaIdentity', c.relreplident,
      'key', (SELECT i.indkey::text FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
        AND NOT EXISTS (SELECT FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND a.attgenerated <> '')
        AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END),
      'generated', EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> ''),
      'root', CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid::bigint END,
      'member', EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
        WHERE r.prrelid = c.oid AND p.pubname = ${quoteLiteral(publication)}),
      'owned', pg_has_role(c.relowner, 'USAGE'))
    FROM (SELECT * FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'f') AND relpersistence <> 't' AND oid >= 16384) c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname <> 'information_schema'`

type ExaminedRow =
  | ({ readonly is: 'server' } & Omit<Examined, 'tables' | 'published'>)
  | ({ readonly is: 'published' } & Examined['published'][number])
  | ({ readonly is: 'table' } & ExaminedTable)

export function readExamined(rows: readonly (readonly (string | null)[])[]): Examined {
  const values = rows.map(([value]) => JSON.parse(value!) as ExaminedRow)
  const server = values.find(value => value.is === 'server')
  if (!server) throw new Error('the origin told nothing of itself')
  return {
    ...server,
    published: values.filter(value => value.is === 'published'),
    tables: values.filter(value => value.is === 'table').sort(byName),
  }
}

const byName = (one: ExaminedTable, other: ExaminedTable) => (sqlName(one) < sqlName(other) ? -1 : 1)

export function judge(name: string, examined: Examined): Judged {
  const { version, publication, tables, published } = examined
  if (version < 140_000) return no(tooOld(`${Math.trunc(version / 10_000)}`))
  if (examined.standby) return no(isStandby())
  if (examined.walLevel !== 'logical') return no(walLevel(examined.walLevel))
  const plan = planOf(tables, version)
  if (publication === null) {
    const all = [...plan.names.values()]
    const own = all.filter(({ owned }) => owned)
    const ownStatement = own.length > 0 || all.length === 0 ? createSql(name, own) : null
    return { is: 'missing', statement: createSql(name, all), ownStatement, leftOut: plan.leftOut }
  }
  const byOid: ReadonlyMap<number, ExaminedTable> = new Map(tables.map(table => [table.oid, table]))
  const fault = faultOf(name, publication) ?? faultOfTables(name, published, byOid)
  if (fault) return no(fault)
  const told = new Map(published.map(({ relid, since }) => [relid, since]))
  const covered = new Map<number, string>()
  for (const table of tables) {
    const since = table.kind === 'm' ? examined.ddl : told.get(table.oid)
    if (since && (table.kind === 'm' || whyNot(table, version) === null)) covered.set(table.oid, since)
  }
  const missing = tables.filter(table => plan.names.has(table.oid) && !reaches(table, tables, told))
  const refusing = tables.filter(
    table => table.member && whyNot(table, version) !== null && table.kind !== 'p',
  )
  return {
    is: 'fit',
    ...{ covered, leftOut: plan.leftOut, ddl: examined.ddl === null ? 'polled' : 'told' },
    ...(publication.allTables
      ? { changes: [], ownChanges: [] }
      : {
          changes: changesSql(name, refusing, missing),
          // Who owns the publication takes any table out of it.
          ownChanges: changesSql(
            name,
            refusing,
            missing.filter(({ owned }) => owned),
          ),
        }),
  }
}

const changesSql = (
  name: string,
  drop: readonly ExaminedTable[],
  add: readonly ExaminedTable[],
): string[] => [
  ...(drop.length > 0 ? [alter(name, 'DROP', drop)] : []),
  ...(add.length > 0 ? [alter(name, 'ADD', add)] : []),
]

const no = (failure: Failure): Judged => ({ is: 'unfit', failure })

/** What makes a publication unfit as a whole. */
function faultOf(name: string, publication: NonNullable<Examined['publication']>): Failure | null {
  const actions = ['insert', 'update', 'delete', 'truncate'] as const
  const missing = actions.filter(action => !publication[action])
  const quoted = quoteIdentifier(name)
  if (missing.length > 0)
    return unfit(
      ...([name, `does not publish ${missing.join(', ')}`] as const),
      `ALTER PUBLICATION ${quoted} SET (publish = 'insert, update, delete, truncate')`,
    )
  if (publication.viaRoot)
    return unfit(
      ...([name, 'publishes via partition roots: a TRUNCATE of a partition is not told'] as const),
      `ALTER PUBLICATION ${quoted} SET (publish_via_partition_root = false)`,
    )
  return null
}

/** What makes it unfit for one of its tables. */
function faultOfTables(
  name: string,
  published: Examined['published'],
  tables: ReadonlyMap<number, ExaminedTable>,
): Failure | null {
  for (const { relid, attrs, qual } of published) {
    const table = tables.get(relid)
    if (!table) continue
    const cure = `ALTER PUBLICATION ${quoteIdentifier(name)} DROP TABLE ${sqlName(table)}, and ADD TABLE it whole`
    if (qual !== null) return unfit(name, `filters the rows of ${plainName(table)}`, cure)
    const key = table.key?.split(' ') ?? []
    if (attrs && !key.every(column => attrs.includes(+column)))
      return unfit(name, `lists columns of ${plainName(table)} without its key`, cure)
  }
  return null
}

/** What a publication of our own would have. */
function planOf(tables: readonly ExaminedTable[], version: number) {
  const names = new Map<number, ExaminedTable>()
  const leftOut: { table: string; why: string }[] = []
  for (const table of tables) {
    const why = whyNot(table, version)
    if (why !== null) leftOut.push({ table: plainName(table), why })
    else if (table.kind === 'p') {
      // Partitions that are made later come by themselves, with the key that they have from the root.
      const parts = tables.filter(({ root, kind }) => root === table.oid && kind !== 'p')
      if (table.root === null && table.key !== null && parts.every(part => whyNot(part, version) === null))
        names.set(table.oid, table)
    } else names.set(table.oid, table)
  }
  for (const [oid, { root }] of names) if (root !== null && names.has(root)) names.delete(oid)
  return { names, leftOut }
}

/** Whether the changes of all its partitions, or its own, are told. */
const reaches = (
  table: ExaminedTable,
  tables: readonly ExaminedTable[],
  told: ReadonlyMap<number, string>,
) =>
  table.kind === 'p'
    ? table.member || tables.every(part => part.root !== table.oid || part.kind === 'p' || told.has(part.oid))
    : told.has(table.oid)

/** Why the stream can't tell all that happens to a table; null if it can. Partitions count, not what is above them. */
function whyNot(table: ExaminedTable, version: number): string | null {
  if (table.kind === 'f') return 'it is a foreign table: another server changes it'
  if (table.kind === 'm') return 'it is a materialized view: only the event trigger tells of a REFRESH'
  if (table.persistence === 'u') return 'it is unlogged: its changes are not in the WAL'
  if (table.kind === 'p') return null
  switch (table.replicaIdentity) {
    case 'f':
      // PostgreSQL refuses UPDATE and DELETE then.
      return table.generated && version >= 180_000
        ? 'its REPLICA IDENTITY FULL takes in a generated column, which is not published'
        : null
    case 'n':
      return 'it has REPLICA IDENTITY NOTHING: its rows can not be named'
    default:
      return table.key === null
        ? 'it has no primary key that names its rows: give it one, or REPLICA IDENTITY FULL'
        : null
  }
}

const createSql = (name: string, tables: readonly ExaminedTable[]): string =>
  tables.length === 0
    ? `CREATE PUBLICATION ${quoteIdentifier(name)}`
    : `CREATE PUBLICATION ${quoteIdentifier(name)} FOR TABLE ${list(tables)}`

const alter = (name: string, verb: 'ADD' | 'DROP', tables: readonly ExaminedTable[]) =>
  `ALTER PUBLICATION ${quoteIdentifier(name)} ${verb} TABLE ${list(tables)}`

/** Each table for itself: ONLY leaves out inheritance children, which are judged by themselves. */
const list = (tables: readonly ExaminedTable[]) => tables.map(table => `ONLY ${sqlName(table)}`).join(', ')

const sqlName = ({ schema, name }: ExaminedTable) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
const plainName = ({ schema, name }: ExaminedTable) => `${schema}.${name}`
