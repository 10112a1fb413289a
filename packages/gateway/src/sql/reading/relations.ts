/**
 * Tables and views by name. A view is read as its owner, a table's policies as who asks: both are texts out of the catalogue,
 * with all names qualified that are not pg_catalog's.
 */
import type { RangeVar } from 'libpg-query'
import type { Relation } from '../../catalogue/index.ts'
import type { Analysis } from './analysis.ts'
import { renamed } from './columns.ts'
import { kindOf, stringsOf } from './nodes.ts'
import * as is from './oids.ts'
import { notUnderstood, Refused, systemRelation, unknownRelation } from './refused.ts'
import type { Scope } from './scope.ts'
import type { Field, Table } from './values.ts'

export function readTable(analysis: Analysis, node: RangeVar, scope: Scope): Table {
  analysis.sees(node)
  const name = node.relname ?? ''
  const alias = node.alias?.aliasname ?? name
  const query = node.schemaname === undefined ? scope.query(name) : undefined
  if (query) return { name: alias, fields: renamed(query, node.alias?.colnames), rowType: is.record }
  const relation = relationOf(analysis, name, node.schemaname)
  if (relation.kind === 'S')
    throw new Refused('uncacheable', `${name} is a sequence, which moves outside transactions`)
  const fields: Field[] = []
  const table: Table = {
    name: alias,
    ...(node.alias === undefined && { schema: relation.schema }),
    fields,
    rowType: relation.rowType,
    ...(relation.kind !== 'v' && { relation }),
  }
  const names = stringsOf(node.alias?.colnames ?? [])
  for (const [at, { name, type }] of relation.columns.entries())
    fields.push({ name: names[at] ?? name, value: { type, column: { table, name } } })
  if (relation.kind === 'v') readView(analysis, relation)
  else readRows(analysis, relation, table)
  return table
}

function relationOf({ names }: Analysis, name: string, schema: string | undefined): Relation {
  if (schema === undefined)
    for (const place of names.searchPath) {
      // What information_schema has is not known by name.
      if (
        place === 'information_schema' ||
        (place === 'pg_catalog' && names.catalogue.isSystemRelation(name))
      )
        throw systemRelation(name)
      const relation = names.catalogue.relationNamed(place, name)
      if (relation) return relation
    }
  else if (/^(?:pg_catalog|information_schema|pg_toast)/.test(schema))
    throw systemRelation(`${schema}.${name}`)
  const written = schema === undefined ? name : `${schema}.${name}`
  const relation = schema === undefined ? undefined : names.catalogue.relationNamed(schema, name)
  if (!relation) throw unknownRelation(written)
  return relation
}

/** The row's changes matter, and what its policies read. */
function readRows(analysis: Analysis, relation: Relation, table: Table): void {
  const { findings, names } = analysis
  if (names.defined) findings.hidden.add(relation.oid)
  else findings.mentions.push({ relation, table })
  if (relation.rowSecurity && isBound(analysis, relation) && isNew(analysis, relation))
    readPolicies(analysis, relation)
}

function readView(analysis: Analysis, view: Relation): void {
  if (!isNew(analysis, view)) return
  const { names } = analysis
  const owner = view.view?.securityInvoker ? names.role : names.catalogue.roleOf(view.owner)?.name
  const statement = analysis.parse(view.view?.definition ?? '')?.[0]?.stmt
  const [kind, content] = statement ? kindOf(statement) : []
  if (!statement || kind !== 'SelectStmt') throw notUnderstood(`the view ${view.name}`)
  within(`the view ${view.name}`, () => {
    const own = analysis.defined(owner ?? '')
    for (const { value } of own.select(content as never, null)) own.settled(value)
    own.finish(statement)
  })
}

/** Whatever role they are for: memberships change, and a policy that is not used does no harm. */
function readPolicies(analysis: Analysis, relation: Relation): void {
  const fields: Field[] = relation.columns.map(({ name, type }) => ({ name, value: { type } }))
  const table: Table = { name: relation.name, schema: relation.schema, fields, rowType: relation.rowType }
  for (const { name, command, using } of relation.policies)
    if (using !== null && (command === '*' || command === 'r'))
      within(`the policy ${name} of ${relation.name}`, () => analysis.defined().check(using, fields, table))
}

/** Whether policies hold for who asks. */
function isBound({ names }: Analysis, relation: Relation): boolean {
  const role = names.catalogue.role(names.role)
  if (!role) return true
  if (role.superuser || role.bypassesRowSecurity) return false
  return relation.rowSecurityForced || role.oid !== relation.owner
}

/** It has not been read yet, in this statement and as this role. */
function isNew({ findings, names }: Analysis, relation: Relation): boolean {
  const key = `${relation.oid} ${names.role}`
  if (findings.seen.has(key)) return false
  findings.seen.add(key)
  return true
}

function within(what: string, read: () => void): void {
  try {
    read()
  } catch (error) {
    if (error instanceof Refused) throw new Refused(error.status, `${what}: ${error.message}`)
    throw error
  }
}
