/**
 * A gateway that caches, and the proxy behind it, which tells what reached the origin.
 *
 *     await using line = await CachingLine.start(database.url)
 *     const client = await line.connect()
 *     await line.untilKept(client, 'select v from t')   // the stream runs, and tells of t
 *
 * Clients go with the line.
 */
import { expect, vi } from 'vitest'
import type { DatabaseReads } from '../../packages/gateway/src/read-cache.ts'
import { startCachingGateway } from './caching-gateway.ts'
import { FaultProxy } from './fault-proxy.ts'
import type { startGateway, TestGateway } from './gateway.ts'
import { type RawClient, rawClient } from './raw-client.ts'

const patienceMs = 20_000

export class CachingLine implements AsyncDisposable {
  readonly origin: FaultProxy
  readonly gateway: TestGateway
  readonly #clients: RawClient[] = []

  private constructor(origin: FaultProxy, gateway: TestGateway) {
    this.origin = origin
    this.gateway = gateway
  }

  /** @param surroundings what is not Node's sockets and the system's time */
  static async start(
    url: string,
    options?: Parameters<typeof startGateway>[1],
    surroundings?: Parameters<typeof startGateway>[3],
  ): Promise<CachingLine> {
    const origin = await FaultProxy.start(url)
    const stopping = { shutdownTimeoutMs: 100 }
    return new CachingLine(origin, await startCachingGateway(origin.url, options, stopping, surroundings))
  }

  /** @param url another user's */
  async connect(url: string = this.gateway.url): Promise<RawClient> {
    const client = await rawClient(url)
    this.#clients.push(client)
    return client
  }

  /** Of the database of the gateway's URL. */
  get reads(): DatabaseReads {
    const [backend] = this.gateway.gateway.backends
    return backend!.readsOf(backend!.options.database)!
  }

  /** True if this Query is answered without the origin, the second time at the latest. */
  async keeps(client: RawClient, sql: string): Promise<boolean> {
    await client.query(sql)
    const before = this.origin.count(sql)
    await client.query(sql)
    return this.origin.count(sql) === before
  }

  async untilKept(client: RawClient, ...reads: string[]): Promise<void> {
    for (const sql of reads)
      await vi.waitFor(async () => {
        if (await this.keeps(client, sql)) return
        const [, why] = await client.query('show sluice.cache_status')
        throw new Error(`not kept: ${sql}: ${why}`)
      }, patienceMs)
  }

  /** Until this Query is answered so: what others change is heard of within a bound. */
  async untilHeard(client: RawClient, sql: string, answer: readonly string[]): Promise<void> {
    await vi.waitFor(async () => expect(await client.query(sql)).toEqual(answer), patienceMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy()
    await this.gateway.stop()
    await this.origin.stop()
  }
}
