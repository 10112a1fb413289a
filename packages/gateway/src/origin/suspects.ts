/**
 * Functions of one database whose bodies may change the session: those that PostgreSQL's own text of them mentions
 * parameters, session locks, temporary objects, LISTEN or dynamic SQL in.
 *
 * A statement that calls one is followed by the question what the session is like; all others are not. They are read
 * from the database, and again from time to time and after DDL that the gateway saw. As long as they are not known,
 * every function is one.
 */

/** Words of a body; it says more than is so, never less, except for what another function does that it calls. */
const words =
  '(set_config|advisory|listen|temp|prepare|execute|perform|deallocate|discard|reset|\\\\mset\\\\M|with hold|\\\\mload\\\\M|dblink)'

const sql = `SELECT p.proname
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang
  WHERE l.lanname OPERATOR(pg_catalog.<>) ALL (ARRAY['internal', 'c'])
    AND (CASE WHEN p.prosqlbody IS NULL THEN p.prosrc ELSE pg_catalog.pg_get_function_sqlbody(p.oid) END
      OPERATOR(pg_catalog.~*) E'${words}')`

const refreshMs = 60_000

export class Suspects {
  readonly #query: (sql: string) => Promise<(string | null)[][]>
  readonly #now: () => number
  #names: ReadonlySet<string> | null = null
  #readAt = -Infinity
  #reading = false

  constructor(query: (sql: string) => Promise<(string | null)[][]>, now: () => number) {
    this.#query = query
    this.#now = now
  }

  /** True if one of these may change the session; names with or without a schema. */
  has(functions: readonly string[]): boolean {
    if (this.#now() - this.#readAt > refreshMs) this.#read()
    const names = this.#names
    if (names === null) return true
    return functions.some(name => names.has(name.slice(name.lastIndexOf('.') + 1)))
  }

  /** The schema has changed. */
  forget(): void {
    this.#names = null
    this.#readAt = -Infinity
  }

  #read(): void {
    if (this.#reading) return
    this.#reading = true
    const startedAt = this.#now()
    this.#readAt = startedAt
    this.#query(sql).then(
      rows => {
        this.#reading = false
        // What was forgotten meanwhile is read again.
        if (this.#readAt === startedAt) this.#names = new Set(rows.map(([name]) => name!))
      },
      () => {
        this.#reading = false
        this.#names = null
      },
    )
  }
}
