import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { freshDatabase } from '../../../../../test/support/postgres.ts'
import { type Catalogue, readCatalogue } from '../../catalogue/index.ts'
import { Parser } from '../parser.ts'
import { Analysis } from './analysis.ts'
import { Refused } from './refused.ts'
import { everyType, expressions, itsTypes, overloads } from './test/expressions.ts'
import { type Found, ParseAnalysis } from './test/parse-analysis.ts'

const numRuns = Number(process.env.SLUICE_EXPRESSIONS ?? 3_000)

const database = await freshDatabase()
let catalogue: Catalogue
let parser: Parser
let postgres: ParseAnalysis

beforeAll(async () => {
  await database.query(`${itsTypes}; ${everyType}; ${overloads}`)
  catalogue = await readCatalogue(query)
  parser = await Parser.load()
  postgres = await ParseAnalysis.connect(database.url)
})
afterAll(() => postgres[Symbol.asyncDispose]())

async function query(sql: string): Promise<(string | null)[][]> {
  const client = new pg.Client({ connectionString: database.url, types: { getTypeParser: () => String } })
  await client.connect()
  try {
    const results = await client.query({ text: sql, rowMode: 'array' })
    return [results].flat().at(-1)!.rows as (string | null)[][]
  } finally {
    await client.end()
  }
}

/** What the analysis finds: null if it does not know what is meant. */
function ours(sql: string, searchPath: readonly string[] = ['pg_catalog', 'public']): Found | string {
  const parse = (text: string) => parser.parse(text)
  const analysis = new Analysis(
    { catalogue, searchPath, role: 'postgres', defined: true },
    { stable: true, parse },
  )
  const functions = new Set<number>()
  // What it would refuse for its volatility is to be told from what it does not understand.
  vi.spyOn(analysis.judge, 'routine').mockImplementation(({ oid }) => void functions.add(oid))
  vi.spyOn(analysis.judge, 'input').mockReturnValue('plain')
  vi.spyOn(analysis.judge, 'prints').mockReturnValue(undefined)
  const [statement] = parse(sql) ?? []
  if (!statement?.stmt || !('SelectStmt' in statement.stmt)) return 'no SELECT'
  try {
    const columns = analysis
      .select(statement.stmt.SelectStmt, null)
      .map(({ value }) => analysis.settled(value).type)
    const { mentions, hidden } = analysis.findings
    return {
      types: columns,
      parameters: [...analysis.parameters].sort(([a], [b]) => a - b).map(([, type]) => type),
      functions,
      relations: new Set([...mentions.map(({ relation }) => relation.oid), ...hidden]),
    }
  } catch (error) {
    if (error instanceof Refused) return error.message
    throw error
  }
}

/** Whether PostgreSQL accepts it; then all that it finds is found. */
async function agrees(sql: string, searchPath?: readonly string[]): Promise<boolean> {
  const theirs = await postgres.of(sql, searchPath && { search_path: searchPath.join(', ') })
  if (!theirs) return false
  const found = ours(sql, searchPath)
  if (typeof found === 'string') return true
  expect(found.types).toEqual(theirs.types)
  expect(found.parameters).toEqual(theirs.parameters)
  expect([...theirs.functions].filter(oid => !found.functions.has(oid))).toEqual([])
  expect(found.relations).toEqual(theirs.relations)
  return true
}

test.each([{ searchPath: ['pg_catalog', 'public'] }, { searchPath: ['shadow', 'pg_catalog', 'public'] }])(
  'what PostgreSQL finds in an expression, the analysis finds too, or says that it does not understand: $searchPath',
  async ({ searchPath }) => {
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(expressions(), async expression => {
        if (await agrees(`select ${expression} from public.every`, searchPath)) accepted++
      }),
      { numRuns },
    )
    expect(accepted).toBeGreaterThan(100)
  },
)

test.each([
  'select * from every a join every b using (i4)',
  'select a.*, b.t as x from every a natural join (select i4, t from every) b',
  'select i4 from every union all select i8 from every union select 1.5',
  `select 'a' union select t from every`,
  `select d from every union select '2026-01-01'`,
  `values (1, 'a'), (2.5, null)`,
  'select * from (values (1, 2), (3, 4.5)) v (a, b)',
  `select x, y from (select 'a', null) s (x, y)`,
  'with w (a) as (select i4 from every) select a + 1 from w',
  'with recursive r as (select 1 as n union all select n + 1 from r where n < 9) select n, sum(n) over (order by n) from r group by n',
  'select every, every.t from every',
  'select (every).t, (every).* from every',
  'select count(every.*) from every',
  'select row_to_json(every), every.*::text from every',
  'select e.* from every, unnest(ai, at) with ordinality e (a, b, c)',
  'select * from every, json_each(j)',
  'select * from every, jsonb_to_recordset(jb) as x (a int, b text[])',
  'select key, value from every, jsonb_each(jb) order by key',
  'select g, i from generate_series(1, 3) g, generate_series(1::int8, g) i',
  'select * from rows from (generate_series(1, 3), unnest(array[1.5])) as r (a, b)',
  'select array_agg(distinct t order by t desc), sum(i2), sum(i4), sum(i8), avg(f4), max(ad), min(iv) from every',
  'select percentile_disc(0.5) within group (order by d), mode() within group (order by t) from every',
  'select rank(1) within group (order by i4) from every',
  'select first_value(t) over w, ntile(4) over w, lag(d, 1, $1) over w from every window w as (partition by b order by i4)',
  'select (select max(t) from every), array(select d from every), exists (select from every) from every',
  'select i4 from every where (i4, t) in (select i8, v from every) or (i4, t) = (1, $1) or (i4, t) < (2, $2)',
  'select i4 from every where t like $1 and v ilike $2 and i4 = any ($3) and n in ($4, $5) limit $6 offset $7',
  `select case t when $1 then 1 when 'b' then 2.5 end, coalesce($2, i4), nullif($3, d), greatest(i4, n) from every`,
  `select extract(epoch from ts), ts at time zone 'UTC', tstz at time zone $1, ts + $2, d - d, d - $3 from every`,
  'select distinct on (b) b, t from every order by b, t using ~<~',
  'select grouping(b, t), b, t from every group by grouping sets ((b, t), cube (b), ())',
  `select t collate "C", (t || 'x') collate "C" < $1 from every`,
  `select overlay(t placing 'x' from 2 for 3), trim(both 'x' from t), substring(t from 2), position('a' in t), normalize(t) from every`,
  `select make_interval(days => 3), make_interval(1, 2, days => i4) from every`,
  'select ai[1][2], ai[1:2][1], ai[1][null:1], (array[ad])[1][1], (md::text::text[])[1], jb[1][t] from every',
  'select 0x80000000, -0x80000000, 0b1, 0o777777777777777777777, 1_000, 2_147_483_648, -2147483648, 1e3, 0x7FFFFFFFFFFFFFFF, 1_0.5',
  'select * from every e, lateral (values (e.*, 1)) v',
  'select row(e.*, 1) = row(e.*, 2), (1, e.i4) in (values (1, 2)) from every e',
  `select row('a', 1)::pair`,
  'select k(mr, r), k(mr, null) from every',
  'select array[row(i4, t)] || row(i4, t), row(i4, t) in (row(1, $1), row(i8, t)), row(1, t) is distinct from row(i8, $2) from every',
  'select (i4, t) = (select i8, v from every limit 1), i4 = (select 1) from every',
  'select row(i4, t) = any (array[row(1, v::text)]) from every',
  'select (jb).a from (select jb from every) s, lateral (select (row(1, s.jb)).f1) l (a)',
])('what a whole statement means is found as PostgreSQL finds it: %s', async sql => {
  const theirs = await postgres.of(sql)
  if (!theirs) return expect(ours(sql)).toEqual(expect.any(String))
  expect(ours(sql)).toMatchObject({ types: theirs.types, relations: theirs.relations })
  await agrees(sql)
})

test('JSON constructors are of the types that PostgreSQL finds; they are judged as what prints their arguments', async () => {
  const sql = `select json_object('a': i4, 'b': t returning jsonb), json_array(i4, t), json_objectagg(t: i4),
    json_arrayagg(d order by d), json_array(1, jb), json_objectagg('a': jb) from every group by i4, t, jb`
  expect(ours(sql)).toMatchObject({ types: (await postgres.of(sql))?.types })
})
