/**
 * A prepared statement as the gateway knows it: one text, the types that were declared for its parameters, and what
 * its parse depends on. Whichever clients prepare it under whatever names, a server connection has it once, under one
 * name of the gateway's that is never used twice.
 *
 * Once a connection says that the statement means something else now (0A000), or DDL was seen, it is *stale*: whoever
 * holds it keeps it and hears what PostgreSQL says, who prepares the text anew gets a new one.
 */
import { Parse } from '@sluice/wire'
import type { StatementPlan } from '../sql/plan.ts'
import type { Values } from './values.ts'
import { WeakTable } from './weak-table.ts'

export class Statement {
  /** `sluice_17` */
  readonly name: string
  /** The whole Parse message that prepares it. */
  readonly parse: Uint8Array
  readonly plan: StatementPlan
  /** Its description as a client was told it last, by a Describe: see description.ts. Null if nobody asked. */
  described: string | null = null
  stale = false

  constructor(name: string, parse: Uint8Array, plan: StatementPlan) {
    this.name = name
    this.parse = parse
    this.plan = plan
  }
}

/** What all names of the gateway's begin with. */
export const namePrefix = 'sluice_'

let made = 0

/** The statements of one pool. */
export class Statements {
  #known = new WeakTable<Statement>()

  /**
   * The statement of this text.
   *
   * @param tail of the Parse message: text, NUL, the number of types and the types
   * @param settings under which it is parsed. Null: they can't be told, so nobody else shares the statement.
   */
  intern(tail: Uint8Array, plan: StatementPlan, settings: Values | null): Statement {
    if (settings === null) return make(tail, plan)
    const key = `${parseKey(settings)}\0\0${latin1(tail)}`
    const known = this.#known.get(key)
    if (known && !known.stale) return known
    const statement = make(tail, plan)
    this.#known.set(key, statement)
    return statement
  }

  /** The schema has changed: who prepares a text from now on gets a new statement. */
  forget(): void {
    this.#known = new WeakTable()
  }
}

function make(tail: Uint8Array, plan: StatementPlan): Statement {
  const name = `${namePrefix}${++made}`
  const bytes = new Uint8Array(5 + name.length + 1 + tail.length)
  bytes[0] = Parse
  new DataView(bytes.buffer).setUint32(1, bytes.length - 1)
  for (let i = 0; i < name.length; i++) bytes[5 + i] = name.charCodeAt(i)
  bytes.set(tail, 5 + name.length + 1)
  return new Statement(name, bytes, plan)
}

/** What the meaning of a text depends on: the path and who resolves names on it, and how the text is read. */
const parseNames = [
  'search_path',
  'session_authorization',
  'role',
  'standard_conforming_strings',
  'client_encoding',
]
const parseKeys = new WeakMap<Values, string>()

function parseKey(settings: Values): string {
  let key = parseKeys.get(settings)
  if (key === undefined) {
    key = parseNames.map(name => settings.byName.get(name) ?? '').join('\0')
    parseKeys.set(settings, key)
  }
  return key
}

const decoder = new TextDecoder('latin1')
const latin1 = (bytes: Uint8Array) => decoder.decode(bytes)
