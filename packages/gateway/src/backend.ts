/**
 * One origin: its pools, its users, the gateway's own connections to it.
 *
 *     (user, database) ─▶ place: a pool, and what its clients are told at their login
 *
 * All pools of an origin share its limit. What the gateway itself asks (roles, LISTEN) goes over connections of its own.
 */
import type { ScramSecret } from '@sluice/wire/authentication'
import { Accounts, type ListedUser } from './front/accounts.ts'
import { Welcome } from './front/welcome.ts'
import { controlParameters, type Reach, streamParameters } from './invalidation/connections.ts'
import { cancelOn } from './origin/cancel.ts'
import { Control, Refused } from './origin/control.ts'
import { dial, dialWith, type Origin } from './origin/dial.ts'
import { Limit } from './origin/limit.ts'
import { Listener } from './origin/listener.ts'
import { LoginRefused, Pool } from './origin/pool.ts'
import { type RoleSource, readRole, roleSql } from './origin/role.ts'
import type { Keeper, ServerConnection } from './origin/server-connection.ts'
import { learnStartPath } from './origin/start-path.ts'
import { Suspects } from './origin/suspects.ts'
import { unseenBy } from './origin/unseen.ts'
import { Whereabouts } from './origin/whereabouts.ts'
import { type CachingOptions, DatabaseReads, type SharedCache, type StreamOptions } from './read-cache.ts'
import type { SessionOptions } from './session/options.ts'
import { Refreshes } from './session/refreshes.ts'
import type { StatementPlan } from './sql/plan.ts'
import type { Log } from './telemetry/log.ts'
import type { Clock } from './transport/clock.ts'
import type { Lookup } from './transport/lookup.ts'
import type { Transport } from './transport/transport.ts'

/** How long a client keeps a server connection: for a transaction, or as long as it is there. */
export type PoolMode = 'transaction' | 'session'

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
  readonly roles: 'none' | RoleSource
  readonly authRefreshMs: number
  readonly mode: PoolMode
  /** Of a database, and of a user in any of them, where that is another one. The user's comes first. */
  readonly databaseModes: ReadonlyMap<string, PoolMode>
  readonly userModes: ReadonlyMap<string, PoolMode>
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
  readonly caching: CachingOptions
  readonly invalidation: StreamOptions
}

/** What is handed in. */
export interface Surroundings {
  readonly transport: Transport
  readonly clock: Clock
  readonly lookup: Lookup
  readonly random: () => number
  /** Null: nothing is cached. */
  readonly cache: SharedCache | null
  /** Without it nothing is said. */
  readonly log?: Log
  readonly planOf: (bytes: Uint8Array, start: number, end: number, asciiSafe: boolean) => StatementPlan
}

const ownParameters: readonly (readonly [string, string])[] = [
  ['application_name', 'sluice'],
  ['options', '-c search_path=pg_catalog'],
]

/** One pool and what its clients are told at their login. */
export interface Place {
  readonly pool: Pool
  readonly user: string
  readonly database: string
  readonly welcome: Welcome
  secret: ScramSecret
  /** Who came in here and has not left, and when the last one came or left. */
  clients: number
  usedAt: number
  /** What its sessions have in common: made by who knows it, and anew after a change of options. */
  sessions: SessionOptions | null
}

/** One origin: its pools, its users, its control connections. */
export class Backend {
  readonly limit: Limit
  readonly refreshes: Refreshes
  #options: OriginOptions
  #accounts: Accounts
  readonly #surroundings: Surroundings
  readonly #places = new Map<string, Place>()
  readonly #controls = new Map<string, Control>()
  readonly #listeners = new Map<string, Listener>()
  readonly #suspects = new Map<string, Suspects>()
  readonly #reads = new Map<string, DatabaseReads>()
  /** How many clients a database has. */
  readonly #clients = new Map<string, number>()
  readonly #whereabouts: Whereabouts
  /** Ways to the same server on which answers are kept. */
  others: readonly Backend[] = []

  constructor(options: OriginOptions, surroundings: Surroundings) {
    this.#options = options
    this.#surroundings = surroundings
    this.limit = new Limit(options.connectionLimit)
    this.refreshes = new Refreshes({
      limit: this.limit,
      queryTimeoutMs: () => this.#options.queryTimeoutMs,
      cancel: server => this.cancel(server),
    })
    this.#accounts = this.#accountsOf(options)
    this.#whereabouts = new Whereabouts(surroundings.lookup)
  }

  get options(): OriginOptions {
    return this.#options
  }

  get accounts(): Accounts {
    return this.#accounts
  }

  /**
   * Takes other options. Clients stay: what they run ends where it runs, and what comes next is under the new ones.
   */
  update(options: OriginOptions): void {
    const before = this.#options
    this.#options = options
    this.#accounts = this.#accountsOf(options)
    this.limit.max = options.connectionLimit
    const moved = JSON.stringify(whereOf(before)) !== JSON.stringify(whereOf(options))
    if (moved) this.#reopenOwn()
    this.refreshes.giveUp()
    for (const reads of this.#reads.values()) reads.update(options.caching, options.invalidation)
    for (const place of this.#places.values()) {
      const { pool, user, database } = place
      place.sessions = null
      pool.options = { ...pool.options, ...this.#limitsOf(user, database) }
      if (moved) pool.retireAll()
    }
    this.warmUp()
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
      // A role that was dropped and made anew is another one: those who logged in as the first are nobody now.
      if (!isSame(known.secret, secret)) known.pool.retireAll()
      known.secret = secret
      return known
    }
    const { clock, random } = this.#surroundings
    const start = { secret, clients: 0, usedAt: clock.now(), sessions: null }
    const pool = new Pool({
      name: `${user}@${database}`,
      ...{ limit: this.limit, clock, random },
      ...this.#limitsOf(user, database),
      onDemoted: () => this.#reopenOwn(),
      onOutage: cause => this.#tellOutage(`${user}@${database}`, cause),
      onRecovery: afterMs =>
        this.#surroundings.log?.info('the origin takes connections again', {
          ...{ pool: `${user}@${database}`, after: `${Math.round(afterMs / 1_000)}s` },
        }),
      open: (keeper, signal) => this.#dialFor(user, database, place.secret, keeper, signal),
    })
    const place: Place = { pool, user, database, welcome: new Welcome(pool, user), ...start }
    this.#places.set(key, place)
    return place
  }

  #tellOutage(pool: string, cause: Error): void {
    const refused = cause instanceof LoginRefused
    this.#surroundings.log?.error(
      refused ? "the origin refuses the gateway's login" : "the origin can't be reached",
      { pool, code: refused ? cause.fields.code : undefined, cause: cause.message },
    )
  }

  /** A client has come in here. */
  enter(place: Place): void {
    this.#count(place, 1)
  }

  /** It has left. */
  leave(place: Place): void {
    this.#count(place, -1)
    place.usedAt = this.#surroundings.clock.now()
  }

  /** At once: a client that comes and goes between two looks of a timer is one, too, and opens the stream. */
  #count(place: Place, change: 1 | -1): void {
    const { database } = place
    place.clients += change
    const clients = (this.#clients.get(database) ?? 0) + change
    if (clients === 0) this.#clients.delete(database)
    else this.#clients.set(database, clients)
    const reads = this.#reads.get(database)
    if (reads) reads.clients = clients
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

  /** What of a database may change the session of who uses it. */
  suspectsOf(database: string): Suspects {
    let suspects = this.#suspects.get(database)
    if (!suspects) {
      suspects = new Suspects(unseenBy(sql => this.#controlOf(database).query(sql)))
      suspects.tick(this.#surroundings.clock.now())
      this.#suspects.set(database, suspects)
    }
    return suspects
  }

  /** The cache of a database; null if nothing is cached. */
  readsOf(database: string): DatabaseReads | null {
    const { cache, clock, log, random } = this.#surroundings
    const { caching, invalidation: stream } = this.#options
    if (cache === null || caching.disabled) return null
    let reads = this.#reads.get(database)
    if (!reads) {
      reads = new DatabaseReads({
        ...{ shared: cache, database, origin: nameOf(this.#options), caching, stream },
        ...{ clock, random, reach: this.#reachOf(database), owner: () => this.#options.user },
        query: sql => this.#controlOf(database).query(sql),
        onRoleSettings: () => {
          log?.info('settings of roles or of the database have changed: server connections are opened anew', {
            database,
          })
          for (const place of this.#places.values()) if (place.database === database) place.pool.retireAll()
        },
        onStatus: ({ phase, losses }) => {
          if (phase.at === 'running' && losses > 0)
            log?.info('changes by others are told again', { database })
          else if (phase.at === 'waiting')
            log?.warn("changes by others can't be told", {
              ...{ database, cause: phase.cause, hint: phase.hint ?? undefined },
            })
        },
      })
      reads.clients = this.#clients.get(database) ?? 0
      this.#reads.set(database, reads)
    }
    return reads
  }

  /** Where it is noted what clients of a database write; null if nothing of it is kept, here or by another way to it. */
  notesOf(database: string): DatabaseReads | null {
    const own = this.readsOf(database)
    if (own !== null) return own
    for (const other of this.others) if (other.serves(database)) return other.readsOf(database)
    return null
  }

  get caches(): boolean {
    return this.#surroundings.cache !== null && !this.#options.caching.disabled
  }

  serves(database: string): boolean {
    return this.#options.anyDatabase || this.#options.database === database
  }

  /** Both lead to one server. */
  leadsWith(other: Backend): boolean {
    return this !== other && nameOf(this.#options) === nameOf(other.#options)
  }

  cancel(server: Parameters<typeof cancelOn>[0]): Promise<void> {
    const { transport, clock } = this.#surroundings
    const { origin, connectTimeoutMs } = this.options
    return cancelOn(server, { origin, transport, clock, timeoutMs: connectTimeoutMs })
  }

  sweep(now: number): void {
    for (const [key, place] of this.#places) {
      const { pool } = place
      pool.sweep(now)
      const used = place.clients > 0 || pool.size > 0 || pool.options.minSize > 0
      if (used || now - place.usedAt < this.options.idleTimeoutMs) continue
      // There may be any number of databases that somebody came to once, or asked for.
      pool.close()
      this.#places.delete(key)
    }
    this.refreshes.sweep(now)
    for (const suspects of this.#suspects.values()) suspects.tick(now)
    for (const reads of this.#reads.values()) reads.sweep(now)
    // That of the configured database is asked about each role that comes.
    for (const [database, control] of this.#controls)
      if (database !== this.options.database) control.closeIdle(now, this.options.idleTimeoutMs)
    this.#whereabouts.look(this.options.origin.addresses, now, () => {
      const vanished = (server: ServerConnection) => this.#whereabouts.vanished(server)
      for (const { pool } of this.#places.values()) pool.retireOne(vanished)
      for (const listener of this.#listeners.values()) listener.retireOne(vanished)
    })
  }

  close(): void {
    this.refreshes.giveUp()
    for (const { pool } of this.#places.values()) pool.close()
    for (const listener of this.#listeners.values()) listener.close()
    for (const control of this.#controls.values()) control.close()
    for (const reads of this.#reads.values()) reads.close()
  }

  /** The server that they lead to is the origin no more. */
  #reopenOwn(): void {
    this.refreshes.giveUp()
    for (const listener of this.#listeners.values()) listener.reopen(new Error('the origin is elsewhere'))
    for (const control of this.#controls.values()) control.reset()
    for (const reads of this.#reads.values()) reads.reopen()
    for (const suspects of this.#suspects.values()) suspects.change('yes')
  }

  /** The one connection for the gateway's own questions in a database. */
  #controlOf(database: string): Control {
    let control = this.#controls.get(database)
    if (!control) {
      const { clock } = this.#surroundings
      control = new Control((keeper, signal) => this.#dialOwn(database, keeper, signal), {
        ...{ clock, timeoutMs: this.options.connectTimeoutMs },
      })
      this.#controls.set(database, control)
    }
    return control
  }

  #limitsOf(user: string, database: string) {
    const { options } = this
    const { queueLimit, waitTimeoutMs, connectTimeoutMs, idleTimeoutMs, maxLifetimeMs, statementLimit } =
      options
    // Only whom the origin was configured for is sure to come.
    const minSize = user === options.user && database === options.database ? options.minSize : 0
    return {
      minSize,
      queueLimit,
      waitTimeoutMs,
      connectTimeoutMs,
      idleTimeoutMs,
      maxLifetimeMs,
      statementLimit,
    }
  }

  #accountsOf(options: OriginOptions): Accounts {
    const { roles, userModes } = options
    const own: ListedUser[] =
      options.password === undefined ? [] : [{ name: options.user, password: options.password }]
    return new Accounts({
      method: options.auth,
      users: [...options.users, ...own],
      ...(roles === 'none'
        ? { only: new Set([options.user, ...options.users.map(({ name }) => name), ...userModes.keys()]) }
        : { role: user => this.#role(roles, user) }),
      tryLogin: (user, database, password) => this.#tryLogin(user, database, password),
      refreshMs: options.authRefreshMs,
      now: () => this.#surroundings.clock.now(),
    })
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

  /** For clients: of what they ask it must be known what it means, if answers are kept. */
  async #dialFor(user: string, database: string, secret: ScramSecret, keeper: Keeper, signal: AbortSignal) {
    const { cache, clock } = this.#surroundings
    const server = await this.#dial(user, database, secret, [], keeper, signal)
    if (cache !== null) await learnStartPath(server, { clock, timeoutMs: this.options.connectTimeoutMs })
    return server
  }

  #dialOwn(database: string, keeper: Keeper, signal: AbortSignal) {
    return this.#dial(this.options.user, database, this.#ownSecret, ownParameters, keeper, signal)
  }

  get #ownSecret(): ScramSecret {
    const { password } = this.options
    return password === undefined ? {} : { password: encoder.encode(password) }
  }

  /** The connections of the stream that tells what others change in a database. */
  #reachOf(database: string): Reach {
    const { transport, clock } = this.#surroundings
    const own = () => {
      const { origin, user, connectTimeoutMs: timeoutMs } = this.options
      return { origin, user, database, secret: this.#ownSecret, transport, clock, timeoutMs }
    }
    return {
      stream: (begin, signal) => dialWith({ ...own(), parameters: streamParameters }, signal, begin),
      control: (keeper, signal) => dial({ ...own(), parameters: controlParameters }, keeper, signal),
    }
  }

  async #role(source: RoleSource, user: string) {
    const [row] = await this.#controlOf(this.options.database)
      .query(roleSql(source, user))
      .catch(error => {
        // Who may not read pg_authid knows no roles but those that are listed; `sluice check` says so.
        if (error instanceof Refused && error.code === insufficientPrivilege) return []
        throw error
      })
    return row ? readRole(row, user) : null
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
const insufficientPrivilege = '42501'

/** Of its server, as far as an address tells. */
const nameOf = ({ origin }: OriginOptions) => JSON.stringify(origin.addresses)

/** Where its connections lead, and as whom. */
const whereOf = ({ origin, user, password, database }: OriginOptions) => ({
  origin,
  user,
  password,
  database,
})

/** Both of one password, and as the origin keeps it: a password that is set anew has another salt. */
const isSame = (one: ScramSecret, other: ScramSecret) => Buffer.compare(proofOf(one), proofOf(other)) === 0
const proofOf = ({ keys, password }: ScramSecret) => keys?.clientKey ?? password ?? new Uint8Array(0)
