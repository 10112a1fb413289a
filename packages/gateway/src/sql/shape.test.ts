import fc from 'fast-check'
import { fingerprintSync, loadModule, parseSync } from 'libpg-query'
import { beforeAll, describe, expect, test } from 'vitest'
import { freshDatabase } from '../../../../test/support/postgres.ts'
import { repeated } from './folded-output.ts'
import { judge } from './judge.ts'
import { Shape } from './shape.ts'
import { dressed, statements, undressed } from './test/statements.ts'

const database = await freshDatabase()
beforeAll(() => loadModule())

const shape = new Shape(16_384)

function read(sql: string | Uint8Array, escapes = false): Shape {
  const bytes = typeof sql === 'string' ? new TextEncoder().encode(sql) : sql
  shape.read(bytes, 0, bytes.length, escapes)
  return shape
}

/** The shape with ¹ for `repeated`, b for bits and n for N'…'. */
function shapeOf(sql: string): string {
  const { bytes, length } = read(sql)
  return Buffer.from(bytes.subarray(0, length))
    .toString('utf8')
    .replaceAll(String.fromCharCode(repeated), '¹')
    .replaceAll('\x02', '²')
    .replaceAll('\x03', '³')
}

describe('the shape', () => {
  test.each([
    ['SELECT  A FROM\n\tT', 'select a from t'],
    ['select a, b , ( c ) ;', 'select a,b,(c);'],
    ['select a=b, a = b', 'select a=b,a = b'],
    ['select "A b""c" . D', 'select "A b""c" . d'],
    ['select ÄÖ, é', 'select ÄÖ,é'],
    ['select $1, $23::int', 'select $1,$23::int'],
    ['select a$1$x, b', 'select a$1$x,b'],
    ['', ''],
    ['  -- nothing', ''],

    // Comments
    ['select /* a /* b */ c */ 1 -- d\n+ 2', 'select 0 + 0'],
    ['select 1 -/* x */- 2', 'select 0 - - 0'],
    ['select 1 +-- x', 'select 0 +'],
    ['/* only */ select 1 /* end */', 'select 0'],

    // Numbers
    [
      'select 1, 1.5, .5, 5., 1e10, 1.5E-7, 0xFf, 0o17, 0b1, 1_000.5_0',
      `select ${Array(10).fill('0').join(',')}`,
    ],
    ['select -1', 'select -0'],
    ['select 1::int', 'select 0::int'],
    ['select a[1:2]', 'select a[0:0]'],
    ['select 1from t', 'select 0from t'],

    // Strings
    [
      "select 'a', 'it''s', '', E'a\\'b', e'\\\\', U&'\\0041', u&'a'",
      `select ${Array(7).fill("'").join(',')}`,
    ],
    ['select $$a$$, $t$ $$ $x$ $t$, $é$é$é$', "select ',','"],
    ["select B'01', x'ff', N'x', n'y'", 'select ²,²,³,³'],
    ["select 'a'\n 'b'", "select '"],
    ["select E'a'\n'b\\'c'", "select '"],
    ["select 'a' 'b'", "select ' '"],
    ["select 'a' /* \n */ 'b'", "select ' '"],
    ["select 'a' b", "select ' b"],
    ["select re'x'", "select re'"],
    ["select a.e'x'", "select a.'"],
    ["select interval '1 day', date'x'", "select interval ',date'"],

    // Lists
    ['select a in (1, 2, 3)', 'select a in(0¹)'],
    ['select a IN(1,2)', 'select a in(0¹)'],
    ['select a in (1)', 'select a in(0)'],
    ["select a in ('a', 'b', 1, 2, 'c')", "select a in('¹,0¹,')"],
    ['select a in ($1, $2)', 'select a in($1,$2)'],
    ['select a in (1, b, 2, 3)', 'select a in(0,b,0,0)'],
    ["select a in (b'1', 'a', n'b')", "select a in(²,',³)"],
    ['select array[1,2,3], f(1,2)', 'select array[0¹],f(0,0)'],
    ['select "in"(1, 2), xin (1, 2)', 'select "in"(0,0),xin(0,0)'],

    // Rows
    ["insert into t values (1,'a'), (2, 'b') ,(3,'c')", "insert into t values(0,')¹"],
    ['insert into t values (1,now()),(2,now())', 'insert into t values(0,now())¹'],
    ["insert into t values (1,2),('a',2),('b',3)", "insert into t values(0,0),(',0)¹"],
    ['insert into t values ($1,$2),($3,$4)', 'insert into t values($1,$2),($3,$4)'],
    ['values ((1)),((2)); values (1),(2)', 'values((0))¹;values(0)¹'],
    ['select * from (values (1),(2)) v, f((1),(2))', 'select * from(values(0)¹)v,f((0),(0))'],
    ['select (a, b) in ((1, 2), (3, 4)), f((1), (2))', 'select(a,b)in((0,0)¹),f((0),(0))'],
    ['select f(a in ((1), (2)), (3), (4)), (5)', 'select f(a in((0)¹),(0),(0)),(0)'],
    ['select array[(values (1))], (2); values (1); , (1)', 'select array[(values(0))],(0);values(0);,(0)'],
    ['values (1, (values (2),(3)))', 'values(0,(values(0),(0)))'],

    // Names of parameters
    ["select set_config('a.b', 'c', true)", "select set_config('a.b',',true)"],
    ["select Set_Config ( E'a' /* x */, 'c', true)", "select set_config(E'a',',true)"],
    ['select pg_catalog."set_config"($$a$$, \'c\', true)', 'select pg_catalog."set_config"($$a$$,\',true)'],
    ["select set_config($1, 'c', true)", "select set_config($1,',true)"],
  ])('of %s is %s', (sql, expected) => {
    expect(shapeOf(sql)).toBe(expected)
    expect(shape).toMatchObject({ shareable: true, unterminated: false, ambiguous: false, tooLong: false })
  })

  test.each([
    'select U&"a\\0062"',
    'select u&"a" UESCAPE \'!\'',
    "select set_config(('a'), 'b', true)",
    "select set_config(lower('A'), 'b', true)",
    "select set_config(setting_name => 'a', new_value => 'b', is_local => true)",
    "select set_config(text 'a', 'b', true)",
    'select 1 \0',
  ])('of %s may stand for texts of another plan', sql => {
    expect(read(sql).shareable).toBe(false)
  })

  test.each([
    "select 'a",
    "select 'a''",
    "select E'a\\'",
    'select "a',
    'select /* /* */',
    'select $a$ $b$',
    "select b'0",
  ])('of %s has no end', sql => {
    expect(read(sql)).toMatchObject({ unterminated: true, shareable: false })
  })

  test.each([
    ["select 'a\\', 'b'", true],
    ["select 'a\\''b'", true],
    ["select 'c:\\x'", false],
    ["select 'a\\\\'", false],
    ["select 'a\\\\\\'", true],
    ["select E'a\\'b'", false],
    ["select N'a\\'", true],
    ["select $$\\'$$", false],
    ["select U&'\\'", false],
    ['select "\\\'"', false],
  ])('of %s depends on standard_conforming_strings: %s', (sql, depends) => {
    expect(read(sql).ambiguous).toBe(depends)
  })

  test('is made as with standard_conforming_strings off, if asked to', () => {
    const sql = "select 'a\\', '||f()--'"
    expect(shapeOf(sql)).toBe("select ','")
    read(sql, true)
    expect(Buffer.from(shape.bytes.subarray(0, shape.length)).toString()).toBe("select '||f()")
    expect(read("select 'a\\', 'b'", true).unterminated).toBe(true)
  })

  test('has its limit', () => {
    expect(read(`select ${'a'.repeat(16_384 - 7)}`)).toMatchObject({ tooLong: false, length: 16_384 })
    expect(read(`select ${'a'.repeat(16_384 - 6)}`)).toMatchObject({ tooLong: true, length: 16_384 })
    expect(read(`insert into t values ${"(1, 'a long text'),".repeat(5_000)} (2, 'b')`)).toMatchObject({
      tooLong: false,
      length: 26,
    })
  })

  test('is found in the midst of other bytes', () => {
    const bytes = new TextEncoder().encode("'$$/* select 1'--")
    shape.read(bytes, 6, 14)
    expect(Buffer.from(shape.bytes.subarray(0, shape.length)).toString()).toBe('select 0')
  })
})

describe('texts of one shape', () => {
  test('have one structure and one plan, whatever their literals, comments, white space and case', () => {
    fc.assert(
      fc.property(statements, dressed, dressed, (statement, one, another) => {
        const [a, b] = [one(statement), another(statement)]
        expect(shapeOf(b)).toBe(shapeOf(a))
        expect(structureOf(b)).toBe(structureOf(a))
        expect(planOf(b)).toEqual(planOf(a))
      }),
      { numRuns: 500 },
    )
  })

  test('have one structure and one plan, however they were found', () => {
    const known = new Map<string, { sql: string; structure: string; plan: unknown }>()
    let met = 0
    fc.assert(
      fc.property(undressed, sql => {
        const key = shapeOf(sql)
        if (!shape.shareable || shape.ambiguous) return
        const plan = planIfSql(sql)
        if (!plan) return
        const structure = structureOf(sql)
        const before = known.get(key)
        if (!before) known.set(key, { sql, structure, plan })
        else if (before.sql !== sql) {
          met++
          expect({ sql, structure }).toEqual({ sql, structure: before.structure })
          expect({ sql, plan }).toEqual({ sql, plan: before.plan })
        }
      }),
      { numRuns: 20_000 },
    )
    expect(met).toBeGreaterThan(100)
  })
})

test.each([
  ["select 'a'\n'b'", 'ab'],
  ["select 'a' -- it's\n -- so\r 'b'", 'ab'],
  ["select E'a'\f\n'b\\'c'", "ab'c"],
  ["select U&'\\0061'\n'\\0062'", 'ab'],
  ["select $1$ 'a' $1$, 'b'", null],
  ["select 'a' 'b'", null],
  ["select 'a' /* \n */ 'b'", null],
])('PostgreSQL reads %j as %j', async (sql, value) => {
  const answer = await database.query(sql).then(
    ([row]) => Object.values(row)[0],
    () => null,
  )
  expect(answer).toBe(value)
  if (value !== null) expect(shapeOf(sql)).toBe("select '")
})

test('any bytes have a shape, no longer than they are', () => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  const sqlBytes = fc
    .array(fc.constantFrom(...`'"$\\-/*eEuU&bxn(),;[]. \n01ainvalues\0\xff`), { maxLength: 60 })
    .map(parts => Buffer.from(parts.join(''), 'latin1'))
  fc.assert(
    fc.property(fc.oneof(bytes, sqlBytes), fc.boolean(), (text, escapes) => {
      expect(read(text, escapes).length).toBeLessThanOrEqual(text.length)
    }),
    { numRuns: 5_000 },
  )
})

/** A fingerprint leaves out literals, as a shape does, but for those that are options: COPY's delimiter, the code of DO. */
const structureOf = (sql: string) => (/^(?:copy|do)/i.test(sql) ? 'options' : fingerprintSync(sql))

const planOf = (sql: string) => judge(parseSync(sql).stmts ?? [])

function planIfSql(sql: string) {
  try {
    return planOf(sql)
  } catch {
    return null
  }
}
