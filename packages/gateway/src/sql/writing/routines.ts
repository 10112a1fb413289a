/** What a function that is called writes: what its body does, if that can be read. */
import type { CreateFunctionStmt, DefElem, Node } from 'libpg-query'
import { firstUserOid, type Routine } from '../../catalogue/index.ts'
import { stringsOf } from '../reading/nodes.ts'
import type { Findings, Path, Texts } from './findings.ts'
import { harmlessExtensionFunctions, harmlessTriggers, isHarmlessBuiltin, runsSqlUnseen } from './harmless.ts'
import { called, pathOf } from './names.ts'
import { type Body, readBody } from './plpgsql.ts'

/** @param onTree looks at a statement that comes as a tree */
export function onCall(
  found: Findings,
  routine: Routine,
  path: Path,
  onTree: (statement: object, path: Path) => void,
): void {
  const parts = routine.kind === 'a' ? (found.catalogue.aggregate(routine.oid)?.functions ?? []) : []
  for (const oid of [...parts, ...routine.defaultsCall]) {
    const part = found.catalogue.routine(oid)
    if (part) found.add({ does: 'call', routine: part, path })
  }
  if (routine.kind === 'a' || isHarmless(routine)) return
  const body = bodyOf(found.texts, routine)
  if (body === null) {
    found.opaque(`${called(routine)} is volatile, and what it does can't be read`)
    return
  }
  if (body.unseen !== null) found.opaque(`what ${called(routine)} changes by ${body.unseen} can't be told`)
  const own = routine.searchPath === null ? path : pathOf(routine.searchPath)
  if (own === null) {
    found.opaque(`the search_path of ${called(routine)} depends on who calls it`)
    return
  }
  if (routine.searchPath === null) found.runsInPath = true
  for (const text of body.texts) found.add({ does: 'run', text, names: own, path: own })
  if (body.tree) onTree(body.tree, own)
}

function isHarmless({ oid, name, volatility, language }: Routine): boolean {
  if (oid < firstUserOid && runsSqlUnseen(name)) return false
  if (volatility !== 'v') return true
  if (oid < firstUserOid) return isHarmlessBuiltin(name) || harmlessTriggers.has(name)
  return language === 'c' && harmlessExtensionFunctions.has(name)
}

/** Columns that a trigger function may leave changed in the row that is written. */
export function assignedBy(texts: Texts, routine: Routine): ReadonlySet<string> | 'any' {
  if (routine.oid < firstUserOid && harmlessTriggers.has(routine.name)) return new Set()
  return bodyOf(texts, routine)?.assigns ?? 'any'
}

interface RoutineBody extends Body {
  /** Of a function whose body is SQL, not a text of SQL: BEGIN ATOMIC, RETURN. */
  readonly tree?: Node
}

/** A routine is a catalogue's: what is known of it goes with it. */
const bodies = new WeakMap<Routine, RoutineBody>()

/** Null if it can't be read. */
function bodyOf(texts: Texts, routine: Routine): RoutineBody | null {
  const known = bodies.get(routine)
  if (known) return known
  if (routine.definition === null) return null
  const body = routine.language === 'plpgsql' ? ofPlpgsql(texts, routine) : ofSql(texts, routine)
  if (body) bodies.set(routine, body)
  return body
}

function ofPlpgsql(texts: Texts, { definition }: Routine): Body | null {
  const tree = texts.parsePlpgsql(definition ?? '')
  return tree && readBody(tree)
}

function ofSql(texts: Texts, { definition }: Routine): RoutineBody | null {
  const statement = texts.parse(definition ?? '')?.[0]?.stmt
  if (!statement || !('CreateFunctionStmt' in statement)) return null
  const { options = [], sql_body: tree } = statement.CreateFunctionStmt as CreateFunctionStmt
  const shared = { unseen: null, assigns: 'any' } as const
  if (tree) return { ...shared, texts: [], tree }
  for (const option of options) {
    const { defname, arg } = (option as { DefElem: DefElem }).DefElem
    if (defname === 'as' && arg && 'List' in arg) return { ...shared, texts: stringsOf(arg.List.items ?? []) }
  }
  return null
}
