/** The suite in a process of Bun: each case is a test. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Outcome } from './test/case.ts'
import { suite } from './test/index.ts'

const bun = fileURLToPath(new URL('../../../../node_modules/.bin/bun', import.meta.url))
const runner = fileURLToPath(new URL('./test/runner.ts', import.meta.url))
const thrower = fileURLToPath(new URL('./test/thrower.ts', import.meta.url))

const missing = spawnSync(bun, ['--version']).error
if (missing)
  console.warn(`the transport's suite does not run on Bun, which can't be started: ${missing.message}`)

describe.skipIf(missing)('on Bun', () => {
  const outcomes = new Map<string, string | null>()
  const other: string[] = []
  let ended: { code: number | null; stderr: string }

  beforeAll(async () => {
    const child = spawn(bun, [runner], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', chunk => {
      stderr += chunk
    })
    createInterface({ input: child.stdout }).on('line', line => {
      if (!line.startsWith('{')) other.push(line)
      else {
        const { name, error } = JSON.parse(line) as Outcome
        outcomes.set(name, error)
      }
    })
    const [code] = await once(child, 'close')
    ended = { code, stderr }
  }, 300_000)

  for (const { name } of suite)
    test(name, () => {
      const error = outcomes.get(name)
      if (error === undefined) throw new Error(`it did not run: ${ended.stderr}`)
      if (error !== null) throw new Error(error)
    })

  test('what a handler throws is uncaught, as on Node', () => {
    const { status, stderr } = spawnSync(bun, [thrower], { encoding: 'utf8' })
    expect(stderr).toContain('a mistake in a handler')
    expect(status).toBe(1)
  })

  test('the process prints nothing else, and ends by itself', () => {
    expect({ ...ended, other }).toEqual({ code: 0, stderr: '', other: [] })
  })
})
