import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { runWorker } from '../support/worker.ts'

const database = await freshDatabase()

test('smoke', async () => {
  await using worker = await runWorker(new URL('../workers/smoke.ts', import.meta.url), {
    hyperdrives: { HYPERDRIVE: database.url },
    bindings: { DATABASE_URL: database.url },
  })
  console.log(await (await worker.fetch('/')).text())
  console.log(JSON.stringify(await worker.json('/run'), null, 1))
  const many = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      worker.fetch(i % 2 ? '/run' : '/').then(r => r.text().then(t => [r.status, t.length < 20 ? t : ''])),
    ),
  )
  console.log(many.filter(x => x[0] !== 200))
  console.log(
    await worker.json('/api/health'),
    await worker.json('/api/health/ready'),
    JSON.stringify(await worker.json('/api/health/database-performance?samples=3'), null, 1),
  )
  console.log(worker.console)
  await database.connectionsFallTo(0)
  expect(1).toBe(1)
})
