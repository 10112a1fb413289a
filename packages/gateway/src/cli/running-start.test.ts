import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { devFile, runningStart } from './running-start.ts'

const folder = await mkdtemp(join(tmpdir(), 'sluice-dev-'))
afterAll(() => rm(folder, { recursive: true }))

test('the Worker’s URL is read from what npm start has written', async () => {
  const file = join(folder, 'dev.json')
  await writeFile(file, JSON.stringify({ worker: 'http://127.0.0.1:8787', database: 'postgres://…' }))
  expect(await runningStart(file)).toBe('http://127.0.0.1:8787')
  await writeFile(file, '{}')
  expect(await runningStart(file)).toBe(null)
  await writeFile(file, JSON.stringify({ worker: 'nowhere' }))
  expect(await runningStart(file)).toBe(null)
})

test('without the file, none runs', async () => {
  expect(await runningStart(join(folder, 'none.json'))).toBe(null)
})

test('it is the file of this clone', () => {
  const root = fileURLToPath(new URL('../../../..', import.meta.url))
  expect(relative(root, devFile)).toBe('.sluice/dev.json')
})
