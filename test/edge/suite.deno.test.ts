import { fileURLToPath } from 'node:url'
import { runsTheSuite } from './spawned.ts'
import { smoke } from './suite/case.ts'

runsTheSuite('deno', {
  command: fileURLToPath(new URL('../../node_modules/.bin/deno', import.meta.url)),
  args: ['run', '--quiet', '--allow-all', '--no-check', '--node-modules-dir=manual'],
  only: one => smoke.has(one),
})
