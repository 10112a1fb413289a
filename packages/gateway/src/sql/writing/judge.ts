/** Judges what statements write: looks at them, and then at all that they set off (see ../writing.ts). */
import type { Node, ParamRef, ParseResult } from 'libpg-query'
import type { Catalogue, Relation } from '../../catalogue/index.ts'
import { kindOf } from '../reading/nodes.ts'
import { forEachPart } from '../tree.ts'
import type { WriteContext, Writes } from '../writing.ts'
import { Findings, type Path, storedNames, type Task, type Texts } from './findings.ts'
import { onChange } from './relations.ts'
import { onCall } from './routines.ts'
import type { Places } from './rows.ts'
import { callsRunOnce } from './settings.ts'
import { onStatement, walk } from './statements.ts'

export type Statements = NonNullable<ParseResult['stmts']>

/** @param literalAt as who uses the verdict counts literals; without it, only parameters tell a row's key */
export function judgeWrites(
  statements: Statements,
  context: WriteContext,
  texts: Texts,
  literalAt?: Places['literalAt'],
): Writes {
  const { catalogue, searchPath: path } = context
  const found = new Findings(context, texts)
  let uses: Uses | null = null
  const places: Places = {
    literalAt: literalAt ?? (() => undefined),
    isText: literalAt !== undefined,
    standsOnce(parameter) {
      uses ??= usesOfParameters(statements)
      return uses.get(parameter) === 1
    },
  }
  for (const { stmt } of statements) {
    if (!stmt) continue
    if (found.hasMoved && looksForNames(stmt))
      found.opaque('one of the statements may set the search_path of those behind it')
    const once = 'SelectStmt' in stmt ? callsRunOnce(stmt.SelectStmt) : undefined
    onStatement(found, stmt, { names: path, path, places, ...(once && { once }) })
  }
  if (statements.length > 0) runsAnywhere(found, catalogue, context)
  for (let task = found.next(); task; task = found.next()) look(found, task)
  if (found.hasMoved && found.runsInPath)
    found.opaque('what it calls may look for names in a search_path that is set meanwhile')
  return found.writes()
}

const looksForNames = (statement: Node): boolean =>
  !['TransactionStmt', 'VariableSetStmt', 'VariableShowStmt'].includes(kindOf(statement)[0])

function look(found: Findings, task: Task): void {
  switch (task.does) {
    case 'change':
      onChange(found, task)
      break
    case 'read':
      onRead(found, task.relation, task.path)
      break
    case 'call':
      onCall(found, task.routine, task.path, (tree, path) =>
        walk(found, tree, { names: path, path, places: null }),
      )
      break
    case 'run':
      onText(found, task)
      break
    default:
      task satisfies never
  }
}

/** A view reads what its definition reads; what policies call is called by every statement. */
function onRead(found: Findings, { view, rowSecurity, policies }: Relation, path: Path): void {
  const names = storedNames
  if (view) found.add({ does: 'run', text: view.definition, names, path })
  if (!rowSecurity) return
  for (const { using, check } of policies)
    for (const expression of [using, check])
      if (expression !== null) found.add({ does: 'run', text: `SELECT ${expression}`, names, path })
}

function onText(found: Findings, { text, names, path }: Extract<Task, { does: 'run' }>): void {
  const statements = found.texts.parse(text)
  if (statements === null) found.opaque(`what it runs can't be read: ${text.trim().slice(0, 60)}`)
  for (const { stmt } of statements ?? []) if (stmt) onStatement(found, stmt, { names, path, places: null })
}

function runsAnywhere(found: Findings, catalogue: Catalogue, { searchPath: path }: WriteContext): void {
  for (const oid of catalogue.calledAnywhere) {
    const routine = catalogue.routine(oid)
    if (routine) found.add({ does: 'call', routine, path })
  }
}

/** How often each parameter stands there. */
type Uses = Map<number, number>

function usesOfParameters(node: object): Uses {
  const uses: Uses = new Map()
  forEachPart(node, countParameters, uses)
  return uses
}

function countParameters(kind: string | null, child: object, uses: Uses): void {
  if (kind === 'ParamRef') {
    const { number = 0 } = child as ParamRef
    uses.set(number, (uses.get(number) ?? 0) + 1)
  } else forEachPart(child, countParameters, uses)
}
