/** docs/configuration.md and the schema say the same: every key, in the same order, with the same default. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { caching, configuration, database, hyperdrive, invalidation, origin, tls, user } from './schema.ts'
import type { TableShape } from './shape.ts'

const page = await readFile(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')

/** The first table below a heading, as `key default`. */
function documented(heading: string): string[] {
  const [, section = ''] = page.split(`\n${heading}\n`)
  const [first = ''] = section.split(/\n##/)
  return [...first.matchAll(/^\| `(\w+)` \|(.*?)\|/gm)].map(([, key, standard]) =>
    `${key}${standard}`.trimEnd(),
  )
}

const declared = ({ keys }: TableShape): string[] =>
  Object.entries(keys)
    // Tables have headings of their own.
    .filter(([, shape]) => shape.is === 'setting' || shape.is === 'text or table')
    .map(([key, shape]) =>
      shape.is === 'setting' && shape.standard !== undefined
        ? `${key} \`${JSON.stringify(shape.standard)}\``
        : key,
    )

test.each<[string, TableShape]>([
  ['## The top level', configuration],
  ['### `[tls]`', tls],
  ['## `[[hyperdrive]]`', hyperdrive],
  ['### `[hyperdrive.origin]`', origin],
  ['### `[[hyperdrive.database]]`', database],
  ['### `[[hyperdrive.user]]`', user],
  ['### `[hyperdrive.caching]`', caching],
  ['### `[hyperdrive.invalidation]`', invalidation],
])('%s', (heading, shape) => {
  expect(documented(heading)).toEqual(declared(shape))
})
