/** data/schema.sql makes the tables, schema.ts describes them to Drizzle: this is the proof that both say the same. */
import { is, SQL } from 'drizzle-orm'
import { getTableConfig, isPgEnum, type PgColumn, PgDialect, PgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { platformDatabase, withClient } from '../../test/platform.ts'
import * as schema from './schema.ts'

const tables = Object.values(schema)
  .filter(member => is(member, PgTable))
  .map(table => getTableConfig(table as PgTable))
const enums = Object.values(schema).filter(member => isPgEnum(member))
const dialect = new PgDialect()

let database: Awaited<ReturnType<typeof platformDatabase>>
beforeAll(async () => {
  database = await platformDatabase()
})
afterAll(() => database.drop())

const ask = (text: string, parameters: unknown[] = []) =>
  withClient(database.url, async client => (await client.query(text, parameters)).rows)

/** PostgreSQL's names for what Drizzle writes shorter. */
const typeOf = (column: PgColumn): string =>
  column
    .getSQLType()
    .replace(/^varchar/, 'character varying')
    .replace(/^timestamp$/, 'timestamp without time zone')
    .replace(/^serial$/, 'integer')
    .replace(/, /g, ',')

/** A default as PostgreSQL stores it: an empty array of varchar is {}, of JSON []. */
const defaultOf = ({ default: value, columnType }: PgColumn): string | null => {
  if (value === undefined) return null
  if (is(value, SQL)) return dialect.sqlToQuery(value).sql
  if (columnType === 'PgArray') return `{${value}}`
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** `'free'::character varying` → `free` */
const unquoted = (expression: string | null) => expression?.replace(/^'(.*)'::.*$/, '$1') ?? null

/** PostgreSQL prints an expression its own way; what is left without blanks, brackets, casts and ANY is the same. */
const bare = (expression: string): string =>
  expression
    .toLowerCase()
    .replace(
      /::(character varying|pitch_\w+|nda_status|view_type|regconfig|text|numeric|integer|smallint)(\(\d+\))?(\[\])?/g,
      '',
    )
    .replace(/(\w+) between (\w+) and (\w+)/g, '$1 >= $2 and $1 <= $3')
    .replace(/= any array\[(.*?)\]/g, 'in $1')
    .replace(/[\s()"]/g, '')
    .replace(/=anyarray\[(.*?)\]/g, 'in$1')

const written = (expression: SQL) => bare(dialect.sqlToQuery(expression).sql.replace(/"\w+"\."(\w+)"/g, '$1'))

test('both have the same tables', async () => {
  const rows = await ask(
    `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`,
  )
  expect(tables.map(({ name }) => name).sort()).toEqual(rows.map(row => row.relname).sort())
})

test('both have the same enums with the same values in the same order', async () => {
  const rows = await ask(
    `select typname as name, array_agg(enumlabel::text order by enumsortorder) as values
     from pg_enum join pg_type on pg_type.oid = enumtypid group by typname order by typname`,
  )
  const ours = enums.map(({ enumName, enumValues }) => ({ name: enumName, values: [...enumValues] }))
  expect(ours.toSorted((one, other) => one.name.localeCompare(other.name))).toEqual(rows)
})

describe.each(tables)(
  '$name',
  ({ name, columns, foreignKeys, primaryKeys, uniqueConstraints, indexes, checks }) => {
    test('has the same columns of the same types, in the same order', async () => {
      const rows = await ask(
        `select
         attname as name,
         format_type(atttypid, atttypmod) as type,
         attnotnull as required,
         attgenerated = 's' as generated,
         attidentity = 'd' as identity,
         coalesce(pg_get_expr(adbin, adrelid) like 'nextval(%', false) as serial,
         case when attgenerated = '' then pg_get_expr(adbin, adrelid) end as "default"
       from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
       where attrelid = $1::regclass and attnum > 0 and not attisdropped
       order by attnum`,
        [name],
      )
      expect(
        columns.map(column => ({
          name: column.name,
          type: typeOf(column),
          required: column.notNull,
          generated: column.generated !== undefined,
          identity: column.generatedIdentity !== undefined,
          serial: column.getSQLType() === 'serial',
          default: defaultOf(column),
        })),
      ).toEqual(rows.map(row => ({ ...row, default: row.serial ? null : unquoted(row.default) })))
    })

    test('has the same foreign keys', async () => {
      const rows = await ask(
        `select
         (select array_agg(attname::text order by place) from unnest(conkey) with ordinality as k (num, place)
          join pg_attribute on attrelid = conrelid and attnum = num) as columns,
         confrelid::regclass::text as references,
         case confdeltype when 'c' then 'cascade' when 'r' then 'restrict' when 'n' then 'set null' else 'no action' end as "onDelete"
       from pg_constraint where conrelid = $1::regclass and contype = 'f' order by conkey`,
        [name],
      )
      const ours = foreignKeys.map(key => {
        const { columns, foreignTable } = key.reference()
        return {
          columns: columns.map(c => c.name),
          references: getTableConfig(foreignTable).name,
          onDelete: key.onDelete,
        }
      })
      expect(ours).toEqual(rows)
    })

    test('has the same primary and unique keys', async () => {
      const rows = await ask(
        `select
         contype = 'p' as "primary",
         (select array_agg(attname::text order by place) from unnest(conkey) with ordinality as k (num, place)
          join pg_attribute on attrelid = conrelid and attnum = num) as columns
       from pg_constraint where conrelid = $1::regclass and contype in ('p', 'u') order by contype, conname`,
        [name],
      )
      const ours = [
        ...columns
          .filter(column => column.primary)
          .map(column => ({ primary: true, columns: [column.name] })),
        ...primaryKeys.map(key => ({ primary: true, columns: key.columns.map(column => column.name) })),
        ...columns
          .filter(column => column.isUnique)
          .map(column => ({ primary: false, columns: [column.name] })),
        ...uniqueConstraints.map(key => ({
          primary: false,
          columns: key.columns.map(column => column.name),
        })),
      ]
      expect(ours).toEqual(rows)
    })

    test('has the same indexes', async () => {
      const rows = await ask(
        `select
         relname as name, indisunique as "unique", amname as method, pg_get_expr(indpred, indrelid) as "where",
         (select array_agg(pg_get_indexdef(indexrelid, n, true) || case when indoption[n - 1] & 1 = 1 then ' desc' else '' end order by n)
          from generate_series(1, indnkeyatts) n) as columns
       from pg_index join pg_class on pg_class.oid = indexrelid join pg_am on pg_am.oid = relam
       where indrelid = $1::regclass and not exists (select from pg_constraint where conindid = indexrelid)
       order by relname`,
        [name],
      )
      const ours = indexes.map(({ config }) => ({
        name: config.name,
        unique: config.unique,
        method: config.method ?? 'btree',
        where: config.where ? written(config.where) : null,
        columns: config.columns.map(column =>
          is(column, SQL)
            ? written(column)
            : bare((column as { name: string }).name) +
              ((column as { indexConfig: { order?: string } }).indexConfig.order === 'desc' ? 'desc' : ''),
        ),
      }))
      const theirs = rows.map(row => ({
        ...row,
        where: row.where && bare(row.where),
        columns: row.columns.map(bare),
      }))
      expect(ours.toSorted((one, other) => (one.name! < other.name! ? -1 : 1))).toEqual(theirs)
    })

    test('has the same checks', async () => {
      const rows = await ask(
        `select conname as name, pg_get_expr(conbin, conrelid) as value
       from pg_constraint where conrelid = $1::regclass and contype = 'c' order by conname`,
        [name],
      )
      const ours = checks.map(check => ({ name: check.name, value: written(check.value) }))
      expect(ours.toSorted((one, other) => (one.name < other.name ? -1 : 1))).toEqual(
        rows.map(row => ({ name: row.name, value: bare(row.value) })),
      )
    })
  },
)

test('the search vector is computed from the same expression', async () => {
  const [row] = await ask(
    `select pg_get_expr(adbin, adrelid) as value from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
     where adrelid = 'pitches'::regclass and attname = 'search'`,
  )
  const { generated } = getTableConfig(schema.pitches).columns.find(column => column.name === 'search')!
  expect(written(generated!.as as SQL).replaceAll('::char', '')).toBe(
    bare(row.value).replaceAll('::"char"', '').replaceAll('::char', ''),
  )
})
