/**
 * What a statement says that it writes, calls and reads, off the tree that PostgreSQL's parser makes of it.
 *
 * The whole tree is walked: a DELETE counts wherever it stands, in a CTE as behind an EXPLAIN ANALYZE. What is not known
 * here is left to definitions.ts.
 * Source: PostgreSQL's gram.y and parsenodes.h; nodes are named as there.
 */
import type {
  CopyStmt,
  CreateTableAsStmt,
  DeleteStmt,
  ExplainStmt,
  FuncCall,
  InsertStmt,
  IntoClause,
  MergeStmt,
  Node,
  RangeVar,
  RefreshMatViewStmt,
  TransactionStmt,
  TruncateStmt,
  UpdateStmt,
  VariableSetStmt,
} from 'libpg-query'
import { firstUserOid, type Relation } from '../../catalogue/index.ts'
import { kindOf, stringsOf } from '../reading/nodes.ts'
import { forEachPart } from '../tree.ts'
import type { NamesMoved } from '../writing.ts'
import { created, onDefinition } from './definitions.ts'
import { type Change, type Event, type Findings, type Path, storedNames } from './findings.ts'
import { routinesOf } from './names.ts'
import { keepsKeys, referringTo } from './relations.ts'
import { assignedColumns, conflictIsOnKey, insertedRows, matchedRow, type Places } from './rows.ts'
import { movedByCall, movedBySet } from './settings.ts'

/** How a statement stands. */
export interface Place {
  /** Where its names are looked for, and where those of what it sets off are. */
  readonly names: Path
  readonly path: Path
  /** It is the client's own: its parameters and literals tell values. */
  readonly places: Places | null
  /** Calls in it that are run once, in their order, and nothing else. */
  readonly once?: ReadonlySet<object>
}

type Handler = (found: Findings, node: never, place: Place) => void

/** Statements that are not just walked. */
const handlers: { readonly [kind: string]: Handler } = {
  SelectStmt: (found, node: object, place) => walk(found, { SelectStmt: node }, place),
  InsertStmt: (found, node: InsertStmt, place) => walk(found, { InsertStmt: node }, place),
  UpdateStmt: (found, node: UpdateStmt, place) => walk(found, { UpdateStmt: node }, place),
  DeleteStmt: (found, node: DeleteStmt, place) => walk(found, { DeleteStmt: node }, place),
  MergeStmt: (found, node: MergeStmt, place) => walk(found, { MergeStmt: node }, place),
  CopyStmt: onCopy,
  TruncateStmt: onTruncate,
  RefreshMatViewStmt: onRefresh,
  CreateTableAsStmt: (found, node: CreateTableAsStmt, place) => {
    created(found, node.into?.rel)
    if (node.query) onStatement(found, node.query, place)
  },
  DeclareCursorStmt: (found, { query }: { query?: Node }, place) => {
    if (query) onStatement(found, query, place)
  },
  ExplainStmt: (found, { query, options = [] }: ExplainStmt, place) => {
    if (query && options.some(option => 'DefElem' in option && option.DefElem.defname === 'analyze'))
      onStatement(found, query, place)
  },
  TransactionStmt: (found, { kind }: TransactionStmt) => {
    if (kind === 'TRANS_STMT_COMMIT' || kind === 'TRANS_STMT_PREPARE') found.commits = true
    if (takeBack.has(kind)) found.moves('back')
    if (kind !== 'TRANS_STMT_COMMIT_PREPARED') return
    found.commits = true
    found.opaque('COMMIT PREPARED does not tell what the transaction has written')
  },
  DoStmt: found => {
    found.commits = true
    found.opaque('DO runs code that is not looked into')
  },
  CallStmt: found => {
    found.commits = true
    found.opaque('CALL runs a procedure that is not looked into')
  },
  ExecuteStmt: found => found.opaque('EXECUTE runs a statement that is known by its name only'),
  VariableSetStmt: (found, node: VariableSetStmt, { places }) => {
    moves(found, movedBySet(node, places ?? unplaced), places)
  },
  DiscardStmt: (found, _node, { places }) => moves(found, 'unknown', places),
}

const takeBack: ReadonlySet<string | undefined> = new Set(
  ['COMMIT', 'PREPARE', 'ROLLBACK', 'ROLLBACK_TO'].map(kind => `TRANS_STMT_${kind}`),
)

export function onStatement(found: Findings, statement: Node, place: Place): void {
  const [kind, node] = kindOf(statement)
  const handler = handlers[kind]
  if (handler) handler(found, node as never, place)
  else onDefinition(found, kind, node, place.names)
}

/** Nodes wherever they stand. */
const visits: { readonly [kind: string]: (found: Findings, node: never, place: Place) => void } = {
  InsertStmt: onInsert,
  UpdateStmt: (found, node: UpdateStmt, place) =>
    change(found, node.relation, 'update', place, {
      columns: assignedColumns(node.targetList),
      rowsOf: (relation, places) => matchedRow(found.catalogue, place.names, relation, node, places),
    }),
  DeleteStmt: (found, node: DeleteStmt, place) =>
    change(found, node.relation, 'delete', place, {
      rowsOf: (relation, places) => matchedRow(found.catalogue, place.names, relation, node, places),
    }),
  MergeStmt: onMerge,
  intoClause: (found, { rel }: IntoClause) => created(found, rel),
  FuncCall: onFuncCall,
  // A function of one argument, written like a column: t.f for f(t).
  ColumnRef: (found, { fields = [] }: { fields?: Node[] }, place) => {
    if (fields.length > 1) maybeCall(found, fields.at(-1), place)
  },
  A_Indirection: (found, { indirection = [] }: { indirection?: Node[] }, place) => {
    for (const field of indirection) maybeCall(found, field, place)
  },
}

/** @param node a statement, or any part of one */
export function walk(found: Findings, node: object, place: Place): void {
  forEachPart(node, walkPart, { found, place, root: node, ctes: null })
}

/** In what a tree is walked. */
interface Walk {
  readonly found: Findings
  readonly place: Place
  readonly root: object
  /** Names of CTEs in all of it, made when one is asked for. */
  ctes: Set<string> | null
}

function walkPart(kind: string | null, child: object, walk: Walk): void {
  if (kind !== null) {
    const { found, place } = walk
    if (kind === 'RangeVar') onMention(found, child as RangeVar, walk)
    visits[kind]?.(found, child as never, place)
    // It names what stands elsewhere.
    if (kind === 'LockingClause') return
  }
  forEachPart(child, walkPart, walk)
}

function nameCte(kind: string | null, child: object, names: Set<string>): void {
  if (kind === 'CommonTableExpr') names.add((child as { ctename: string }).ctename)
  forEachPart(child, nameCte, names)
}

function onMention(found: Findings, name: RangeVar, walk: Walk): void {
  const { names, path } = walk.place
  for (const relation of found.relationsOf(names, name))
    if (typeof relation !== 'string') {
      // Of any other there is nothing to look at.
      if (relation.view || relation.rowSecurity) found.add({ does: 'read', relation, path })
    } else if (relation === 'unknown' && !isCte(name, walk)) found.opaque(`"${name.relname}" is not known`)
}

/** Whatever it stands before: a table of the same name is looked at, too. */
function isCte({ relname = '', schemaname }: RangeVar, walk: Walk): boolean {
  if (schemaname !== undefined) return false
  if (walk.ctes === null) {
    walk.ctes = new Set()
    forEachPart(walk.root, nameCte, walk.ctes)
  }
  return walk.ctes.has(relname)
}

interface More {
  readonly columns?: Change['columns']
  readonly only?: boolean
  readonly rowsOf?: (relation: Relation, places: Places) => Change['rows']
}

const none: ReadonlySet<string> = new Set()

function change(
  found: Findings,
  name: RangeVar | undefined,
  event: Event,
  { names, path, places }: Place,
  { columns = none, only = name?.inh !== true, rowsOf }: More = {},
): void {
  for (const relation of found.relationsOf(names, name))
    if (typeof relation === 'object') {
      const rows = (places && rowsOf?.(relation, places)) ?? null
      found.add({ does: 'change', relation, event, only, columns, rows, path })
    } else if (relation === 'unknown') found.opaque(`"${name?.relname}" is not known`)
    else if (relation === 'system') {
      // A rule of this view makes it a set_config.
      if (name?.relname === 'pg_settings') moves(found, 'unknown', places)
      else found.ddl = true
    }
}

function onInsert(found: Findings, node: InsertStmt, place: Place): void {
  const { relation: name, onConflictClause: conflict } = node
  const rowsOf: More['rowsOf'] = (relation, places) =>
    insertedRows(found.catalogue, place.names, relation, node, places)
  change(found, name, 'insert', place, { rowsOf })
  if (conflict?.action !== 'ONCONFLICT_UPDATE') return
  change(found, name, 'update', place, {
    columns: assignedColumns(conflict.targetList),
    rowsOf: (relation, places) =>
      conflictIsOnKey(found.catalogue, relation, conflict) && keepsKeys(found, relation)
        ? rowsOf(relation, places)
        : null,
  })
}

const mergeEvents: Readonly<Record<string, Event>> = {
  CMD_INSERT: 'insert',
  CMD_UPDATE: 'update',
  CMD_DELETE: 'delete',
}

function onMerge(found: Findings, node: MergeStmt, place: Place): void {
  for (const clause of node.mergeWhenClauses ?? []) {
    if (!('MergeWhenClause' in clause)) continue
    const { commandType = '', targetList } = clause.MergeWhenClause
    const event = mergeEvents[commandType]
    if (event) change(found, node.relation, event, place, { columns: assignedColumns(targetList) })
  }
}

function onCopy(found: Findings, node: CopyStmt, place: Place): void {
  if (node.query) onStatement(found, node.query, place)
  else if (node.is_from) change(found, node.relation, 'insert', place)
  else if (node.relation) onMention(found, node.relation, { found, place, root: {}, ctes: null })
  if (node.whereClause) walk(found, node.whereClause, place)
}

function onTruncate(found: Findings, { relations = [], behavior }: TruncateStmt, place: Place): void {
  const { catalogue } = found
  const { names, path } = place
  for (const node of relations) {
    if (!('RangeVar' in node)) continue
    change(found, node.RangeVar, 'truncate', place)
    if (behavior !== 'DROP_CASCADE') continue
    const relations = found.relationsOf(names, node.RangeVar).filter(relation => typeof relation === 'object')
    for (const referring of relations.flatMap(relation => referringTo(catalogue, relation)))
      found.add({
        does: 'change',
        relation: referring,
        event: 'truncate',
        only: false,
        columns: none,
        rows: null,
        path,
      })
  }
}

function onRefresh(found: Findings, { relation = {} }: RefreshMatViewStmt, place: Place): void {
  change(found, relation, 'truncate', place)
  const { names, path } = place
  for (const view of found.relationsOf(names, relation))
    if (typeof view !== 'string' && view.refresh !== null)
      found.add({ does: 'run', text: view.refresh, names: storedNames, path })
}

function onFuncCall(found: Findings, node: FuncCall, { names, once, path, places }: Place): void {
  const { funcname = [], args = [], agg_order: order = [], agg_within_group: within } = node
  const name = stringsOf(funcname)
  if (name.at(-1) === 'set_config')
    moves(found, movedByCall(found, node, names, places ?? unplaced, once?.has(node) ?? false), places)
  const routines = routinesOf(found.catalogue, names, name, args.length + (within ? order.length : 0))
  for (const routine of routines) found.add({ does: 'call', routine, path })
  if (routines.length === 0 && !isType(found, name, names))
    found.opaque(`the function "${name.join('.')}" is not known`)
}

function moves(found: Findings, how: NamesMoved | null, places: Places | null): void {
  if (how === null) return
  if (places) found.moves(how)
  else found.opaque('a function that it calls sets the search_path on its way')
}

/** Of what is not the client's own text. */
const unplaced: Places = { literalAt: () => undefined, standsOnce: () => false, isText: false }

/** mytype(x) is a cast. */
const isType = ({ catalogue }: Findings, name: readonly string[], path: Path): boolean => {
  const schema = name.at(-2)
  return (schema === undefined ? path : [schema]).some(place => catalogue.typeNamed(place, name.at(-1) ?? ''))
}

function maybeCall(found: Findings, field: Node | undefined, { names, path }: Place): void {
  if (!field || !('String' in field)) return
  for (const routine of routinesOf(found.catalogue, names, stringsOf([field]), 1))
    if (routine.oid >= firstUserOid) found.add({ does: 'call', routine, path })
}
