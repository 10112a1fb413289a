/**
 * postgres.js, one client per connection.
 *
 * Its own pool, reconnecting, time-outs and value types are all switched off: it opens sockets in a loop when
 * a server closes during start-up, and knows no query deadline. It connects with its first query, so that
 * one is empty and answered by the stream, without a trip. A parametrised statement costs two trips the first
 * time on a connection, then one; where the URL names a transaction pooler (no named statements) always two.
 * Of PostgreSQL's 65,535 parameters it takes all but two.
 */
import type postgres from 'postgres'
import { badParameter, driverMissing } from '../errors.ts'
import { builtin } from '../runtime.ts'
import type { DriverStream } from '../socket/stream.ts'
import {
  type Answer,
  type ConnectRequest,
  type Driver,
  type Statement,
  shaped,
  startupOptions,
} from './driver.ts'
import { logIn, StreamConnection } from './stream-connection.ts'

/** postgres.js would encode parameters by the types that the server tells: ours are text already. */
const asIs = { to: 0, from: [] as number[], serialize: (text: string) => text, parse: (text: string) => text }
const builtinTypes = [16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 1082, 1114, 1184, 3802]

const maxParameters = 65_533

export const postgresDriver: Driver = {
  name: 'postgres',
  async connect(request: ConnectRequest) {
    const { target, dial, signal } = request
    const { default: connect } = await loadPostgres()
    const stream = await dial()
    stream.answersEmptyQuery = true
    stream.completesLastError = true
    let taken = false
    const options = startupOptions(target)
    const client = connect({
      host: 'localhost',
      port: 5432,
      username: target.user,
      database: target.database,
      password: () => target.password ?? '',
      ssl: false,
      max: 1,
      prepare: !target.pooled,
      fetch_types: false,
      idle_timeout: 0,
      max_lifetime: 0,
      connect_timeout: 0,
      backoff: false,
      onnotice: () => {},
      types: Object.fromEntries(builtinTypes.map(oid => [`as_is_${oid}`, { ...asIs, to: oid }])),
      connection: {
        ...(target.applicationName && { application_name: target.applicationName }),
        ...(options && { options }),
      },
      // The one socket; a second call is a reconnect, which is not the driver's to decide.
      socket: () => {
        if (taken) throw new Error('the connection is closed')
        taken = true
        return stream
      },
    } as never) as unknown as postgres.Sql
    await logIn(stream, signal, () => client.unsafe(''))
    return new PostgresConnection(client, stream, request)
  },
}

async function loadPostgres() {
  // The package would fail on it too, but without naming the flag that is missing.
  builtin('node:events')
  try {
    return await import('postgres')
  } catch (error) {
    throw driverMissing('postgres', error)
  }
}

class PostgresConnection extends StreamConnection {
  readonly #client: postgres.Sql

  constructor(client: postgres.Sql, stream: DriverStream, request: ConnectRequest) {
    super(stream, request)
    this.#client = client
  }

  async query(statement: Statement): Promise<Answer> {
    const { text, params, decoderFor, simple } = statement
    if (params.length > maxParameters)
      throw badParameter(`${params.length} parameters: postgres.js takes at most ${maxParameters}`)
    const query = this.#client.unsafe(
      text,
      params as never,
      { prepare: true, simple: simple === true } as never,
    )
    const answer = (await query.raw()) as unknown as RawAnswer | RawAnswer[]
    // A text of several statements gives an answer of each, one behind the other.
    const last = (
      Array.isArray(answer[0]) && 'command' in answer[0] ? answer[answer.length - 1] : answer
    ) as RawAnswer
    const columns = last.columns ?? []
    const decoders = columns.map(({ type }, column) => decoderFor(type, column))
    const decode = (bytes: Uint8Array | null, column: number) =>
      bytes === null ? null : decoders[column]!(utf8.decode(bytes))
    const fields = columns.map(({ name, type }) => ({ name, dataTypeID: type }))
    const rows = last.map(row => row.map(decode))
    return {
      rows: shaped(rows, fields, statement),
      fields,
      command: last.command?.split(' ')[0] ?? '',
      rowCount: last.count,
    }
  }

  close() {
    this.#client.end({ timeout: 0 }).catch(() => {})
  }
}

type RawAnswer = (Uint8Array | null)[][] & {
  readonly columns?: readonly { name: string; type: number }[]
  readonly command: string | null
  readonly count: number | null
}

const utf8 = new TextDecoder()
