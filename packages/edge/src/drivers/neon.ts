/**
 * Neon's serverless driver: single statements by HTTP, transactions and cursors over its WebSocket.
 *
 * Neon's options keep their names and the guide's values. They are set on the one client or request that uses
 * them; nothing global changes, except `fetchEndpoint` and `fetchFunction` when you give them, which the
 * driver knows only globally. `poolQueryViaFetch` decides here what it decides in Neon's `Pool`: whether a
 * statement outside a transaction goes by HTTP.
 *
 * What it can't: a statement by HTTP has no session, so the URL's settings (`search_path`, `options`, …) hold by
 * WebSocket only; neither way carries a cancel request, so what is given up may run on to its end.
 */
import type { Client } from '@neondatabase/serverless'
import { driverMissing } from '../errors.ts'
import { within } from '../limit.ts'
import type { Target } from '../url.ts'
import {
  type Answer,
  type ConnectRequest,
  type Driver,
  type DriverConnection,
  type Statement,
  shaped,
  startupOptions,
  typeParsers,
} from './driver.ts'

type WebSocketConstructor = new (...given: never[]) => object

// Types of its own and not the driver's: published declarations must not need a package that may be missing.
export interface NeonOptions {
  /** wss rather than ws to the proxy. Default true. */
  useSecureWebSocket?: boolean
  /** Start-up, clear-text password and first query in one flight, where the server asks for the password in clear text. Default 'password'. */
  pipelineConnect?: 'password' | false
  /** The writes of one turn of the event loop become one WebSocket message. Default true. */
  coalesceWrites?: boolean
  /** Statements outside a transaction go by HTTP. Default true. */
  poolQueryViaFetch?: boolean
  /** Where the WebSocket proxy is, without its scheme. Default: the database's host, path /v2. */
  wsProxy?: string | ((host: string, port: number | string) => string)
  /** For runtimes without a global WebSocket. */
  webSocketConstructor?: WebSocketConstructor
  /** Where HTTP goes; set globally, as the driver has it so. Default: the database's host, path /sql. */
  fetchEndpoint?: string | ((host: string, port: number | string, options?: { jwtAuth?: boolean }) => string)
  /** What fetches; set globally, as the driver has it so. Default: the runtime's fetch. */
  fetchFunction?: (url: string, init: RequestInit) => Promise<Response>
}

type ArrayAnswer = Answer & { readonly rows: unknown[][] }

type NeonModule = typeof import('@neondatabase/serverless')

export function neonDriver(options: NeonOptions = {}): Driver {
  const { poolQueryViaFetch = true, fetchEndpoint, fetchFunction } = options
  const load = async () => {
    const module = await loadNeon()
    if (fetchEndpoint !== undefined) module.neonConfig.fetchEndpoint = fetchEndpoint
    if (fetchFunction !== undefined) module.neonConfig.fetchFunction = fetchFunction
    return module
  }
  return {
    name: 'neon',
    connect: async request => connect(await load(), options, request),
    ...(poolQueryViaFetch && {
      oneShot: async (target, statement, signal) => fetchAnswer(await load(), target, statement, signal),
    }),
  }
}

async function loadNeon(): Promise<NeonModule> {
  try {
    return await import('@neondatabase/serverless')
  } catch (error) {
    throw driverMissing('@neondatabase/serverless', error)
  }
}

async function fetchAnswer(
  { neon }: NeonModule,
  target: Target,
  statement: Statement,
  signal: AbortSignal,
): Promise<Answer> {
  const { text, params } = statement
  const answer = (await neon(urlOf(target), { fullResults: true, arrayMode: true }).query(
    text,
    params as (string | null)[],
    {
      types: typeParsers(statement) as never,
      fetchOptions: { signal },
    },
  )) as unknown as ArrayAnswer
  return { ...answer, rows: shaped(answer.rows, answer.fields, statement) }
}

async function connect(
  module: NeonModule,
  options: NeonOptions,
  { target, signal }: ConnectRequest,
): Promise<DriverConnection> {
  const { host, port } = target.hosts[0]!
  const startup = startupOptions(target)
  const client = new module.Client({
    host,
    port,
    user: target.user,
    database: target.database,
    password: target.password ?? '',
    ssl: false,
    ...(target.applicationName && { application_name: target.applicationName }),
    ...(startup && { options: startup }),
  } as never)
  const config = client.neonConfig
  config.useSecureWebSocket = options.useSecureWebSocket ?? true
  config.pipelineConnect = options.pipelineConnect ?? 'password'
  config.coalesceWrites = options.coalesceWrites ?? true
  if (options.wsProxy !== undefined) config.wsProxy = options.wsProxy
  if (options.webSocketConstructor !== undefined)
    config.webSocketConstructor = options.webSocketConstructor as never
  const connection = new NeonConnection(client, module)
  const abort = () => connection.destroy()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await within(connection.open(), signal)
  } catch (error) {
    connection.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
  return connection
}

class NeonConnection implements DriverConnection {
  status: 'I' | 'T' | 'E' = 'I'
  closed = false
  ready = false
  /** The WebSocket carries no CancelRequest: a statement that is given up takes its connection with it. */
  readonly cancel = undefined
  readonly #client: Client
  readonly #Query: ExtendedQueryClass
  #end: (() => void) | undefined

  constructor(client: Client, module: NeonModule) {
    this.#client = client
    this.#Query = extendedQuery(module)
    const gone = () => {
      this.closed = true
      this.#end?.()
    }
    client.on('error', gone)
    client.on('end', gone)
  }

  /** With `pipelineConnect` this is no more than a WebSocket: the login goes with the first statement. */
  open(): Promise<void> {
    const opened = this.#client.connect() as unknown as Promise<void>
    // Not before: a pipelined connect takes all listeners of this event away.
    this.#client.connection.on(
      'readyForQuery' as never,
      ((message: { status: 'I' | 'T' | 'E' }) => {
        this.ready = true
        this.status = message.status
      }) as never,
    )
    return opened
  }

  query(statement: Statement): Promise<Answer> {
    const { text, params, simple } = statement
    return new Promise((resolve, reject) => {
      this.#end = () => reject(new Error('the WebSocket closed'))
      const config = {
        text,
        values: params,
        rowMode: 'array',
        types: typeParsers(statement),
      }
      const done = (error: Error | null, answer: ArrayAnswer | ArrayAnswer[]) => {
        this.#end = undefined
        if (error) return reject(error)
        const last = Array.isArray(answer) ? answer[answer.length - 1]! : answer
        resolve({ ...last, rows: shaped(last.rows, last.fields, statement) })
      }
      const query = new this.#Query(config, undefined, done)
      query.simple = simple === true
      this.#client.query(query as never)
    })
  }

  close() {
    this.closed = true
    this.#client.end().catch(() => {})
  }
  destroy() {
    this.closed = true
    const stream = this.#client.connection.stream as unknown as { destroy?: () => void; end?: () => void }
    stream.destroy?.()
    this.#end?.()
  }
}

interface ExtendedQuery {
  simple: boolean
}
type ExtendedQueryClass = new (
  config: unknown,
  values: undefined,
  callback: (error: Error | null, answer: ArrayAnswer | ArrayAnswer[]) => void,
) => ExtendedQuery

let extended: ExtendedQueryClass | undefined

/** The driver takes the simple protocol for a text without parameters, which would run several statements in one text. */
function extendedQuery({ Client }: NeonModule): ExtendedQueryClass {
  if (extended) return extended
  const { Query } = Client as unknown as { Query: new (...args: unknown[]) => object }
  extended = class extends Query {
    simple = false
    requiresPreparation() {
      return !this.simple
    }
  } as unknown as ExtendedQueryClass
  return extended
}

function urlOf({ hosts, user, password, database }: Target): string {
  const { host, port } = hosts[0]!
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
  const name = host.includes(':') ? `[${host}]` : host
  return `postgresql://${encodeURIComponent(user)}${secret}@${name}:${port}/${encodeURIComponent(database)}`
}
