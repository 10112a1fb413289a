/**
 * A TCP proxy before a PostgreSQL server, on a free port of the loopback, that does on demand what networks,
 * gateways and servers do to their clients, and tells what the clients did.
 *
 *     await using proxy = await FaultProxy.start(database.url)
 *     proxy.fault = { is: 'cut', at: 'COMMIT', moment: 'answered' }
 *     const transfer = move(proxy.url)
 *     await proxy.saw('COMMIT')
 *     await expect(transfer).rejects.toMatchObject({ sent: 'maybe' })
 *     expect(await rows(database.url)).toBe(1)
 *
 * `fault` holds for all connections, those that are open too; `failNext` for the next ones that are accepted;
 * `connection.fault` for one. Faults are consulted when their moment comes, so they may be set at any time.
 */
import { createServer, type Server } from 'node:net'
import type { Ending, Fault } from './fault.ts'
import { type ConnectionHost, ProxiedConnection } from './proxied-connection.ts'
import { type Match, matches } from './statement-log.ts'

export type { Ending, Fault, Moment, Refusal, Trigger } from './fault.ts'
export type { ProxiedConnection } from './proxied-connection.ts'
export type { Match } from './statement-log.ts'

export class FaultProxy implements ConnectionHost, AsyncDisposable {
  /** What happens to all connections that have no fault of their own; `null`: all is passed on. */
  fault: Fault | null = null
  /** One way, each: a round trip costs the sum. Opening a TCP connection stays free. */
  latencyMs = { toServer: 0, toClient: 0 }
  /** How long a StartupMessage is held back before it goes on. */
  startUpDelayMs = 0
  /** How long `until` and `saw` wait before they give up. */
  patienceMs = 10_000
  /** How often a fault has happened. */
  faults = 0
  /** Every connection that was accepted, the oldest first; those that are over too. */
  readonly connections: ProxiedConnection[] = []
  readonly server: { host: string; port: number }
  readonly tls: 'refuse' | 'pass'
  readonly #url: URL
  readonly #happened = new Map<Fault, number>()
  readonly #next: (Fault | null)[] = []
  readonly #waiting = new Set<() => void>()
  #listener: Server | undefined
  #port = 0

  private constructor(url: string, tls: 'refuse' | 'pass') {
    this.#url = new URL(url)
    this.server = { host: this.#url.hostname.replace(/^\[|\]$/g, ''), port: Number(this.#url.port || 5432) }
    this.tls = tls
  }

  /**
   * @param url the server to stand before
   * @param options.tls what becomes of an SSLRequest: answered with 'N' (default), or passed on; behind a server's
   *   'S' the proxy sees only ciphertext, so that no fault at start-up or at a statement happens
   */
  static async start(url: string, options: { tls?: 'refuse' | 'pass' } = {}): Promise<FaultProxy> {
    const proxy = new FaultProxy(url, options.tls ?? 'refuse')
    await proxy.listen()
    return proxy
  }

  /** The server's URL with the proxy's host and port in it. */
  get url(): string {
    const url = new URL(this.#url)
    url.hostname = '127.0.0.1'
    url.port = String(this.#port)
    return url.href
  }

  get port(): number {
    return this.#port
  }

  /** How many connections were accepted since the start, CancelRequests included. */
  get accepted(): number {
    return this.connections.length
  }

  /** How many are open now. */
  get open(): number {
    return this.connections.reduce((count, connection) => count + (connection.open ? 1 : 0), 0)
  }

  /** The texts of Query and Parse, connection by connection. */
  get statements(): string[] {
    return this.connections.flatMap(connection => connection.statements)
  }

  /** How often a statement that matches was to run, over all connections. */
  count(match: Match): number {
    return this.connections.reduce(
      (count, connection) => count + connection.ran.filter(statement => matches(match, statement)).length,
      0,
    )
  }

  /** The next connections that are accepted have this fault (`null`: none), whatever `fault` says. */
  failNext(fault: Fault | null, connections = 1): void {
    for (let i = 0; i < connections; i++) this.#next.push(fault)
  }

  /** Nobody listens any more: connecting gives ECONNREFUSED. Connections that are open stay so. */
  async refuse(): Promise<void> {
    const listener = this.#listener
    if (listener === undefined) return
    this.#listener = undefined
    // `close` stops listening at once; its callback waits for the connections, which is not asked for here.
    listener.close()
  }

  /** Listens again, on the same port. */
  async listen(): Promise<void> {
    if (this.#listener !== undefined) return
    const listener = createServer({ allowHalfOpen: true }, socket => {
      this.connections.push(new ProxiedConnection(this, socket, this.#next.shift()))
      this.changed()
    })
    this.#listener = listener
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject)
      listener.listen(this.#port, '127.0.0.1', resolve)
    })
    const address = listener.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  /** Ends every open connection now. */
  cut(by: Ending = 'reset'): void {
    for (const connection of this.connections) if (connection.open) connection.cut(by)
  }

  /** From now on every open connection drops every byte. For connections to come see the fault `hang`. */
  goDark(): void {
    for (const connection of this.connections) if (connection.open) connection.goDark()
  }

  /**
   * Waits until a statement that matches was to run, on any connection, `times` times since the start; returns the
   * connection of the last of them. It has been forwarded then (if no fault kept it); the server may not have begun it.
   */
  async saw(match: Match, times = 1): Promise<ProxiedConnection> {
    await this.until(() => this.count(match) >= times, `${times} × ${match}`)
    return this.connections.findLast(connection =>
      connection.ran.some(statement => matches(match, statement)),
    )!
  }

  /** Waits until `condition` holds; it is asked after each thing that happens. */
  async until(condition: (proxy: this) => boolean, what = String(condition)): Promise<void> {
    if (condition(this)) return
    await new Promise<void>((resolve, reject) => {
      const giveUp = setTimeout(() => {
        this.#waiting.delete(ask)
        reject(new Error(`waited in vain for ${what}; the proxy saw ${JSON.stringify(this.statements)}`))
      }, this.patienceMs)
      const ask = () => {
        try {
          if (!condition(this)) return
          resolve()
        } catch (error) {
          reject(error)
        }
        clearTimeout(giveUp)
        this.#waiting.delete(ask)
      }
      this.#waiting.add(ask)
    })
  }

  /** Ends everything: the listener and all connections. */
  async stop(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    const closed = listener && new Promise<void>(resolve => listener.close(() => resolve()))
    for (const connection of this.connections) connection.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** For its connections: whether a fault may happen once more. */
  happens(fault: Fault): boolean {
    const before = this.#happened.get(fault) ?? 0
    if (before >= (fault.times ?? Number.POSITIVE_INFINITY)) return false
    this.#happened.set(fault, before + 1)
    this.faults++
    return true
  }

  /** For its connections: what tests wait for may have come. */
  changed(): void {
    for (const ask of this.#waiting) ask()
  }
}
