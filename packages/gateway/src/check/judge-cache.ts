/**
 * What an origin's answers mean for the cache: whether a stream can tell what others change, of which tables it can't and
 * why, and what would mend it.
 *
 * None of it is wrong: without a stream the gateway serves, and caches less, or by age alone.
 */
import { ddlTriggerSql } from '../invalidation/ddl.ts'
import { type Failure, walLevel } from '../invalidation/failure.ts'
import { type Examined, type Fit, judge } from '../invalidation/publication.ts'
import type { CachingOptions, StreamOptions } from '../read-cache.ts'
import type { CacheFacts } from './examine-cache.ts'
import { advice, type Line, ok, warning } from './line.ts'

export interface Cached {
  readonly user: string
  readonly database: string
  readonly caching: CachingOptions
  readonly invalidation: StreamOptions
}

const logical = 'logical'

export function judgeCache(origin: Cached, facts: CacheFacts): Line[] {
  if (facts.is === 'too old') return untold(origin, [facts.failure])
  const { examined, noStream, mayCreate } = facts
  const { publication: name, mayChange } = origin.invalidation
  const failures: Unable[] = noStream ? [noStream] : []
  if (examined.walLevel !== logical && !examined.standby) failures.unshift(walLevel(examined.walLevel))
  // What else is missing can be made before the restart.
  const judged = judge(name, { ...examined, walLevel: logical })
  switch (judged.is) {
    case 'unfit':
      return untold(origin, [judged.failure, ...failures])
    case 'missing': {
      const willBeMade = mayChange && mayCreate && judged.ownStatement !== null
      if (!willBeMade) failures.push(notMade(origin, judged.statement, mayCreate))
      return [
        ...untold(origin, failures),
        ...(willBeMade ? [ok(`publication "${name}" is not there, and the gateway will make it`)] : []),
        ...(willBeMade && judged.ownStatement !== judged.statement ? [othersTables(origin)] : []),
        ...leftOut(origin, judged.leftOut),
        ...(failures.length === 0 ? ddl(origin, facts) : []),
      ]
    }
    case 'fit':
      return [
        ...untold(origin, failures),
        ok(`publication "${name}" tells of changes in ${counted(judged.covered.size, 'table')}`),
        ...refusing(origin, judged, examined),
        ...leftOut(origin, notCovered(judged, examined)),
        ...missing(origin, judged),
        ...(failures.length === 0 ? ddl(origin, facts) : []),
      ]
    default:
      return judged satisfies never
  }
}

type Unable = Failure & { readonly sql?: string }

/** Why there will be no stream; what that means is said with the first reason. */
function untold(origin: Cached, failures: readonly Unable[]): Line[] {
  return failures.map(({ cause, hint, sql }, at) =>
    warning(
      `changes by others can't be told: ${cause}${at === 0 ? `. ${without(origin, failures)}` : ''}`,
      hint ?? undefined,
      sql,
    ),
  )
}

function without({ caching }: Cached, failures: readonly Failure[]): string {
  const { withoutStream, maxAgeMs, staleWhileRevalidateMs } = caching
  const mode = withoutStream ?? (failures.some(({ possible }) => !possible) ? 'age' : 'off')
  return mode === 'age'
    ? `Answers are cached by age alone: max_age ${seconds(maxAgeMs)}, stale_while_revalidate ${seconds(staleWhileRevalidateMs)}`
    : 'Nothing is cached'
}

const risk =
  'The risk: a table in a publication whose primary key is dropped refuses UPDATE and DELETE until it has one again.'

function notMade({ user, database, invalidation }: Cached, statement: string, mayCreate: boolean): Unable {
  const { publication, mayChange } = invalidation
  const cause = `there is no publication "${publication}"`
  const by = `As the owner of the tables. ${risk}`
  const lacks = mayCreate
    ? `Let "${user}" own the tables: GRANT their owner's role TO "${user}".`
    : `GRANT CREATE ON DATABASE "${database}" TO "${user}", which has to own the tables, too.`
  return {
    cause: mayChange ? `${cause}, and "${user}" may not make one` : cause,
    hint: mayChange ? `${lacks} Or: ${by}` : by,
    possible: false,
    sql: statement,
  }
}

type LeftOut = Fit['leftOut']

/** With the event triggers, materialized views are told of. */
function notCovered({ covered, leftOut }: Fit, { tables }: Examined): LeftOut {
  const told = new Set(tables.filter(({ oid }) => covered.has(oid)).map(plainName))
  return leftOut.filter(({ table }) => !told.has(table))
}

/** Tables that the publication has, and that can't be named when they change. */
function refusing({ invalidation }: Cached, { leftOut, changes }: Fit, examined: Examined): Line[] {
  const { publication } = invalidation
  const has = new Set(examined.published.map(({ relid }) => relid))
  const published = new Set(examined.tables.filter(({ oid }) => has.has(oid)).map(plainName))
  const tables = leftOut.filter(({ table }) => published.has(table)).map(({ table }) => table)
  if (tables.length === 0) return []
  return [
    warning(
      `UPDATE and DELETE fail on ${listed(tables)}: publication "${publication}" has ${tables.length === 1 ? 'it' : 'them'}, and their rows have no name`,
      examined.publication?.allTables
        ? 'Give each a primary key or REPLICA IDENTITY FULL. A publication that lists its tables does no such harm.'
        : 'Give each a primary key or REPLICA IDENTITY FULL, or run:',
      changes.find(statement => statement.includes(' DROP TABLE ')),
    ),
  ]
}

/** By reason. */
function leftOut({ caching: { maxAgeUntoldMs } }: Cached, tables: LeftOut): Line[] {
  const byWhy = new Map<string, string[]>()
  for (const { table, why } of tables) byWhy.set(why, [...(byWhy.get(why) ?? []), table])
  return [...byWhy].map(([why, names]) => {
    const isOne = names.length === 1
    const much =
      maxAgeUntoldMs > 0
        ? `cached by age alone, for ${seconds(maxAgeUntoldMs)}`
        : 'not cached (max_age_untold)'
    return advice(
      `no stream can tell of changes in ${listed(names)}: where there is one, what reads ${isOne ? 'it' : 'any of them'} is ${much}`,
      isOne ? sentence(why) : `Of each of them: ${why}.`,
    )
  })
}

/** What the gateway itself will not put into the publication. */
const othersTables = ({ user, invalidation }: Cached): Line =>
  advice(
    `publication "${invalidation.publication}" will lack tables that "${user}" does not own: what reads them is not cached`,
    `GRANT their owner's role TO "${user}", or make the publication as the owner of all, with publication = "given".`,
  )

/** Tables that could be in the publication. */
function missing(origin: Cached, { changes, ownChanges }: Fit): Line[] {
  const { invalidation } = origin
  const isAdd = (statement: string) => statement.includes(' ADD TABLE ')
  const add = changes.find(isAdd)
  if (add !== undefined && invalidation.mayChange && add !== ownChanges.find(isAdd))
    return [othersTables(origin)]
  return add === undefined || invalidation.mayChange
    ? []
    : [
        advice(
          `publication "${invalidation.publication}" lacks tables that it could have: what reads them is not cached`,
          `As the owner of the tables. ${risk}`,
          add,
        ),
      ]
}

function ddl({ user, invalidation }: Cached, facts: CacheFacts & { is: 'examined' }): Line[] {
  if (facts.examined.ddl !== null) return [ok('DDL by others is told by event triggers')]
  const polled = `DDL by others is noticed within ${seconds(invalidation.refreshMs)} (catalog_refresh)`
  return facts.mayMakeTriggers
    ? [advice(`${polled}; event triggers would tell it at once`, `"${user}" may make them:`, ddlTriggerSql)]
    : [ok(polled)]
}

const mostListed = 10

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostListed)
  const more = names.length - shown.length
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ')
}

const plainName = ({ schema, name }: { schema: string; name: string }) => `${schema}.${name}`
const seconds = (ms: number) => `${ms / 1_000} s`
const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`
const sentence = (text: string) => `${text[0]?.toUpperCase()}${text.slice(1)}.`
