/** For tests of the pool: connections that are opened when the test says so, on a clock that it moves. */
import { readyForQuery } from '@sluice/wire'
import { Limit } from '../../packages/gateway/src/origin/limit.ts'
import { Pool, type PoolOptions, type Waiter } from '../../packages/gateway/src/origin/pool.ts'
import type { Refusal } from '../../packages/gateway/src/origin/refusal.ts'
import { type Keeper, ServerConnection } from '../../packages/gateway/src/origin/server-connection.ts'
import { Values } from '../../packages/gateway/src/origin/values.ts'
import { MemoryTransport, VirtualClock } from './memory-transport.ts'

/** A login that is under way. */
export interface Attempt {
  succeeds(how?: { andEnds: boolean }): Promise<ServerConnection>
  fails(error: Error): Promise<void>
}

export class Client implements Waiter {
  readonly name: string
  server: ServerConnection | null = null
  refusal: Refusal | null = null
  readonly #served: string[]

  constructor(name: string, served: string[]) {
    this.name = name
    this.#served = served
  }

  onServer(server: ServerConnection): void {
    this.server = server
    this.#served.push(this.name)
  }

  onRefused(refusal: Refusal): void {
    this.refusal = refusal
  }
}

export class PoolLab {
  readonly clock = new VirtualClock()
  readonly limit: Limit
  /** Names of clients in the order in which they got a connection. */
  readonly served: string[] = []
  /** Logins that have begun and not ended. */
  readonly attempts: Attempt[] = []
  /** How many have begun. */
  logins = 0
  readonly #transport = new MemoryTransport(() => {})

  constructor(max = 3) {
    this.limit = new Limit(max)
  }

  pool(options: Partial<PoolOptions> = {}): Pool {
    return new Pool({
      ...{ name: 'app@shop', minSize: 0, queueLimit: 100, waitTimeoutMs: 10_000, connectTimeoutMs: 5_000 },
      ...{ idleTimeoutMs: 600_000, maxLifetimeMs: 3_600_000, statementLimit: 100 },
      ...{ limit: this.limit, clock: this.clock, random: () => 0.5 },
      open: keeper => this.#open(keeper),
      ...options,
    })
  }

  /** Asks for a connection. */
  client(pool: Pool, name = ''): Client {
    const client = new Client(name, this.served)
    const server = pool.checkout(client, Values.none)
    if (server) client.onServer(server)
    return client
  }

  /** Asks for one to spare; null if there is none. */
  background(pool: Pool, name = ''): Client | null {
    if (!pool.hasSpare) return null
    const client = new Client(name, this.served)
    const server = pool.checkoutSpare(client, Values.none)
    if (server) client.onServer(server)
    return client
  }

  /** All logins that are under way succeed, and those that follow on them. */
  async logIn(): Promise<void> {
    for (let attempt = this.attempts[0]; attempt; attempt = this.attempts[0]) await attempt.succeeds()
  }

  /** Time goes on, and the pools look around as they do ten times a second. */
  async pass(ms: number, ...pools: Pool[]): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(left, 100))
      for (const pool of pools) pool.sweep(this.clock.now())
      await this.settle()
    }
  }

  settle(): Promise<void> {
    return this.#transport.settle()
  }

  #open(keeper: Keeper): Promise<ServerConnection> {
    this.logins++
    return new Promise((resolve, reject) => {
      const attempt: Attempt = {
        succeeds: async ({ andEnds } = { andEnds: false }) => {
          this.attempts.splice(this.attempts.indexOf(attempt), 1)
          const server = await this.#connection(keeper)
          if (andEnds) server.destroy(new Error('the server closed the connection'))
          resolve(server)
          await this.settle()
          return server
        },
        fails: async error => {
          this.attempts.splice(this.attempts.indexOf(attempt), 1)
          reject(error)
          await this.settle()
        },
      }
      this.attempts.push(attempt)
    })
  }

  async #connection(keeper: Keeper): Promise<ServerConnection> {
    const nobody = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} }
    return new ServerConnection(await this.#transport.connect({}, nobody), keeper, {
      address: { host: 'origin', port: 5432 },
      ...{ key: null, reported: Values.of([['TimeZone', 'UTC']]), now: this.clock.now() },
    })
  }
}

/** What a server says to a statement that opens a transaction. */
export const inTransaction = readyForQuery('T')
