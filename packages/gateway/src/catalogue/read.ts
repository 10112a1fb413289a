/**
 * Reads a Catalogue through a query port: some fifteen statements, whatever the number of tables.
 *
 * Each statement sets the search_path for itself, so that no name of a user's can stand before PostgreSQL's, and so that
 * definitions of views, policies and domains come with all names qualified that are not pg_catalog's.
 *
 * The statements have a snapshot each. What changes between them is noticed by the fingerprint, which is read first: the
 * next look at it finds another one.
 */
import {
  type Aggregate,
  Catalogue,
  type Column,
  type ForeignKey,
  type Oid,
  type Policy,
  type Relation,
  type Role,
  type Rule,
  type Trigger,
} from './catalogue.ts'
import { readFingerprint } from './fingerprint.ts'
import type { Query, Row } from './query.ts'
import { readCasts, readOperators, readRoutines, readTypes } from './read-types.ts'
import { grouped, isTrue, number, numbers, own, text, userOids } from './rows.ts'

/** @param query of one database, as a role that may read its system catalogues; one or several statements at a time */
export async function readCatalogue(query: Query): Promise<Catalogue> {
  const ask: Query = sql => query(own(sql))
  const fingerprint = await readFingerprint(query)
  const columns = grouped(await ask(columnsSql), columnOf)
  return new Catalogue({
    fingerprint,
    relations: await readRelations(ask, columns),
    systemRelations: (await ask(systemRelationsSql)).map(([name]) => text(name)),
    foreignKeys: (await ask(foreignKeysSql)).map(row => foreignKeyOf(row, columns)),
    routines: await readRoutines(ask),
    aggregates: new Map((await ask(aggregatesSql)).map(aggregateOf)),
    operators: await readOperators(ask),
    casts: await readCasts(ask),
    types: await readTypes(ask, columns),
    roles: (await ask(rolesSql)).map(roleOf),
    schemas: new Map((await ask(schemasSql)).map(([oid, name]) => [text(name), number(oid)])),
    nondeterministicCollations: new Set((await ask(collationsSql)).map(([oid]) => number(oid))),
    calledAnywhere: (await ask(calledAnywhereSql)).map(([oid]) => number(oid)),
  })
}

const relationsSql = `SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relowner, c.reltype,
    c.relreplident, c.relrowsecurity, c.relforcerowsecurity, CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
    array_to_string(c.reloptions, ' ')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND c.oid >= ${userOids}`

async function readRelations(ask: Query, columns: ReadonlyMap<Oid, readonly Column[]>): Promise<Relation[]> {
  const indexes = grouped(await ask(indexesSql), indexOf)
  const inherits = await ask(inheritsSql)
  const parents = grouped(inherits, ([, , parent]) => number(parent))
  const children = grouped(
    inherits.map(([, child, parent]) => [parent!, child!]),
    ([, child]) => number(child),
  )
  const policies = grouped(await ask(policiesSql), policyOf)
  const triggers = grouped(await ask(triggersSql), triggerOf)
  const rules = grouped(await ask(rulesSql), ruleOf)
  const calls = grouped(await ask(callsSql), ([, routine]) => number(routine))
  return (await ask(relationsSql)).map(row => {
    const oid = number(row[0])
    const own = columns.get(oid) ?? []
    const options = text(row[11])
    const replicaIdentity = text(row[7])
    const indexed = (index: Index | undefined) => index && columnNames(own, index.columns)
    const primary = indexes.get(oid)?.find(index => index.primary)
    const identity = identityIndex(replicaIdentity, indexes.get(oid) ?? [])
    return {
      oid,
      schema: text(row[1]),
      name: text(row[2]),
      kind: text(row[3]),
      persistence: text(row[4]),
      owner: number(row[5]),
      rowType: number(row[6]),
      columns: own,
      primaryKey: indexed(primary) ?? null,
      replicaIdentity,
      identity: replicaIdentity === 'f' ? 'full' : (indexed(identity) ?? null),
      rowSecurity: isTrue(row[8]),
      rowSecurityForced: isTrue(row[9]),
      policies: policies.get(oid) ?? [],
      parents: parents.get(oid) ?? [],
      children: children.get(oid) ?? [],
      view:
        row[3] !== 'v'
          ? null
          : {
              definition: text(row[10]),
              securityInvoker: /\bsecurity_invoker=(?:true|on|1|yes)\b/.test(options),
              securityBarrier: /\bsecurity_barrier=(?:true|on|1|yes)\b/.test(options),
            },
      refresh: row[3] === 'm' ? text(row[10]) : null,
      triggers: triggers.get(oid) ?? [],
      rules: rules.get(oid) ?? [],
      calls: calls.get(oid) ?? [],
    }
  })
}

/** Those of composite types, too: a type's fields. */
const columnsSql = `SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull,
    a.attgenerated
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' AND c.oid >= ${userOids}
    AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attrelid, a.attnum`

const columnOf = (row: Row): Column => ({
  name: text(row[1]),
  number: number(row[2]),
  type: number(row[3]),
  typmod: number(row[4]),
  collation: number(row[5]),
  notNull: isTrue(row[6]),
  generated: row[7] === 's' ? 'stored' : row[7] === 'v' ? 'virtual' : null,
})

interface Index {
  readonly primary: boolean
  readonly replicaIdentity: boolean
  /** Not deferrable. */
  readonly immediate: boolean
  readonly columns: readonly number[]
}

const indexesSql = `SELECT indrelid, indisprimary, indisreplident, indimmediate, indnkeyatts, indkey
  FROM pg_index WHERE (indisprimary OR indisreplident) AND indisvalid AND indrelid >= ${userOids}`

const indexOf = (row: Row): Index => ({
  primary: isTrue(row[1]),
  replicaIdentity: isTrue(row[2]),
  immediate: isTrue(row[3]),
  columns: numbers(row[5]).slice(0, number(row[4])),
})

/** A deferrable key names no row. */
function identityIndex(replicaIdentity: string, indexes: readonly Index[]): Index | undefined {
  if (replicaIdentity === 'i') return indexes.find(index => index.replicaIdentity)
  return replicaIdentity === 'd' ? indexes.find(index => index.primary && index.immediate) : undefined
}

const columnNames = (columns: readonly Column[], numbers: readonly number[]): string[] =>
  numbers.flatMap(wanted => columns.find(({ number }) => number === wanted)?.name ?? [])

const inheritsSql = 'SELECT inhrelid, inhrelid, inhparent FROM pg_inherits'

const policiesSql = `SELECT polrelid, polname, polcmd, polpermissive, array_to_string(polroles, ' '),
    pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
  FROM pg_policy`

const policyOf = (row: Row): Policy => ({
  name: text(row[1]),
  command: text(row[2]),
  permissive: isTrue(row[3]),
  roles: numbers(row[4]),
  using: row[5] ?? null,
  check: row[6] ?? null,
})

const triggersSql = `SELECT tgrelid, tgname, tgfoid, tgconstraint <> 0, tgdeferrable, tgenabled, tgtype,
    tgoldtable, tgnewtable
  FROM pg_trigger WHERE NOT tgisinternal`

const triggerOf = (row: Row): Trigger => ({
  name: text(row[1]),
  function: number(row[2]),
  constraint: isTrue(row[3]),
  deferrable: isTrue(row[4]),
  enabled: text(row[5]),
  type: number(row[6]),
  transitionTables: [row[7], row[8]].flatMap(name => name ?? []),
})

const rulesSql = `SELECT ev_class, rulename, ev_type FROM pg_rewrite
  WHERE ev_type <> '1' AND ev_class >= ${userOids}`

const ruleOf = (row: Row): Rule => ({ name: text(row[1]), event: text(row[2]) })

/** What pg_depend says of built-in functions it does not say: they are taken for what they are. */
const callsSql = `SELECT user_of.relation, d.refobjid
  FROM (SELECT 'pg_attrdef'::regclass AS class, oid, adrelid AS relation, 0 AS own FROM pg_attrdef
      UNION ALL SELECT 'pg_constraint'::regclass, oid, conrelid, 0 FROM pg_constraint WHERE conrelid <> 0
      UNION ALL SELECT 'pg_trigger'::regclass, oid, tgrelid, tgfoid FROM pg_trigger WHERE NOT tgisinternal) user_of
    JOIN pg_depend d ON d.classid = user_of.class AND d.objid = user_of.oid
  WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= ${userOids} AND d.refobjid <> user_of.own`

const calledAnywhereSql = `SELECT oid FROM pg_proc p WHERE provolatile = 'v' AND oid >= ${userOids}
    AND (oid IN (SELECT castfunc FROM pg_cast) OR oid IN (SELECT oprcode FROM pg_operator)
      OR oid IN (SELECT amproc FROM pg_amproc)
      OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
        AND (d.classid = 'pg_type'::regclass
          OR d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint WHERE contypid <> 0))))`

const foreignKeysSql = `SELECT conname, conrelid, confrelid, confdeltype, confupdtype,
    array_to_string(conkey, ' '), array_to_string(confkey, ' ')
  FROM pg_constraint WHERE contype = 'f'`

const foreignKeyOf = (row: Row, columns: ReadonlyMap<Oid, readonly Column[]>): ForeignKey => ({
  name: text(row[0]),
  from: number(row[1]),
  to: number(row[2]),
  fromColumns: columnNames(columns.get(number(row[1])) ?? [], numbers(row[5])),
  toColumns: columnNames(columns.get(number(row[2])) ?? [], numbers(row[6])),
  onDelete: text(row[3]),
  onUpdate: text(row[4]),
})

const aggregatesSql = `SELECT aggfnoid::oid, aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid, aggserialfn::oid,
    aggdeserialfn::oid, aggmtransfn::oid, aggminvtransfn::oid, aggmfinalfn::oid
  FROM pg_aggregate`

const aggregateOf = ([oid, ...functions]: Row): [Oid, Aggregate] => [
  number(oid),
  { functions: functions.map(number).filter(oid => oid !== 0) },
]

const rolesSql = 'SELECT oid, rolname, rolsuper, rolbypassrls FROM pg_roles'

const roleOf = (row: Row): Role => ({
  oid: number(row[0]),
  name: text(row[1]),
  superuser: isTrue(row[2]),
  bypassesRowSecurity: isTrue(row[3]),
})

const schemasSql = 'SELECT oid, nspname FROM pg_namespace'

const collationsSql = 'SELECT oid FROM pg_collation WHERE NOT collisdeterministic'

const systemRelationsSql = `SELECT relname FROM pg_class
  WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')`
