/**
 * A gateway with an origin that is played, a client that behaves, and those of the inputs that do not.
 *
 * After each input: the hostile client's session is over, each server connection is idle or closed, the one who behaves
 * gets his own answer. An origin may be silent, so time goes on until every time-out has passed.
 */
import * as wire from '@sluice/wire'
import { Gateway, type OriginOptions } from '../../../packages/gateway/src/gateway.ts'
import { Plans } from '../../../packages/gateway/src/sql/plans.ts'
import type { SocketHandler } from '../../../packages/gateway/src/transport/transport.ts'
import { type MemorySocket, MemoryTransport, VirtualClock } from '../../support/memory-transport.ts'
import { below, chunked, mutate, oneOf } from './mutate.ts'
import { PlayedOrigin, type Spoil, type Stage } from './played-origin.ts'
import { type Recording, split } from './recording.ts'

const plans = await Plans.load()
const user = 'fuzz'
const waitTimeoutMs = 1_000
const connectTimeoutMs = 1_000
const queryTimeoutMs = 2_000
/**
 * After it everything has been given up that does not answer: a query, a cancel request, a login, and what the gateway
 * itself asks (60 s), on one connection after another.
 */
const longestMs = 300_000

const originOf = (database: string, auth: OriginOptions['auth']): OriginOptions => ({
  ...{ names: [database], origin: { addresses: [{ host: 'played', port: 5432 }], sslmode: 'disable' } },
  ...{ database, anyDatabase: false, user, password: 'secret', users: [], auth, roles: 'none' },
  ...{ authRefreshMs: 30_000, connectionLimit: 2, minSize: 0 },
  ...{ mode: 'transaction', databaseModes: new Map(), userModes: new Map() },
  ...{ queueLimit: 100, statementLimit: 50, waitTimeoutMs, connectTimeoutMs, queryTimeoutMs },
  caching: {
    ...{ disabled: true, maxAgeMs: 0, staleWhileRevalidateMs: 0, maxAgeUntoldMs: 0 },
    ...{ stable: false, withoutStream: null },
  },
  invalidation: {
    ...{ publication: '', mayChange: false, refreshMs: 1_000 },
    ...{ heartbeatMs: 1_000, silenceMs: 10_000, idleMs: 0 },
  },
  ...{ idleInTransactionTimeoutMs: 5_000, idleTimeoutMs: 600_000, maxLifetimeMs: 3_600_000 },
})

/** What a client hears, as far as it is looked at. */
class Ear implements SocketHandler {
  readonly errors: string[] = []
  lastType = 0
  readies = 0
  ended = false
  closed = false
  rows: string[] = []
  readonly #onMessage: (type: number) => void
  readonly #scanner = new wire.MessageScanner(
    wire.watch({ whole: [wire.ErrorResponse, wire.DataRow], noted: 'all others' }),
    1_048_576,
  )

  constructor(onMessage: (type: number) => void = () => {}) {
    this.#onMessage = onMessage
  }

  onData(chunk: Uint8Array): void {
    this.#scanner.feed(chunk, (type, bytes, start, end) => {
      this.lastType = type
      this.#onMessage(type)
      if (type === wire.ReadyForQuery) this.readies++
      if (type === wire.ErrorResponse) this.errors.push(wire.parseErrorFields(bytes, start, end).code)
      if (type === wire.DataRow) this.rows.push(Buffer.from(bytes.subarray(start + 6, end)).toString())
    })
  }

  onDrain(): void {}

  onEnd(): void {
    this.ended = true
  }

  onClose(): void {
    this.closed = true
  }
}

export class World {
  readonly toOrigin = new Map<string, number>()
  readonly toClient = new Map<string, number>()
  readonly refused = new Map<string, number>()
  readonly #clock = new VirtualClock()
  readonly #origins = new Set<PlayedOrigin>()
  readonly #garbage: string[] = []
  readonly #transport: MemoryTransport
  readonly #gateway: Gateway
  readonly #others: readonly Uint8Array[]
  #spoil: Spoil | null = null
  #canary!: { socket: MemorySocket; ear: Ear }
  #canaries = 0

  private constructor(recording: Recording) {
    this.#others = [...recording.answers.values()].flatMap(answer => split(answer, () => true))
    const world = this
    const stage: Stage = {
      recording,
      get spoil() {
        return world.#spoil
      },
      onMessage: type => add(this.toOrigin, wire.frontendMessageName(type)),
      onGarbage: what => void this.#garbage.push(what),
    }
    this.#transport = new MemoryTransport(socket => this.#origins.add(new PlayedOrigin(socket, stage)))
    this.#gateway = new Gateway(
      {
        ...{ listen: { host: 'gateway', port: 6432 }, tls: null, loginTimeoutMs: 5_000 },
        ...{ shutdownTimeoutMs: 1_000, maxClients: 100, version: '0.1.0' },
        origins: [
          originOf('trust', 'trust'),
          originOf('scram', 'scram'),
          originOf('md5', 'md5'),
          { ...originOf('roles', 'scram'), roles: 'pg_authid' },
        ],
      },
      {
        ...{ transport: this.#transport, clock: this.#clock, lookup: async () => [], random: () => 0.5 },
        cache: null,
        planOf: (bytes, start, end) => plans.planOf(bytes, start, end),
      },
    )
  }

  static async start(recording: Recording): Promise<World> {
    const world = new World(recording)
    await world.#gateway.start()
    world.#canary = await world.#client()
    await world.#canarySings()
    return world
  }

  async stop(): Promise<void> {
    this.#canary.socket.destroy()
    await this.#settle()
    await this.#gateway.stop()
    await this.#settle()
  }

  /** What comes behind a login that was granted. */
  async hostileClient(chunks: readonly Uint8Array[], random: () => number): Promise<void> {
    const { socket, ear } = await this.#client()
    await this.#send(socket, chunks, random)
    if (ear.ended && ear.lastType !== wire.ErrorResponse && !hasTerminate(chunks))
      throw new Error('the connection was closed without an error')
    await this.#leaves(socket, random)
    await this.#isOver()
    await this.#canarySings()
  }

  /** A client that behaves, on an origin that answers something else from some moment on. */
  async hostileOrigin(session: readonly Uint8Array[], random: () => number): Promise<void> {
    const greeted = random() < 0.8
    const { socket } = greeted ? await this.#client() : this.#dial()
    let untouched = below(random, 4)
    this.#spoil = answer =>
      untouched-- > 0
        ? [answer]
        : this.#spoilt(
            split(answer, () => true),
            random,
          )
    // A login that the origin has a part in: parameters are tried there, roles are asked for.
    if (!greeted) socket.write(wire.startupMessage(random() < 0.5 ? newParameter(random) : ofARole))
    await this.#send(socket, chunked(session, random), random)
    await this.#leaves(socket, random)
    await this.#isOver()
    await this.#startAfresh()
  }

  /** What a client sends instead of a login. */
  async hostileLogin(random: () => number): Promise<void> {
    const { socket } = this.#dial()
    const nonce = 'n,,n=,r=rOprNGfwEbeRWgbNEkqO'
    const login = [
      ...(random() < 0.2 ? [wire.sslRequest()] : []),
      wire.startupMessage({
        user,
        database: oneOf(random, ['trust', 'scram', 'md5', 'none']),
        work_mem: '4MB',
      }),
      wire.saslInitialResponse('SCRAM-SHA-256', Buffer.from(nonce)),
      wire.saslResponse(Buffer.from(`c=biws,r=rOprNGfwEbeRWgbNEkqO,p=AAAA`)),
      wire.password(Buffer.from('secret')),
      wire.query('select 1'),
    ]
    await this.#send(socket, chunked(mutate(login, random, login), random), random)
    await this.#leaves(socket, random)
    await this.#isOver()
    await this.#canarySings()
  }

  /** An origin that answers a login with something else. */
  async hostileOriginLogin(random: () => number): Promise<void> {
    await this.#dropServers()
    const { socket } = await this.#client()
    const requests = [
      wire.authenticationCleartextPassword(),
      wire.authenticationMd5Password(Uint8Array.of(1, 2, 3, 4)),
      wire.authenticationSasl(['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS']),
    ]
    this.#spoil = (answer, of) =>
      of === 'login'
        ? this.#spoilt(
            [...(random() < 0.5 ? [oneOf(random, requests)] : []), ...split(answer, () => true)],
            random,
          )
        : [answer]
    await this.#send(socket, [wire.query('select 1')], random)
    await this.#leaves(socket, random)
    await this.#isOver()
    await this.#startAfresh()
  }

  #spoilt(answer: readonly Uint8Array[], random: () => number): readonly Uint8Array[] | null {
    const chance = random()
    if (chance < 0.05) return null
    if (chance < 0.15) {
      // It closes, in order or not, within the answer or behind it.
      for (const { socket } of this.#origins) if (random() < 0.5) socket.end()
    }
    return chunked(mutate(answer, random, this.#others), random)
  }

  #dial(): { socket: MemorySocket; ear: Ear } {
    const ear = new Ear(type => add(this.toClient, wire.backendMessageName(type)))
    return { socket: this.#transport.dial(ear), ear }
  }

  async #client(): Promise<{ socket: MemorySocket; ear: Ear }> {
    const client = this.#dial()
    client.socket.write(wire.startupMessage({ user, database: 'trust' }))
    await this.#settle()
    if (client.ear.readies !== 1) throw new Error(`no login: ${client.ear.errors}`)
    return client
  }

  async #send(socket: MemorySocket, chunks: readonly Uint8Array[], random: () => number): Promise<void> {
    const waits = random() < 0.3
    socket.peer.slow = random() < 0.1
    for (const chunk of chunks) {
      socket.write(chunk)
      if (waits) await this.#settle()
    }
    await this.#settle()
  }

  async #leaves(socket: MemorySocket, random: () => number): Promise<void> {
    if (random() < 0.4) {
      socket.end()
      await this.#settle()
      this.#clock.advance(100)
      await this.#settle()
    }
    const ear = socket.handler as Ear
    if (ear.ended && random() < 0.1) {
      // A client that was turned away does not close.
      this.#clock.advance(10_000)
      await this.#settle()
      if (!ear.closed) throw new Error('a client keeps its socket by not closing it')
    }
    for (const code of ear.errors) add(this.refused, code)
    socket.destroy()
    await this.#settle()
  }

  /** Nothing of the input is left; what an origin does not answer is given up in time. */
  async #isOver(): Promise<void> {
    if (this.#garbage.length > 0) throw new Error(`the origin was sent ${this.#garbage}`)
    this.#clock.advance(100)
    await this.#settle()
    for (let ms = 0; this.#remains() !== ''; ms += 500) {
      if (ms > longestMs) throw new Error(this.#remains())
      this.#clock.advance(500)
      await this.#settle()
    }
  }

  #remains(): string {
    const remains: string[] = []
    if (this.#gateway.clients > 1) remains.push('a session is not over')
    for (const { pools, limit } of this.#gateway.backends) {
      const sizes = pools.map(({ size, idle, waiting }) => ({ size, idle, waiting }))
      if (sizes.some(({ size, idle, waiting }) => size !== idle || waiting > 0))
        remains.push(`a server connection is not idle: ${JSON.stringify(sizes)}`)
      if (limit.open !== sizes.reduce((sum, { size }) => sum + size, 0))
        remains.push(`${limit.open} connections are counted: ${JSON.stringify(sizes)}`)
    }
    return remains.join('; ')
  }

  /** After a hostile origin: what it said on its connections is worth nothing. */
  async #startAfresh(): Promise<void> {
    this.#spoil = null
    await this.#dropServers()
    // A pool pauses after a login that failed.
    this.#clock.advance(5_000)
    await this.#settle()
    await this.#canarySings()
  }

  async #dropServers(): Promise<void> {
    for (const { socket } of this.#origins) socket.destroy()
    this.#origins.clear()
    await this.#settle()
  }

  /** The client that behaves gets its answer, and nothing else. */
  async #canarySings(): Promise<void> {
    const { socket, ear } = this.#canary
    const song = String(++this.#canaries)
    ear.rows = []
    const { readies } = ear
    socket.write(wire.query(`select 'canary ${song}'`))
    await this.#settle()
    if (ear.rows.join() !== song || ear.readies !== readies + 1)
      throw new Error(`canary ${song} heard ${JSON.stringify(ear.rows)}, ${ear.errors}`)
  }

  #settle(): Promise<void> {
    return this.#transport.settle()
  }
}

const ofARole = { user: 'role', database: 'roles' }
const newParameter = (random: () => number) => ({
  ...{ user, database: 'trust', work_mem: `${64 + below(random, 1_000_000)}kB` },
})

const hasTerminate = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).includes(wire.Terminate)

const add = (counts: Map<string, number>, name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
