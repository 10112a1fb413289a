/** What a change of a relation sets off. */
import type { Catalogue, Oid, Relation, Trigger } from '../../catalogue/index.ts'
import { type Change, type Event, type Findings, type Path, storedNames } from './findings.ts'
import { called, relationOf } from './names.ts'
import { assignedBy } from './routines.ts'

/** Bits of a trigger's type, and rules' letters. */
const eventBits: Readonly<Record<Event, number>> = { insert: 4, delete: 8, update: 16, truncate: 32 }
const ruleEvents: Readonly<Record<Event, string>> = { insert: '3', delete: '4', update: '2', truncate: '' }
const insteadOf = 64

/** Names of columns. */
type Assigned = ReadonlySet<string> | 'any'

export function onChange(found: Findings, change: Change): void {
  const { relation, event, path } = change
  if (relation.rules.some(rule => rule.event === ruleEvents[event]))
    found.opaque(`a rule of ${called(relation)} may make something else of the statement`)
  found.add({ does: 'read', relation, path })
  if (relation.kind === 'v') onView(found, change)
  else onTable(found, change)
}

function onTable(found: Findings, change: Change): void {
  const { relation, event, path } = change
  const family = familyOf(found, change)
  const foreign = family.find(({ kind }) => kind === 'f')
  if (foreign) found.opaque(`${called(foreign)} is a foreign table: what its server changes can't be told`)
  // A row that an update moves to another partition is deleted from one and inserted into the other.
  const events: readonly Event[] =
    event === 'update' && relation.kind === 'p' ? ['update', 'delete', 'insert'] : [event]
  const triggers = family.flatMap(member => member.triggers.filter(trigger => fires(trigger, events)))
  for (const { function: oid } of triggers) call(found, oid, change)
  if (event === 'insert' || event === 'update')
    for (const member of family) for (const oid of member.calls) call(found, oid, change)
  const assigned = assignedColumns(found, change.columns, triggers)
  record(found, change, family, assigned)
  for (const event of events) act(found, event, family, assigned, path)
}

/** Foreign keys that refer to one of these rows, and do something about it. */
function act(
  found: Findings,
  event: Event,
  family: readonly Relation[],
  assigned: Assigned,
  path: Path,
): void {
  if (event !== 'delete' && event !== 'update') return
  for (const key of found.catalogue.foreignKeys) {
    const referred = family.find(({ oid }) => oid === key.to)
    const from = referred && found.catalogue.relation(key.from)
    const action = event === 'delete' ? key.onDelete : key.onUpdate
    if (!from || action === 'a' || action === 'r') continue
    if (event === 'update' && !changes(referred, key.toColumns, assigned)) continue
    found.add({
      does: 'change',
      relation: from,
      event: event === 'delete' && action === 'c' ? 'delete' : 'update',
      only: false,
      columns: new Set(key.fromColumns),
      rows: null,
      path,
    })
  }
}

/** The relation, those whose rows are its rows, and those of which its rows are rows. */
function familyOf({ catalogue }: Findings, { relation, event, only }: Change): Relation[] {
  // A row that is inserted goes to a partition, but never to an inheritance child.
  const below =
    only || (event === 'insert' && relation.kind !== 'p') ? [] : catalogue.descendants(relation.oid)
  const others = [...below, ...catalogue.ancestors(relation.oid)]
  return [relation, ...others.flatMap(oid => catalogue.relation(oid) ?? [])]
}

function record(
  found: Findings,
  { relation, event, rows }: Change,
  family: readonly Relation[],
  assigned: Assigned,
): void {
  const key = relation.primaryKey ?? []
  const byKey = event === 'delete' || !changes(relation, key, assigned)
  if (rows && family.length === 1 && byKey) found.rows.push(...rows)
  else for (const { oid } of family) (event === 'insert' ? found.inserts : found.tables).add(oid)
}

/** By the statement itself, if it is an update, and by triggers on each row. */
function assignedColumns(
  { catalogue, texts }: Findings,
  columns: Change['columns'],
  triggers: readonly Trigger[],
): Assigned {
  if (columns === 'any') return 'any'
  const all = new Set(columns)
  for (const trigger of triggers) {
    if ((trigger.type & onEachRowBefore) !== onEachRowBefore) continue
    const routine = catalogue.routine(trigger.function)
    const assigned = routine ? assignedBy(texts, routine) : 'any'
    if (assigned === 'any') return 'any'
    for (const column of assigned) all.add(column)
  }
  return all
}

const onEachRowBefore = 1 | 2

/** No trigger gives a row that is inserted another key. */
export function keepsKeys(found: Findings, relation: Relation): boolean {
  const triggers = relation.triggers.filter(trigger => fires(trigger, ['insert']))
  return !changes(relation, relation.primaryKey ?? [], assignedColumns(found, new Set(), triggers))
}

/** A column that is generated changes with others. */
const changes = ({ columns }: Relation, names: readonly string[], assigned: Assigned): boolean =>
  assigned === 'any' ||
  names.some(name => assigned.has(name) || columns.some(column => column.name === name && column.generated))

/** Those that only fire for a replica count, too: a session may say that it is one. */
const fires = ({ enabled, type }: Trigger, events: readonly Event[]): boolean =>
  enabled !== 'D' && events.some(event => (type & eventBits[event]) !== 0)

function call(found: Findings, oid: Oid, { relation, path }: Change): void {
  const routine = found.catalogue.routine(oid)
  if (routine) found.add({ does: 'call', routine, path })
  else found.opaque(`a function that a change of ${called(relation)} calls is not known`)
}

/** Its triggers do it all, or else it is a change of the one table that it shows. */
function onView(found: Findings, change: Change): void {
  const { relation, event } = change
  const triggers = relation.triggers.filter(trigger => fires(trigger, [event]))
  for (const { function: oid } of triggers) call(found, oid, change)
  if (triggers.some(({ type }) => (type & insteadOf) !== 0)) return
  if (event === 'insert' || event === 'update') for (const oid of relation.calls) call(found, oid, change)
  const base = baseOf(found, relation)
  if (base) found.add({ ...change, relation: base, only: false, columns: 'any', rows: null })
  else found.opaque(`what a change of the view ${called(relation)} changes can't be told`)
}

function baseOf({ catalogue, texts }: Findings, { view }: Relation): Relation | null {
  const select = view && texts.parse(view.definition)?.[0]?.stmt
  if (!select || !('SelectStmt' in select)) return null
  const from = select.SelectStmt.fromClause ?? []
  const [only] = from
  if (from.length !== 1 || !only || !('RangeVar' in only)) return null
  const base = relationOf(catalogue, storedNames, only.RangeVar)
  return typeof base === 'string' ? null : base
}

/** The tables that TRUNCATE … CASCADE empties as well. */
export function referringTo(catalogue: Catalogue, relation: Relation): Relation[] {
  const emptied = new Set<Oid>()
  const open = [relation.oid]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (emptied.has(at)) continue
    emptied.add(at)
    open.push(...catalogue.descendants(at))
    for (const { from, to } of catalogue.foreignKeys) if (to === at) open.push(from)
  }
  return [...emptied].flatMap(oid => (oid === relation.oid ? [] : (catalogue.relation(oid) ?? [])))
}
