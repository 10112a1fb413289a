/** Each command that the README shows is run as it stands, but for the port. */
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { type Platform, startPlatform } from './platform.ts'

const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
const blocks = [...readme.matchAll(/```bash\n(.*?)```/gs)].map(([, block]) => block!.replaceAll('\\\n', ' '))
const commands = blocks.flatMap(block => block.split('\n')).filter(line => line.startsWith('curl '))

const curlIsHere =
  spawnSync('curl', ['--version']).status === 0 && spawnSync('bash', ['--version']).status === 0

let platform: Platform
beforeAll(async () => {
  platform = await startPlatform()
})

const run = async (command: string) => {
  const here = command.replace('http://127.0.0.1:8787', platform.url)
  const { stdout } = await promisify(execFile)('bash', ['-c', `${here} --silent --fail-with-body`])
  return JSON.parse(stdout)
}

test('the README shows every route', async () => {
  for (const path of [
    '/api/pitches?',
    '/api/pitches/public',
    '/api/pitches/trending',
    '/api/pitches/1',
    '/api/search',
    '/api/creator/dashboard',
    '/api/investor/dashboard',
    "/api/pitches'",
    '/api/pitches/save',
    '/api/follow',
    '/api/investment/express-interest',
    '/api/investments',
    '/api/analytics/track',
    "/api/health'",
    '/api/health/live',
    '/api/health/ready',
    '/api/health/database-performance',
  ]) {
    expect(commands.filter(command => command.includes(`8787${path}`)).length, path).toBeGreaterThan(0)
  }
})

// Without curl there is nothing to prove: the commands are curl's.
test.skipIf(!curlIsHere).each(commands)('%s', async command => {
  const answer = await run(command)
  if (command.includes('/api/health')) return
  expect(answer.success).toBe(true)
  const lists = Object.values(answer.data).filter(value => Array.isArray(value))
  if (command.includes('/search') || command.includes('/pitches?')) expect(lists[0]).not.toEqual([])
})

test.skipIf(!curlIsHere)('an investment that is sent twice says so', async () => {
  const command = commands.find(command => command.includes('/api/investments'))!
  await run(command)
  expect((await run(command)).data.repeated).toBe(true)
})
