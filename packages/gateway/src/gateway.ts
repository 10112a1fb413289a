/**
 * The gateway: who comes in (front/), whose session it is (session/), on which server connection it runs (origin/).
 *
 *     listener ─▶ Door ─▶ admit: which database, which pool ─▶ Welcome ─▶ Session ◀──▶ Pool ─▶ origin
 *
 * One process, one event loop. Everything that takes time is looked at by one timer.
 */
import { createHmac } from 'node:crypto'
import { authenticationOk, backendKeyData, errorResponse, parameterStatus, readyForQuery } from '@sluice/wire'
import type { ScramSecret } from '@sluice/wire/authentication'
import { Accounts, type ListedUser } from './front/accounts.ts'
import { Door } from './front/door.ts'
import { Keys } from './front/keys.ts'
import { fatal } from './front/refusal.ts'
import type { Admitted } from './front/startup.ts'
import { Welcome } from './front/welcome.ts'
import { cancelOn } from './origin/cancel.ts'
import { Control } from './origin/control.ts'
import { dial, type Origin } from './origin/dial.ts'
import { Limit } from './origin/limit.ts'
import { Listener } from './origin/listener.ts'
import { LoginRefused, Pool } from './origin/pool.ts'
import { type Refusal, shuttingDown } from './origin/refusal.ts'
import type { Keeper } from './origin/server-connection.ts'
import type { Values } from './origin/values.ts'
import { terminated } from './session/errors.ts'
import { Session } from './session/session.ts'
import type { Signal } from './session/signals.ts'
import type { StatementPlan } from './sql/plan.ts'
import { quoteLiteral } from './sql/quote.ts'
import type { Clock } from './transport/clock.ts'
import type { ServerTls, Socket, Listener as SocketListener, Transport } from './transport/transport.ts'

/** One origin and who may use it how. Times in ms; 0 is no limit where a limit is one. */
export interface OriginOptions {
  /** How clients may call it besides by its database's name: binding and id. */
  readonly names: readonly string[]
  readonly origin: Origin
  readonly database: string
  /** Whether clients may name any database of the server, or only `database`. */
  readonly anyDatabase: boolean
  readonly user: string
  readonly password?: string
  readonly users: readonly ListedUser[]
  readonly auth: 'scram' | 'md5' | 'trust' | 'passthrough'
  /** Roles of the origin may come in, by what pg_authid (or this query with `$1`) says of them. */
  readonly roles: 'none' | 'pg_authid' | { readonly query: string }
  readonly authRefreshMs: number
  readonly mode: 'transaction' | 'session'
  readonly sessionUsers: readonly string[]
  readonly connectionLimit: number
  readonly minSize: number
  readonly queueLimit: number
  readonly waitTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly queryTimeoutMs: number
  readonly idleInTransactionTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxLifetimeMs: number
  readonly statementLimit: number
}

export interface GatewayOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly origins: readonly OriginOptions[]
  readonly tls: ServerTls | null
  readonly loginTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly maxClients: number
  readonly version: string
}

/** What is handed in. */
export interface Surroundings {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: () => number
  readonly planOf: (bytes: Uint8Array, start: number, end: number) => StatementPlan
}

const sweepMs = 100
/** How long a client may take to close its side. */
const lingerMs = 5_000
const ownParameters: readonly (readonly [string, string])[] = [
  ['application_name', 'sluice'],
  ['options', '-c search_path=pg_catalog'],
]

export class Gateway {
  readonly #options: GatewayOptions
  readonly #surroundings: Surroundings
  readonly #backends: readonly Backend[]
  readonly #keys = new Keys<Client>()
  readonly #clients = new Set<Client>()
  readonly #door: Door
  readonly #time = { now: 0 }
  #listener: SocketListener | null = null
  #endSweep: () => void = () => {}
  #draining = false
  #onDrained: () => void = () => {}

  constructor(options: GatewayOptions, surroundings: Surroundings) {
    this.#options = options
    this.#surroundings = surroundings
    this.#time.now = surroundings.clock.now()
    this.#backends = options.origins.map(origin => new Backend(origin, surroundings))
    this.#door = new Door({
      ...{ tls: options.tls, clock: surroundings.clock, loginTimeoutMs: options.loginTimeoutMs },
      mockSecret: mockSecretOf(options.origins),
      accounts: {
        lookup: async (user, database, socket) => {
          const found = this.#find(database)
          // PostgreSQL looks at the password first, so that nobody learns which databases there are.
          return (found ?? this.#backends[0]!).accounts.lookup(
            user,
            found?.databaseOf(database) ?? database,
            socket,
          )
        },
        prove: (user, database, password) => {
          const found = this.#find(database) ?? this.#backends[0]!
          return found.accounts.prove(user, found.databaseOf(database), password)
        },
      },
      cancel: (processId, secretKey) => this.#keys.cancel(processId, secretKey),
      admit: (socket, client) => void this.#admit(socket, client),
    })
  }

  /** Where it listens. */
  get address(): { host: string; port: number } {
    if (!this.#listener) throw new Error('the gateway was not started')
    return { host: this.#listener.host, port: this.#listener.port }
  }

  get clients(): number {
    return this.#clients.size
  }

  get backends(): readonly Backend[] {
    return this.#backends
  }

  /** @throws NodeJS.ErrnoException if it can't listen */
  async start(): Promise<void> {
    const { transport, clock } = this.#surroundings
    this.#listener = await transport.listen(this.#options.listen, socket => {
      if (this.#clients.size + this.#door.waiting < this.#options.maxClients) this.#door.open(socket)
      else {
        socket.write(errorResponse(tooManyClients(this.#options.maxClients)))
        socket.end()
      }
    })
    for (const backend of this.#backends) backend.warmUp()
    const sweep = () => {
      this.#sweep(clock.now())
      this.#endSweep = clock.after(sweepMs, sweep)
    }
    sweep()
  }

  /**
   * No new client, no new transaction; what runs may end within the shutdown time-out. Then, or at a second call,
   * everything is closed.
   */
  async stop(): Promise<void> {
    if (this.#draining) {
      this.#closeAll()
      return
    }
    this.#draining = true
    const drained = new Promise<void>(resolve => {
      this.#onDrained = resolve
    })
    await this.#listener?.close()
    this.#door.close()
    const cancelTimer = this.#surroundings.clock.after(this.#options.shutdownTimeoutMs, () =>
      this.#closeAll(),
    )
    this.#sweep(this.#surroundings.clock.now())
    await drained
    cancelTimer()
    this.#closeAll()
  }

  #closeAll(): void {
    this.#endSweep()
    for (const client of [...this.#clients]) client.session.terminate(shuttingDown())
    for (const backend of this.#backends) backend.close()
    this.#onDrained()
  }

  #sweep(now: number): void {
    this.#time.now = now
    for (const client of this.#clients) {
      if (this.#draining && client.session.waiting) client.session.terminate(shuttingDown())
      else client.session.sweep(now)
    }
    for (const backend of this.#backends) backend.sweep(now)
    if (this.#draining && this.#clients.size === 0) this.#onDrained()
  }

  /** The origin that a client means by a database's name. */
  #find(database: string): Backend | undefined {
    return (
      this.#backends.find(({ options }) => options.names.includes(database)) ??
      this.#backends.find(({ options }) => options.database === database) ??
      this.#backends.find(({ options }) => options.anyDatabase)
    )
  }

  /** As in PostgreSQL: a user's own clients, or a superuser's everyone's. */
  #signal(signal: Signal, processId: number, { user, told }: { user: string; told: Values }): boolean {
    const target = this.#keys.owner(processId)
    if (!target || (target.user !== user && told.byName.get('is_superuser') !== 'on')) return false
    if (signal === 'cancel') void target.cancel()
    else target.session.terminate(terminated())
    return true
  }

  async #admit(socket: Socket, admitted: Admitted): Promise<void> {
    const { user } = admitted
    let ended = false
    const early: Uint8Array[] = admitted.leftover.length > 0 ? [admitted.leftover] : []
    socket.handler = {
      onData: chunk => {
        early.push(chunk)
        socket.pause()
      },
      onDrain: () => {},
      onEnd: () => {
        ended = true
      },
      onClose: () => {
        ended = true
      },
    }
    const backend = this.#find(admitted.database)
    try {
      if (!backend) throw noDatabase(admitted.database)
      const barred = backend.accounts.barred(user)
      if (barred) throw barred
      const database = backend.databaseOf(admitted.database)
      const place = backend.place(user, database, backend.accounts.secretOf(user, admitted.proof))
      const { base, told } = await place.welcome.greet(admitted.settings)
      if (ended) {
        socket.end()
        return
      }
      const client = new Client(user, this.#keys, admitted.secretKeyBytes)
      const session = new Session(socket, {
        ...{ pool: place.pool, user, base, told, time: this.#time },
        mode: backend.options.sessionUsers.includes(user) ? 'session' : backend.options.mode,
        queryTimeoutMs: backend.options.queryTimeoutMs,
        idleInTransactionTimeoutMs: backend.options.idleInTransactionTimeoutMs,
        planOf: this.#surroundings.planOf,
        listener: () => backend.listenerOf(database),
        signal: (signal, processId) => this.#signal(signal, processId, { user, told }),
        cancel: server => backend.cancel(server),
        onEnd: () => {
          this.#clients.delete(client)
          client.end()
          this.#surroundings.clock.after(lingerMs, () => socket.destroy())
        },
      })
      client.session = session
      this.#clients.add(client)
      const welcome = [authenticationOk()]
      for (const [name, value] of told.byName) welcome.push(parameterStatus(name, value))
      welcome.push(parameterStatus('sluice_version', this.#options.version))
      welcome.push(backendKeyData(client.key.processId, client.key.secretKey), readyForQuery('I'))
      socket.write(Buffer.concat(welcome))
      for (const chunk of early) session.onData(chunk)
      socket.resume()
    } catch (refusal) {
      socket.write(errorResponse({ ...asRefusal(refusal), severity: 'FATAL' }))
      socket.end()
    }
  }
}

/** A client that is in: its session, and the key that cancels what it runs. */
class Client {
  readonly key: { processId: number; secretKey: Uint8Array }
  readonly user: string
  session!: Session
  readonly #keys: Keys<Client>

  constructor(user: string, keys: Keys<Client>, secretKeyBytes: number) {
    this.user = user
    this.#keys = keys
    this.key = keys.give(this, secretKeyBytes)
  }

  cancel(): Promise<void> {
    return this.session.cancel()
  }

  end(): void {
    this.#keys.take(this.key.processId)
  }
}

/** One pool and what its clients are told at their login. */
interface Place {
  readonly pool: Pool
  readonly welcome: Welcome
  secret: ScramSecret
}

/** One origin: its pools, its users, its control connection. */
export class Backend {
  readonly options: OriginOptions
  readonly accounts: Accounts
  readonly limit: Limit
  readonly #surroundings: Surroundings
  readonly #places = new Map<string, Place>()
  readonly #control: Control
  readonly #listeners = new Map<string, Listener>()

  constructor(options: OriginOptions, surroundings: Surroundings) {
    this.options = options
    this.#surroundings = surroundings
    this.limit = new Limit(options.connectionLimit)
    this.#control = new Control((keeper, signal) => this.#dialOwn(options.database, keeper, signal))
    const own: ListedUser[] =
      options.password === undefined ? [] : [{ name: options.user, password: options.password }]
    this.accounts = new Accounts({
      method: options.auth,
      users: [...options.users, ...own],
      ...(options.roles === 'none' ? {} : { role: user => this.#role(user) }),
      tryLogin: (user, database, password) => this.#tryLogin(user, database, password),
      refreshMs: options.authRefreshMs,
      now: () => surroundings.clock.now(),
    })
  }

  get pools(): readonly Pool[] {
    return [...this.#places.values()].map(({ pool }) => pool)
  }

  /** The database of the server that a client means. */
  databaseOf(name: string): string {
    return this.options.names.includes(name) ? this.options.database : name
  }

  /** The pool of a user in a database; what it logs in with is what proved the user last. */
  place(user: string, database: string, secret: ScramSecret): Place {
    const key = `${user}\0${database}`
    const known = this.#places.get(key)
    if (known) {
      known.secret = secret
      return known
    }
    const { options } = this
    const { clock, random } = this.#surroundings
    // Only whom the origin was configured for is sure to come.
    const own = user === options.user && database === options.database
    const pool = new Pool({
      name: `${user}@${database}`,
      ...{ limit: this.limit, clock, random },
      ...{
        minSize: own ? options.minSize : 0,
        queueLimit: options.queueLimit,
        waitTimeoutMs: options.waitTimeoutMs,
      },
      ...{ connectTimeoutMs: options.connectTimeoutMs, idleTimeoutMs: options.idleTimeoutMs },
      ...{ maxLifetimeMs: options.maxLifetimeMs, statementLimit: options.statementLimit },
      open: (keeper, signal) => this.#dial(user, database, place.secret, [], keeper, signal),
    })
    const place: Place = { pool, welcome: new Welcome(pool, user), secret }
    this.#places.set(key, place)
    return place
  }

  /** Opens connections of the configured user before they are needed. */
  warmUp(): void {
    const { user, password, database, minSize } = this.options
    if (password === undefined || minSize === 0) return
    this.place(user, database, { password: encoder.encode(password) })
  }

  listenerOf(database: string): Listener {
    let listener = this.#listeners.get(database)
    if (!listener) {
      const { clock } = this.#surroundings
      listener = new Listener({ clock, open: (keeper, signal) => this.#dialOwn(database, keeper, signal) })
      this.#listeners.set(database, listener)
    }
    return listener
  }

  cancel(server: Parameters<typeof cancelOn>[0]): Promise<void> {
    const { transport, clock } = this.#surroundings
    const { origin, connectTimeoutMs } = this.options
    return cancelOn(server, { origin, transport, clock, timeoutMs: connectTimeoutMs })
  }

  sweep(now: number): void {
    for (const { pool } of this.#places.values()) pool.sweep(now)
  }

  close(): void {
    for (const { pool } of this.#places.values()) pool.close()
    for (const listener of this.#listeners.values()) listener.close()
    this.#control.close()
  }

  #dial(
    user: string,
    database: string,
    secret: ScramSecret,
    parameters: Iterable<readonly [string, string]>,
    keeper: Keeper,
    signal: AbortSignal,
  ) {
    const { transport, clock } = this.#surroundings
    const { origin, connectTimeoutMs } = this.options
    return dial(
      { ...{ origin, user, database, secret, parameters, transport, clock }, timeoutMs: connectTimeoutMs },
      keeper,
      signal,
    )
  }

  #dialOwn(database: string, keeper: Keeper, signal: AbortSignal) {
    const { user, password } = this.options
    const secret = password === undefined ? {} : { password: encoder.encode(password) }
    return this.#dial(user, database, secret, ownParameters, keeper, signal)
  }

  async #role(user: string) {
    const { roles } = this.options
    const sql =
      typeof roles === 'object'
        ? roles.query.replaceAll('$1', quoteLiteral(user))
        : `SELECT rolpassword, rolcanlogin, coalesce(rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now(), false) FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) ${quoteLiteral(user)}`
    const [row] = await this.#control.query(sql)
    if (!row) return null
    const [stored = null, mayLogIn, expired] = row
    return { stored, mayLogIn: mayLogIn !== 'f', expired: expired === 't' }
  }

  async #tryLogin(user: string, database: string, password: Uint8Array) {
    const nobody: Keeper = { onGone() {}, onNotification() {} }
    try {
      const server = await this.#dial(user, database, { password }, [], nobody, new AbortController().signal)
      server.close(new Error('it was opened to prove a password'))
      return { keys: server.scramKeys }
    } catch (error) {
      if (error instanceof LoginRefused) return { refusal: error.fields }
      throw error
    }
  }
}

const encoder = new TextEncoder()

/** Known to nobody who does not know the origins' passwords, and the same as long as these are. */
const mockSecretOf = (origins: readonly OriginOptions[]): Uint8Array =>
  createHmac('sha256', 'users who do not exist')
    .update(origins.map(({ user, password }) => `${user}\0${password}`).join('\0\0'))
    .digest()

const noDatabase = (database: string): Refusal => ({
  code: '3D000',
  message: `database "${database}" does not exist`,
  hint: 'Sluice serves the databases that its configuration names, by binding, id or database.',
  routine: 'sluice',
})

const tooManyClients = (max: number) =>
  fatal('53300', `sorry, too many clients already: ${max}`, { hint: 'Raise max_clients in sluice.toml.' })

function asRefusal(refusal: unknown): Refusal {
  return refusal instanceof Error
    ? { code: 'XX000', message: refusal.message, routine: 'sluice' }
    : (refusal as Refusal)
}
