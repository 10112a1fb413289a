import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const entry = fileURLToPath(new URL('sluice.ts', import.meta.url))
const sluice = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...words], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('--version tells the version, and nothing else', () => {
  expect(sluice('--version')).toEqual({
    ...{ status: 0, stdout: expect.stringMatching(/^sluice \d+\.\d+\.\d+\n$/), stderr: '' },
  })
})

test('a command that there is not is wrong usage, and those that there are are told', () => {
  const { status, stdout, stderr } = sluice('server')
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(/^sluice: there is no command "server"\n/)
  expect(stderr).toMatch(/^ {2}serve +the gateway/m)
})
