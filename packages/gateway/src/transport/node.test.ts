import { test } from 'vitest'
import { nodeTransport } from './node.ts'
import { suite } from './test/index.ts'

for (const { name, run } of suite) test(name, () => run(nodeTransport))
