import { fileURLToPath } from 'node:url'
import { runsTheSuite } from './spawned.ts'

runsTheSuite('bun', { command: fileURLToPath(new URL('../../node_modules/.bin/bun', import.meta.url)) })
