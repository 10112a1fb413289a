import { fileURLToPath } from 'node:url'
import { runsTheSuite } from './spawned.ts'

// The version that the repository installs: the one that runs the tests may be older and unable to strip types.
runsTheSuite('node', { command: fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url)) })
