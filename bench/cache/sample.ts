/** One measurement: a load, through a pooler, for some seconds. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Postgres } from '@sluice/dev'
import pg from 'pg'
import { measure } from '../pgbench.ts'
import type { Pooler } from '../poolers.ts'
import { cpuUs, machineCpuUs } from '../programs.ts'
import type { Sample } from '../report.ts'
import { logging, readLatencies } from './latencies.ts'
import { type CacheLoad, reading, writing } from './loads.ts'

export interface Bench {
  readonly origin: Postgres
  /** Of scripts and logs. */
  readonly folder: string
  readonly seconds: number
}

export async function sample(bench: Bench, pooler: Pooler, load: CacheLoad, round: number): Promise<Sample> {
  const { origin, folder } = bench
  const taken = async () => ({
    machineUs: await machineCpuUs(),
    originUs: await cpuUs(origin.pid),
    poolerUs: pooler.program ? await cpuUs(pooler.program.pid) : null,
  })
  const before = await taken()
  const { transactions, tps } = await drive(bench, pooler, load, logging(folder))
  const after = await taken()
  const aRead = (name: keyof typeof before) => {
    const [from, to] = [before[name], after[name]]
    return from === null || to === null ? null : (to - from) / transactions
  }
  const figures = {
    ...{ tps, ...(await readLatencies(folder)) },
    ...{ machineUs: aRead('machineUs'), originUs: aRead('originUs'), poolerUs: aRead('poolerUs') },
  }
  return { round, pooler: pooler.name, load: load.name, figures }
}

/** Compilers, pools and caches. */
export async function warm(bench: Bench, pooler: Pooler, load: CacheLoad): Promise<void> {
  await drive(bench, pooler, load, [])
}

async function drive({ folder, seconds }: Bench, { url }: Pooler, load: CacheLoad, words: readonly string[]) {
  const { protocol, writes } = load
  const reads = measure(url, [...reading(folder, load), ...words], load, seconds)
  if (writes === 0) return reads
  const written = measure(url, writing(folder, writes), { protocol, clients: 2 }, seconds)
  return (await Promise.all([reads, written]))[0]
}

/** How long a gateway may take to cover the tables with its stream. */
const coverMs = 20_000

/** Waits until a gateway answers from its cache. */
export async function untilItAnswers(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  const until = performance.now() + coverMs
  try {
    for (;;) {
      await client.query('select title from items where id = 1')
      const { rows } = await client.query({ text: 'show sluice.cache_status', rowMode: 'array' })
      const status = String(rows[0])
      if (status.startsWith('hit')) return
      if (performance.now() > until) throw new Error(`the gateway does not answer from its cache: ${status}`)
      await pause(100)
    }
  } finally {
    await client.end()
  }
}
