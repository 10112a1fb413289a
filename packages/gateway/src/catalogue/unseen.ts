/** Tables whose changes no stream tells of. */
import type { Catalogue, Oid, Relation } from './catalogue.ts'

/**
 * Why changes of the table are not all seen, as a sentence; null if they are, once a publication has it. Of a table with
 * partitions or children, of those too.
 */
export function whyUnseen(catalogue: Catalogue, oid: Oid): string | null {
  for (const part of [oid, ...catalogue.descendants(oid)]) {
    const relation = catalogue.relation(part)
    const why = relation && ofOne(relation)
    if (why) return `${relation.schema}.${relation.name} ${why}`
  }
  return null
}

function ofOne({ kind, persistence, replicaIdentity, identity }: Relation): string | null {
  if (kind === 'f') return 'is a foreign table: another server changes it'
  if (kind === 'm') return 'is a materialized view: no replication tells of a REFRESH'
  if (persistence === 'u') return 'is unlogged: its changes are not in the WAL'
  // Of a partitioned table the partitions count.
  if (kind === 'p' || identity !== null) return null
  return replicaIdentity === 'd'
    ? 'has no primary key that names its rows: give it one, or REPLICA IDENTITY FULL'
    : 'has REPLICA IDENTITY NOTHING: its updates can not be published'
}
