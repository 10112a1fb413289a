/** The verdict on a parsed text, and what it comes to for given values. */
import type { Node, SelectStmt } from 'libpg-query'
import type { Oid } from '../../catalogue/index.ts'
import type {
  Cacheable,
  Dependencies,
  KeyColumn,
  NotCacheable,
  ReadContext,
  Refusal,
  ValueAt,
  Verdict,
} from '../reading.ts'
import { Analysis, type Parse, type Places } from './analysis.ts'
import { canonicalBinary, canonicalText } from './canonical.ts'
import { tellsTime } from './effects.ts'
import { kindOf } from './nodes.ts'
import { Refused } from './refused.ts'
import { byKeys, readsOf } from './rows.ts'

/** @param parameterTypes as in Parse: 0 for those that PostgreSQL is to find */
export function verdictOf(
  statements: readonly { readonly stmt?: Node }[],
  context: ReadContext,
  parameterTypes: readonly Oid[],
  parse: Parse,
  places: Places,
): Verdict {
  const [only, second] = statements
  if (!only?.stmt) return refuse('notaquery', 'the text has no statement')
  if (second) return refuse('multiplestatements', 'the text has several statements')
  const [kind, content] = kindOf(only.stmt)
  if (kind !== 'SelectStmt') return refuse('notaquery', 'only SELECT, VALUES and TABLE are kept')
  const temporary = context.searchPath.find(schema => schema.startsWith('pg_temp'))
  if (temporary)
    return refuse('uncacheable', 'the session has temporary objects, which may stand before others')
  const { catalogue, searchPath, role, stable } = context
  const analysis = new Analysis(
    { catalogue, searchPath, role, defined: false },
    { stable, parse, places, parameterTypes },
  )
  try {
    return read(analysis, only.stmt, content as SelectStmt)
  } catch (error) {
    if (error instanceof Refused) return refuse(error.status, error.message)
    // Too deep for the walk.
    if (error instanceof RangeError) return refuse('uncacheable', 'the statement is nested too deep')
    // No client's statement ends the gateway: it goes to the origin, and the reason can be asked for.
    return refuse('uncacheable', `Sluice has a mistake in reading it: ${error}`)
  }
}

function read(analysis: Analysis, statement: Node, select: SelectStmt): Cacheable {
  for (const { value } of analysis.select(select, null)) analysis.judge.prints(analysis.settled(value))
  analysis.finishParameters()
  analysis.finish(statement)
  const { judge, findings, names } = analysis
  return {
    cacheable: true,
    ...readsOf(findings, names.catalogue),
    settings: [...findings.settings],
    times: judge.times,
    unseen: [...judge.unseen],
  }
}

const refuse = (status: Refusal, why: string): NotCacheable => ({ cacheable: false, status, why })

/** The values of one statement. */
export interface Values {
  /** What a literal says; null if it can't be told. */
  literal(place: number): string | null
  /** From 1: a text, the bytes of one that is sent binary, or NULL. */
  parameter(number: number): string | Uint8Array | null
}

/** What the answer to this very statement depends on, or why it is not kept. */
export function dependenciesOf(verdict: Cacheable, values: Values): Dependencies | NotCacheable {
  for (const place of verdict.times)
    if (mayTellTime(place, values))
      return refuse('volatile', `${named(place)} is read as a date or a time, and may say "now"`)
  return byKeys(verdict.reads, verdict.rows, column => textOf(column, values))
}

/** Binary ones are points in time. */
function mayTellTime(place: ValueAt, values: Values): boolean {
  const value = 'literal' in place ? values.literal(place.literal) : values.parameter(place.parameter)
  if (value === null) return 'literal' in place
  return typeof value === 'string' && tellsTime(value)
}

const named = (place: ValueAt): string =>
  'literal' in place ? `the literal ${place.literal + 1}` : `$${place.parameter}`

function textOf({ type, value, valueType }: KeyColumn, values: Values): string | null {
  const given = 'literal' in value ? values.literal(value.literal) : values.parameter(value.parameter)
  if (given === null) return null
  return typeof given === 'string' ? canonicalText(given, type, valueType) : canonicalBinary(given, valueType)
}
