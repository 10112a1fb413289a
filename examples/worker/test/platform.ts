/**
 * The example as a test sees it: the Worker in workerd, on a database of its own with the whole data set.
 *
 *     const platform = await startPlatform()   // at the top of a test file; gone when the file is done
 *     const { status, body } = await platform.get('/api/pitches/1')
 *
 * The data set is made once for a run of all tests, as a template; each file's database is a copy.
 */
import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { bundleWorker, startWorker } from '@sluice/dev'
import pg from 'pg'
import { afterAll, inject } from 'vitest'
import { dataVersion, makeData } from '../data/index.ts'

/** The envelope, with `data` as the test knows it to be. */
export interface Reply {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test asserts what it is
  body: { success: boolean; data: any; message: string; errors?: { field: string; message: string }[] }
}

export interface Platform {
  url: string
  get(path: string, options?: { as?: number; headers?: Record<string, string> }): Promise<Reply>
  post(
    path: string,
    json: unknown,
    options?: { as?: number; key?: string; headers?: Record<string, string> },
  ): Promise<Reply>
  /** Anything else that fetch takes. */
  request(path: string, init: RequestInit): Promise<Reply>
  /** What the Worker wrote to its log. */
  log(): string
  // biome-ignore lint/suspicious/noExplicitAny: rows are what the test's SQL makes them
  sql(text: string, parameters?: unknown[]): Promise<any[]>
}

export interface PlatformOptions {
  /** Stands between Worker and database, on both routes: gets the database's URL, gives the one to use. */
  before?: (databaseUrl: string) => Promise<string>
}

export async function startPlatform({ before = async url => url }: PlatformOptions = {}): Promise<Platform> {
  const database = await platformDatabase()
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  // Dropping the database throws out who is idle.
  pool.on('error', () => {})
  const reached = await before(database.url)
  let log = ''
  const collect = (stream: Readable) =>
    stream.on('data', chunk => {
      log += chunk
    })
  const worker = await startWorker({
    script: await bundleWorker(fileURLToPath(new URL('../src/worker-production-db.ts', import.meta.url))),
    hyperdrives: { HYPERDRIVE: reached },
    bindings: { DATABASE_URL: reached },
    miniflare: {
      handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
        collect(stdout)
        collect(stderr)
      },
    },
  })
  afterAll(async () => {
    await worker.stop()
    await pool.end()
    await database.drop()
  })

  const request = async (path: string, init: RequestInit): Promise<Reply> => {
    const response = await fetch(`${worker.url}${path}`, init)
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Reply['body'],
    }
  }
  const from = (as?: number) => (as === undefined ? {} : { 'X-User-Id': `${as}` })
  return {
    url: worker.url,
    request,
    get: (path, { as, headers } = {}) => request(path, { headers: { ...from(as), ...headers } }),
    post: (path, json, { as, key, headers } = {}) =>
      request(path, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          ...from(as),
          ...(key !== undefined && { 'Idempotency-Key': key }),
          ...headers,
        },
        body: typeof json === 'string' ? json : JSON.stringify(json),
      }),
    log: () => log,
    sql: async (text, parameters) => (await pool.query(text, parameters)).rows,
  }
}

/** A database with the data set, dropped when its user is done with it. */
export async function platformDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const server = inject('postgresUrl')
  const template = `example_${dataVersion}`
  const name = `test_${randomUUID().replaceAll('-', '').slice(0, 16)}`
  const named = (database: string) => Object.assign(new URL(server), { pathname: database }).href
  await withClient(server, async admin => {
    // Files run at the same time: the first one makes the template, the others wait here. Copying needs the lock
    // too, because a template must have no other session.
    await admin.query(`select pg_advisory_lock(hashtext('example template'))`)
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [template])
    if (rowCount === 0) {
      await admin.query(`create database ${template}_unfinished`)
      await makeData(named(`${template}_unfinished`), () => {})
      await admin.query(`alter database ${template}_unfinished rename to ${template}`)
    }
    await admin.query(`create database ${name} template ${template} strategy file_copy`)
  })
  return {
    url: named(name),
    drop: () => withClient(server, admin => admin.query(`drop database ${name} with (force)`).then(() => {})),
  }
}

export async function withClient<T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' })
  await client.connect()
  try {
    return await fn(client)
  } finally {
    await client.end()
  }
}

/** `count` answers to the same question, all asked at once. */
export const atOnce = <T>(count: number, ask: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => ask(index)))

/** How often each value is there: `{ 201: 1, 200: 19 }`. */
export const tally = (values: (string | number)[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
