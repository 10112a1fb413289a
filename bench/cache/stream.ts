/** What it costs the origin, and the gateway, that a write is told. */
import pg from 'pg'
import { measure } from '../pgbench.ts'
import { startSluice } from '../poolers.ts'
import { cpuUs } from '../programs.ts'
import { medianOf } from '../report.ts'
import { writing } from './loads.ts'
import { type Bench, untilItAnswers } from './sample.ts'

/** CPU in µs a write, medians over all rounds. */
export interface StreamLoad {
  readonly walsenderUs: number
  /** Of the connection that asks whether new statements see the write. */
  readonly controlUs: number
  readonly gatewayUs: number
  /** A second. */
  readonly writes: number
}

export async function streamLoad({ origin, folder, seconds }: Bench, rounds: number): Promise<StreamLoad> {
  const gateway = await startSluice('Bun', origin.url, folder, { caches: true })
  await using program = gateway.program!
  await untilItAnswers(gateway.url)
  const { walsender, control } = await streamBackends(origin.url)
  const taken = () =>
    Promise.all([walsender, control, program.pid].map(async pid => (await cpuUs(pid)) ?? Number.NaN))
  const load = { protocol: 'prepared', clients: 4 } as const
  const samples: StreamLoad[] = []
  for (let round = 1; round <= rounds; round++) {
    console.error(`round ${round} of ${rounds}: writes past the gateway`)
    const before = await taken()
    const { transactions, tps } = await measure(origin.url, writing(folder, 0), load, seconds)
    const after = await taken()
    const [walsenderUs, controlUs, gatewayUs] = after.map((us, which) => (us - before[which]!) / transactions)
    samples.push({ walsenderUs: walsenderUs!, controlUs: controlUs!, gatewayUs: gatewayUs!, writes: tps })
  }
  const median = (of: keyof StreamLoad) => medianOf(samples.map(each => each[of]))
  return {
    ...{ walsenderUs: median('walsenderUs'), controlUs: median('controlUs') },
    ...{ gatewayUs: median('gatewayUs'), writes: median('writes') },
  }
}

async function streamBackends(url: string): Promise<{ walsender: number; control: number }> {
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query(
    `select pid, backend_type, query from pg_stat_activity where application_name = 'sluice' order by pid`,
  )
  await client.end()
  const walsender = rows.find(row => row.backend_type === 'walsender')?.pid
  const control = rows.find(row => row.query.includes('pg_current_snapshot'))?.pid
  if (walsender === undefined || control === undefined) throw new Error(`no stream: ${JSON.stringify(rows)}`)
  return { walsender, control }
}
