/** What `sql` makes of templates, fragments and parameters. */
import assert from 'node:assert/strict'
import { proves, smoke } from './case.ts'

const secret = 'a very secret value'

/** The error's text, wherever it may stand. */
const shown = (error: unknown) => `${(error as Error).stack} ${JSON.stringify(error)}`

export const statements = [
  proves('fragments nest, and each value becomes one parameter in its place', async world => {
    const sql = world.sql()
    await world.lab.query(`drop table if exists items; create table items (id int primary key, name text, "odd ""name""" text);
      insert into items values (1, 'one', 'x'), (2, 'two', 'y'), (3, 'three', 'z')`)
    const named = sql`name = ${'two'} or ${sql`name = ${'three'} and ${sql`id > ${2}`}`}`
    const rows =
      await sql`select id from ${sql.identifier('items')} where (${named}) and id < ${9} order by id`
    assert.deepEqual([...rows], [{ id: 2 }, { id: 3 }])
    const optional = sql``
    assert.equal((await sql`select id from items ${optional}`).length, 3)
    const odd =
      await sql`select ${sql.identifier('odd "name"')} as v from ${sql.identifier(['public', 'items'])} where id = ${1}`
    assert.deepEqual([...odd], [{ v: 'x' }])
    // A name is never read as SQL.
    await assert.rejects(sql`select * from ${sql.identifier('items"; drop table items; --')}`, {
      code: '42P01',
    })
    assert.equal((await sql`select 1 from items`).length, 3)
    assert.throws(() => sql.identifier(''), { reason: 'bad-parameter' })
    assert.throws(() => sql.identifier('a\0b'), { reason: 'bad-parameter' })
  }),

  proves('a query that is put into another is a fragment of it and does not run', async world => {
    const sql = world.sql()
    const inner = sql`select ${7}::int as n`
    const [row] = await sql`select n + ${1} as next from (${inner}) as i`
    assert.deepEqual(row, { next: 8 })
    const { statements } = await world.lab.seen()
    assert.equal(statements.filter(text => text.startsWith('select')).length, 1)
  }),

  proves('a query that is awaited twice runs once, and one that nobody awaits does not run', async world => {
    const sql = world.sql()
    await world.lab.query('drop table if exists ticks; create table ticks (at serial)')
    const insert = sql`insert into ticks default values returning at`
    const [first, second] = [await insert, await insert]
    assert.equal(first, second)
    assert.deepEqual([...(await insert.then(rows => rows))], [{ at: 1 }])
    sql`insert into ticks default values`
    await sql`insert into ticks default values`.execute()
    const ended: string[] = []
    await sql`insert into ticks default values`.finally(() => ended.push('ended'))
    assert.deepEqual(ended, ['ended'])
    assert.deepEqual(await sql`select no_such`.catch(error => (error as { code?: string }).code), '42703')
    const rows = await world.lab.query('select count(*)::int as n from ticks')
    assert.deepEqual(rows, [{ n: 3 }])
  }),

  proves('sql.rows inserts one row and a thousand, and takes an absent column for a mistake', async world => {
    const sql = world.sql()
    await world.lab.query(
      `drop table if exists bulk; create table bulk (id int primary key, note text default 'none', "odd ""col""" int)`,
    )
    const [one] = await sql`insert into bulk ${sql.rows([{ id: 0, note: `it's` }])} returning *`
    assert.deepEqual(one, { id: 0, note: `it's`, 'odd "col"': null })
    const many = Array.from({ length: 1000 }, (_, at) => ({ id: at + 1, note: `n${at}`, 'odd "col"': at }))
    assert.equal((await sql`insert into bulk ${sql.rows(many)}`).rowCount, 1000)
    const some =
      await sql`insert into bulk ${sql.rows([{ id: 2000, note: 'unused', other: 1 }], ['id'])} returning note`
    assert.deepEqual([...some], [{ note: 'none' }])
    await assert.rejects(
      async () => sql`insert into bulk ${sql.rows([{ id: 3000, note: secret }, { id: 3001 }])}`,
      (error: Error & { reason?: string }) => {
        assert.equal(error.reason, 'bad-parameter')
        assert.match(error.message, /\$4/)
        assert.ok(!shown(error).includes(secret))
        return true
      },
    )
    for (const wrong of [() => sql.rows([]), () => sql.rows([{}]), () => sql.rows([{ id: 1 }], [])])
      assert.throws(wrong, { reason: 'bad-parameter' })
  }),

  proves(
    'more parameters than the protocol counts are refused with the figure, and 65,535 are taken',
    async world => {
      const sql = world.sql()
      const rows = (count: number) => Array.from({ length: count }, (_, at) => ({ a: at }))
      // postgres.js stops two short, and says so.
      const most = world.driver === 'postgres' ? 65_533 : 65_535
      await world.lab.query('drop table if exists wide; create table wide (a int)')
      assert.equal((await sql`insert into wide ${sql.rows(rows(most))}`).rowCount, most)
      await assert.rejects(sql`insert into wide ${sql.rows(rows(most + 1))}`, {
        ...{ reason: 'bad-parameter', sent: 'no' },
        message: new RegExp(`${most + 1} parameters.*at most ${most}`),
      })
      await assert.rejects(
        sql.transaction(tx => tx`insert into wide ${tx.rows(rows(65_536))}`.execute()),
        { reason: 'bad-parameter' },
      )
      assert.equal((await sql`select 1 from wide limit 1`).length, 1)
    },
  ),

  proves('sql.set updates, sql.list matches, and refuses to be empty', async world => {
    const sql = world.sql()
    await world.lab.query(`drop table if exists items; create table items (id int primary key, name text, data jsonb);
      insert into items values (1, 'one', null), (2, 'two', null), (3, 'three', null)`)
    await sql`update items set ${sql.set({ name: 'ONE', data: { a: [1] } })} where id = ${1}`
    await sql`update items set ${sql.set({ name: 'TWO', data: 'unused' }, ['name'])} where id = ${2}`
    const ids = async (list: unknown[]) =>
      (await sql<{ id: number }>`select id from items where id in ${sql.list(list)} order by id`).map(
        ({ id }) => id,
      )
    assert.deepEqual(await ids([1, 3, 99]), [1, 3])
    assert.deepEqual(await ids([2]), [2])
    // `in` would be true for nothing then, and `not in` for everything: no one text says both.
    assert.throws(() => sql.list([]), { reason: 'bad-parameter' })
    const any = await sql`select id from items where name = any(${['ONE', 'TWO']}) order by id`
    assert.deepEqual(
      any.map(row => row.id),
      [1, 2],
    )
    assert.deepEqual(
      [...(await sql`select name, data from items order by id`)],
      [
        { name: 'ONE', data: { a: [1] } },
        { name: 'TWO', data: null },
        { name: 'three', data: null },
      ],
    )
    assert.throws(() => sql.set({}), { reason: 'bad-parameter' })
  }),

  proves(
    'a value that cannot be sent is refused by its position, never shown, and nothing is sent',
    async world => {
      const sql = world.sql()
      const circle: Record<string, unknown> = { secret }
      circle.self = circle
      const refused: [() => PromiseLike<unknown>, RegExp][] = [
        [() => sql`select ${secret}, ${undefined}, ${secret}`, /\$2 is undefined/],
        [() => sql.query('select $1, $2', [secret, undefined]), /\$2 is undefined/],
        [() => sql`select ${secret} ${sql`, ${sql`${undefined}`}`}`, /\$2 is undefined/],
        [() => sql`select ${() => secret}`, /\$1 is a function/],
        [() => sql`select ${Symbol(secret)}`, /\$1 is a symbol/],
        [() => sql`select ${1}, ${circle}`, /\$2 can't be written as JSON/],
        [() => sql`select ${{ big: 1n, secret }}`, /\$1 can't be written as JSON/],
        [() => sql`select ${new Date(Number.NaN)}`, /\$1 is an Invalid Date/],
        [() => sql`select ${[1, [undefined]]}::int[]`, /\$1 is undefined/],
      ]
      for (const [run, message] of refused) {
        const error = await Promise.resolve()
          .then(run)
          .then(
            () => assert.fail('it was sent'),
            (error: Error & { reason?: string; sent?: string }) => error,
          )
        assert.equal(error.reason, 'bad-parameter')
        assert.equal(error.sent, 'no')
        assert.match(error.message, message)
        assert.ok(!shown(error).includes(secret), shown(error))
      }
      assert.equal((await world.lab.seen()).accepted, 0)
      // A call in place of a tag: the commonest way to write an injection.
      assert.throws(() => (sql as unknown as (text: string) => unknown)(`select '${secret}'`), {
        reason: 'bad-parameter',
      })
    },
  ),

  proves('a text of several statements is refused, with parameters and without', async world => {
    const sql = world.sql()
    await assert.rejects(sql.query('select 1; select 2'), { code: '42601' })
    await assert.rejects(sql.query('select $1::int; select 2', [1]), { code: '42601' })
    await assert.rejects(sql`select 1; select 2`, { code: '42601' })
    assert.deepEqual([...(await sql`select 1 as one;`)], [{ one: 1 }])
  }),

  proves('PostgreSQL’s errors come with its fields, and the connection goes on', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    await world.lab.query(
      'drop table if exists keyed; create table keyed (id int primary key, n int check (n > 0))',
    )
    await world.together(manager, async () => {
      await sql`insert into keyed values (${1}, ${1})`
      await assert.rejects(sql`insert into keyed values (${1}, ${1})`, {
        ...{ name: 'DatabaseError', reason: 'sql', code: '23505', severity: 'ERROR', route: world.route },
        ...{ table: 'keyed', schema: 'public', constraint: 'keyed_pkey', sent: 'maybe', retryable: false },
        detail: 'Key (id)=(1) already exists.',
      })
      await assert.rejects(sql`select nope from keyed`, { code: '42703', position: '8' })
      await assert.rejects(sql`select ${'x'}::int`, { code: '22P02' })
      await assert.rejects(sql`select 1 / ${0}::int`, { code: '22012' })
      assert.equal((await sql`select id from keyed`).length, 1)
    })
  }),

  proves('a parameter of 200 kB and one of 3 MB arrive whole', async world => {
    const manager = world.manager()
    const sql = manager.getOptimalConnection(world.env())
    await world.together(manager, async () => {
      for (const length of [200_000, 3_000_000]) {
        const [row] = await sql`select length(${'ü'.repeat(length / 2)}::text) as length`
        assert.deepEqual(row, { length: length / 2 })
      }
      const [back] = await sql<{ text: string }>`select repeat('ř', 1000000) as text`
      assert.equal(back!.text.length, 1_000_000)
    })
  }),

  proves('hooks tell of each statement, its parameters only when asked', async world => {
    const events: {
      text: string
      params?: unknown
      rowCount: number | null
      route: string
      error?: Error
    }[] = []
    const onQuery = (event: (typeof events)[number]) => void events.push(event)
    const quiet = world.manager({ onQuery }).getOptimalConnection(world.env())
    await quiet`select ${secret} as s`
    await quiet`select nope`.catch(() => {})
    const loud = world.manager({ onQuery, reportParameters: true }).getOptimalConnection(world.env())
    await loud`select ${'told'} as s`
    const [first, failed, told] = events
    assert.deepEqual(
      [first!.text, first!.rowCount, first!.route, 'params' in first!],
      ['select $1 as s', 1, world.route, false],
    )
    assert.equal((failed!.error as { code?: string }).code, '42703')
    assert.deepEqual(told!.params, ['told'])
  }),
]

for (const one of statements) smoke.add(one)
