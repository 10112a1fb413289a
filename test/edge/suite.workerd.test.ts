import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runWorker, type TestWorker } from '../support/worker.ts'
import { LabServer, lazyTlsServer } from './lab.ts'
import { declare } from './spawned.ts'
import { type Outcome, type Way, ways } from './suite/case.ts'
import { suite } from './suite/index.ts'

const tls = lazyTlsServer()
afterAll(tls.stop)

interface Running {
  lab: LabServer
  worker: TestWorker
  outcomes: Map<string, Promise<Outcome>>
}
const running = new Map<Way, Running>()
const all = Object.keys(ways) as Way[]

/** One case after another; each promise is there from the start. */
function runAll(lab: LabServer, worker: TestWorker, way: Way): Map<string, Promise<Outcome>> {
  const outcomes = new Map<string, Promise<Outcome>>()
  const place = lab.place('workerd', way)
  let before: Promise<unknown> = Promise.resolve()
  for (const one of suite) {
    if (one.skip(place)) continue
    const outcome = before.then(() =>
      worker
        .json<Outcome>('/', { method: 'POST', body: JSON.stringify({ name: one.name, place }) })
        .catch((error: Error) => ({ name: one.name, error: error.message, ms: 0 })),
    )
    outcomes.set(one.name, outcome)
    before = outcome
  }
  return outcomes
}

// All ways at once: most of the time is spent waiting for deadlines.
beforeAll(async () => {
  await Promise.all(
    all.map(async way => {
      const lab = await LabServer.start(tls.get)
      const worker = await runWorker(new URL('../workers/suite.ts', import.meta.url), {
        hyperdrives: { HYPERDRIVE: lab.proxy.url },
      })
      running.set(way, { lab, worker, outcomes: runAll(lab, worker, way) })
    }),
  )
})
afterAll(async () => {
  for (const { lab, worker } of running.values()) {
    await worker.stop()
    await lab.stop()
  }
})

for (const way of all) {
  describe(`${way}:`, () => {
    for (const one of suite) declare(one, way, 'workerd', () => running.get(way)!.outcomes.get(one.name)!)
    test('the Worker prints nothing, and leaves no connection behind', async () => {
      const { lab, worker, outcomes } = running.get(way)!
      await Promise.all(outcomes.values())
      // workerd itself tells of a name that does not resolve.
      expect(worker.console.filter(line => !line.startsWith('Socket proxy disconnected'))).toEqual([])
      // By HTTP the connections are the bridge's, which keeps some in the dark.
      if (way !== 'neon by HTTP') await lab.database.connectionsFallTo(0)
    })
  })
}
