/**
 * What PostgreSQL itself finds in a statement: it prints its tree of a prepared statement when it is asked to
 * (debug_print_rewritten), with every function, operator and table by oid, views and policies unfolded.
 */
import pg from 'pg'

export interface Found {
  /** Of the columns of its result. */
  readonly types: readonly number[]
  readonly parameters: readonly number[]
  readonly functions: ReadonlySet<number>
  readonly relations: ReadonlySet<number>
}

export class ParseAnalysis implements AsyncDisposable {
  readonly #client: pg.Client
  #printed = ''

  private constructor(client: pg.Client) {
    this.#client = client
    client.on('notice', notice => {
      this.#printed += notice.detail ?? ''
    })
  }

  static async connect(url: string): Promise<ParseAnalysis> {
    const client = new pg.Client(url)
    await client.connect()
    await client.query('set client_min_messages = log; set debug_pretty_print = off')
    return new ParseAnalysis(client)
  }

  /**
   * Null if PostgreSQL refuses the statement.
   *
   * @param settings under which it is read, role and search_path among them
   */
  async of(sql: string, settings: Readonly<Record<string, string>> = {}): Promise<Found | null> {
    const client = this.#client
    await client.query('begin')
    try {
      await client.query('set local debug_print_rewritten = on')
      for (const [name, value] of Object.entries(settings))
        await client.query('select pg_catalog.set_config($1, $2, true)', [name, value])
      this.#printed = ''
      await client.query(`prepare asked as ${sql}`)
    } catch {
      return null
    } finally {
      await client.query('rollback')
    }
    // The tree of PREPARE itself comes first, and names nothing by oid.
    const tree = this.#printed.replace(/\s+/g, ' ')
    const { rows } = await client.query(
      `select result_types::oid[]::text[] as types, parameter_types::oid[]::text[] as parameters
        from pg_prepared_statements where name = 'asked'`,
    )
    await client.query('deallocate asked')
    return {
      types: (rows[0].types ?? []).map(Number),
      parameters: (rows[0].parameters ?? []).map(Number),
      functions: oids(tree, /:(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)/g),
      relations: oids(tree, /:rtekind 0 :relid (\d+) :inh \w+ :relkind [^v]/g),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end()
  }
}

const oids = (tree: string, pattern: RegExp): ReadonlySet<number> =>
  new Set([...tree.matchAll(pattern)].map(([, oid]) => Number(oid)).filter(oid => oid !== 0))
