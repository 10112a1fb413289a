/**
 * Two gateways that cache before one PostgreSQL, each behind a proxy of its own, a synchronous standby, and clients that
 * come through both gateways and directly. A *round* is some writing, with readers beside it and trouble in it; then all
 * is drained, and what the gateways still say is compared with what there is.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type DatabaseReads, SharedCache } from '../../../../packages/gateway/src/read-cache.ts'
import { Plans } from '../../../../packages/gateway/src/sql/plans.ts'
import { startCachingGateway } from '../../../support/caching-gateway.ts'
import { FaultProxy } from '../../../support/fault-proxy.ts'
import type { TestGateway } from '../../../support/gateway.ts'
import { type RawClient, rawClient } from '../../../support/raw-client.ts'
import { Client, type Commits } from './client.ts'
import { History, type Way } from './history.ts'
import { Listener } from './listener.ts'
import type { Origin } from './origin.ts'
import { accounts, overall, preparing, questionsAbout, rowsOf, sum, tables, type Word } from './questions.ts'

const patienceMs = 30_000
/** How clients commit, one after the other. */
const commits: readonly Commits[] = ['on', 'off', 'on', 'local']
/** After so long without a word a stream counts as lost. */
export const silenceMs = 700

export interface CachingGateway {
  readonly gateway: TestGateway
  readonly origin: FaultProxy
  readonly reads: DatabaseReads
  readonly shared: SharedCache
}

export interface Crowd {
  /** Of each way: so many clients. */
  readonly readers: number
  readonly writers: number
  readonly writersOutside: number
  /** Of each writer in a round. */
  readonly writes: number
  /** The share of writes whose statements do not say what they write, or that others are notified of. */
  readonly hidden: number
}

export class World implements AsyncDisposable {
  readonly origin: Origin
  readonly gateways: readonly CachingGateway[]
  readonly history = new History(sum)
  readonly failures = new Map<string, number>()
  readonly #crowd: Crowd
  readonly #readers: readonly Client[]
  readonly #writers: readonly Client[]
  readonly #listeners: readonly Listener[]
  #markers = 0

  private constructor(
    origin: Origin,
    gateways: readonly CachingGateway[],
    crowd: Crowd,
    random: () => number,
  ) {
    this.origin = origin
    this.gateways = gateways
    this.#crowd = crowd
    const { failures, history } = this
    const definitions = { last: 1 }
    const client = (way: Way, commits: Commits) =>
      new Client({
        ...{ way, commits, definitions, random, history, failures, hidden: crowd.hidden },
        url: way === null ? origin.url : gateways[way]!.gateway.url,
        boundMs: through => boundOf(gateways[through]!),
      })
    const clients = (way: Way, count: number) =>
      Array.from({ length: count }, (_, at) => client(way, commits[at % commits.length]!))
    const ways = gateways.map((_, way) => way)
    this.#readers = ways.flatMap(way => clients(way, crowd.readers))
    this.#writers = [
      ...ways.flatMap(way => clients(way, crowd.writers)),
      ...clients(null, crowd.writersOutside),
    ]
    this.#listeners = ways.map(way => new Listener(way, gateways[way]!.gateway.url, history))
  }

  static async start(origin: Origin, crowd: Crowd, random: () => number): Promise<World> {
    await origin.create()
    const gateways = [await startBefore(origin), await startBefore(origin)]
    const world = new World(origin, gateways, crowd, random)
    await world.drain()
    return world
  }

  /** What of all that was asked through the gateways was answered by what they kept. */
  get fromCache(): { readonly answers: number; readonly share: number } {
    let answers = 0
    let all = 0
    for (const { shared } of this.gateways)
      for (const [status, count] of Object.entries(shared.cache.total.counts)) {
        if (status === 'hit' || status === 'stale') answers += count
        if (status !== 'transaction' && status !== 'notaquery') all += count
      }
    return { answers, share: answers / all }
  }

  /** Notifications that a gateway has handed over. */
  get notifications(): number {
    return this.#listeners.reduce((sum, { heard }) => sum + heard, 0)
  }

  /** @param trouble what happens meanwhile; it is told when nobody writes any more */
  async round(trouble: (isOver: () => boolean) => Promise<void>): Promise<void> {
    let isOver = false
    let isWritten = false
    const reading = this.#readers.map(async reader => {
      while (!isOver) await reader.read()
    })
    const writing = this.#writers.map(async writer => {
      for (let left = this.#crowd.writes; left > 0; left--) await writer.write()
    })
    const written = Promise.all(writing).then(() => {
      isWritten = true
    })
    await Promise.all([trouble(() => isWritten), written])
    isOver = true
    await Promise.all(reading)
    await this.drain()
    await this.compare()
  }

  /** Until all that was written has been told to each gateway. */
  async drain(): Promise<void> {
    // Whoever was cut off may still commit, or have prepared to.
    await until('nothing runs', async () => {
      const [busy] = await this.origin.query(`select count(*)::int as count from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
          and state <> 'idle' and application_name <> 'sluice'`)
      return busy!.count === 0
    })
    await this.origin.forgetPrepared()
    for (const gateway of this.gateways) await this.#drain(gateway)
  }

  /** What each gateway says of everything, by now, is what there is. */
  async compare(): Promise<void> {
    const is = await everything(this.origin.url)
    for (const [through, { gateway }] of this.gateways.entries())
      this.history.drained(through, await everything(gateway.url), is)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of [...this.#readers, ...this.#writers, ...this.#listeners]) client.end()
    for (const { gateway, origin } of this.gateways) {
      await gateway.stop()
      await origin.stop()
    }
  }

  /**
   * A marker is written behind all else, and awaited through the cache: an answer that was kept says the old one until
   * the stream has shown the new one, and all before it.
   */
  async #drain({ gateway, reads, shared }: CachingGateway): Promise<void> {
    const { counts } = shared.cache.total
    const isRunning = () => {
      const { phase } = reads.status
      return phase.at === 'running' && phase.covered === tables && phase.quarantine === null
    }
    await using client = await rawClientUntil(gateway.url)
    const marker = async () => rowsOf(await client.query('select n from markers'))[0]?.[0]
    for (;;) {
      await until('the stream runs', isRunning, () => reads.status)
      const { losses } = reads.status
      await until('a marker is kept', async () => {
        const hits = counts.hit
        await marker()
        return counts.hit > hits
      })
      const written = ++this.#markers
      await this.origin.query(`update markers set n = ${written}`)
      await until('a marker is told', async () => (await marker()) === written)
      await until('all is settled', () => {
        const { phase } = reads.status
        return phase.at !== 'running' || phase.unsettled === 0
      })
      // Else the marker was seen because everything was dropped.
      if (isRunning() && reads.status.losses === losses) return
    }
  }
}

async function startBefore({ url }: Origin): Promise<CachingGateway> {
  const plans = await Plans.load()
  const origin = await FaultProxy.start(url)
  const shared = new SharedCache(plans.parser, { mostBytes: 64_000_000, maxResultBytes: 1_000_000 })
  const gateway = await startCachingGateway(
    origin.url,
    {
      invalidation: {
        ...{ publication: 'sluice', mayChange: true, refreshMs: 500 },
        ...{ heartbeatMs: 100, silenceMs, idleMs: 0 },
      },
      // Soon stale, so that what is read was often fetched by a refresh, amid all else.
      caching: {
        ...{ disabled: false, maxAgeMs: 50, staleWhileRevalidateMs: 60_000, maxAgeUntoldMs: 0 },
        ...{ stable: false, withoutStream: null },
      },
      waitTimeoutMs: 3_000,
    },
    { shutdownTimeoutMs: 100 },
    { cache: shared },
  )
  const [backend] = gateway.gateway.backends
  const reads = backend!.readsOf(backend!.options.database)!
  return { gateway, origin, reads, shared }
}

const boundOf = ({ reads }: CachingGateway): number | null => {
  const { phase } = reads.status
  return phase.at === 'running' ? phase.boundMs : null
}

/** The answer to each question. */
async function everything(url: string): Promise<Word[]> {
  await using client = await rawClientUntil(url)
  client.send(...preparing)
  await client.ready()
  const words: Word[] = []
  const accountIds = Array.from({ length: accounts }, (_, at) => at + 1)
  for (const question of [...overall, ...accountIds.flatMap(questionsAbout)]) {
    client.send(...question.messages)
    words.push(...question.read(rowsOf(await client.ready())))
  }
  return words
}

/** The origin may have just come back. */
async function rawClientUntil(url: string): Promise<RawClient> {
  let client: RawClient | null = null
  await until('a client is let in', async () => {
    client = await rawClient(url).catch(() => null)
    return client !== null
  })
  return client!
}

async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  why: () => unknown = () => '',
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what} ${JSON.stringify(why())}`)
    // Neither PostgreSQL nor a status tells when it is another.
    await pause(5)
  }
}
