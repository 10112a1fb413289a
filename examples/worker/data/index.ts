/**
 * Fills a PostgreSQL database with the pitch platform's tables and rows, the same ones each time.
 *
 * All of it is one transaction: a database holds the whole data set or none of it, also when the process is
 * killed half-way or two start at once. Tables of an earlier run are dropped first. A table of the same name
 * that this file did not make is left alone, and the run ends with an error that names it.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { makeRows, type Row } from './rows.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')

const schema = read('schema.sql')

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .sort()

/** Another string whenever the schema or a row may be another: compare it to know whether to make the data anew. */
export const dataVersion: string = createHash('sha256')
  .update([schema, ...sources.map(read)].join('\0'))
  .digest('hex')
  .slice(0, 12)

const seed = 20_260_630
const rowsPerStatement = 5_000
const tables = [...schema.matchAll(/^create table (\w+)/gm)].map(([, name]) => name!)
const types = [...schema.matchAll(/^create type (\w+)/gm)].map(([, name]) => name!)

/** How this file knows its own tables and types again. */
const mark = 'Sluice example data'

/**
 * Makes the tables in schema `public` and fills them.
 *
 * `onProgress` hears how many rows of how many are in, at the beginning and after each few thousand.
 * Takes some seconds, most of them PostgreSQL's.
 */
export async function makeData(
  connectionString: string,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(`begin; set local search_path = public; set local client_min_messages = warning`)
    await client.query(`select pg_advisory_xact_lock(hashtext($1))`, [mark])
    await dropEarlier(client)
    await client.query(schema)
    for (const name of tables) await client.query(`comment on table ${name} is '${mark}'`)
    for (const name of types) await client.query(`comment on type ${name} is '${mark}'`)
    const all = makeRows(seed)
    const total = all.reduce((sum, { rows }) => sum + rows.length, 0)
    let done = 0
    onProgress(done, total)
    for (const { name, rows } of all) {
      for (let from = 0; from < rows.length; from += rowsPerStatement) {
        const batch = rows.slice(from, from + rowsPerStatement)
        await insert(client, name, batch)
        done += batch.length
        onProgress(done, total)
      }
      if ('id' in rows[0]!) {
        await client.query(`select setval(pg_get_serial_sequence($1, 'id'), $2)`, [name, rows.length])
      }
    }
    await client.query('commit')
    // Outside the transaction, for the visibility map; without it the first index-only scans read the heap.
    await client.query(`vacuum analyze ${tables.map(name => `public.${name}`).join(', ')}`)
  } finally {
    // Ends the transaction too, where an error came before its COMMIT.
    await client.end()
  }
}

async function dropEarlier(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ kind: 'table' | 'type'; name: string; ours: boolean }>(
    `select 'table' as kind, relname as name, coalesce(obj_description(oid, 'pg_class') = $1, false) as ours
       from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') and relname = any($2)
     union all
     select 'type', typname, coalesce(obj_description(oid, 'pg_type') = $1, false)
       from pg_type where typnamespace = 'public'::regnamespace and typtype <> 'c' and typname = any($3)`,
    [mark, tables, types],
  )
  const foreign = rows.filter(({ ours }) => !ours).map(({ name }) => name)
  if (foreign.length > 0) {
    throw new Error(
      `the database already has ${foreign.join(', ')} in schema public, and they are not from this data set: use an empty database`,
    )
  }
  const named = (kind: 'table' | 'type') => rows.filter(row => row.kind === kind).map(({ name }) => name)
  if (named('table').length > 0) await client.query(`drop table ${named('table').join(', ')}`)
  if (named('type').length > 0) await client.query(`drop type ${named('type').join(', ')}`)
}

/** One parameter for all rows: arrays and jsonb go in as they are, and the statement stays the same. */
async function insert(client: pg.Client, table: string, rows: Row[]): Promise<void> {
  const columns = Object.keys(rows[0]!).join(', ')
  await client.query(
    `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, $1)`,
    [JSON.stringify(rows)],
  )
}
