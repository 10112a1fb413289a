/**
 * Keeps the pages honest: links lead somewhere, calls exist, examples compile, and the complete ones run.
 *
 * What a block of TypeScript is, its fence says:
 *
 *     ```ts          a piece: compiled inside a function that has `sql`, `db`, `env` and the like (`around` below)
 *     ```ts sql      a piece that needs `sql` alone: run too, as `ts run` is
 *     ```ts run      a module for Node, Bun and Deno: compiled, and run on Node with DATABASE_URL set
 *     ```ts worker   a Worker: compiled, bundled and started in workerd, where `/` and the health page must answer
 *
 * They run against the tables that a newcomer has: the example's.
 */
import { execFile } from 'node:child_process'
import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createDatabaseManager } from '@sluice/edge'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from './support/postgres.ts'
import { runWorker } from './support/worker.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))

const notOurs = ['**/node_modules', '**/dist', '**/.sluice', '**/.wrangler']

/** All pages of the repository, by their paths from the root. */
const pages = new Map<string, string>()
for await (const path of glob('**/*.md', { cwd: root, exclude: notOurs }))
  pages.set(path, await readFile(join(root, path), 'utf8'))

const guides = [...pages].filter(([path]) => path.startsWith('docs/'))

const fences = /^```(.*)\n([\s\S]*?)^```$/gm

/** Headings as GitHub makes anchors of them. */
const anchorsOf = (page: string) =>
  [...page.replace(fences, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )

describe.each([...pages])('%s', (path, page) => {
  const links = [...page.replace(fences, '').matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
  const inside = links.filter(link => !/^[a-z]+:/.test(link))

  test.runIf(inside.length > 0)('links to what is there', async () => {
    const broken: string[] = []
    for (const link of inside) {
      const [file, anchor] = link.split('#') as [string, string?]
      const target = file === '' ? path : relative(root, join(root, dirname(path), file))
      const text = pages.get(target) ?? (await readFile(join(root, target), 'utf8').catch(isFolder))
      if (text === undefined) broken.push(link)
      else if (anchor && target.endsWith('.md') && !anchorsOf(text).includes(anchor)) broken.push(link)
    }
    expect(broken).toEqual([])
  })
})

const isFolder = (error: NodeJS.ErrnoException) => (error.code === 'EISDIR' ? '' : undefined)

test('the guide’s calls are in the guides, and each call in them exists', () => {
  const manager = createDatabaseManager() as unknown as Record<string, unknown>
  const named = guides.flatMap(([, page]) => [...page.matchAll(/\b(?:DatabaseManager|manager)\.(\w+)\(/g)])
  const calls = new Set(named.map(([, call]) => call!))
  expect([...calls].filter(call => typeof manager[call] !== 'function')).toEqual([])
  expect([...calls]).toEqual(
    expect.arrayContaining([
      'getConnection',
      'getDrizzle',
      'executeQuery',
      'getOptimalConnection',
      'getOptimalDrizzle',
      'executeOptimalQuery',
      'getConnectionInfo',
      'checkConfig',
      'run',
    ]),
  )
})

test('no page shows an installation from a registry that has not got the packages', () => {
  const shown = [...pages].filter(([, page]) =>
    /npm (?:install|i|add) (?:-\S+ )*@sluice\/|npx sluice/.test(page),
  )
  expect(shown.map(([path]) => path)).toEqual([])
})

interface Example {
  /** Page and line, as one would open it. */
  place: string
  kind: 'piece' | 'sql' | 'run' | 'worker'
  code: string
  file: string
}

const kinds: Record<string, Example['kind']> = {
  ts: 'piece',
  'ts sql': 'sql',
  'ts run': 'run',
  'ts worker': 'worker',
}

const folder = join(root, '.sluice', 'docs-examples')

const examples = [...pages].flatMap(([path, page]) =>
  [...page.matchAll(fences)]
    .filter(([, info]) => /^ts\b/.test(info!))
    .map(([, info, code], at): Example => {
      const place = `${path}:${page.slice(0, page.indexOf(code!)).split('\n').length}`
      const kind = kinds[info!]
      if (kind === undefined) throw new Error(`${place}: a fence that says "${info}"`)
      return { place, kind, code: code!, file: join(folder, `${path.replace(/\W+/g, '-')}-${at}.ts`) }
    }),
)

/** What a piece finds around it; its own declarations go before. */
const around = `
import { createDatabaseManager, DatabaseError, DatabaseManager, type Env, type QueryFunction, type Sql } from '@sluice/edge'
import type { Server } from 'node:http'
import type pg from 'pg'
declare const env: Env, sql: Sql, queryFn: QueryFunction<unknown>, pool: pg.Pool, server: Server
export const piece = async () => {`

const aroundSql = `
import { DatabaseManager } from '@sluice/edge'
const sql = DatabaseManager.getConnection(process.env.DATABASE_URL!)`

/** As `wrangler types` gives it to somebody who has no .dev.vars yet. */
const generatedEnv = `
declare module 'cloudflare:workers' {
  export const env: { HYPERDRIVE: { readonly connectionString: string; readonly host: string } }
}`

function moduleOf({ kind, code }: Example): string {
  if (kind === 'piece') return `${around}\n${code.replace(/^import .+\n/gm, '')}}\n`
  return kind === 'sql' ? `${aroundSql}\n${code}` : code
}

describe('the examples', () => {
  beforeAll(async () => {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    for (const example of examples) await writeFile(example.file, moduleOf(example))
    await writeFile(join(folder, 'cloudflare.d.ts'), generatedEnv)
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions: {
          // A user's: pieces leave variables unused.
          ...{ noUnusedLocals: false, module: 'ESNext', moduleResolution: 'Bundler' },
          typeRoots: [join(root, 'node_modules/@types')],
        },
        include: ['*.ts'],
        exclude: [],
      }),
    )
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('compile against the packages', async () => {
    expect(examples.length).toBeGreaterThan(10)
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await run(process.execPath, [tsc, '-p', folder], { cwd: folder }).catch(
      failed => failed,
    )
    const said = examples.reduce(
      (text, { file, place }) => text.replaceAll(relative(folder, file), place),
      stdout,
    )
    expect(said).toBe('')
  })

  describe('run', async () => {
    const database = await freshDatabase()
    beforeAll(async () => {
      await database.query(await readFile(join(root, 'examples/worker/data/schema.sql'), 'utf8'))
      await database.query(`
        insert into users (email, username, password_hash, user_type, first_name, last_name)
          values ('ada@example.com', 'ada', '', 'creator', 'Ada', 'Lovelace');
        insert into pitches (user_id, title, logline, genre, format)
          select 1, 'Pitch ' || n, 'One of five.', 'Drama', 'Film' from generate_series(1, 5) n`)
    })

    test.each(examples.filter(({ kind }) => kind === 'run' || kind === 'sql'))(
      '$place on Node',
      async ({ file }) => {
        const env = { ...process.env, DATABASE_URL: database.url }
        const { stderr } = await run(process.execPath, [file], { cwd: root, env, timeout: 30_000 })
        expect(stderr).toBe('')
      },
    )

    test.each(examples.filter(({ kind }) => kind === 'worker'))('$place in workerd', async ({ file }) => {
      await using worker = await runWorker(file, {
        hyperdrives: { HYPERDRIVE: database.url },
        bindings: { DATABASE_URL: database.url, HEALTH_TOKEN: 'a token of the test' },
      })
      const [first, health] = await Promise.all([worker.fetch('/'), worker.fetch('/api/health/ready')])
      const said = await first.text()
      expect([first.status, health.status], said).toEqual([200, 200])
      expect(said.length).toBeGreaterThan(0)
    })
  })
})
