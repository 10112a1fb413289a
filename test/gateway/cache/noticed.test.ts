/**
 * Each statement of the table that is kept, through a gateway with the real stream: it is answered from the cache, somebody
 * else makes a change that matters to it, and it is answered as PostgreSQL answers it then.
 */
import { bind, describe as describes, execute, parse, query, sync } from '@sluice/wire'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { CachingLine } from '../../support/caching-line.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { type RawClient, rawClient } from '../../support/raw-client.ts'
import { schema } from './reads/schema.ts'
import { type Kept, statements } from './reads/statements.ts'

const database = await freshDatabase()
const reader = `reader_${database.name}`
const named = (sql: string) => sql.replaceAll("'reader'", `'${reader}'`)

/** Puts back what there was: everything is another change. */
let restore = ''
let line: CachingLine
/** Through the gateway, and directly: who owns all, and who may read. */
let clients: {
  readonly [by in 'gateway' | 'direct']: { readonly owner: RawClient; readonly reader: RawClient }
}

beforeAll(async () => {
  await database.query(`create role ${reader} login password 'pw'; ${named(schema)}`)
  const tables = await database.query<{ name: string; saved: string }>(`
    select oid::regclass::text as name, format('saved.%I', oid) as saved from pg_class
    where relkind = 'r' and relnamespace in ('public'::regnamespace, 'shadow'::regnamespace)`)
  await database.query('create schema saved')
  for (const { name, saved } of tables)
    await database.query(`create unlogged table ${saved} as select * from only ${name}`)
  restore = [
    'set session_replication_role = replica',
    `truncate ${tables.map(({ name }) => `only ${name}`).join(', ')}`,
    ...tables.map(({ name, saved }) => `insert into ${name} select * from ${saved}`),
  ].join('; ')
  line = await CachingLine.start(database.url)
  const url = new URL(database.url)
  ;[url.username, url.password] = [reader, 'pw']
  clients = {
    gateway: {
      owner: await line.connect(),
      reader: await line.connect(line.gateway.urlOf(reader, 'pw')),
    },
    direct: { owner: await rawClient(database.url), reader: await rawClient(url.href) },
  }
  await vi.waitFor(async () => {
    await clients.gateway.owner.query('select * from users')
    expect(line.reads.status.phase).toMatchObject({ at: 'running', quarantine: null })
  }, 20_000)
})
afterAll(async () => {
  for (const client of Object.values(clients.direct)) client.destroy()
  await line[Symbol.asyncDispose]()
  await database.query(`drop owned by ${reader}; drop role ${reader}`)
})
afterEach(() => database.query(restore))

async function become(
  client: RawClient,
  { searchPath, settings = {} }: NonNullable<Kept['as']>,
): Promise<void> {
  await client.query('reset all')
  if (searchPath !== undefined) await client.query(`set search_path = ${searchPath}`)
  for (const [name, value] of Object.entries(settings)) await client.query(`set ${name} = '${value}'`)
}

/** Rows in any order: without ORDER BY PostgreSQL may give them in another one. */
async function ask(client: RawClient, { sql, parameters }: Kept): Promise<string[]> {
  if (parameters)
    client.send(parse('', sql), bind('', '', ...parameters), describes('P', ''), execute(), sync())
  else client.send(query(sql))
  const heard = await client.ready()
  return heard.sort()
}

const outcome = async (client: RawClient) => (await client.query('show sluice.cache_status'))[1]!

/** No stream tells of all their changes. */
const untold = /\b(by_nothing|keyless|later|teams|totals)\b/

for (const [kind, list] of Object.entries(statements)) {
  const changing = list.flatMap(each => ('depends' in each && each.change !== null ? [each] : []))
  if (changing.length === 0) continue
  describe(kind, () => {
    test.each(changing)('$sql hears of: $change', async statement => {
      const { as = {}, change, depends } = statement
      const who = as.reader ? 'reader' : 'owner'
      const [client, direct] = [clients.gateway[who], clients.direct[who]]
      await Promise.all([become(client, as), become(direct, as)])
      const before = await ask(direct, statement)
      const status = untold.test(depends) ? /^D\(uncacheable: public\.\w+ (has|is) / : /^D\(hit: /
      await vi.waitFor(async () => {
        expect(await ask(client, statement)).toEqual(before)
        expect(await outcome(client)).toMatch(status)
      }, 20_000)
      await database.query(named(change!))
      const after = await ask(direct, statement)
      expect(after).not.toEqual(before)
      await vi.waitFor(async () => expect(await ask(client, statement)).toEqual(after), 20_000)
    })
  })
}
