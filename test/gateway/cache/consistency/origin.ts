/** A PostgreSQL that restarts on its port, and its synchronous standby. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, startPostgres } from '@sluice/dev'
import { PhysicalReceiver } from '../../../support/physical-receiver.ts'
import { createDatabase, queryOnce } from '../../../support/postgres.ts'
import { schema } from './questions.ts'

/** A commit of whoever wants to wait ends when the standby has it. */
const settings = {
  ...{ fsync: 'off', wal_level: 'logical', deadlock_timeout: '20ms', max_connections: '100' },
  max_prepared_transactions: '20',
  ...{ synchronous_standby_names: 'standby', synchronous_commit: 'local' },
}
export class Origin implements AsyncDisposable {
  readonly #folder: string
  #postgres: Postgres
  #url = ''
  standby: PhysicalReceiver

  private constructor(folder: string, postgres: Postgres, standby: PhysicalReceiver) {
    this.#folder = folder
    this.#postgres = postgres
    this.standby = standby
  }

  static async start(): Promise<Origin> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-consistency-'))
    const postgres = await startPostgres({ dataFolder: join(folder, 'data'), settings })
    return new Origin(folder, postgres, await PhysicalReceiver.start(postgres.url, 'standby'))
  }

  /** Of the database that was created last: restarts change nothing of it. */
  get url(): string {
    return this.#url
  }

  /** A new database of this schema. The one before stays: a replication stream may not have ended there. */
  async create(): Promise<void> {
    this.#url = (await createDatabase(this.#postgres.url)).url
    await this.query(schema)
  }

  /** In order, or as if the machine had lost power. */
  async restart(how: 'stop' | 'kill'): Promise<void> {
    const { port } = this.#postgres
    await this.standby[Symbol.asyncDispose]()
    await this.#postgres[how]()
    this.#postgres = await startPostgres({ dataFolder: join(this.#folder, 'data'), settings, port })
    this.standby = await PhysicalReceiver.start(this.#postgres.url, 'standby')
  }

  /** The processes that send the gateways their streams. */
  async streams(): Promise<number[]> {
    const rows = await this.query(
      `select pid from pg_stat_activity where backend_type = 'walsender' and application_name <> 'standby'`,
    )
    return rows.map(({ pid }) => Number(pid))
  }

  /** Transactions that are prepared, and whose clients have gone. */
  async forgetPrepared(): Promise<void> {
    const prepared = await this.query('select gid from pg_prepared_xacts where database = current_database()')
    for (const { gid } of prepared) await this.query(`rollback prepared '${gid}'`)
  }

  query(sql: string): Promise<Record<string, unknown>[]> {
    return queryOnce(this.#url, sql)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.standby[Symbol.asyncDispose]()
    await this.#postgres.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
