/**
 * Sluice's cache beside pgpool-II's, beside PgBouncer, and beside no pooler at all.
 *
 *     pgbench ──▶ nothing │ PgBouncer │ pgpool-II │ Sluice on Bun │ Sluice on Node ──▶ PostgreSQL
 *
 *     hot      reads of a fixed set, which come again: each pooler runs alone, and is begun anew in each round, for a
 *              stream costs the origin CPU for every write, whoever makes it
 *     cold     reads that never come again: what the cache costs where it is of no use, beside the same with it off
 *     stream   writes past the gateway: what they cost the origin for being told
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { command, type Given, whole } from '../command.ts'
import { startOrigin } from '../origin.ts'
import { type Protocol, pgbenchVersion, protocols } from '../pgbench.ts'
import { direct, type Pooler, poolSize, startPgBouncer, startSluice } from '../poolers.ts'
import { type Measure, type Median, medians, type Sample, tables, type Yardstick } from '../report.ts'
import { coldLoads, hotLoads, makeTables, writeScripts } from './loads.ts'
import { startPgpool } from './pgpool.ts'
import { type Bench, sample, untilItAnswers, warm } from './sample.ts'
import { type StreamLoad, streamLoad } from './stream.ts'

const usage = `usage: npm run bench -- cache [options]

  --seconds <n>    of each measurement (3), logins of all clients included
  --rounds <n>     of all measurements (3): the figures are medians
  --clients <n,…>  at a time (1,20)
  --protocol <p>   simple, extended or prepared (prepared)
  --parts <p,…>    hot, cold, stream (all of them)
  --json <file>    every sample, and the medians`

const allParts: readonly string[] = ['hot', 'cold', 'stream']

const names = ['seconds', 'rounds', 'clients', 'protocol', 'parts', 'json']

interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly clients: readonly number[]
  readonly protocol: Protocol
  readonly parts: readonly string[]
  readonly json: string | undefined
}

const measures = [
  { name: 'tps', title: 'Reads a second', digits: 0 },
  { name: 'p50Ms', title: 'Latency, median, ms', digits: 3 },
  { name: 'p99Ms', title: 'Latency, 99th percentile, ms', digits: 3 },
  { name: 'machineUs', title: "The whole machine's CPU, µs a read", digits: 1 },
  { name: 'originUs', title: "PostgreSQL's CPU, µs a read", digits: 1 },
  { name: 'poolerUs', title: "The pooler's CPU, µs a read", digits: 1 },
]

const coldMeasures = measures.filter(({ name }) => name !== 'machineUs' && name !== 'originUs')

export const benchCache = (words: readonly string[]): Promise<void> =>
  command(words, { usage, names, read: optionsOf }, run)

async function run({ json, ...options }: Options, folder: string): Promise<void> {
  const { seconds, rounds, protocol, parts } = options
  const about = { pgbench: await pgbenchVersion(), cores: cpus().length, poolSize, ...options }
  // Parallel workers would make a query's time depend on what else runs.
  const settings = { wal_level: 'logical', max_parallel_workers_per_gather: '0' }
  await using origin = await startOrigin(settings)
  const bench = { origin, folder, seconds }
  await makeTables(origin.url)
  await writeScripts(folder)
  console.log(
    `pgbench ${about.pgbench}, ${protocol}, a pool of ${poolSize}, medians of ${rounds} rounds of ${seconds} s, ${about.cores} cores\n`,
  )
  const reports: { readonly samples: readonly Sample[]; readonly medians: readonly Median[] }[] = []
  const report = (samples: readonly Sample[], yardstick: Yardstick, shown: readonly Measure[]) => {
    const middle = medians(samples, yardstick)
    reports.push({ samples, medians: middle })
    console.log(`\n${tables(middle, shown)}\n`)
  }
  if (parts.includes('hot')) report(await measureHot(bench, options), () => 'direct', measures)
  if (parts.includes('cold')) report(await measureCold(bench, options), withCacheOff, coldMeasures)
  const stream = parts.includes('stream') ? await streamLoad(bench, rounds) : null
  if (stream) console.log(sentenceOf(stream))
  if (json !== undefined)
    await writeFile(json, `${JSON.stringify({ at: new Date(), ...about, stream, reports }, null, 2)}\n`)
}

const sentenceOf = ({ walsenderUs, controlUs, gatewayUs, writes }: StreamLoad) =>
  `A write past the gateway costs the origin ${walsenderUs.toFixed(0)} µs of the walsender's CPU and ` +
  `${controlUs.toFixed(0)} µs of the control connection's, and the gateway ${gatewayUs.toFixed(0)} µs ` +
  `(${writes.toFixed(0)} writes a second).`

async function measureHot(
  bench: Bench,
  { rounds, clients, protocol }: Omit<Options, 'json'>,
): Promise<Sample[]> {
  const { origin, folder } = bench
  const loads = hotLoads(protocol, clients)
  const starts: Record<string, () => Promise<Pooler | null>> = {
    direct: async () => direct(origin.url),
    PgBouncer: () => startPgBouncer(origin.url, folder),
    'pgpool-II': () => startPgpool(origin.url, folder, Math.max(...clients)),
    Bun: () => startSluice('Bun', origin.url, folder, { caches: true }),
    Node: () => startSluice('Node', origin.url, folder, { caches: true }),
  }
  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round++)
    for (const [name, start] of Object.entries(starts)) {
      await using running = new AsyncDisposableStack()
      const pooler = await start()
      if (pooler?.program) running.use(pooler.program)
      const why = pooler === null ? 'it is not installed' : pooler.cannot(protocol)
      if (round === 1) console.log(`${name}: ${why === null ? pooler!.version : `left out, for ${why}`}`)
      if (pooler === null || why !== null) continue
      if (pooler.name.startsWith('Sluice')) await untilItAnswers(pooler.url)
      for (const load of loads) {
        console.error(`round ${round} of ${rounds}: ${pooler.name}, ${load.name}`)
        await warm(bench, pooler, load)
        samples.push(await sample(bench, pooler, load, round))
      }
    }
  return samples
}

const isOff = ', cache off'
const withCacheOff: Yardstick = pooler => pooler.replace(/, cache on$/, isOff)

async function measureCold(
  bench: Bench,
  { rounds, clients }: Pick<Options, 'rounds' | 'clients'>,
): Promise<Sample[]> {
  await using running = new AsyncDisposableStack()
  const poolers: Pooler[] = []
  for (const runtime of ['Bun', 'Node'] as const)
    for (const caches of [true, false]) {
      const pooler = await startSluice(runtime, bench.origin.url, bench.folder, { caches })
      running.use(pooler.program!)
      if (caches) await untilItAnswers(pooler.url)
      poolers.push({ ...pooler, name: `${runtime}${caches ? ', cache on' : isOff}` })
    }
  const loads = coldLoads(clients)
  for (const pooler of poolers) for (const load of loads) await warm(bench, pooler, load)
  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round++)
    for (const load of loads) {
      console.error(`round ${round} of ${rounds}: ${load.name}`)
      for (const pooler of poolers) samples.push(await sample(bench, pooler, load, round))
    }
  return samples
}

function optionsOf(given: Given): Options {
  const protocol = protocols.find(name => name === (given.protocol ?? 'prepared'))
  if (protocol === undefined) throw new RangeError(`"${given.protocol}" is none of ${protocols.join(', ')}`)
  const parts = (given.parts ?? allParts.join()).split(',')
  const unknown = parts.find(part => !allParts.includes(part))
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is none of ${allParts.join(', ')}`)
  return {
    seconds: whole(given.seconds ?? '3'),
    rounds: whole(given.rounds ?? '3'),
    clients: (given.clients ?? '1,20').split(',').map(whole),
    protocol,
    parts,
    json: given.json,
  }
}
