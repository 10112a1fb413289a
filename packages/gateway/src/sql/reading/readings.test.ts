import pg from 'pg'
import { beforeAll, expect, test, vi } from 'vitest'
import { freshDatabase } from '../../../../../test/support/postgres.ts'
import { type Catalogue, readCatalogue } from '../../catalogue/index.ts'
import { Parser } from '../parser.ts'
import { Readings, readAs } from './index.ts'

const database = await freshDatabase()
let catalogue: Catalogue
let parser: Parser
let t: number

beforeAll(async () => {
  await database.query(`create table t (id int primary key, at timestamptz); create function of(int) returns int immutable
    language sql return $1; create function of(numeric) returns int volatile language sql return 1`)
  catalogue = await read()
  parser = await Parser.load()
  t = catalogue.relationNamed('public', 't')!.oid
})

async function read(): Promise<Catalogue> {
  const client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
  await client.connect()
  try {
    return await readCatalogue(async sql => {
      const results = await client.query({ text: sql, rowMode: 'array' })
      return [results].flat().flatMap(({ rows }) => rows as (string | null)[][])
    })
  } finally {
    await client.end()
  }
}

function line() {
  const parse = vi.fn((sql: string) => parser.parse(sql))
  const readings = new Readings({ parse, busy: false })
  const as = (more: object = {}) =>
    readAs({ catalogue, searchPath: ['pg_catalog', 'public'], role: 'r', stable: false, ...more })
  const verdictOn = (sql: string, context = as(), types: number[] = []) => {
    const bytes = new TextEncoder().encode(sql)
    return readings.verdictOn(bytes, 0, bytes.length, context, types)
  }
  return { readings, parse, as, verdictOn }
}

const none = () => null

test('texts that differ in their literals are read once, and each has its own row', () => {
  const { readings, parse, verdictOn } = line()
  for (const id of ['7', '08']) {
    verdictOn(`select * from t where id = '${id}'`)
    expect(readings.dependencies(none)).toEqual({
      tables: [],
      rows: [{ relation: t, key: [String(Number(id))] }],
    })
  }
  expect(parse).toHaveBeenCalledTimes(1)
})

test('a text of a new form is left unread if that is wished, and the next one is not', () => {
  const { readings, parse, as } = line()
  const bytes = new TextEncoder().encode('select * from t where id = 7')
  const verdicts = [1, 2].map(() => readings.verdictOn(bytes, 0, bytes.length, as(), [], false))
  expect(verdicts).toMatchObject([
    { status: 'uncacheable', why: expect.stringMatching(/next one/) },
    { cacheable: true },
  ])
  expect(parse).toHaveBeenCalledTimes(1)
})

test('a date that is one is kept, and "now" is not, in one form', () => {
  const { readings, verdictOn } = line()
  verdictOn(`select * from t where at > '2026-01-01'`)
  expect(readings.dependencies(none)).toEqual({ tables: [t], rows: [] })
  verdictOn(`select * from t where at > 'now'`)
  expect(readings.dependencies(none)).toMatchObject({ cacheable: false, status: 'volatile' })
})

test('a parameter that is a date may not say "now", except as bytes', () => {
  const { readings, verdictOn } = line()
  verdictOn('select * from t where at > $1')
  expect(readings.dependencies(() => ' Now ')).toMatchObject({ status: 'volatile' })
  expect(readings.dependencies(() => '2026-01-01')).toMatchObject({ tables: [t] })
  expect(readings.dependencies(() => new Uint8Array(8))).toMatchObject({ tables: [t] })
})

test('numbers of different types are not taken for each other', () => {
  const { verdictOn } = line()
  expect(verdictOn('select of(7)')).toMatchObject({ cacheable: true })
  expect(verdictOn('select of(7.5)')).toMatchObject({
    cacheable: false,
    why: expect.stringContaining('of() is volatile'),
  })
  expect(verdictOn('select of(8)')).toMatchObject({ cacheable: true })
})

test('declared types of parameters count', () => {
  const { verdictOn, as } = line()
  expect(verdictOn('select of($1)', as(), [23])).toMatchObject({ cacheable: true })
  expect(verdictOn('select of($1)', as(), [1700])).toMatchObject({ cacheable: false })
})

test('databases take turns, and what is known of the one outlives a question to the other', async () => {
  const { parse, as, verdictOn } = line()
  const other = await read()
  for (const id of [1, 2]) {
    verdictOn(`select * from t where id = ${id}`)
    verdictOn(`select * from t where id = ${id}`, as({ catalogue: other }))
  }
  expect(parse).toHaveBeenCalledTimes(2)
})

test('a verdict holds for its search_path, role and catalogue', async () => {
  const { parse, verdictOn, as } = line()
  const sql = 'select * from t'
  expect(verdictOn(sql)).toMatchObject({ cacheable: true })
  expect(verdictOn(sql, as({ searchPath: ['pg_catalog'] }))).toMatchObject({ cacheable: false })
  expect(verdictOn(sql, as({ searchPath: ['pg_temp_3', 'pg_catalog', 'public'] }))).toMatchObject({
    why: expect.stringContaining('temporary'),
  })
  verdictOn(sql, as({ role: 'other' }))
  expect(parse).toHaveBeenCalledTimes(4)
  verdictOn(sql, as({ catalogue: await read() }))
  expect(parse).toHaveBeenCalledTimes(5)
})

test('what is not read says why', () => {
  const { verdictOn, readings, as } = line()
  expect(verdictOn(`select '${'x'.repeat(20_000)}'`)).toMatchObject({ status: 'oversizedquery' })
  expect(verdictOn('selec')).toMatchObject({ status: 'parseerror' })
  const latin1 = Buffer.from(`select 'é'`, 'latin1')
  expect(readings.verdictOn(latin1, 0, latin1.length, as(), [])).toMatchObject({
    why: 'the text is not UTF-8',
  })
  // However it ends: by the parser's stack, by ours, or not at all.
  expect(verdictOn(`select ${'not '.repeat(3_500)}true`)).toHaveProperty('cacheable')
})
