import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { resolveSearchPath } from './index.ts'

const database = await freshDatabase()
const role = `Role ${database.name}`
let client: pg.Client
beforeAll(async () => {
  client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
  await client.connect()
  await client.query(`create role "${role}"; create schema "${role}"; create schema "A ""b"", c"; create schema closed;
    grant usage on schema "${role}", "A ""b"", c" to "${role}"`)
})
afterAll(async () => {
  await client.query(`drop owned by "${role}"; drop role "${role}"`)
  await client.end()
})

async function query(sql: string): Promise<(string | null)[][]> {
  const results = await client.query({ text: sql, rowMode: 'array' })
  return [results].flat().flatMap(({ rows }) => rows as (string | null)[][])
}

test.each([
  '"$user", public',
  '$user,PUBLIC',
  '"A ""b"", c", public, public',
  'public, pg_catalog',
  'closed, public',
  'nothere, public',
  '""',
  '',
  ' public ',
  'information_schema, pg_catalog, public',
])('%j comes to what PostgreSQL makes of it', async path => {
  const [, , row] = await query(
    `begin; select set_config('search_path', '${path}', true); set local role "${role}";
     select array_to_json(current_schemas(true)); `,
  ).then(rows => [null, null, rows.at(-1)!])
  await client.query('rollback')
  expect(await resolveSearchPath(query, path, role)).toEqual(JSON.parse(row![0]!))
})

test('the schema of temporary objects is named, so that nobody takes it for another', async () => {
  expect(await resolveSearchPath(query, 'pg_temp, public', role)).toEqual(['pg_catalog', 'pg_temp', 'public'])
})

test('what PostgreSQL refuses is no path', async () => {
  expect(await resolveSearchPath(query, '"a', role)).toBeNull()
  expect(await resolveSearchPath(query, 'a,', role)).toBeNull()
  expect(await resolveSearchPath(query, 'a b', role)).toBeNull()
})
