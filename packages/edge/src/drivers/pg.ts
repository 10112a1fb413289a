/** node-postgres: one round trip for each statement, values decoded as they arrive. The default driver. */
import type { Client, QueryArrayResult, QueryResult } from 'pg'
import { driverMissing } from '../errors.ts'
import { builtin } from '../runtime.ts'
import type { DriverStream } from '../socket/stream.ts'
import {
  type Answer,
  type ConnectRequest,
  type Driver,
  type DriverConnection,
  type Statement,
  startupOptions,
  typeParsers,
} from './driver.ts'

export const pgDriver: Driver = {
  name: 'pg',
  async connect({ target, dial, signal, sendCancel }: ConnectRequest) {
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
    const abort = () => stream.destroy(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await client.connect()
    } catch (error) {
      stream.destroy()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
    return new PgConnection(client, stream, sendCancel && (signal => sendCancel(stream, signal)))
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

class PgConnection implements DriverConnection {
  readonly cancel: DriverConnection['cancel']
  readonly #client: Client
  readonly #stream: DriverStream

  constructor(client: Client, stream: DriverStream, cancel: DriverConnection['cancel']) {
    this.#client = client
    this.#stream = stream
    this.cancel = cancel
  }

  async query(statement: Statement): Promise<Answer> {
    const { text, params, rowMode, simple } = statement
    const answer = (await this.#client.query({
      text,
      // Without the array the driver takes the simple protocol, which would run several statements in one text.
      ...(!simple && { values: params as (string | null)[], queryMode: 'extended' }),
      rowMode: rowMode === 'array' ? 'array' : undefined,
      types: typeParsers(statement),
    } as never)) as unknown as QueryResult | QueryArrayResult | (QueryResult | QueryArrayResult)[]
    const last = Array.isArray(answer) ? answer[answer.length - 1]! : answer
    return last as unknown as Answer
  }

  get status() {
    return this.#stream.status
  }
  get closed() {
    return this.#stream.closed
  }
  close() {
    this.#client.end().catch(() => {})
  }
  destroy() {
    this.#stream.destroy()
  }
  ref() {
    this.#stream.ref()
  }
  unref() {
    this.#stream.unref()
  }
}
