/** node-postgres: one round trip for each statement, values decoded as they arrive. The default driver. */
import type { Client } from 'pg'
import { driverMissing } from '../errors.ts'
import { builtin } from '../runtime.ts'
import type { DriverStream } from '../socket/stream.ts'
import type { Decoder } from '../values/decode.ts'
import {
  type Answer,
  type ConnectRequest,
  type Driver,
  type Field,
  type Statement,
  startupOptions,
} from './driver.ts'
import { logIn, StreamConnection } from './stream-connection.ts'

export const pgDriver: Driver = {
  name: 'pg',
  async connect(request: ConnectRequest) {
    const { target, dial, signal } = request
    const { Client } = await loadPg()
    const stream = await dial()
    const options = startupOptions(target)
    const client = new Client({
      user: target.user,
      database: target.database,
      // A function, because for an absent password the driver would go and read ~/.pgpass.
      password: () => target.password ?? '',
      host: 'localhost',
      port: 5432,
      ssl: false,
      stream: () => stream as never,
      application_name: target.applicationName,
      options: options ?? '',
    })
    // A connection that breaks while idle is noticed at its next checkout; unheard, it would end the process.
    client.on('error', () => {})
    await logIn(stream, signal, () => client.connect())
    return new PgConnection(client, stream, request)
  },
}

async function loadPg() {
  // The package would fail on it too, but without naming the flag that is missing.
  builtin('node:events')
  try {
    const module = await import('pg')
    return module.default ?? module
  } catch (error) {
    throw driverMissing('pg', error)
  }
}

class PgConnection extends StreamConnection {
  readonly #client: Client

  constructor(client: Client, stream: DriverStream, request: ConnectRequest) {
    super(stream, request)
    this.#client = client
  }

  query(statement: Statement): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#client.query(new PgQuery(statement, resolve, reject) as never)
    })
  }

  close() {
    this.#client.end().catch(() => {})
  }
}

/** What node-postgres hands a query to write its messages with. */
interface PgMessages {
  readonly stream: { cork(): void; uncork(): void }
  query(text: string): void
  parse(message: { name: string; text: string; types: readonly number[] }): void
  bind(message: { values: readonly (string | null)[] }): void
  describe(message: { type: 'P' }): void
  execute(message: { rows: number }): void
  sync(): void
  sendCopyFail(message: string): void
}

/**
 * One statement, in node-postgres's interface for queries of one's own (`submit` and the `handle…` methods, which
 * pg-cursor uses too): the extended protocol whether there are parameters or not, since the simple one would run
 * several statements in one text; and each value decoded once, as it arrives.
 */
class PgQuery {
  readonly #statement: Statement
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (error: Error) => void
  #answer: Answer = { rows: [], fields: [], command: '', rowCount: null }
  #decoders: Decoder[] = []
  /** A row with every column, to be copied: quicker than one that grows, and safe for any column's name. */
  #template: Record<string, unknown> = {}

  constructor(statement: Statement, resolve: (answer: Answer) => void, reject: (error: Error) => void) {
    this.#statement = statement
    this.#resolve = resolve
    this.#reject = reject
  }

  submit(connection: PgMessages): null {
    const { text, params, simple } = this.#statement
    if (simple) {
      connection.query(text)
      return null
    }
    const { stream } = connection
    stream.cork()
    connection.parse({ name: '', text, types: [] })
    connection.bind({ values: params })
    connection.describe({ type: 'P' })
    connection.execute({ rows: 0 })
    connection.sync()
    stream.uncork()
    return null
  }

  handleRowDescription({ fields }: { fields: readonly Field[] }): void {
    // Of a text of several statements the last answer counts.
    this.#answer = { rows: [], fields, command: '', rowCount: null }
    this.#decoders = fields.map(({ dataTypeID }, column) => this.#statement.decoderFor(dataTypeID, column))
    this.#template = Object.fromEntries(fields.map(({ name }) => [name, null]))
  }

  handleDataRow({ fields: values }: { fields: readonly (string | null)[] }): void {
    const { rows, fields } = this.#answer
    const decoders = this.#decoders
    if (this.#statement.rowMode === 'array') {
      rows.push(values.map((value, column) => (value === null ? null : decoders[column]!(value))))
      return
    }
    const row = { ...this.#template }
    for (let column = 0; column < values.length; column++) {
      const value = values[column]!
      row[fields[column]!.name] = value === null ? null : decoders[column]!(value)
    }
    rows.push(row)
  }

  handleCommandComplete({ text }: { text: string }): void {
    const words = text.split(' ')
    const count = Number(words[words.length - 1])
    this.#answer.command = words[0]!
    this.#answer.rowCount = words.length > 1 && !Number.isNaN(count) ? count : null
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#answer)
  }

  handleError(error: Error): void {
    this.#reject(error)
  }

  handleCopyInResponse(connection: PgMessages): void {
    connection.sendCopyFail('a query has no data to copy')
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
}
