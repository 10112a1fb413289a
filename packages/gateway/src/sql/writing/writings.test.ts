import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Catalogue, type CatalogueRows, type Relation } from '../../catalogue/index.ts'
import { Parser } from '../parser.ts'
import { Plans } from '../plans.ts'
import { dressed, statements, undressed } from '../test/statements.ts'
import { type Written, writesNothing } from '../writing.ts'
import { type WriteAs, Writings } from './writings.ts'
import type { WrittenValues } from './written.ts'

let plans: Plans
let writings: Writings
beforeAll(async () => {
  plans = await Plans.load()
  writings = new Writings(await Parser.load())
})

const int4 = 23
const text = 25
const uuid = 2950

/** A table whose first column is its primary key. */
function tableOf(
  oid: number,
  name: string,
  keyType: number,
  schema = 'public',
  [key, other] = ['id', 'n'],
): Relation {
  const column = { typmod: -1, collation: 0, notNull: true, generated: null }
  return {
    ...{ oid, schema, name, kind: 'r', persistence: 'p', owner: 10, rowType: 0 },
    columns: [
      { ...column, name: key!, number: 1, type: keyType },
      { ...column, name: other!, number: 2, type: int4 },
    ],
    ...{ primaryKey: [key!], replicaIdentity: 'd', identity: [key!], rowSecurity: false },
    ...{ rowSecurityForced: false, policies: [], parents: [], children: [], view: null, refresh: null },
    ...{ triggers: [], rules: [], calls: [] },
  }
}

const nothing: CatalogueRows = {
  ...{
    fingerprint: { schema: '', roleSettings: '' },
    relations: [],
    systemRelations: [],
    foreignKeys: [],
    routines: [],
  },
  ...{ aggregates: new Map(), operators: [], casts: [], types: [], roles: [], schemas: new Map() },
  ...{ nondeterministicCollations: new Set(), calledAnywhere: [] },
}

const numbers = tableOf(20_001, 't', int4)
const others = tableOf(20_002, 't', int4, 'other')
const words = tableOf(20_003, 'words', text)
const ids = tableOf(20_004, 'ids', uuid)
const types = Object.entries({ int4, int8: 20, date: 1082, text, varchar: 1043, uuid }).map(
  ([name, oid]) => ({
    ...{ oid, schema: 'pg_catalog', name, kind: 'b', category: '', preferred: false, element: 0, array: 0 },
    ...{
      base: 0,
      relation: 0,
      input: 0,
      output: 0,
      collation: 0,
      subtype: 0,
      counterpart: 0,
      checks: [],
      fields: [],
    },
  }),
)
const catalogue = new Catalogue({ ...nothing, types, relations: [numbers, others, words, ids] })

const inPublic: WriteAs = { catalogue, searchPath: ['pg_catalog', 'public'], key: 'public' }
const inOther: WriteAs = { catalogue, searchPath: ['pg_catalog', 'other'], key: 'other' }

const none: WrittenValues = { literal: () => null, parameter: () => null, parameterType: () => 0 }

function ask(sql: string | Uint8Array, as: WriteAs = inPublic, own: Writings = writings) {
  const bytes = typeof sql === 'string' ? new TextEncoder().encode(sql) : sql
  const writes = own.writesOf(plans.planOf(bytes, 0, bytes.length), bytes, 0, bytes.length, as)
  return {
    writes,
    with: (values: Partial<WrittenValues> = {}) =>
      own.writtenBy(writes, bytes, 0, bytes.length, { ...none, ...values }),
  }
}

describe('a verdict is found again', () => {
  test('by other literals, parameters and ways to write the text', () => {
    const { writes } = ask('update t set n = 1 where n = 2')
    expect(ask('UPDATE t SET n = 3  WHERE n = 4 -- four').writes).toBe(writes)
  })

  test('with the keys of this very text', () => {
    const first = ask('delete from t where id = 7')
    const second = ask('delete from t where id =  8')
    expect(first.with().rows).toEqual([{ relation: numbers.oid, key: ['7'] }])
    expect(second.with().rows).toEqual([{ relation: numbers.oid, key: ['8'] }])
    expect(first.with().rows).toEqual([{ relation: numbers.oid, key: ['7'] }])
  })

  test('with its keys where they stand, however long a list before them is', () => {
    expect(ask('delete from t where n in (1, 2) and id = 3').with().rows[0]?.key).toEqual(['3'])
    expect(ask('delete from t where n in (1, 2, 3, 4) and id = 5').with().rows[0]?.key).toEqual(['5'])
  })

  test('where databases take turns, too', () => {
    const inAnother = { ...inPublic, catalogue: new Catalogue({ ...nothing, types, relations: [others] }) }
    for (const sql of ['update t set n = 0', 'delete from t where id = 7']) {
      const { writes } = ask(sql)
      ask(sql, inAnother)
      expect(ask(sql).writes).toBe(writes)
    }
  })

  test('not on another search_path, nor for another catalogue', () => {
    const tables = (as: WriteAs) => ask('update t set n = 0', as).writes.tables
    expect(tables(inPublic)).toEqual([numbers.oid])
    expect(tables(inOther)).toEqual([others.oid])
    expect(tables({ ...inPublic, catalogue: new Catalogue(nothing) })).toEqual([])
    expect(tables(inPublic)).toEqual([numbers.oid])
  })
})

describe('on a path of which some schemas may be no part', () => {
  const inAny: WriteAs = {
    catalogue,
    searchPath: ['pg_catalog', 'gone', 'other', 'public'],
    maySkip: true,
    key: 'any',
  }
  test.each([
    ['update t set n = 0', { tables: [others.oid, numbers.oid] }],
    ['insert into t select 1', { inserts: [others.oid, numbers.oid] }],
    ['update words set n = 0', { tables: [words.oid] }],
    ['update other.t set n = 0', { tables: [others.oid] }],
    ['truncate t', { tables: [others.oid, numbers.oid] }],
    ['drop table t', { ddl: true }],
    ['update nowhere set n = 0', { opaque: '"nowhere" is not known' }],
  ])('%s: its name means what it does in any of them', (sql, writes) => {
    expect(ask(sql, inAny).writes).toEqual({ ...writesNothing, ...writes })
  })

  test('a row is one of any of them', () => {
    expect(ask('delete from t where id = 7', inAny).with().rows).toEqual(
      [others, numbers].map(({ oid }) => ({ relation: oid, key: ['7'] })),
    )
  })
})

describe('a text that is not parsed', () => {
  const list = Array.from({ length: 5_000 }, (_, n) => n)

  test('is known by its shape if it is too long', () => {
    expect(ask(`insert into t values ${list.map(n => `(${n}, ${n})`).join(', ')}`).writes).toMatchObject({
      inserts: [numbers.oid],
      opaque: null,
      commits: false,
    })
    expect(ask(`select * from t where id in (${list.join(', ')})`).writes).toMatchObject({ opaque: null })
    expect(ask(`delete from t where id in (${list.join(', ')}); delete from words`).writes).toMatchObject({
      tables: [numbers.oid, words.oid],
    })
  })

  test.each([
    ['is refused by the grammar', 'delete from t where'],
    ['has no short shape', `insert into t values (${list.map(n => `$${n}`).join(' + ')})`],
    ['is longer than is read', `select '${'x'.repeat(300_000)}'`],
    ['may not mean what it seems to', "update t set n = '\\' where id = 1 -- '"],
  ])('is opaque if it %s', (_, sql) => {
    expect(ask(sql).writes).toMatchObject({ opaque: expect.any(String), commits: true })
  })

  test('is opaque if its names are in an encoding that is not known', () => {
    expect(ask(Buffer.from('delete from "f\xfcr"', 'latin1')).writes.opaque).not.toBeNull()
  })
})

test('any text has a verdict, the same when it is asked for again', () => {
  const texts = fc.oneof(
    fc.tuple(statements, dressed).map(([pattern, dress]) => dress(pattern)),
    undressed,
  )
  fc.assert(
    fc.property(texts, text => {
      expect(ask(text).writes).toEqual(ask(text).writes)
      expect(ask(text).with().tables).toBeInstanceOf(Array)
    }),
    { numRuns: 500 },
  )
})

test('what is kept of one text says no less of another one of its shape', async () => {
  const t = tableOf(20_005, 't', int4, 'public', ['a', 'b'])
  const as = { ...inPublic, catalogue: new Catalogue({ ...nothing, relations: [t] }) }
  const more = fc.constantFrom(
    'update t set b = # where a = #',
    'update t set b = ? where b in ( #* ) and a = #',
    'delete from t where a = # and b = any( array[ #* ] )',
    'insert into t ( a , b ) values ( # , ? )',
    'insert into t ( a , b ) values ^',
    'insert into t values ^ on conflict ( a ) do update set b = ?',
  )
  const parser = await Parser.load()
  fc.assert(
    fc.property(fc.oneof(statements, more), dressed, dressed, (pattern, one, another) => {
      const kept = new Writings(parser)
      ask(one(pattern), as, kept)
      const text = another(pattern)
      const [{ opaque }, said] = [ask(text, as, kept).writes, ask(text, as, kept).with()]
      const [alone, is] = [
        ask(text, as, new Writings(parser)).writes,
        ask(text, as, new Writings(parser)).with(),
      ]
      const names = ({ relation, key }: Written['rows'][number]) => `${relation} ${key}`
      expect(opaque !== null).toBe(alone.opaque !== null)
      expect(said.tables).toEqual(expect.arrayContaining([...is.tables]))
      expect([...said.tables, ...said.inserts]).toEqual(expect.arrayContaining([...is.inserts]))
      if (said.tables.length === 0 && said.inserts.length === 0)
        expect(said.rows.map(names)).toEqual(expect.arrayContaining(is.rows.map(names)))
    }),
    { numRuns: 1_000 },
  )
})

describe('the key of a row is what PostgreSQL makes of a parameter', () => {
  const binary = (...bytes: number[]) => new Uint8Array(bytes)
  const id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
  const cases: [table: string, type: number, value: string | Uint8Array | null, key: string | null][] = [
    ['t', 0, ' 07 ', '7'],
    ['t', 20, '7', '7'],
    ['t', 1700, '7.0', '7'],
    ['t', 1700, '7.5', null],
    ['t', 0, binary(0, 0, 0, 7), '7'],
    ['t', 21, binary(0, 7), '7'],
    ['t', 701, binary(0x40, 0x1c, 0, 0, 0, 0, 0, 0), null],
    ['t', 0, 'x', null],
    ['t', 0, null, null],
    ['words', 0, 'Ab ', 'Ab '],
    ['words', 1042, 'Ab ', null],
    ['words', 25, binary(0x41), 'A'],
    ['ids', 0, `{${id.toUpperCase()}}`, id],
    ['ids', 2950, Buffer.from(id.replaceAll('-', ''), 'hex'), id],
  ]
  test.each(cases)('%s, type %s: %j → %s', (table, type, value, key) => {
    const { oid } = catalogue.relationNamed('public', table)!
    const written = ask(`delete from ${table} where id = $1`).with({
      parameter: () => value,
      parameterType: () => type,
    })
    expect(written).toEqual({
      tables: key === null ? [oid] : [],
      rows: key === null ? [] : [{ relation: oid, key: [key] }],
      inserts: [],
    })
  })

  test.each([
    ["delete from t where id = '07'::int", 0, null, '7'],
    ['delete from t where id = 7.0::pg_catalog.int8', 0, null, '7'],
    ['delete from t where id = $1::integer', 0, ' 7', '7'],
    ['delete from t where id = $1::int', 25, '7', null],
    ['delete from t where id = $1::date', 0, '7', null],
    ["delete from words where id = 'a'::varchar(3)", 0, null, null],
    ["delete from words where id = 'a'::varchar", 0, null, 'a'],
    ['insert into ids values ($1::uuid, 1)', 0, id, id],
    ['delete from ids where id = $1::uuid::uuid', 0, id, null],
  ])('cast to another type: %s, %s: %j → %s', (sql, type, value, key) => {
    const { rows } = ask(sql).with({ parameter: () => value, parameterType: () => type })
    expect(rows.map(row => row.key)).toEqual(key === null ? [] : [[key]])
  })

  test('unless it stands in a second place, which may give it another type', () => {
    expect(ask('update t set n = $1 where id = $1').writes.tables).toEqual([numbers.oid])
  })
})

describe('what is set for the transaction', () => {
  const binary = (text: string) => new TextEncoder().encode(text)
  const config = (...args: string[]) => `select set_config(${args.join(', ')})`
  const path = (value: string) => [['search_path', value]]

  function setBy(sql: string, parameters: (string | Uint8Array | null)[] = [], type = 0) {
    const bytes = new TextEncoder().encode(sql)
    const { movesNames } = ask(sql).writes
    if (typeof movesNames !== 'object' || movesNames === null) return movesNames
    const values = { parameter: (n: number) => parameters[n - 1] ?? null, parameterType: () => type }
    return writings.setBy(movesNames, bytes, 0, bytes.length, values)
  }

  test.each([
    ['set local search_path = tenant, "B c"', path('"tenant", "B c"')],
    [`set local search_path to 'a, b', 'it''s'`, path('"a, b", "it\'s"')],
    [`set local search_path = ''`, path('""')],
    ['set local role editor', [['role', 'editor']]],
    [`set local role 'Editor'`, [['role', 'Editor']]],
    [config(`'search_path'`, `'a, "B"'`, 'true'), path('a, "B"')],
    [config(`'Search_Path'`, `'a'::text`, 'true'), path('a')],
    ["begin; set local role a; select set_config('app.x', 'y', true)", 'opaque'],
    ["select set_config('app.x', 'y', true); set local role a", [['role', 'a']]],
    ["select set_config('app.x', 'role', true), set_config('role', 'x', true)", [['role', 'x']]],
    ["set local statement_timeout = 0; select set_config('app.x', 'y', true)", null],
    ['rollback', 'back'],
    ['rollback to s', 'back'],
    ['commit and chain', 'back'],
    ['release s', null],
    ['set local search_path to default', 'unknown'],
    ['set local search_path = 1', 'unknown'],
    ['set local session authorization a', 'unknown'],
    ['set search_path = a', 'unknown'],
    ['reset role', 'unknown'],
    ['reset all', 'unknown'],
    ['discard all', 'unknown'],
    ['set local role a; rollback', 'unknown'],
    [config(`'role'`, `'a'`, 'false'), 'unknown'],
    [config(`'role'`, `'a' || 'b'`, 'true'), 'unknown'],
    [config(`'role'`, 'null', 'true'), 'unknown'],
    [config(`'role'`, `'a\\b'`, 'true'), 'unknown'],
    [config(`'ro' || 'le'`, `'a'`, 'true'), 'unknown'],
    [config(`'role_'::varchar(4)`, `'a'`, 'true'), 'unknown'],
    [`${config(`'role'`, `'a'`, 'true')} where false`, 'unknown'],
    [`${config(`'role'`, `'a'`, 'true')}, 1`, 'unknown'],
    [`select case when true then set_config('role', 'a', true) end`, 'unknown'],
    [`explain ${config(`'role'`, `'a'`, 'true')}`, null],
    [`explain analyze ${config(`'role'`, `'a'`, 'true')}`, 'unknown'],
  ])('%s → %j', (sql, expected) => {
    if (expected === 'opaque') expect(ask(sql).writes.opaque).not.toBeNull()
    else expect(setBy(sql)).toEqual(expected)
  })

  test.each<[type: number, value: string | Uint8Array | null, expected: object | string]>([
    [0, 'a, "B"', path('a, "B"')],
    [text, binary('größe'), path('größe')],
    [1043, 'a', path('a')],
    [int4, '07', 'unknown'],
    [1042, 'a ', 'unknown'],
    [0, null, 'unknown'],
  ])('by a parameter of type %s: %j → %j', (type, value, expected) => {
    expect(setBy(config(`'search_path'`, '$1', 'true'), [value], type)).toEqual(expected)
  })

  test('by parameters that say which', () => {
    const sql = 'select set_config($1, $2, true), set_config($3, $4, true)'
    expect(setBy(sql, ['app.x', 'y', 'ROLE', 'a'])).toEqual([['role', 'a']])
    expect(setBy(sql, ['app.x', 'y', null, 'a'])).toBe('unknown')
  })

  test('is of this very text, whichever was read before', () => {
    for (const value of ['a', 'b', 'a']) {
      expect(setBy(`set local search_path = '${value}'`)).toEqual(path(`"${value}"`))
      expect(setBy(`set local search_path = E'${value}'`)).toEqual(path(`"${value}"`))
      expect(setBy(config(`'search_path'`, `$$${value}$$`, 'true'))).toEqual(path(value))
      expect(setBy(`${config(`'app.x'`, `'${value}'`, 'true')}; set local role 'r'`)).toEqual([['role', 'r']])
      expect(setBy(`${config(`'search_path'`, `'${value}'`, 'true')}; set local role 'r'`)).toEqual([
        ['search_path', value],
        ['role', 'r'],
      ])
    }
  })

  test('is not known of a text that is known by its shape only', () => {
    const list = Array.from({ length: 5_000 }, (_, n) => `'${n}'`)
    expect(setBy(`set local search_path = ${list.join(', ')}`)).toBe('unknown')
  })
})
