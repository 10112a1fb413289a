import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../test/support/postgres.ts'
import { Contexts } from './cache/contexts.ts'
import { makeCounters, Stamps } from './cache/stamps.ts'
import { CachedDatabase } from './cached-database.ts'
import { Values } from './origin/values.ts'
import { askingOf } from './session/asking.ts'
import { WriteSet } from './sql/writing/index.ts'
import { writesNothing } from './sql/writing.ts'

const server = await freshDatabase()
await server.query('create schema tenant; create table tenant.t (id int primary key)')
let client: pg.Client
beforeAll(async () => {
  client = new pg.Client({ connectionString: server.url, types: { getTypeParser: () => String } })
  await client.connect()
})
afterAll(() => client.end())

async function query(sql: string): Promise<(string | null)[][]> {
  const results = await client.query({ text: sql, rowMode: 'array' })
  return [results].flat().flatMap(({ rows }) => rows as (string | null)[][])
}

const { username: user } = new URL(server.url)
const asking = askingOf(
  user,
  Values.of([['search_path', 'nowhere, tenant']]),
  Values.of([['client_encoding', 'UTF8']]),
)
const late = 600_000
const patience = { timeout: 4_000 }

let database: CachedDatabase
let opaque: string[]
let now: number
beforeEach(async () => {
  opaque = []
  now = 0
  database = new CachedDatabase({
    ...{ origin: 'o', database: 'd', query, refreshMs: () => 1_000, stable: () => false },
    ...{ stamps: Stamps.of(makeCounters(), 1, 'd'), contexts: new Contexts() },
    onOpaque: (_, cause) => opaque.push(cause),
    onRoleSettings: () => {},
  })
  await untilKnown()
})

const untilKnown = () => expect.poll(() => database.contextOf(asking, now), patience).not.toBeNull()
const names = (mayDoubt = true) => database.namesOf(asking, now, mayDoubt)

/** A transaction that was judged in these names. */
function judged({ ddl = false } = {}): WriteSet {
  const set = new WriteSet()
  set.judgedBy(names()!.catalogue)
  set.add({ ...writesNothing, ddl }, { tables: [], rows: [], inserts: [] })
  return set
}

describe('the names in which a client writes', () => {
  test('are of all schemas of its path until it is known which of them are there', async () => {
    const wants = Values.of([['search_path', 'gone, "$user", tenant']])
    const asked = askingOf(user, wants, Values.of([['client_encoding', 'UTF8']]))
    expect(database.namesOf(asked, now, false)).toMatchObject({
      searchPath: ['pg_catalog', 'gone', user, 'tenant'],
      maySkip: true,
    })
    await expect
      .poll(() => database.namesOf(asked, now, false), patience)
      .toMatchObject({ searchPath: ['pg_catalog', 'tenant'] })
    expect(database.namesOf(asked, now, false)).not.toHaveProperty('maySkip')
  })

  test('are those of the last catalogue while it is in doubt, unless others answer meanwhile', () => {
    const before = names()
    now = late
    expect(database.contextOf(asking, now)).toBeNull()
    expect(names()).toMatchObject({ catalogue: before?.catalogue, maySkip: true })
    expect(names(false)).toBeNull()
  })

  test('are not known behind DDL', () => {
    database.forgetSchema()
    expect(names()).toBeNull()
  })
})

describe('a commit that was judged by a catalogue', () => {
  test('is what it was found to be if that one is the last still, in doubt or not', async () => {
    database.commit(judged())
    now = late
    const set = judged()
    database.commit(set)
    await untilKnown()
    database.commit(set)
    expect(opaque).toEqual([])
  })

  test('is opaque if names mean something else by then, even if it seemed to read only', async () => {
    const [before, during] = [judged(), judged()]
    await server.query('create table tenant.newer (id int primary key)')
    now = late
    before.judgedBy(names()!.catalogue)
    await untilKnown()
    during.judgedBy(names()!.catalogue)
    for (const set of [before, during]) database.commit(set)
    expect(opaque).toEqual(Array(2).fill('what names mean has changed while its transaction ran'))
  })

  test('is not if it has changed them itself: all that was kept has ended', () => {
    const set = judged({ ddl: true })
    for (const _ of ['told', 'over']) database.commit(set)
    expect(opaque).toEqual([])
  })
})
