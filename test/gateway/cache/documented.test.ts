/** What docs/caching.md says of statements is what is said of them. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startCachingGateway } from '../../support/caching-gateway.ts'
import type { TestGateway } from '../../support/gateway.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'

const page = await readFile(new URL('../../../docs/caching.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `([^`]+)` \| `(\w+)` \| (.+) \|$/gm)].map(([, sql, status, why]) => ({
  ...{ sql: sql!, status: status!, why: why! },
}))

const database = await freshDatabase()
await database.query(`
  create table films (id serial primary key, title text, genre text, made timestamptz);
  insert into films (title) select 'Film ' || n from generate_series(1, 9) n;
  create view recent as select * from films where id > 5;
  create table letters (id int primary key, tenant text);
  alter table letters enable row level security;
  create policy own on letters using (tenant = current_setting('app.tenant', true) or tenant = current_user);
  create table imports (line text);
  create unlogged table sessions (id int primary key);
  create materialized view totals as select count(*) from films;
  create function price(film int) returns int language sql as 'select 1'`)

let gateway: TestGateway
let client: RawClient
beforeAll(async () => {
  gateway = await startCachingGateway(database.url)
  client = await rawClient(gateway.url)
})
afterAll(async () => {
  client.destroy()
  await gateway.stop()
})

async function outcome(sql: string): Promise<string> {
  await client.query(sql)
  const [, row] = await client.query('show sluice.cache_status')
  return row!.slice(2, -1)
}

describe('a statement that is', () => {
  test.each(rows.filter(({ status }) => status === 'hit'))('cached: $sql', async ({ sql }) => {
    await vi.waitFor(async () => expect(await outcome(sql)).toMatch(/^hit: /), 20_000)
  })

  test.each(rows.filter(({ status }) => status !== 'hit'))(
    'not cached: $sql',
    async ({ sql, status, why }) => {
      await vi.waitFor(async () => expect(await outcome(sql)).toBe(`${status}: ${why}`), 20_000)
    },
  )

  test('in the page, of each kind', () => {
    const statuses = new Set(rows.map(({ status }) => status))
    expect([...statuses].sort()).toEqual(
      ['disabled', 'hit', 'multiplestatements', 'notaquery', 'parseerror', 'uncacheable', 'volatile'].sort(),
    )
  })
})
