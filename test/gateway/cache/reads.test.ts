/**
 * What the answers of statements depend on, against PostgreSQL itself. For each one that is kept: a change that somebody
 * makes changes the answer, and all that it touched is among the dependencies; and with everything else gone from the
 * database, the answer is what it was.
 */
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Catalogue, firstUserOid, readCatalogue } from '../../../packages/gateway/src/catalogue/index.ts'
import { Parser } from '../../../packages/gateway/src/sql/parser.ts'
import { Readings, readAs } from '../../../packages/gateway/src/sql/reading/index.ts'
import { ParseAnalysis } from '../../../packages/gateway/src/sql/reading/test/parse-analysis.ts'
import type { Dependencies, Verdict } from '../../../packages/gateway/src/sql/reading.ts'
import { freshDatabase } from '../../support/postgres.ts'
import { schema } from './reads/schema.ts'
import { type As, type Kept, type NotKept, statements } from './reads/statements.ts'

const database = await freshDatabase()
const reader = `reader_${database.name}`
const text = { types: { getTypeParser: () => String } } as const
let client: pg.Client
let postgres: ParseAnalysis
let catalogue: Catalogue
let readings: Readings

beforeAll(async () => {
  client = new pg.Client({ connectionString: database.url, ...text })
  await client.connect()
  await client.query(named(schema))
  await client.query(`create role ${reader}`)
  catalogue = await readCatalogue(async sql => {
    const results = await client.query({ text: sql, rowMode: 'array' })
    return [results].flat().flatMap(({ rows }) => rows)
  })
  readings = new Readings(await Parser.load())
  postgres = await ParseAnalysis.connect(database.url)
})
afterAll(async () => {
  await postgres[Symbol.asyncDispose]()
  await client.query(`drop owned by ${reader}; drop role ${reader}`)
  await client.end()
})

const isKept = (statement: Kept | NotKept): statement is Kept => 'depends' in statement
const isNotKept = (statement: Kept | NotKept): statement is NotKept => 'refused' in statement
/** Roles belong to the server, so ours has a name of its own. */
const named = (sql: string) => sql.replaceAll("'reader'", `'${reader}'`)

for (const [kind, list] of Object.entries(statements))
  describe(kind, () => {
    test.each(list.filter(isKept))('$sql depends on "$depends"', async statement => {
      const { sql, parameters = [], change, as = {} } = statement
      const verdict = await verdictOn(sql, as)
      const depends = dependencies(parameters)
      expect(written(verdict, depends)).toEqual(words(statement.depends))

      const found = await postgres.of(sql, settingsOf(as))
      const relations = [...depends.tables, ...depends.rows.map(({ relation }) => relation)]
      expect(relations).toEqual(expect.arrayContaining([...found!.relations]))
      if (!statement.depends.includes('?')) expect(volatile(found!.functions)).toEqual([])

      const before = await undone(() => answer(statement))
      if (change !== null) {
        const { after, touched } = await undone(async () => {
          const contents = await allRows()
          await client.query(named(change))
          return { touched: changes(contents, await allRows()), after: await answer(statement) }
        })
        expect(after).not.toEqual(before)
        expect(touched.some(row => covers(depends, row))).toBe(true)
      }
      // By its age alone, then.
      if (verdict.cacheable && verdict.unseen.length > 0) return
      const alone = await undone(async () => {
        await removeAllBut(depends)
        return answer(statement)
      })
      expect(alone).toEqual(before)
    })
    test.each(list.filter(isNotKept))(
      '$sql is not kept: $refused',
      async ({ sql, parameters = [], refused, why, as = {} }) => {
        await verdictOn(sql, as)
        expect(readings.dependencies(number => parameters[number - 1] ?? null)).toEqual({
          cacheable: false,
          status: refused,
          why: expect.stringMatching(why),
        })
      },
    )
  })

test('a statement whose words are shuffled is read, or refused for a reason of its own', async () => {
  const words = Object.values(statements).flatMap(list =>
    list.flatMap(({ sql }) => sql.split(/(?<=[\s(),])/)),
  )
  const context = readAs({ catalogue, searchPath: ['pg_catalog', 'public'], role: reader, stable: true })
  const own = fc.constantFrom(...Object.values(statements).flatMap(list => list.map(({ sql }) => sql)))
  fc.assert(
    fc.property(own, fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(2)), { maxLength: 3 }), (sql, changes) => {
      const parts = sql.split(/(?<=[\s(),])/)
      for (const [at, word, removed] of changes)
        parts.splice(at % (parts.length + 1), removed, words[word % words.length]!)
      const bytes = new TextEncoder().encode(parts.join(''))
      const verdict = readings.verdictOn(bytes, 0, bytes.length, context, [])
      expect(verdict.cacheable ? '' : verdict.why).not.toContain('mistake')
    }),
    { numRuns: 3_000 },
  )
})

async function verdictOn(sql: string, as: As): Promise<Verdict> {
  const { searchPath, role } = await undone(async () => {
    await become(as)
    const { rows } = await client.query('select to_json(current_schemas(true)) as path, current_user as role')
    return { searchPath: JSON.parse(rows[0].path), role: rows[0].role }
  })
  const bytes = new TextEncoder().encode(sql)
  const context = readAs({ catalogue, searchPath, role, stable: as.stable === true })
  return readings.verdictOn(bytes, 0, bytes.length, context, [])
}

function dependencies(parameters: readonly (string | null)[]): Dependencies {
  const depends = readings.dependencies(number => parameters[number - 1] ?? null)
  if ('cacheable' in depends) throw new Error(depends.why)
  return depends
}

/** `posts users(7) @app.tenant` */
function written(verdict: Verdict, { tables, rows }: Dependencies): string[] {
  const { settings, unseen } = verdict.cacheable ? verdict : { settings: [], unseen: [] }
  return [
    ...tables.map(nameOf),
    ...rows.map(({ relation, key }) => `${nameOf(relation)}(${key.join(',')})`),
    ...settings.map(name => `@${name}`),
    ...unseen.map(() => '?'),
  ].sort()
}

const words = (depends: string): string[] =>
  depends
    .split(' ')
    .filter(word => word !== '')
    .sort()

function nameOf(oid: number): string {
  const { schema, name } = catalogue.relation(oid)!
  return schema === 'public' ? name : `${schema}.${name}`
}

const settingsOf = ({ searchPath, reader: isReader, settings = {} }: As): Record<string, string> => ({
  search_path: searchPath ?? 'public',
  ...settings,
  ...(isReader && { role: reader }),
})

/** What can't be kept, by pg_proc: PostgreSQL's own stable functions are another matter. */
const volatile = (functions: ReadonlySet<number>): string[] =>
  [...functions].flatMap(oid => {
    const { name, volatility } = catalogue.routine(oid)!
    return volatility === 'v' || (volatility === 's' && oid >= firstUserOid) ? [name] : []
  })

async function become(as: As): Promise<void> {
  for (const [name, value] of Object.entries(settingsOf(as)))
    await client.query('select set_config($1, $2, true)', [name, value])
}

/** Rows in any order: without ORDER BY PostgreSQL may give them in another one. */
async function answer({ sql, parameters = [], as = {} }: Kept): Promise<string[]> {
  await become(as)
  const { rows } = await client.query({ text: sql, rowMode: 'array', values: [...parameters] })
  await client.query('reset role')
  return rows.map(row => JSON.stringify(row)).sort()
}

async function undone<Result>(run: () => Promise<Result>): Promise<Result> {
  await client.query('begin')
  try {
    return await run()
  } finally {
    await client.query('rollback')
  }
}

interface Row {
  readonly relation: number
  readonly key: string
  readonly text: string
}

const stored = () => [...catalogue.relations.values()].filter(({ kind }) => kind === 'r' || kind === 'm')

async function allRows(): Promise<Row[]> {
  const all: Row[] = []
  for (const relation of stored()) {
    const key = relation.primaryKey ? `concat_ws(',', ${relation.primaryKey.join(', ')})` : `''`
    const { rows } = await client.query(
      `select ${key} as key, x::text as text from only ${relation.schema}.${relation.name} x`,
    )
    for (const { key, text } of rows) all.push({ relation: relation.oid, key, text })
  }
  return all
}

function changes(before: readonly Row[], after: readonly Row[]): Row[] {
  const id = ({ relation, key, text }: Row) => `${relation} ${key} ${text}`
  const [old, now] = [new Set(before.map(id)), new Set(after.map(id))]
  return [...before.filter(row => !now.has(id(row))), ...after.filter(row => !old.has(id(row)))]
}

function covers({ tables, rows }: Dependencies, { relation, key }: Row): boolean {
  const named = [relation, ...catalogue.ancestors(relation)]
  if (named.some(oid => tables.includes(oid))) return true
  return rows.some(row => row.relation === relation && row.key.join(',') === key)
}

async function removeAllBut(depends: Dependencies): Promise<void> {
  await client.query(`set local session_replication_role = replica`)
  for (const { oid, schema, name, kind, primaryKey } of stored()) {
    if (kind === 'm' || covers({ ...depends, rows: [] }, { relation: oid, key: '', text: '' })) continue
    const keys = depends.rows.filter(row => row.relation === oid).map(({ key }) => key.join(','))
    const key = primaryKey ? `concat_ws(',', ${primaryKey.join(', ')})` : `''`
    await client.query({
      text: `delete from only ${schema}.${name} where not ${key} = any ($1)`,
      values: [keys],
    })
  }
}
