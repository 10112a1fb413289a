/**
 * A gateway in a process of its own, on Node or on Bun. It writes its URL, and to each line that it reads how many
 * clients it has and what memory it holds when all garbage is gone. Its origin's URL is the first argument.
 */
import { createInterface } from 'node:readline'
import { transportHere } from '../../../packages/gateway/src/cli/runtime.ts'
import { startGateway } from '../../support/gateway.ts'

export interface Holding {
  readonly clients: number
  /** Of the process, as the kernel counts it. */
  readonly residentBytes: number
  readonly heapBytes: number
}

const runtime = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } }

const transport = await transportHere()
const { gateway, url } = await startGateway(process.argv[2]!, { auth: 'trust' }, {}, { transport })
console.log(url)
for await (const _ of createInterface(process.stdin)) {
  runtime.gc?.()
  runtime.Bun?.gc(true)
  const { rss, heapUsed } = process.memoryUsage()
  const holding: Holding = { clients: gateway.clients, residentBytes: rss, heapBytes: heapUsed }
  console.log(JSON.stringify(holding))
}
process.exit()
