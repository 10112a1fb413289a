import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { banner, examplePaths } from './banner.ts'
import { SUPERUSER } from './cluster.ts'

/** As it is on a machine where nothing is in the way: the usual ports, and a password as long as ours are. */
const usual = {
  worker: 'http://127.0.0.1:8787',
  gateway: `postgres://${SUPERUSER}:${'f'.repeat(18)}@127.0.0.1:6432/sluice`,
  database: `postgres://${SUPERUSER}:${'f'.repeat(18)}@127.0.0.1:5433/sluice`,
  dataFolder: resolve('.sluice/postgres-18'),
  readyMs: 2_140,
  paths: examplePaths,
  notes: [],
}

test('README.md shows the banner as it is printed, but for the password', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const shown = /^```\n( {2}Sluice is running[\s\S]*?)^```$/m.exec(readme)?.[1]
  expect(shown).toBe(
    banner({
      ...usual,
      gateway: usual.gateway.replace(/f+/, '…'),
      database: usual.database.replace(/f+/, '…'),
    }).replace(/^\n/, ''),
  )
})

test('nothing wraps in 80 columns, a long note neither', () => {
  const note =
    'PostgreSQL runs as "nobody", with its data below /var/tmp/sluice-0, because "nobody" can\'t reach /root'
  const printed = banner({ ...usual, notes: [note] })
  expect(printed.split('\n').filter(line => line.length > 80)).toEqual([])
  expect(printed.replace(/\s+/g, ' ')).toContain(`Note ${note}`)
})
