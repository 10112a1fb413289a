/**
 * What the library adds to a Worker, beside its driver and Drizzle: how much, and nothing that only Node has.
 *
 * The budgets are what is met, with little room. Whoever raises one says in the commit what for; what gets much
 * smaller lowers its budget, so that it stays so. A quarter of the bytes are sentences, most of them the causes and
 * remedies of errors.
 */
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { root } from './support/packed.ts'

const roomBytes = 3_000

const besides = ['pg', 'postgres', '@neondatabase/serverless', 'drizzle-orm', 'hono']

async function bundled(entry: string): Promise<{ code: Uint8Array; imports: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, 'packages/edge/src', entry)],
    ...{ bundle: true, minify: true, format: 'esm', platform: 'browser', write: false, metafile: true },
    conditions: ['workerd', 'worker', 'browser'],
    external: [...besides, ...builtinModules, 'node:*'],
  })
  const [output] = Object.values(metafile.outputs)
  return { code: outputFiles[0]!.contents, imports: output!.imports.map(({ path }) => path) }
}

test.each([
  { entry: 'index.ts', minified: 67_300, gzipped: 25_800 },
  { entry: 'health/index.ts', minified: 73_500, gzipped: 28_250 },
  { entry: 'hono.ts', minified: 73_800, gzipped: 28_400 },
])('$entry stays within $minified bytes minified, $gzipped gzipped', async budget => {
  const { code } = await bundled(budget.entry)
  const [minified, gzipped] = [code.length, gzipSync(code, { level: 9 }).length]
  console.log(`@sluice/edge ${budget.entry}: ${minified} bytes minified, ${gzipped} gzipped`)
  expect(minified).toBeLessThanOrEqual(budget.minified)
  expect(gzipped).toBeLessThanOrEqual(budget.gzipped)
  expect(minified, 'lower the budget').toBeGreaterThan(budget.minified - roomBytes)
})

test('the bundle for workerd imports drivers, Drizzle and hono, and no module of Node', async () => {
  const { imports } = await bundled('hono.ts')
  expect(imports).toContain('pg')
  const known = (path: string) => besides.some(name => path === name || path.startsWith(`${name}/`))
  expect(imports.filter(path => !known(path))).toEqual([])
})
