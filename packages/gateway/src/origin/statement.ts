/**
 * A prepared statement as the gateway knows it: one text, the types that were declared for its parameters, and what
 * its parse depends on. Whichever clients prepare it under whatever names, a server connection has it once, under one
 * name of the gateway's that is never used twice.
 *
 * Each Parse of a client's is sent, under a name of its own, and its description asked for: only when it means what a
 * statement of the same text means that is known already is the client given that one. So DDL needs no watching: who
 * prepares a text gets what it means now, and who prepared it before hears what PostgreSQL says.
 */
import { message, Parse } from '@sluice/wire'
import type { StatementPlan } from '../sql/plan.ts'
import type { Values } from './values.ts'
import { WeakTable } from './weak-table.ts'

export class Statement {
  /** `sluice_17` */
  readonly name: string
  /** The whole Parse message that prepares it. */
  readonly parse: Uint8Array
  readonly plan: StatementPlan
  /** What it means: see session/description.ts. Null if that was not asked. */
  described: string | null = null

  constructor(name: string, parse: Uint8Array, plan: StatementPlan) {
    this.name = name
    this.parse = parse
    this.plan = plan
  }
}

/** What all names of the gateway's begin with. */
export const namePrefix = 'sluice_'

let made = 0

/** The statements of one pool that are shared. */
export class Statements {
  readonly #known = new WeakTable<Statement>()

  /**
   * The statement to use for one that was just prepared: another of the same text and meaning, or itself, which others
   * share from then on.
   *
   * @param settings under which it was parsed
   */
  share(statement: Statement, settings: Values): Statement {
    const text = latin1(statement.parse.subarray(6 + statement.name.length))
    if (momentary.test(text)) return statement
    const key = `${parseKey(settings)}\0\0${text}`
    const known = this.#known.get(key)
    if (known && known.described === statement.described) return known
    this.#known.set(key, statement)
    return statement
  }
}

/** @param tail of the Parse message: text, NUL, the number of types and the types */
export function makeStatement(tail: Uint8Array, plan: StatementPlan): Statement {
  const name = `${namePrefix}${++made}`
  return new Statement(name, message(Parse, encoder.encode(`${name}\0`), tail), plan)
}

/**
 * What the meaning of a text depends on: the path and who resolves names on it, how the text is read, and how its
 * literals are. PostgreSQL reads '01/02/2026'::date when it parses the statement, not when it runs it.
 */
const parseNames = [
  ...['search_path', 'session_authorization', 'role'],
  ...['standard_conforming_strings', 'client_encoding', 'transform_null_equals'],
  ...['datestyle', 'intervalstyle', 'timezone', 'timezone_abbreviations'],
  ...['array_nulls', 'lc_monetary', 'xmloption'],
]
/** For the same reason these words in a literal mean the moment of the Parse: one from yesterday has another today. */
const momentary = /(?<![a-z_])(?:now|today|tomorrow|yesterday)(?![a-z_]|\s*\()/i
const parseKeys = new WeakMap<Values, string>()

function parseKey(settings: Values): string {
  let key = parseKeys.get(settings)
  if (key === undefined) {
    key = parseNames.map(name => settings.byName.get(name) ?? '').join('\0')
    parseKeys.set(settings, key)
  }
  return key
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('latin1')
const latin1 = (bytes: Uint8Array) => decoder.decode(bytes)
