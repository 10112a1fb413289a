import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { LatestCatalogue } from './index.ts'

const database = await freshDatabase()
const refreshMs = 1_000
let client: pg.Client
beforeAll(async () => {
  client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
  await client.connect()
})
afterAll(() => client.end())

function latest() {
  const asked: string[] = []
  const lab = { changes: 0, roleSettings: 0, failing: false, asked }
  const catalogue = new LatestCatalogue({
    query: async sql => {
      asked.push(sql)
      if (lab.failing) throw new Error('no connection')
      const results = await client.query({ text: sql, rowMode: 'array' })
      return [results].flat().flatMap(({ rows }) => rows as (string | null)[][])
    },
    refreshMs: () => refreshMs,
    onChange: () => {
      lab.changes++
    },
    onRoleSettings: () => {
      lab.roleSettings++
    },
  })
  /** What it knows at this time, when it has asked what it had to. */
  const at = async (now: number) => {
    catalogue.get(now)
    catalogue.sweep(now)
    return vi.waitFor(() => catalogue.get(now) ?? Promise.reject(new Error('it is not known')))
  }
  return { catalogue, lab, at }
}

test('it is read when it is asked for, and known from then on', async () => {
  const { catalogue, lab, at } = latest()
  catalogue.sweep(0)
  expect(lab.asked).toEqual([])
  expect(catalogue.get(0)).toBeNull()
  const first = await at(0)
  expect(catalogue.get(500)).toBe(first)
  expect(lab.changes).toBe(0)
})

test('what is changed by anyone is noticed once the time has passed', async () => {
  const { catalogue, lab, at } = latest()
  const first = await at(0)
  await database.query('create table later (id int)')
  catalogue.sweep(900)
  expect(catalogue.get(900)).toBe(first)
  catalogue.sweep(1_000)
  await vi.waitFor(() => expect(lab.changes).toBe(1))
  expect(catalogue.get(1_000)!.relationNamed('public', 'later')).toBeDefined()
})

test('who asks every few seconds finds it known; who has gone is not waited for', async () => {
  const { catalogue, lab, at } = latest()
  const first = await at(0)
  const sweepTo = async (from: number, to: number) => {
    for (let now = from + refreshMs; now <= to; now += refreshMs) {
      catalogue.sweep(now)
      // Behind what was asked.
      await client.query('select 1')
    }
  }
  await sweepTo(0, 30_000)
  expect(catalogue.get(30_000)).toBe(first)
  await sweepTo(30_000, 120_000)
  const { length } = lab.asked
  await sweepTo(120_000, 130_000)
  expect(lab.asked).toHaveLength(length)
})

test('who has not asked for long does not hear what was known then', async () => {
  const { catalogue, lab, at } = latest()
  await at(0)
  await database.query('create table unseen (id int)')
  expect(catalogue.get(60_000)).toBeNull()
  expect((await at(60_000)).relationNamed('public', 'unseen')).toBeDefined()
  expect(lab.changes).toBe(1)
})

test('what was forgotten while it was being read is read again', async () => {
  const { catalogue, lab, at } = latest()
  expect(catalogue.get(0)).toBeNull()
  catalogue.forget()
  expect(lab.changes).toBe(1)
  await vi.waitFor(() => expect(lab.asked.length).toBeGreaterThan(10))
  await at(0)
  expect(lab.asked.filter(sql => sql === lab.asked[0]).length).toBe(2)
})

test('in doubt it is not heard, and counts on if it is the same', async () => {
  const { catalogue, lab, at } = latest()
  const first = await at(0)
  catalogue.doubt()
  expect(catalogue.get(1)).toBeNull()
  expect(catalogue.last).toBe(first)
  expect(await at(2)).toBe(first)
  expect(lab.changes).toBe(0)
  await database.query('create table doubted (id int)')
  catalogue.doubt()
  expect((await at(3)).relationNamed('public', 'doubted')).toBeDefined()
  expect(lab.changes).toBe(1)
})

test('what is doubted while it is being looked at is looked at again', async () => {
  const { catalogue, lab, at } = latest()
  await at(0)
  const before = lab.asked.length
  catalogue.sweep(1_000)
  catalogue.doubt()
  await at(1_001)
  expect(lab.asked.length).toBe(before + 2)
})

test('what a role or the database sets is told for the sake of connections, other changes are not', async () => {
  const { lab, at } = latest()
  await at(0)
  await database.query('create table plain (id int)')
  await at(10_000)
  expect(lab).toMatchObject({ changes: 1, roleSettings: 0 })
  await database.query(`do $$ begin
    execute format('alter database %I set extra_float_digits = 0', current_database()); end $$`)
  await at(20_000)
  expect(lab).toMatchObject({ changes: 2, roleSettings: 1 })
})

test('a change while it could not be asked for is one, too', async () => {
  const { catalogue, lab, at } = latest()
  await at(0)
  lab.failing = true
  catalogue.sweep(1_000)
  await vi.waitFor(() => expect(catalogue.get(1_000)).toBeNull())
  expect(catalogue.failure).toBe('no connection')
  await database.query('create table meanwhile (id int)')
  lab.failing = false
  await at(3_000)
  expect(catalogue.failure).toBeNull()
  expect(lab.changes).toBe(1)
})
