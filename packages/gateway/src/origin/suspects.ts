/**
 * Functions of one database whose bodies may change the session: those that PostgreSQL's own text of them mentions
 * parameters, session locks, temporary objects, LISTEN or dynamic SQL in.
 *
 * A statement that calls one is followed by the question what the session is like; all others are not. They are read
 * from the database, and again from time to time, after DDL that the gateway saw, and when one is called that is not
 * known. A function that is not known is one.
 *
 * Their text also tells which parameters of an application's own (app.tenant) they set: PostgreSQL lists no such
 * values when asked. A name that a function puts together is not found.
 */

/** Words of a body; it says more than is so, never less, except for what another function does that it calls. */
const words =
  '(set_config|advisory|listen|temp|prepare|execute|perform|deallocate|discard|reset|\\\\mset\\\\M|with hold|\\\\mload\\\\M|dblink)'

/** Behind set_config, or SET in a text that is executed. */
const parameters =
  "(?:set_config\\\\s*\\\\(\\\\s*e?''+|\\\\mset\\\\s+(?:session\\\\s+)?)([a-z_][a-z0-9_$]*(?:\\\\.[a-z_][a-z0-9_$]*)+)"

/** What an origin tells may be anything. */
const parameterName = /^[a-z_][\w$]*(\.[a-z_][\w$]*)+$/

const sql = `SELECT p.proname, pg_catalog.bool_or(b.body OPERATOR(pg_catalog.~*) E'${words}'),
    pg_catalog.string_agg((SELECT pg_catalog.string_agg(pg_catalog.lower(m[1]), ' ')
      FROM pg_catalog.regexp_matches(b.body, E'${parameters}', 'gi') m), ' ')
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
    CROSS JOIN LATERAL (SELECT CASE WHEN l.lanname OPERATOR(pg_catalog.=) ANY (ARRAY['internal', 'c']) THEN ''
      WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_catalog.pg_get_function_sqlbody(p.oid) END AS body) b
  GROUP BY p.proname`

const refreshMs = 60_000

export class Suspects {
  readonly #query: (sql: string) => Promise<(string | null)[][]>
  readonly #now: () => number
  /** Functions by their names: true for a suspect. */
  #known: Map<string, boolean> | null = null
  /** Called and not known. Those that do not exist are not looked for each time. */
  readonly #missed = new Set<string>()
  #parameters: ReadonlySet<string> | null = null
  #readAt = -Infinity
  #reading: Promise<void> | null = null

  constructor(query: (sql: string) => Promise<(string | null)[][]>, now: () => number) {
    this.#query = query
    this.#now = now
  }

  /** True if one of these may change the session; names with or without a schema. */
  has(functions: readonly string[]): boolean {
    if (this.#now() - this.#readAt > refreshMs) void this.#read()
    const known = this.#known
    if (known === null) return true
    let has = false
    for (const written of functions) {
      const name = written.slice(written.lastIndexOf('.') + 1)
      if (known.get(name) !== false) has = true
      if (known.has(name)) continue
      this.#missed.add(name)
      this.forget()
    }
    return has
  }

  /**
   * The names with a dot of the parameters that they may set: of all of them, for they call each other. Null if they
   * can't be read.
   */
  async parameters(): Promise<ReadonlySet<string> | null> {
    // What is being read may be forgotten meanwhile.
    for (let tries = 0; tries < 2 && this.#known === null; tries++) await this.#read()
    return this.#parameters
  }

  /** The schema has changed. */
  forget(): void {
    this.#known = null
    this.#readAt = -Infinity
  }

  #read(): Promise<void> {
    this.#readAt = this.#now()
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  async #readAll(): Promise<void> {
    const startedAt = this.#readAt
    const rows = await this.#query(sql).catch(() => null)
    // What was forgotten meanwhile is read again.
    if (this.#readAt !== startedAt) return
    this.#known = rows && new Map(rows.map(([name, suspect]) => [name!, suspect === 't']))
    for (const name of this.#missed) if (!this.#known?.has(name)) this.#known?.set(name, true)
    this.#missed.clear()
    const names = rows?.flatMap(([, , parameters]) => parameters?.split(' ') ?? [])
    this.#parameters = names ? new Set(names.filter(name => parameterName.test(name))) : null
  }
}
