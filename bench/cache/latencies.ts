/** How long each transaction took, of pgbench's logs. */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface Latencies {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Words for pgbench. */
export const logging = (folder: string): string[] => ['--log', `--log-prefix=${join(folder, prefix)}`]

const prefix = 'latencies'

/** Of the logs in this folder, which are removed. */
export async function readLatencies(folder: string): Promise<Latencies> {
  const names = (await readdir(folder)).filter(name => name.startsWith(`${prefix}.`))
  const logs = names.map(name => join(folder, name))
  const texts = await Promise.all(logs.map(file => readFile(file, 'latin1')))
  await Promise.all(logs.map(file => rm(file)))
  // Client, number of the transaction, its time in µs, …
  const times = texts.flatMap(text => Array.from(text.matchAll(/^\d+ \d+ (\d+)/gm), ([, us]) => Number(us)))
  const sorted = Float64Array.from(times).sort()
  const quantileMs = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]! / 1_000
  return { p50Ms: quantileMs(0.5), p99Ms: quantileMs(0.99) }
}
