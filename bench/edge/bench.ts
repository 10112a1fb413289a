/**
 * DatabaseManager beside the bare driver, on a one-row read by primary key.
 *
 * On Node: a warm node-postgres Pool, and Drizzle on it. In workerd: a new node-postgres Client for each request, as
 * Cloudflare's documentation has it, against the same through DatabaseManager, over HTTP.
 */
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { bundleWorker, startPostgres, startWorker } from '@sluice/dev'
import { createDatabaseManager } from '@sluice/edge'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { type Compared, compare, table } from '../compare.ts'
import { items } from './schema.ts'

const rows = 10_000

export async function benchEdge(): Promise<void> {
  const postgres = await startPostgres({ settings: { fsync: 'off' } })
  try {
    await fill(postgres.url)
    const results = [...(await onNode(postgres.url)), ...(await inWorkerd(postgres.url))]
    console.log(
      `Node ${process.versions.node}, PostgreSQL 18 and workerd on one machine of ${cpus().length} cores\n`,
    )
    console.log(table(results))
  } finally {
    await postgres.stop()
  }
}

async function fill(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(
    `create table items (id int primary key, title text not null, price numeric(10, 2) not null)`,
  )
  await client.query(`insert into items select i, 'item ' || i, i / 7.0 from generate_series(1, ${rows}) i`)
  await client.query('analyze items')
  await client.end()
}

const someId = () => 1 + Math.floor(Math.random() * rows)

async function onNode(url: string): Promise<Compared[]> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  const manager = createDatabaseManager({ maxConnections: 10 })
  const sql = manager.getConnection(url)
  const bareDrizzle = drizzle(pool)
  const db = manager.getDrizzle(url)
  try {
    const readSql = {
      name: 'Node, sql',
      bare: () => pool.query('select id, title, price from items where id = $1', [someId()]),
      ours: () => sql`select id, title, price from items where id = ${someId()}`.execute(),
    }
    const readDrizzle = {
      name: 'Node, Drizzle',
      bare: () => bareDrizzle.select().from(items).where(eq(items.id, someId())),
      ours: () => db.select().from(items).where(eq(items.id, someId())),
    }
    const results: Compared[] = []
    for (const at of [1, 10]) {
      for (const each of [readSql, readDrizzle]) {
        results.push(
          await compare({ ...each, name: `${each.name}, ${at} at a time` }, { pairs: 30, runs: 1_000, at }),
        )
      }
    }
    return results
  } finally {
    await pool.end()
    manager.close()
  }
}

async function inWorkerd(url: string): Promise<Compared[]> {
  await using worker = await startWorker({
    script: await bundleWorker(fileURLToPath(new URL('./worker.ts', import.meta.url))),
    hyperdrives: { HYPERDRIVE: url },
    bindings: { DATABASE_URL: url },
  })
  const get = async (path: string) => {
    const response = await fetch(`${worker.url}${path}?id=${someId()}`)
    const body = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${body}`)
  }
  const read = (name: string, bare: string, ours: string) =>
    compare(
      { name: `workerd, ${name}, 4 at a time`, bare: () => get(bare), ours: () => get(ours) },
      { pairs: 20, runs: 200, at: 4 },
    )
  return [await read('sql', '/bare', '/ours'), await read('Drizzle', '/bare-drizzle', '/ours-drizzle')]
}
