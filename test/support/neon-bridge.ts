/**
 * What Neon's serverless driver talks to, in front of a PostgreSQL of ours: `POST /sql` and a WebSocket at `/v2`.
 *
 *     fetch     ── {query, params} ──▶ a connection of its own ──▶ PostgreSQL        rows as PostgreSQL's text
 *     WebSocket ── binary frames   ──▶ piped as they come      ──▶ PostgreSQL
 *
 * Only the place of the server is ours: user, password and database are those of the connection string that the
 * driver sends, and its host may be any, a Neon host too (`neonUrl`).
 *
 * The driver's `pipelineConnect: 'password'` (its default) sends the password, in clear text, before it was asked
 * for; so it works only for a user whom PostgreSQL asks for just that: `database.clearTextUrl`, thanks to a line with
 * the method `password` in pg_hba.conf (server-files.ts). With SCRAM, set `pipelineConnect` to false.
 *
 * Source: the driver (index.mjs, CONFIG.md) and Neon's proxy, sql_over_http.rs, which also has the odd parts: what
 * fails while connecting is an HTTP 500 unless it is the password; a statement's error is a 400 with PostgreSQL's
 * fields; a connection that is lost under a statement is a 400 without a code; an answer that is too large is a 507.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { createWebSocketStream, WebSocketServer } from 'ws'

interface Statement {
  query: string
  params?: unknown[]
  arrayMode?: boolean
}
type Answer = { status: number; body: object }

export class NeonBridge implements AsyncDisposable {
  /** Requests to `/sql`, and WebSockets, since the start. */
  requests = 0
  webSockets = 0
  /** An answer whose rows are longer than this, in bytes of JSON, is refused. Neon's is 10 MB by default. */
  answerLimit = 10 * 1024 * 1024
  readonly #origin: URL
  readonly #server: Server
  readonly #sockets = new WebSocketServer({ noServer: true })

  private constructor(origin: string, server: Server) {
    this.#origin = new URL(origin)
    this.#server = server
  }

  /**
   * @param origin where PostgreSQL is, as the URL of any database there, a FaultProxy's too
   */
  static async start(origin: string): Promise<NeonBridge> {
    const server = createServer()
    const bridge = new NeonBridge(origin, server)
    server.on('request', (request, response) => {
      bridge.requests++
      bridge.#answer(request).then(
        ({ status, body }) =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
        // The client has gone, or the bridge has a fault; either way there is no answer.
        () => response.destroy(),
      )
    })
    server.on('upgrade', (request, socket, head) => {
      bridge.webSockets++
      bridge.#sockets.handleUpgrade(request, socket as Socket, head, webSocket => {
        const frames = createWebSocketStream(webSocket)
        const postgres = connect({ ...bridge.#place, noDelay: true })
        // However it ends, it ends both; the ends hear it from their own sockets.
        pipeline(frames, postgres, frames).catch(() => {})
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return bridge
  }

  /**
   * What the driver must be told to come here instead of Neon; plain values, so that a Worker can take them from a
   * binding: `Object.assign(neonConfig, bridge.settings)`.
   */
  get settings(): { fetchEndpoint: string; wsProxy: string; useSecureWebSocket: false } {
    const { port } = this.#server.address() as AddressInfo
    return {
      fetchEndpoint: `http://127.0.0.1:${port}/sql`,
      wsProxy: `127.0.0.1:${port}/v2`,
      useSecureWebSocket: false,
    }
  }

  /** The URL as Neon would give it: a Neon host, the same user, password and database. */
  neonUrl(url: string): string {
    const neon = new URL(url)
    neon.hostname = 'ep-quiet-sluice-123456.eu-central-1.aws.neon.tech'
    neon.port = ''
    return neon.href
  }

  /** Ends it, and every connection through it. */
  async stop(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    for (const socket of this.#sockets.clients) socket.terminate()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get #place(): { host: string; port: number } {
    return { host: this.#origin.hostname, port: Number(this.#origin.port || 5432) }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'POST' || request.url !== '/sql')
      return { status: 404, body: { message: 'not found' } }
    const { headers } = request
    const body: Statement | { queries: Statement[] } = JSON.parse(await text(request))
    const target = new URL(String(headers['neon-connection-string']))
    const client = new pg.Client({
      ...this.#place,
      user: decodeURIComponent(target.username),
      password: decodeURIComponent(target.password),
      database: decodeURIComponent(target.pathname.slice(1)),
      application_name: target.searchParams.get('application_name') ?? undefined,
    })
    // A connection that is lost fails its query too, and that is where it is told.
    client.on('error', () => {})
    try {
      await client.connect()
    } catch (error) {
      await client.end().catch(() => {})
      return refusedToConnect(error as pg.DatabaseError)
    }
    try {
      if (!('queries' in body)) return { status: 200, body: await this.#run(client, body, headers) }
      return { status: 200, body: { results: await this.#runAll(client, body.queries, headers) } }
    } catch (error) {
      if (error instanceof AnswerTooLarge) return { status: 507, body: fieldsOf(error) }
      return { status: 400, body: fieldsOf(error as pg.DatabaseError) }
    } finally {
      await client.end().catch(() => {})
    }
  }

  async #runAll(client: pg.Client, statements: Statement[], headers: IncomingHttpHeaders): Promise<object[]> {
    await client.query(begin(headers))
    const results: object[] = []
    // An error leaves the transaction to the end of the connection, which rolls it back.
    for (const statement of statements) results.push(await this.#run(client, statement, headers))
    await client.query('commit')
    return results
  }

  async #run(client: pg.Client, statement: Statement, headers: IncomingHttpHeaders): Promise<object> {
    const rowAsArray = statement.arrayMode ?? headers['neon-array-mode'] === 'true'
    const result = await client.query<(string | null)[]>({
      text: statement.query,
      values: statement.params?.map(asText) ?? [],
      rowMode: 'array',
      // Rows as PostgreSQL's text: the driver has parsers of its own.
      types: { getTypeParser: () => (value: string) => value },
      // A single statement, as Neon's proxy sends it, also without parameters.
      queryMode: 'extended',
    } as pg.QueryArrayConfig)
    const { command, rowCount, fields, rows } = result as unknown as pg.QueryArrayResult<(string | null)[]>
    if (JSON.stringify(rows).length > this.answerLimit) throw new AnswerTooLarge(this.answerLimit)
    return {
      rowAsArray,
      fields: fields.map(field => ({ ...field })),
      rows: rowAsArray
        ? rows
        : rows.map(row => Object.fromEntries(row.map((value, index) => [fields[index]!.name, value]))),
      command: command ?? '',
      rowCount,
    }
  }
}

class AnswerTooLarge extends Error {
  constructor(limit: number) {
    super(`response is too large (max is ${limit} bytes)`)
  }
}

const isolationLevels: Readonly<Record<string, string>> = {
  ReadUncommitted: 'read uncommitted',
  ReadCommitted: 'read committed',
  RepeatableRead: 'repeatable read',
  Serializable: 'serializable',
}

function begin(headers: IncomingHttpHeaders): string {
  const level = headers['neon-batch-isolation-level']
  if (level !== undefined && !Object.hasOwn(isolationLevels, String(level)))
    throw new Error('invalid isolation level')
  return [
    'begin',
    level && `isolation level ${isolationLevels[String(level)]}`,
    headers['neon-batch-read-only'] === 'true' && 'read only',
    headers['neon-batch-deferrable'] === 'true' && 'deferrable',
  ]
    .filter(Boolean)
    .join(' ')
}

/** The driver sends text and null; by hand one may send any JSON. */
function asText(parameter: unknown): string | null {
  if (parameter === null || typeof parameter === 'string') return parameter
  return typeof parameter === 'object' ? JSON.stringify(parameter) : String(parameter)
}

function refusedToConnect(error: pg.DatabaseError): Answer {
  // Neon's proxy checks the password itself, and its answer has no code.
  if (error.code === '28P01') return { status: 400, body: fieldsOf(new Error(error.message)) }
  return { status: 500, body: fieldsOf(error) }
}

const fieldNames = [
  'severity',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const

function fieldsOf(error: Error | pg.DatabaseError): object {
  const fields = error instanceof pg.DatabaseError ? error : undefined
  return {
    message: error.message,
    code: fields?.code ?? '',
    ...Object.fromEntries(fieldNames.map(name => [name, fields?.[name] ?? null])),
  }
}
