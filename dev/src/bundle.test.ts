import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { bundleWorker } from './bundle.ts'
import { startWorker } from './worker.ts'

// In the workspace, so that packages are found as an application finds them.
const here = fileURLToPath(new URL('../dist-', import.meta.url))
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(here)
})
afterEach(() => rm(folder, { recursive: true }))

const bundle = async (files: Record<string, string>) => {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return bundleWorker(join(folder, 'worker.ts'))
}

const answer = async (script: string) => {
  await using worker = await startWorker({ script })
  return await (await fetch(worker.url)).json()
}

test("Node's builtins work in workerd: imported with and without prefix, and required by CommonJS", async () => {
  const script = await bundle({
    'worker.ts': `
      import { EventEmitter } from 'events'
      import { Buffer } from 'node:buffer'
      import old from './old.cjs'
      export default { fetch: () => Response.json([typeof EventEmitter, Buffer.from('a').length, old.same(EventEmitter), old.hash]) }`,
    'old.cjs': `
      const Events = require('events'), { createHash } = require('node:crypto')
      module.exports = { same: other => other === Events.EventEmitter, hash: createHash('md5').update('').digest('hex').slice(0, 4) }`,
  })
  expect(await answer(script)).toEqual(['function', 1, true, 'd41d'])
})

test('a dynamic import of a CommonJS package works in workerd, with what the package has for workerd', async () => {
  const script = await bundle({
    'worker.ts': `
      export default { async fetch() {
        const { default: pg } = await import('pg')
        const { CloudflareSocket } = await import('pg-cloudflare')
        return Response.json([typeof pg.Client, typeof CloudflareSocket])
      } }`,
  })
  expect(await answer(script)).toEqual(['function', 'function'])
})

test('a package that is not installed is an error of one line that says where it is wanted', async () => {
  const broken = bundle({ 'worker.ts': `import 'not-installed'` })
  await expect(broken).rejects.toThrow(
    /can't be bundled: .*worker\.ts:1:7: Could not resolve "not-installed"$/,
  )
})
