/**
 * Which statements change what others mean: all that are not known here to leave it as it is. What belongs to one session
 * alone, in pg_temp, counts for nobody else.
 */
import type { CreateFunctionStmt, DropStmt, Node, RangeVar } from 'libpg-query'
import { stringsOf } from '../reading/nodes.ts'
import type { Findings, Path } from './findings.ts'
import { isTemporary } from './names.ts'

/** They leave the database, and what is known of it, as it is. */
const harmless = new Set(
  `VariableShowStmt AlterSystemStmt ConstraintsSetStmt PrepareStmt DeallocateStmt ClosePortalStmt FetchStmt ListenStmt
  UnlistenStmt NotifyStmt LockStmt VacuumStmt CheckPointStmt LoadStmt CommentStmt IndexStmt ReindexStmt ClusterStmt
  CreateStatsStmt AlterStatsStmt CreateTableSpaceStmt DropTableSpaceStmt CreateRoleStmt CreatedbStmt
  CreateEventTrigStmt`.split(/\s+/),
)

/** @param names the schemas in which its names are looked for */
export function onDefinition(found: Findings, kind: string, node: object, names: Path): void {
  switch (kind) {
    case 'CreateStmt':
      created(found, (node as { relation?: RangeVar }).relation)
      break
    case 'CreateSeqStmt':
      created(found, (node as { sequence?: RangeVar }).sequence)
      break
    case 'ViewStmt':
      created(found, (node as { view?: RangeVar }).view)
      break
    case 'CreateFunctionStmt':
      if (!isTemporary(stringsOf((node as CreateFunctionStmt).funcname ?? []).at(-2) ?? '')) found.ddl = true
      break
    case 'DropStmt':
      onDrop(found, node as DropStmt, names)
      break
    default:
      if (!harmless.has(kind)) found.ddl = true
  }
}

export function created(found: Findings, name: RangeVar | undefined): void {
  if (name?.relpersistence !== 't' && !isTemporary(name?.schemaname ?? '')) found.ddl = true
}

/** Nothing depends on a table that is not known: it is temporary, or not there. */
function onDrop(found: Findings, { removeType, objects = [] }: DropStmt, names: Path): void {
  const ofTable = removeType === 'OBJECT_TABLE' || removeType === 'OBJECT_VIEW'
  for (const object of objects) {
    const [relname = '', schemaname] = stringsOf(partsOf(object)).reverse()
    const name = schemaname === undefined ? { relname } : { relname, schemaname }
    const unknown = ofTable && found.relationsOf(names, name).every(relation => typeof relation === 'string')
    if (!unknown && !isTemporary(schemaname ?? '')) found.ddl = true
  }
}

/** Of its name: what kind of thing it is decides where that stands. */
function partsOf(object: Node): readonly Node[] {
  if ('List' in object) return object.List.items ?? []
  if ('ObjectWithArgs' in object) return object.ObjectWithArgs.objname ?? []
  return 'TypeName' in object ? (object.TypeName.names ?? []) : [object]
}
