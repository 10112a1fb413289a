import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runWorker, type TestWorker } from '../support/worker.ts'
import { LabServer, lazyTlsServer } from './lab.ts'
import { declare } from './spawned.ts'
import { type Outcome, type Way, ways } from './suite/case.ts'
import { suite } from './suite/index.ts'

const tls = lazyTlsServer()
afterAll(tls.stop)

for (const way of Object.keys(ways) as Way[]) {
  describe(`${way}:`, () => {
    let lab: LabServer
    let worker: TestWorker
    beforeAll(async () => {
      lab = await LabServer.start(tls.get)
      worker = await runWorker(new URL('../workers/suite.ts', import.meta.url), {
        hyperdrives: { HYPERDRIVE: lab.proxy.url },
      })
    })
    afterAll(async () => {
      await worker?.stop()
      await lab?.stop()
    })
    for (const one of suite) {
      declare(one, way, 'workerd', () =>
        worker.json<Outcome>('/', {
          method: 'POST',
          body: JSON.stringify({ name: one.name, place: lab.place('workerd', way) }),
        }),
      )
    }
    test('the Worker prints nothing, and leaves no connection behind', async () => {
      expect(worker.console).toEqual([])
      // By HTTP the connections are the bridge's, which keeps some in the dark.
      if (way !== 'neon by HTTP') await lab.database.connectionsFallTo(0)
    })
  })
}
