/** The packages as they are published, used from a project outside the repository. */
import { readFile } from 'node:fs/promises'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, expect, test } from 'vitest'
import { packages } from '../scripts/pack.ts'
import { bin, packPackages, root, run, tryRun } from './support/packed.ts'
import { freshDatabase } from './support/postgres.ts'

const packed = await packPackages()
afterAll(() => packed[Symbol.asyncDispose]())
const database = await freshDatabase()

test.each(packages)('publint finds nothing to say about @sluice/%s', async name => {
  const tarball = (await readFile(packed.tarballs[name])).buffer
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true })
  expect(messages.map(message => formatMessage(message, pkg))).toEqual([])
})

test.each(packages)('arethetypeswrong finds nothing wrong with @sluice/%s', async name => {
  // The packages are ESM only, on purpose: a second copy for require() would be a second DatabaseError class. The
  // profile leaves out what can't read ESM: require() in Node before 20.19, and TypeScript's `moduleResolution: node10`.
  const { output } = await run(bin('attw'), [packed.tarballs[name], '--profile', 'esm-only'], root)
  expect(output).toContain('🟢 (ESM)')
})

test('drizzle-orm must be installed beside @sluice/edge; drivers and hono need not be', async () => {
  const project = await packed.project({ installed: [], files: {} })
  const manifest = JSON.parse(await readFile(`${project}/node_modules/@sluice/edge/package.json`, 'utf8'))
  const { peerDependencies, peerDependenciesMeta: meta, dependencies, private: hidden } = manifest
  const isRequired = (name: string) => meta[name]?.optional !== true
  expect(Object.keys(peerDependencies).filter(isRequired)).toEqual(['drizzle-orm'])
  expect(Object.keys(meta).sort()).toEqual(['@neondatabase/serverless', 'hono', 'pg', 'postgres'])
  expect({ dependencies, hidden }).toEqual({ dependencies: { '@sluice/wire': '0.1.0' }, hidden: undefined })
})

const program = `
import { createDatabaseManager, DatabaseError, DatabaseManager, type Env } from '@sluice/edge'
import { handleHealth } from '@sluice/edge/health'
import { integer, pgTable } from 'drizzle-orm/pg-core'

const numbers = pgTable('numbers', { one: integer('one').notNull() })
const env: Env = { DATABASE_URL: process.argv[2]! }

const sql = DatabaseManager.getOptimalConnection(env)
await sql\`create table numbers (one int not null)\`
const db = DatabaseManager.getOptimalDrizzle(env, { schema: { numbers } })
await db.insert(numbers).values({ one: 1 })
const drizzle: { one: number }[] = await db.query.numbers.findMany()
const raw: { one: number }[] = await sql<{ one: number }>\`select one from numbers\`
const health = await handleHealth(new Request('http://localhost/api/health/ready'), env)
const missing: unknown = await createDatabaseManager({ driver: 'postgres' })
  .getConnection(env.DATABASE_URL)\`select 1\`
  .catch((error: unknown) => error instanceof DatabaseError && [error.reason, error.message])
DatabaseManager.close()
console.log(JSON.stringify({ drizzle, raw: [...raw], health: health?.status, missing }))
`
const withHono = `
import { Hono } from 'hono'
import { databaseManager, healthRoutes } from '@sluice/edge/hono'
import type { Env } from '@sluice/edge'
const app = new Hono<{ Bindings: Env }>()
app.use(databaseManager())
app.route('/', healthRoutes())
console.log((await app.request('/api/health')).status)
`
const tsconfig = (options: object) =>
  JSON.stringify({
    compilerOptions: {
      ...{ strict: true, target: 'ES2022', module: 'NodeNext', noEmit: true, types: ['node'] },
      ...options,
    },
  })

test('a program outside type-checks, and runs on Node with one driver and without hono', async () => {
  const project = await packed.project({
    installed: ['drizzle-orm', 'pg', '@types/node'],
    files: { 'program.ts': program, 'tsconfig.json': tsconfig({ skipLibCheck: true }) },
  })
  await run(process.execPath, [`${root}/node_modules/typescript/bin/tsc`], project)
  const { output } = await run(process.execPath, ['program.ts', database.url], project)
  expect(JSON.parse(output)).toEqual({
    drizzle: [{ one: 1 }],
    raw: [{ one: 1 }],
    health: 200,
    missing: ['driver-missing', expect.stringContaining('"postgres"')],
  })
})

test('with hono, its routes and its middleware work', async () => {
  const project = await packed.project({
    installed: ['drizzle-orm', 'hono', '@types/node'],
    files: { 'program.ts': withHono, 'tsconfig.json': tsconfig({ skipLibCheck: true }) },
  })
  await run(process.execPath, [`${root}/node_modules/typescript/bin/tsc`], project)
  expect((await run(process.execPath, ['program.ts'], project)).output).toBe('200\n')
})

test.each([
  ['the types of Node', { lib: ['ES2022'] }],
  ['the types of browsers', { lib: ['ES2022', 'DOM'], types: [], exactOptionalPropertyTypes: true }],
])('with skipLibCheck off and %s, no declaration of ours is wrong', async (_, options) => {
  const project = await packed.project({
    installed: ['drizzle-orm', 'hono', '@types/node'],
    files: {
      'all.ts': ['', '/health', '/hono'].map(path => `import '@sluice/edge${path}'\n`).join(''),
      'tsconfig.json': tsconfig({ skipLibCheck: false, ...options }),
    },
  })
  const { output } = await tryRun(process.execPath, [`${root}/node_modules/typescript/bin/tsc`], project)
  // Drizzle's declarations name databases that are not installed; they are why many projects skip this check.
  expect(output).toContain('drizzle-orm/')
  expect(output.split('\n').filter(line => line.includes('@sluice/'))).toEqual([])
})
