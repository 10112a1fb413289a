/** The table of values by `sql`: written as parameters, read back in every way in which `sql` reads. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { DatabaseManager, Sql } from '@sluice/edge'
import { proves, smoke, type World } from './case.ts'
import { columnsOf, kindsOf, raw, rowsOf, shuffled, write } from './kinds.ts'

type Rows = Record<string, unknown>[]

/** The table, filled by `sql.rows`. */
export async function filledTable(world: World, sql: Sql): Promise<void> {
  const kinds = kindsOf(sql)
  await world.lab.query(`drop table if exists everything; drop type if exists mood;
    create type mood as enum ('sad', 'happy', 'it''s "odd", {really}');
    create table everything (id int primary key, ${columnsOf(kinds)})`)
  await sql`insert into everything ${sql.rows(rowsOf(kinds, write))}`
}

/** Every way to read the table with `sql`; each gives the same rows. */
export const readings = (sql: Sql): Record<string, () => Promise<Rows>> => ({
  template: async () => [...(await sql`select * from everything where id >= ${0} order by id`)],
  'text with parameters': async () => [
    ...(await sql.query('select * from everything where id >= $1 order by id', [0])),
  ],
  'text without parameters': async () => [...(await sql.query('select * from everything order by id'))],
  cursor: async () => {
    const rows: Rows = []
    for await (const row of sql`select * from everything where id >= ${0} order by id`) rows.push(row)
    return rows
  },
  'cursor of small batches': async () => {
    const rows: Rows = []
    for await (const batch of sql`select * from everything order by id`.cursor(3)) rows.push(...batch)
    return rows
  },
  transaction: () =>
    sql.transaction(async tx => [...(await tx`select * from everything where id >= ${0} order by id`)]),
  'cursor in a savepoint': () =>
    sql.transaction(tx =>
      tx.transaction(async inner => {
        const rows: Rows = []
        for await (const row of inner`select * from everything where id >= ${0} order by id`) rows.push(row)
        return rows
      }),
    ),
  'bound again': async () => {
    // Each value that was read is written again, as it is, and read: nothing is lost on the way.
    const [row] = await sql`select * from everything where id = 0`
    await sql`update everything set ${sql.set({ text: row!.text, float8: row!.float8 })} where id = 0`
    return [...(await sql`select * from everything order by id`)]
  },
})

/** All readings in several orders, some at the same time, on connections that are fresh and warm. */
export async function inAnyOrder(
  world: World,
  manager: DatabaseManager,
  readings: Record<string, () => Promise<unknown>>,
  expected: (name: string) => unknown,
): Promise<void> {
  const check = async (name: string, seed: number) => {
    const rows = await readings[name]!()
    try {
      assert.deepEqual(rows, expected(name))
    } catch (error) {
      throw new Error(`by ${name}, order ${seed}`, { cause: error })
    }
  }
  for (const seed of [1, 2, 3]) {
    const names = shuffled(Object.keys(readings), seed)
    await world.together(manager, async () => {
      for (const name of names) await check(name, seed)
      await Promise.all(names.map(name => check(name, seed)))
    })
  }
  for (const name of shuffled(Object.keys(readings), 4)) await check(name, 4)
}

export const values = [
  proves(
    'every value that is written as a parameter reads back the same, however it is read',
    async world => {
      const manager = world.manager()
      const sql = manager.getOptimalConnection(world.env())
      await filledTable(world, sql)
      const expected = rowsOf(kindsOf(sql), raw)
      await inAnyOrder(world, manager, readings(sql), () => expected)
    },
  ),

  proves('a value of every type goes out beside an expression as well as into a column', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    const kinds = kindsOf(sql)
    await filledTable(world, sql)
    await world.together(manager, async () => {
      for (const row of [0, 1, 2]) {
        const cells = Object.entries(kinds).map(([name, { type, samples }]) => ({
          ...{
            name,
            type,
            sample: (samples as { write: unknown; raw: unknown }[])[row] ?? { write: null, raw: null },
          },
        }))
        const text = cells.map(({ name, type }, at) => `$${at + 1}::${type} as ${name}`).join(', ')
        const params = cells.map(({ sample }) => sample.write)
        const [got] = await sql.query(`select ${text}`, params)
        assert.deepEqual(got, Object.fromEntries(cells.map(({ name, sample }) => [name, sample.raw])))
      }
    })
  }),

  proves('rows print as an array, and nothing beside it', async world => {
    const rows = await world.sql()`select 1 as a`
    // Its console is not its `node:util`.
    const { Bun } = globalThis as { Bun?: { inspect(value: unknown): string } }
    assert.equal((Bun?.inspect ?? inspect)(rows), (Bun?.inspect ?? inspect)([{ a: 1 }]))
  }),

  proves('fields, command and count are the same on every driver', async world => {
    const sql = world.sql()
    await world.lab.query(
      'drop table if exists counted; create table counted (id int primary key, note text)',
    )
    const inserted = await sql`insert into counted ${sql.rows([{ id: 1 }, { id: 2 }, { id: 3 }])}`
    assert.deepEqual([inserted.command, inserted.rowCount, [...inserted]], ['INSERT', 3, []])
    const selected = await sql`select id, note, null as nothing from counted order by id`
    assert.deepEqual([selected.command, selected.rowCount, selected.length], ['SELECT', 3, 3])
    assert.deepEqual(
      selected.fields.map(({ name, dataTypeID }) => [name, dataTypeID]),
      [
        ['id', 23],
        ['note', 25],
        ['nothing', 25],
      ],
    )
    assert.equal(selected.rows, selected.rows)
    assert.deepEqual(selected.rows, [...selected])
    // What is beside the rows does not show in them.
    assert.equal(JSON.stringify(selected), JSON.stringify([...selected]))
    const updated = await sql`update counted set note = ${'x'} where id > ${1}`
    assert.deepEqual([updated.command, updated.rowCount], ['UPDATE', 2])
    const returned = await sql`delete from counted where id = ${3} returning id`
    assert.deepEqual([returned.command, returned.rowCount, [...returned]], ['DELETE', 1, [{ id: 3 }]])
    const none = await sql`select id from counted where id = ${99}`
    assert.deepEqual([none.command, none.rowCount, [...none], none.fields.length], ['SELECT', 0, [], 1])
    const created = await sql`create table if not exists counted (id int)`
    assert.deepEqual([created.command, created.rowCount, [...created]], ['CREATE', null, []])
    const empty = await sql.query('')
    assert.deepEqual([empty.rowCount, [...empty]], [null, []])
  }),

  proves('of two columns with one name the last is the one', async world => {
    const sql = world.sql()
    assert.deepEqual([...(await sql`select 1 as a, 2 as b, 3 as a`)], [{ a: 3, b: 2 }])
  }),

  proves('a column may have any name', async world => {
    const sql = world.sql()
    const [row] = await sql`select 1 as "__proto__", 2 as "constructor", 3 as "with space"`
    assert.deepEqual(Object.entries(row!), [
      ['__proto__', 1],
      ['constructor', 2],
      ['with space', 3],
    ])
  }),
]

for (const one of values) smoke.add(one)
