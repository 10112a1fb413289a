/**
 * What a statement can do to its session, read off the tree that PostgreSQL's own parser makes of it.
 *
 * The whole tree is walked, so a `set_config` counts wherever it stands: in a CTE, a subquery, a PREPARE, behind an
 * EXPLAIN. What hides behind a name (a function's body, a trigger, a view) is not seen: names are listed for those who
 * can ask a catalogue. DO, CALL and EXECUTE run what the text does not show, so they may do anything.
 *
 * Not here: texts that could not be parsed (words.ts).
 * Source: PostgreSQL's gram.y and parsenodes.h; nodes are named as there.
 */
import type {
  A_Const,
  A_Expr,
  ClosePortalStmt,
  CopyStmt,
  DeallocateStmt,
  DeclareCursorStmt,
  DiscardStmt,
  ExecuteStmt,
  FuncCall,
  IntoClause,
  ListenStmt,
  Node,
  ParseResult,
  PrepareStmt,
  RangeVar,
  SortBy,
  SubLink,
  TypeName,
  UnlistenStmt,
  UpdateStmt,
  VariableSetStmt,
  VariableShowStmt,
} from 'libpg-query'
import { builtinFunctions } from './builtin-functions.ts'
import { Draft } from './draft.ts'
import { extensionEffects, functionEffects, runsSql } from './function-effects.ts'
import { Needs, type StatementPlan, Touches } from './plan.ts'
import { forEachPart } from './tree.ts'

/** CURSOR_OPT_HOLD of parsenodes.h. */
const optionHold = 0x20

/** Statements that leave the meaning of others as it is; every other kind is taken for DDL. */
const plainStatements = new Set(
  `SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt TruncateStmt
  VariableSetStmt VariableShowStmt AlterRoleSetStmt AlterDatabaseSetStmt AlterSystemStmt TransactionStmt
  ConstraintsSetStmt ExplainStmt PrepareStmt ExecuteStmt DeallocateStmt DeclareCursorStmt ClosePortalStmt FetchStmt
  ListenStmt UnlistenStmt NotifyStmt LockStmt VacuumStmt CheckPointStmt DiscardStmt LoadStmt ReindexStmt ClusterStmt
  RefreshMatViewStmt ReassignOwnedStmt`.split(/\s+/),
)

/** Their bodies do not run now. */
const unread = new Set(['CreateFunctionStmt', 'AlterFunctionStmt'])

const visits: { readonly [kind: string]: (draft: Draft, node: never) => void } = {
  SelectStmt: (draft, node: { intoClause?: IntoClause }) => {
    if (!node.intoClause) return
    draft.touches |= Touches.temporary
    draft.defines(isTemporary(node.intoClause.rel) ? 'no' : 'yes')
  },
  InsertStmt: draft => draft.touch(Touches.sequences),
  MergeStmt: draft => draft.touch(Touches.sequences),
  DeleteStmt: draft => draft.touch(Touches.sequences),
  TruncateStmt: draft => draft.touch(Touches.sequences),
  UpdateStmt: (draft, node: UpdateStmt) => {
    draft.touch(Touches.sequences)
    // A rule of this view makes it a set_config.
    if (node.relation?.relname === 'pg_settings') draft.setsUnknown()
  },
  CopyStmt: (draft, node: CopyStmt) => {
    if (!node.is_from) return
    draft.touch(Touches.sequences)
    if (!node.filename) draft.copiesIn = true
  },
  // A new column with a default of nextval is filled in by this session.
  AlterTableStmt: draft => draft.touch(Touches.sequences),
  RefreshMatViewStmt: draft => draft.touch(Touches.sequences),

  VariableSetStmt: onSet,
  VariableShowStmt: (draft, { name }: VariableShowStmt) => {
    if (name?.startsWith('sluice.') || name === 'sluice_version') draft.showsOwn(name)
  },
  FuncCall: onCall,
  A_Expr: (draft, node: A_Expr) => onName(draft, node.name),
  SubLink: (draft, node: SubLink) => node.operName && onName(draft, node.operName),
  SortBy: (draft, node: SortBy) => node.useOp && onName(draft, node.useOp),

  DeclareCursorStmt: (draft, node: DeclareCursorStmt) => {
    if (((node.options ?? 0) & optionHold) !== 0) draft.touch(Touches.holdCursor)
  },
  ClosePortalStmt: (draft, _node: ClosePortalStmt) => draft.touch(Touches.holdCursor),
  PrepareStmt: (draft, node: PrepareStmt) => {
    draft.touch(Touches.sqlPrepare)
    draft.named.push({ does: 'prepare', name: node.name ?? '' })
  },
  DeallocateStmt: (draft, node: DeallocateStmt) => {
    draft.touch(Touches.deallocate | Touches.sqlPrepare)
    // Without a name it is ALL.
    if (node.name !== undefined) draft.named.push({ does: 'deallocate', name: node.name })
  },
  LoadStmt: draft => draft.touch(Touches.lasting),
  ListenStmt: (draft, node: ListenStmt) => {
    draft.touch(Touches.listen)
    draft.channels.push({ does: 'listen', channel: node.conditionname ?? '' })
  },
  UnlistenStmt: (draft, node: UnlistenStmt) => {
    draft.touch(Touches.unlisten)
    draft.channels.push({ does: 'unlisten', channel: node.conditionname ?? '*' })
  },
  DiscardStmt: (draft, node: DiscardStmt) => {
    if (node.target === 'DISCARD_ALL') draft.touch(discardsAll)
    if (node.target === 'DISCARD_TEMP') draft.touch(Touches.temporary)
    if (node.target === 'DISCARD_SEQUENCES') draft.touch(Touches.sequences)
  },

  DoStmt: draft => draft.runsUnseen(),
  CallStmt: draft => draft.runsUnseen(),
  // What was prepared may call any function, and the name may be one that the client gave a Parse.
  ExecuteStmt: (draft, node: ExecuteStmt) => {
    draft.runsUnseen()
    draft.named.push({ does: 'execute', name: node.name ?? '' })
  },
}

const discardsAll =
  Touches.settings |
  Touches.reset |
  Touches.advisoryLock |
  Touches.temporary |
  Touches.holdCursor |
  Touches.sqlPrepare |
  Touches.deallocate |
  Touches.unlisten |
  Touches.sequences

export function judge(statements: NonNullable<ParseResult['stmts']>): StatementPlan {
  const draft = new Draft()
  for (const { stmt } of statements) {
    if (!stmt) continue
    const kind = Object.keys(stmt)[0] ?? ''
    if (!plainStatements.has(kind)) onDefinition(draft, kind, Object.values(stmt)[0])
    walk(draft, stmt)
  }
  return draft.plan(statements.length)
}

function walk(draft: Draft, node: object): void {
  if ('relname' in node) onRelation(draft, node as RangeVar)
  if ('names' in node && 'typemod' in node) onName(draft, (node as TypeName).names)
  forEachPart(node, walkPart, draft)
}

function walkPart(kind: string | null, child: object, draft: Draft): void {
  if (kind !== null) visits[kind]?.(draft, child as never)
  if (kind === null || !unread.has(kind)) walk(draft, child)
}

/** DDL, or what may do some (DO, CALL). What it creates is temporary if the search_path begins with pg_temp, whatever the text says. */
function onDefinition(draft: Draft, kind: string, node: Definition = {}): void {
  if (kind === 'DoStmt' || kind === 'CallStmt') draft.defines('perhaps')
  else {
    const made = node.relation ?? node.sequence ?? node.view ?? node.into?.rel
    const makesCode = /^Create|^View/.test(kind)
      ? !isTemporary(made)
      : !/^(Comment|Drop|Grant|SecLabel)/.test(kind)
    draft.defines(makesCode ? 'yes' : 'no')
  }
  if (!/^(Alter|Comment|Grant|Rename|SecLabel)/.test(kind)) draft.touch(Touches.temporary)
}

/** What it makes, if that is a relation. */
interface Definition {
  readonly relation?: RangeVar
  readonly sequence?: RangeVar
  readonly view?: RangeVar
  readonly into?: IntoClause
}

const isTemporary = (relation: RangeVar | undefined): boolean => relation?.relpersistence === 't'

function onRelation(draft: Draft, node: RangeVar): void {
  if (node.relname && node.schemaname !== 'pg_catalog') draft.mentions(node.relname)
  if (node.relname === 'pg_prepared_statements') draft.needs |= Needs.statementNames
  if (isTemporary(node)) draft.touch(Touches.temporary)
}

/** Of a type, or an operator. */
function onName(draft: Draft, name: readonly Node[] = []): void {
  const names = name.map(nameOf)
  if (names.length === 1 || names[0] !== 'pg_catalog') draft.mentions(names.at(-1) ?? '')
}

function onSet(draft: Draft, node: VariableSetStmt): void {
  // LOCAL ends with the transaction, and without one does nothing.
  if (node.is_local || (node.kind === 'VAR_SET_MULTI' && node.name !== 'SESSION CHARACTERISTICS')) return
  draft.touch(Touches.settings)
  if (node.kind !== 'VAR_SET_VALUE' && node.kind !== 'VAR_SET_MULTI') draft.touch(Touches.reset)
  if (node.name) draft.setsParameter(node.name)
}

function onCall(draft: Draft, node: FuncCall): void {
  const names = (node.funcname ?? []).map(nameOf)
  const name = names.at(-1) ?? ''
  const builtin = names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog')
  if (builtin && name === 'set_config') onSetConfig(draft, node)
  else if (builtin && functionEffects.has(name)) draft.calls(functionEffects.get(name)!)
  else if (!builtin || !builtinFunctions.has(name)) draft.callsUnknown(names.join('.'))
  if (extensionEffects.has(name)) draft.calls(extensionEffects.get(name)!)
  if (builtin && runsSql.has(name)) draft.runsUnseen()
}

/** The name is the one literal that a plan depends on: shape.ts keeps it. */
function onSetConfig(draft: Draft, { args = [] }: FuncCall): void {
  const [name, value, isLocal] = args.map(constant)
  if (args.length === 3 && isLocal?.boolval?.boolval === true) return
  draft.touch(Touches.settings)
  // NULL, which a parameter may be, sets it back.
  if (value?.sval === undefined) draft.touch(Touches.reset)
  // With standard_conforming_strings off, a backslash means what only the server knows.
  const parameter = args.length === 3 ? name?.sval?.sval : undefined
  if (parameter === undefined || parameter.includes('\\')) draft.unknownSettings = true
  else draft.setsParameter(parameter)
}

const constant = (node: Node): A_Const | undefined => ('A_Const' in node ? node.A_Const : undefined)
const nameOf = (node: Node): string => ('String' in node ? (node.String.sval ?? '') : '')
