/**
 * Sluice beside PgBouncer, and beside no pooler at all: throughput, latency, and the pooler's own CPU.
 *
 *     pgbench ──▶ nothing │ PgBouncer │ Sluice on Bun │ Sluice on Node ──▶ PostgreSQL
 *
 * All of them run at once and are measured in turn, for each load in each round, so that what else the machine does hits
 * all alike. CPU per transaction says most of a pooler: pgbench, pooler and PostgreSQL share the cores, and throughput
 * is what all three leave each other.
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { command, type Given, whole } from '../command.ts'
import { startOrigin } from '../origin.ts'
import { fill, type Load, measure, pgbenchVersion, protocols } from '../pgbench.ts'
import { direct, type Pooler, poolSize, startPgBouncer, startSluice } from '../poolers.ts'
import { cpuUs } from '../programs.ts'
import { medians, type Sample, tables } from '../report.ts'

const usage = `usage: npm run bench -- pool [options]

  --seconds <n>    of each measurement (3), logins of all clients included
  --rounds <n>     of all measurements (5): the figures are medians
  --clients <n,…>  at a time (1,20,100)
  --json <file>    every sample, and the medians`

/** 10: a million rows, which shared_buffers hold. */
const scale = 10

const measures = [
  { name: 'tps', title: 'Transactions a second', digits: 0 },
  { name: 'latencyMs', title: 'Latency, ms', digits: 3 },
  { name: 'cpuUs', title: "Pooler's CPU, µs a transaction", digits: 1 },
]

const names = ['seconds', 'rounds', 'clients', 'json']

interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly clients: readonly number[]
  readonly json: string | undefined
}

export const benchPool = (words: readonly string[]): Promise<void> =>
  command(words, { usage, names, read: optionsOf }, run)

async function run({ seconds, rounds, clients, json }: Options, folder: string): Promise<void> {
  await using running = new AsyncDisposableStack()
  const postgres = running.use(await startOrigin())
  const poolers = await startAll(postgres.url, folder, running)
  const about = { pgbench: await pgbenchVersion(), cores: cpus().length, scale, poolSize, seconds, rounds }
  console.log(poolers.map(({ name, version }) => `${name}: ${version}`).join('; '))
  console.log(
    `pgbench ${about.pgbench} -S, scale ${scale}, a pool of ${poolSize}, medians of ${rounds} rounds of ${seconds} s, ${about.cores} cores\n`,
  )
  const loads = protocols.flatMap(protocol => clients.map(count => ({ protocol, clients: count })))
  await fill(postgres.url, scale)
  // Compilers, and the pools.
  for (const pooler of poolers)
    for (const load of loads)
      if (pooler.cannot(load.protocol) === null) await sample(pooler, load, 0, seconds)

  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round++)
    for (const load of loads) {
      console.error(`round ${round} of ${rounds}: ${load.protocol}, clients: ${load.clients}`)
      for (const pooler of poolers)
        if (pooler.cannot(load.protocol) === null) samples.push(await sample(pooler, load, round, seconds))
    }
  const middle = medians(samples, () => 'PgBouncer')
  console.log(tables(middle, measures))
  if (json === undefined) return
  const versions = Object.fromEntries(poolers.map(({ name, version }) => [name, version]))
  const document = { at: new Date(), ...about, versions, medians: middle, samples }
  await writeFile(json, `${JSON.stringify(document, null, 2)}\n`)
}

async function startAll(url: string, folder: string, running: AsyncDisposableStack): Promise<Pooler[]> {
  const poolers = [direct(url)]
  const started = (pooler: Pooler) => {
    if (pooler.program) running.use(pooler.program)
    poolers.push(pooler)
  }
  const pgbouncer = await startPgBouncer(url, folder)
  if (pgbouncer) started(pgbouncer)
  else console.log('PgBouncer is left out: it is not installed (Debian: apt install pgbouncer)')
  started(await startSluice('Bun', url, folder, { caches: false }))
  started(await startSluice('Node', url, folder, { caches: false }))
  for (const { name, cannot } of poolers)
    for (const protocol of protocols) {
      const why = cannot(protocol)
      if (why !== null) console.log(`${name} is left out of "${protocol}": ${why}`)
    }
  return poolers
}

async function sample(pooler: Pooler, load: Load, round: number, seconds: number): Promise<Sample> {
  const taken = async () => (pooler.program ? cpuUs(pooler.program.pid) : null)
  const before = await taken()
  const { transactions, tps, latencyMs } = await measure(pooler.url, ['--select-only'], load, seconds)
  const after = await taken()
  const cpu = before === null || after === null ? null : (after - before) / transactions
  const name = `${load.protocol}, ${load.clients} at a time`
  return { round, pooler: pooler.name, load: name, figures: { tps, latencyMs, cpuUs: cpu } }
}

function optionsOf(given: Given): Options {
  return {
    seconds: whole(given.seconds ?? '3'),
    rounds: whole(given.rounds ?? '5'),
    clients: (given.clients ?? '1,20,100').split(',').map(whole),
    json: given.json,
  }
}
