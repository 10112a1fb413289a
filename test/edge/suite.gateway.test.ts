/** The suite with the gateway between the library and PostgreSQL: no case may see a difference. */
import { fileURLToPath } from 'node:url'
import { afterAll } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { runsTheSuite } from './spawned.ts'

const gateways: TestGateway[] = []
afterAll(async () => {
  await Promise.all(gateways.map(gateway => gateway.stop()))
})

runsTheSuite('node', {
  command: fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url)),
  // It sends the password in clear text before it was asked how it proves itself; the gateway asks for SCRAM.
  only: ({ name }) => !name.includes('pipelined connect'),
  async through(url) {
    const gateway = await startGateway(url, {}, { shutdownTimeoutMs: 0 })
    gateways.push(gateway)
    return gateway.url
  },
})
