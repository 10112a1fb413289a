/**
 * The gateway: who comes in (front/), whose session it is (session/), on which server connection it runs (origin/).
 *
 *     listener ─▶ Door ─▶ admit: which database, which pool ─▶ Welcome ─▶ Session ◀──▶ Pool ─▶ origin
 *
 * One process, one event loop. Everything that takes time is looked at by one timer.
 */
import { createHmac } from 'node:crypto'
import { authenticationOk, backendKeyData, errorResponse, parameterStatus, readyForQuery } from '@sluice/wire'
import { Backend, type OriginOptions, type Place, type Surroundings } from './backend.ts'
import { Door } from './front/door.ts'
import { Keys } from './front/keys.ts'
import { fatal } from './front/refusal.ts'
import type { Admitted } from './front/startup.ts'
import { type Refusal, shuttingDown } from './origin/refusal.ts'
import { isReported } from './origin/start-path.ts'
import { terminated } from './session/errors.ts'
import type { SessionOptions } from './session/options.ts'
import { Session } from './session/session.ts'
import type { Signal } from './session/signals.ts'
import { hangUp, lingerMs } from './transport/hang-up.ts'
import type { ServerTls, Socket, Listener as SocketListener } from './transport/transport.ts'

export type { OriginOptions, Surroundings } from './backend.ts'

export interface GatewayOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly origins: readonly OriginOptions[]
  readonly tls: ServerTls | null
  readonly loginTimeoutMs: number
  readonly shutdownTimeoutMs: number
  readonly maxClients: number
  readonly version: string
}

const sweepMs = 100

export class Gateway {
  #options: GatewayOptions
  readonly #surroundings: Surroundings
  #backends: readonly Backend[]
  /** Of origins that are configured no longer, as long as a client is there. */
  #leaving: readonly Backend[] = []
  readonly #keys = new Keys<Session>()
  readonly #clients = new Set<Session>()
  /** Clients between login and session. */
  #entering = 0
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
    this.#introduce()
    this.#door = new Door({
      ...{ tls: () => this.#options.tls, clock: surroundings.clock },
      loginTimeoutMs: () => this.#options.loginTimeoutMs,
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
      const there = this.#clients.size + this.#entering + this.#door.waiting
      if (there < this.#options.maxClients) this.#door.open(socket)
      else this.#door.turnAway(socket, tooManyClients(this.#options.maxClients))
    })
    for (const backend of this.#backends) backend.warmUp()
    const sweep = () => {
      this.#sweep(clock.now())
      this.#endSweep = clock.after(sweepMs, sweep)
    }
    sweep()
  }

  /**
   * Takes another configuration without dropping a client. Where it listens stays as it was.
   *
   * An origin is the same one if its first name is; the clients of one that is gone keep their connections.
   */
  reload(options: GatewayOptions): void {
    this.#options = options
    const before = [...this.#backends]
    this.#backends = options.origins.map(origin => {
      const at = before.findIndex(backend => labelOf(backend.options) === labelOf(origin))
      const [known] = at === -1 ? [] : before.splice(at, 1)
      if (!known) return new Backend(origin, this.#surroundings)
      known.update(origin)
      return known
    })
    this.#leaving = [...this.#leaving, ...before]
    this.#introduce()
    for (const backend of this.#backends) backend.warmUp()
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
    for (const client of [...this.#clients]) client.terminate(shuttingDown())
    for (const backend of [...this.#backends, ...this.#leaving]) backend.close()
    this.#onDrained()
  }

  #sweep(now: number): void {
    this.#time.now = now
    for (const client of this.#clients) {
      if (this.#draining && client.waiting) client.terminate(shuttingDown())
      else client.sweep(now)
    }
    for (const backend of this.#backends) backend.sweep(now)
    this.#surroundings.cache?.cache.sweep(now)
    this.#leaving = this.#leaving.filter(backend => {
      const used = [...this.#clients].some(client => backend.pools.includes(client.options.pool))
      if (used) backend.sweep(now)
      else backend.close()
      return used
    })
    this.#endIfDrained()
  }

  #endIfDrained(): void {
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

  /** What is written by one way to a server ends what was read by another. */
  #introduce(): void {
    for (const backend of [...this.#backends, ...this.#leaving])
      backend.others = this.#backends.filter(other => other.caches && other.leadsWith(backend))
  }

  /** As in PostgreSQL: a user's own clients, or a superuser's everyone's. */
  #signal(by: Session, signal: Signal, processId: number): boolean {
    const target = this.#keys.owner(processId)
    const mayAll = by.told.byName.get('is_superuser') === 'on'
    if (!target || (target.options.user !== by.options.user && !mayAll)) return false
    if (signal === 'cancel') void target.cancel()
    else target.terminate(terminated())
    return true
  }

  /** What all sessions of a place have in common. */
  #sessionsOf(place: Place, backend: Backend): SessionOptions {
    const { pool, user, database } = place
    const { mode, databaseModes, userModes, queryTimeoutMs, idleInTransactionTimeoutMs } = backend.options
    place.sessions ??= {
      ...{ pool, user, queryTimeoutMs, idleInTransactionTimeoutMs, time: this.#time },
      mode: userModes.get(user) ?? databaseModes.get(database) ?? mode,
      planOf: this.#surroundings.planOf,
      version: this.#options.version,
      ...{ suspects: backend.suspectsOf(database), refreshes: backend.refreshes },
      get reads() {
        return backend.readsOf(database)
      },
      get notes() {
        return backend.notesOf(database)
      },
      listener: () => backend.listenerOf(database),
      signal: (by, signal, processId) => this.#signal(by, signal, processId),
      cancel: server => backend.cancel(server),
      onEnd: session => {
        backend.leave(place)
        this.#clients.delete(session)
        this.#endIfDrained()
        this.#keys.remove(session)
        this.#surroundings.clock.after(lingerMs, () => session.destroy())
      },
    }
    return place.sessions
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
    let place: Place | null = null
    this.#entering++
    try {
      if (!backend) throw noDatabase(admitted.database)
      const barred = backend.accounts.barred(user)
      if (barred) throw barred
      const database = backend.databaseOf(admitted.database)
      place = backend.place(user, database, backend.accounts.secretOf(user, admitted.proof))
      backend.enter(place)
      const { base, told } = await place.welcome.greet(admitted.settings)
      // Nobody would turn it away any more.
      if (this.#draining) throw shuttingDown()
      const key = this.#keys.make(admitted.secretKeyBytes)
      const session = new Session(socket, this.#sessionsOf(place, backend), { base, told, key })
      this.#keys.enter(session)
      this.#clients.add(session)
      const welcome = [authenticationOk()]
      for (const [name, value] of told.byName)
        if (isReported(name, told)) welcome.push(parameterStatus(name, value))
      welcome.push(parameterStatus('sluice_version', this.#options.version))
      welcome.push(backendKeyData(key.processId, key.secretKey), readyForQuery('I'))
      socket.write(Buffer.concat(welcome))
      for (const chunk of early) session.onData(chunk)
      if (ended) session.onEnd()
      socket.resume()
    } catch (refusal) {
      if (place) backend?.leave(place)
      socket.write(errorResponse({ ...asRefusal(refusal), severity: 'FATAL' }))
      hangUp(socket, this.#surroundings.clock)
    } finally {
      this.#entering--
    }
  }
}

/** Known to nobody who does not know the origins' passwords, and the same as long as these are. */
const mockSecretOf = (origins: readonly OriginOptions[]): Uint8Array =>
  createHmac('sha256', 'users who do not exist')
    .update(origins.map(({ user, password }) => `${user}\0${password}`).join('\0\0'))
    .digest()

const labelOf = ({ names, database }: OriginOptions) => names[0] ?? database

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
