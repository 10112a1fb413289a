/**
 * A client that sends raw messages and writes down what it hears, message by message: to a gateway or to PostgreSQL.
 *
 *     await using client = await rawClient(url)
 *     client.send(parse('s1', 'select 1'), sync())
 *     expect(await client.ready()).toEqual(['1', 'Z I'])
 *
 * Messages are written as in `said`: 1 2 3 for Parse-, Bind- and CloseComplete, T(names), D(values), C(tag), E code,
 * Z status and so on. ParameterStatus and notifications come at any time, so they are kept apart.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import * as wire from '@sluice/wire'
import { Login, type LoginAction } from '../../packages/gateway/src/origin/login.ts'

export interface RawClient extends AsyncDisposable {
  readonly socket: Socket
  /** Of the login. */
  readonly parameters: ReadonlyMap<string, string>
  readonly key: { processId: number; secretKey: Uint8Array } | null
  /** ParameterStatus since the login, as `name=value`; notifications as `channel:payload`. */
  readonly changes: string[]
  readonly notifications: string[]
  readonly notices: string[]
  /** What was heard and not taken by `ready` or `take`. */
  readonly heard: string[]
  /** Errors in full, in their order. */
  readonly errors: wire.ErrorFields[]
  /** In one write. */
  send(...messages: Uint8Array[]): void
  /** What is heard up to the next ReadyForQuery, or up to the end of the connection ('closed'). */
  ready(): Promise<string[]>
  /** Waits for so many messages. */
  take(count: number): Promise<string[]>
  /** Waits until something is true of what was heard. */
  until(holds: () => boolean): Promise<void>
  /** Sends a Query and gives what is heard up to ReadyForQuery. */
  query(sql: string): Promise<string[]>
  /** Terminate, and the end of the connection. */
  end(): Promise<void>
  destroy(): void
}

const patienceMs = 10_000

export async function rawClient(
  url: string,
  { parameters = {}, version }: { parameters?: Record<string, string>; version?: number } = {},
): Promise<RawClient> {
  const { hostname, port, username, password, pathname } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true })
  const client = new Client(socket)
  await client.logIn({
    ...{ user: decodeURIComponent(username), database: decodeURIComponent(pathname.slice(1)) },
    password: decodeURIComponent(password),
    parameters,
    version,
  })
  return client
}

class Client implements RawClient {
  parameters = new Map<string, string>()
  key: RawClient['key'] = null
  readonly changes: string[] = []
  readonly notifications: string[] = []
  readonly notices: string[] = []
  readonly heard: string[] = []
  readonly errors: wire.ErrorFields[] = []
  #closed = false
  #wake: () => void = () => {}
  readonly #scanner = new wire.MessageScanner(wire.watch({ whole: [...Array(256).keys()] }), 16_777_216)

  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
  }

  logIn(options: {
    user: string
    database: string
    password: string
    parameters: Record<string, string>
    version: number | undefined
  }): Promise<void> {
    const { socket } = this
    return new Promise((resolve, reject) => {
      const login = new Login({
        ...{ user: options.user, database: options.database, parameters: Object.entries(options.parameters) },
        ...{ secret: { password: Buffer.from(options.password) }, tls: null, randomBytes },
        ...(options.version === undefined ? {} : { version: options.version }),
      })
      const act = async (actions: LoginAction[]) => {
        for (const action of actions) {
          if (action.do === 'send') socket.write(action.bytes)
          else if (action.do === 'fail') {
            socket.destroy()
            reject(Object.assign(new Error(action.error.message), action.error))
          } else if (action.do === 'derive') {
            const { pbkdf2Sync } = await import('node:crypto')
            act(login.derived(pbkdf2Sync(action.password, action.salt, action.iterations, 32, 'sha256')))
          } else {
            socket.off('data', onData)
            this.parameters = action.login.parameters
            this.key = action.login.key
            this.#listen(action.login.leftover)
            resolve()
          }
        }
      }
      const onData = (chunk: Buffer) => act(login.feed(chunk))
      socket.on('data', onData)
      socket.once('connect', () => act(login.start()))
      socket.on('error', reject)
      socket.on('close', () => {
        act(login.lost())
        this.#closed = true
        this.#wake()
      })
      socket.on('end', () => {
        act(login.lost())
        this.#closed = true
        this.#wake()
      })
    })
  }

  #listen(leftover: Uint8Array): void {
    const feed = (chunk: Uint8Array) => {
      this.#scanner.feed(chunk, (type, bytes, start, end) => this.#hear(type, bytes.slice(start, end)))
      this.#wake()
    }
    if (leftover.length > 0) feed(leftover)
    this.socket.on('data', feed)
  }

  #hear(type: number, body: Uint8Array): void {
    if (type === wire.ParameterStatus) this.changes.push(strings(body).join('='))
    else if (type === wire.NotificationResponse) this.notifications.push(strings(body.subarray(4)).join(':'))
    else if (type === wire.NoticeResponse) this.notices.push(wire.parseErrorFields(body).message)
    else {
      if (type === wire.ErrorResponse) this.errors.push(wire.parseErrorFields(body))
      this.heard.push(said(type, body))
    }
  }

  send(...messages: Uint8Array[]): void {
    this.socket.write(Buffer.concat(messages))
  }

  async ready(): Promise<string[]> {
    let searched = 0
    const isReady = (word: string | undefined) => word?.startsWith('Z ') ?? false
    await this.until(() => {
      while (searched < this.heard.length && !isReady(this.heard[searched])) searched++
      return searched < this.heard.length
    })
    const end = this.heard.findIndex(isReady)
    return end === -1 ? [...this.heard.splice(0), 'closed'] : this.heard.splice(0, end + 1)
  }

  async take(count: number): Promise<string[]> {
    await this.until(() => this.heard.length >= count)
    return this.heard.splice(0, count)
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (!holds() && !this.#closed) {
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`heard only ${JSON.stringify(this.heard)} within ${patienceMs} ms`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  query(sql: string): Promise<string[]> {
    this.send(wire.query(sql))
    return this.ready()
  }

  async end(): Promise<void> {
    if (!this.#closed) this.send(wire.terminate())
    await this.until(() => this.#closed)
    this.socket.destroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
  }
}

const utf8 = new TextDecoder()

const strings = (bytes: Uint8Array) => utf8.decode(bytes).split('\0').slice(0, -1)

/** A message of the server's as a word. */
function said(type: number, body: Uint8Array): string {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  switch (type) {
    case wire.ReadyForQuery:
      return `Z ${String.fromCharCode(body[0]!)}`
    case wire.CommandComplete:
      return `C(${strings(body)[0]})`
    case wire.ErrorResponse:
      return `E ${wire.parseErrorFields(body).code}`
    case wire.DataRow: {
      const values: string[] = []
      for (let at = 2; at < body.length; ) {
        const length = view.getInt32(at)
        at += 4
        values.push(length < 0 ? 'null' : utf8.decode(body.subarray(at, at + length)))
        at += Math.max(0, length)
      }
      return `D(${values.join(',')})`
    }
    case wire.RowDescription: {
      const names: string[] = []
      for (let at = 2; at < body.length; ) {
        const end = body.indexOf(0, at)
        names.push(utf8.decode(body.subarray(at, end)))
        at = end + 19
      }
      return `T(${names.join(',')})`
    }
    case wire.CopyData:
      return `d(${utf8.decode(body)})`
    default:
      return String.fromCharCode(type)
  }
}
