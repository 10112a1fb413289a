import fc from 'fast-check'
import { loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, test } from 'vitest'
import { judge } from './judge.ts'
import { Needs, type StatementPlan, Touches } from './plan.ts'
import { Shape } from './shape.ts'
import { dressed, examples, statements } from './test/statements.ts'
import { judgeBlindly, judgeWords } from './words.ts'

beforeAll(() => loadModule())

const shape = new Shape(65_536)

function shapeOf(sql: string): string {
  const bytes = new TextEncoder().encode(sql)
  shape.read(bytes, 0, bytes.length)
  return Buffer.from(shape.bytes.subarray(0, shape.length)).toString()
}
const planOf = (sql: string) => judgeWords(shapeOf(sql), true)

const everything = Object.values(Touches).reduce((all, bit) => all | bit, 0) & ~Touches.lasting

describe('a text that was not parsed', () => {
  test.each([
    ['select a from t where b in (f(1), lower(c))', { touches: Touches.sequences, functions: ['f'] }],
    ['select a form t where b = coalesce(c, 1)', { touches: 0, functions: [], changesSchema: false }],
    ['select count(*), my.count(*), "Count"(*), pg_catalog.count(1)', { functions: ['my.count', 'Count'] }],
    [
      "insert into my.t (a, b) values ($1, $2), (now(), 'set_config(a); load')",
      { touches: Touches.sequences, functions: [] },
    ],
    ["select pg_advisory_lock(1), currval('s')", { touches: Touches.advisoryLock, needs: Needs.sequences }],
    ["select set_config('a.b', 'c', true)", { customSettings: ['a.b'], unknownSettings: false }],
    ["select set_config($1, 'c', true)", { customSettings: [], unknownSettings: true }],
    ['copy t (a) from stdin', { copiesIn: true, touches: Touches.sequences }],
    ['copy t to stdout', { copiesIn: false, touches: Touches.sequences }],
    ['create table t (a int)', { changesSchema: true, touches: Touches.temporary | Touches.sequences }],
    ['select 1 into t', { changesSchema: true, touches: Touches.temporary }],
    ['selct 1', { touches: everything, unknownSettings: true, changesSchema: true }],
    ['selected(1)', { touches: everything }],
    ["select 1; set x = 'y'", { touches: everything, unknownSettings: true }],
    ["load 'x", { touches: everything | Touches.lasting }],
    ['', { touches: 0, needs: 0 }],
  ] satisfies [string, Partial<StatementPlan>][])('%s is judged by its words', (sql, expected) => {
    expect(planOf(sql)).toMatchObject({ ...expected, statements: -1 })
  })

  test('is never said to do less than the parser says', () => {
    for (const sql of examples) expectCovered(sql)
    fc.assert(
      fc.property(statements, dressed, (statement, dress) => expectCovered(dress(statement))),
      { numRuns: 500 },
    )
  })
})

function expectCovered(sql: string): void {
  const words = planOf(sql)
  const parsed = judge(parseSync(sql).stmts ?? [])
  const missing = {
    sql,
    touches: parsed.touches & ~words.touches,
    needs: parsed.needs & ~words.needs,
    customSettings: words.unknownSettings
      ? []
      : parsed.customSettings.filter(name => !words.customSettings.includes(name)),
    unknownSettings: parsed.unknownSettings && !words.unknownSettings,
    copiesIn: parsed.copiesIn && !words.copiesIn,
    changesSchema: parsed.changesSchema && !words.changesSchema,
    functions: parsed.functions.filter(name => !words.functions.includes(name)),
  }
  expect(missing).toEqual({
    ...{ sql, touches: 0, needs: 0, customSettings: [], unknownSettings: false },
    ...{ copiesIn: false, changesSchema: false, functions: [] },
  })
}

describe('a text of which only the beginning is read', () => {
  test.each([
    ['insert into t values (1, $1), (2', false],
    ["insert into my.t (a, b) values (1, 'x'), (2, '", false],
    ['insert into t values (1, f(2)), (', true],
    ['insert into t values (1); select (', true],
    ['insert into t select ', true],
    ['select 1, 2', true],
  ])(
    'may do anything, and set parameters of unknown names if it is not plain rows: %s',
    (sql, unknownSettings) => {
      expect(judgeWords(shapeOf(sql), false)).toMatchObject({
        touches: everything,
        unknownSettings,
        statements: -1,
      })
    },
  )
})

test.each([
  ['select 1', false],
  ['begin; create table t ()', true],
  ['DO $$ $$', true],
])(
  'a text that can not be read may do anything; that it changes the schema is seen by a word: %s',
  (text, changesSchema) => {
    expect(judgeBlindly(text)).toMatchObject({ touches: everything, changesSchema, statements: -1 })
  },
)

test.each([
  ['parentheses', '('.repeat(250_000)],
  ['quotes', `select ${'"'.repeat(250_000)}(`],
  ['names', `select ${'a('.repeat(125_000)}`],
  ['one name', `${'a'.repeat(250_000)}(`],
  ['statements', 'a;'.repeat(125_000)],
  ['empty statements', ';'.repeat(250_000)],
])('many %s are no harm', (_, text) => {
  // What grows with the square of the length would run into the test's time limit.
  expect(judgeWords(text, true).statements).toBe(-1)
  expect(judgeWords(text, false).statements).toBe(-1)
})
