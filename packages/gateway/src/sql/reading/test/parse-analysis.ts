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

  async set(sql: string): Promise<void> {
    await this.#client.query(sql)
  }

  /** Null if PostgreSQL refuses the statement. */
  async of(sql: string): Promise<Found | null> {
    const client = this.#client
    this.#printed = ''
    try {
      await client.query(`set debug_print_rewritten = on`)
      this.#printed = ''
      await client.query(`prepare asked as ${sql}`)
    } catch {
      return null
    } finally {
      await client.query('reset debug_print_rewritten')
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
