import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Needs, type StatementPlan, Touches } from './plan.ts'
import { PlanCache } from './plan-cache.ts'
import { Plans } from './plans.ts'
import { Shape } from './shape.ts'

const plans = await Plans.load()
const encoder = new TextEncoder()

function planOf(sql: string | Uint8Array, of = plans): StatementPlan {
  const bytes = typeof sql === 'string' ? encoder.encode(sql) : sql
  return of.planOf(bytes, 0, bytes.length)
}

const everything = Object.values(Touches).reduce((all, bit) => all | bit, 0) & ~Touches.lasting

describe('a plan', () => {
  test('is made once for a shape', () => {
    const plan = planOf('SELECT a FROM t WHERE b = 1')
    expect(plan).toMatchObject({ touches: 0, needs: 0, statements: 1 })
    expect(planOf('/* x */ select a from t where b = 2')).toBe(plan)
    expect(planOf("select a from t where b = 'x'")).not.toBe(plan)
  })

  test('is that of the bytes between start and end', () => {
    const bytes = encoder.encode("'x; listen a; 'x")
    expect(plans.planOf(bytes, 4, 12).channels).toEqual([{ does: 'listen', channel: 'a' }])
  })

  test('names the parameter that set_config sets', () => {
    const named = (sql: string) => planOf(sql).customSettings
    expect(named("select set_config('app.a', '1', false)")).toEqual(['app.a'])
    expect(named("select set_config('app.b', '2', false)")).toEqual(['app.b'])
    expect(named("select set_config(('app.c'), '2', false)")).toEqual(['app.c'])
    expect(named("select set_config(('app.d'), '2', false)")).toEqual(['app.d'])
    expect(planOf("select set_config('app.a', '9', false)")).toBe(
      planOf("select set_config('app.a', '1', false)"),
    )
  })

  test('tells names as they are, in UTF-8 or not', () => {
    expect(planOf('listen "Größe"').channels).toEqual([{ does: 'listen', channel: 'Größe' }])
    expect(planOf(Buffer.from('listen Größe', 'latin1')).channels).toEqual([
      { does: 'listen', channel: 'größe' },
    ])
  })

  test.each(['', ' ', ';', '-- nothing', '/* */;;'])('of a text without statements: %j', sql => {
    expect(planOf(sql)).toMatchObject({ touches: 0, needs: 0, statements: 0 })
  })

  test('of a text that PostgreSQL’s grammar refuses is judged by its words, and kept', () => {
    const plan = planOf('select a form t where b = pg_advisory_lock(1)')
    expect(plan).toMatchObject({ touches: Touches.advisoryLock, statements: -1 })
    expect(planOf('select a form t where b = pg_advisory_lock(1)')).toBe(plan)
    // Its shape stands for others that are SQL.
    expect(planOf("select 'a' 'b'").statements).toBe(-1)
    expect(planOf("select 'a'").statements).toBe(1)
    expect(planOf("select 'a").statements).toBe(-1)
  })
})

describe('a backslash before a quote', () => {
  test('makes a text that may be read in two ways one that may do anything', () => {
    expect(planOf("select 'a\\', ' || set_config(1, 2, 3) || '\\''")).toMatchObject({
      touches: everything,
      statements: -1,
    })
    expect(planOf("select 'a\\', '; create table x (a text default '\\'')")).toMatchObject({
      changesSchema: true,
    })
  })

  test('does nothing if PostgreSQL would refuse the other reading', () => {
    expect(planOf("select a from t where b like 'x!_%' escape '\\'")).toMatchObject({
      touches: 0,
      statements: 1,
    })
    expect(planOf("select 'c:\\x', 'd:\\\\'")).toMatchObject({ touches: 0, statements: 1 })
    expect(planOf("select E'it\\'s'")).toMatchObject({ touches: 0, statements: 1 })
  })
})

test('in an encoding in which an ASCII byte may be half a character, a text may do anything', () => {
  // A character of SJIS, whose second byte is a backslash.
  const bytes = Buffer.from("select '\x95\\'", 'latin1')
  expect(plans.planOf(bytes, 0, bytes.length, false)).toMatchObject({
    ...{ touches: everything, unknownSettings: true, changesSchema: false, statements: -1 },
    needs: Needs.sequences | Needs.statementNames | Needs.backendSignal,
  })
})

describe('a long text', () => {
  const columns = Array.from({ length: 3_000 }, (_, at) => `c${at}`)

  test('is judged by its words', () => {
    expect(planOf(`select ${columns}, f(1) from t`)).toMatchObject({
      ...{ touches: Touches.sequences, functions: ['f'], statements: -1, unknownSettings: false },
    })
    expect(planOf(`insert into t values (${columns.map((_, at) => `$${at + 1}`)})`)).toMatchObject({
      ...{ touches: Touches.sequences, functions: [], changesSchema: false },
    })
    expect(planOf(`select ${columns}; listen a`)).toMatchObject({ touches: everything })
  })

  test('of a short shape shares its plan with a short one', () => {
    const values = `${"(1, 'some text'), ".repeat(10_000)} (2, 'b')`
    expect(planOf(`insert into long values ${values}`)).toMatchObject({
      statements: -1,
      touches: Touches.sequences,
    })
    const plan = planOf("insert into long values (1, 'a'), (2, 'b')")
    expect(planOf(`insert into long values ${values}`)).toBe(plan)
  })

  test('is read in its beginning only if it is very long', () => {
    const rows = "(1, 'some text'), ".repeat(600_000)
    expect(planOf(`insert into t values ${rows}(1, 'b'); listen a`)).toMatchObject({
      ...{ touches: everything, unknownSettings: false, changesSchema: false, statements: -1 },
    })
    expect(planOf(`insert into t values ${rows.replace('1', 'f(1)')} (1, 'b')`)).toMatchObject({
      ...{ touches: everything, unknownSettings: true, functions: ['f'] },
    })
    expect(planOf(`select 'a\\', '${'x'.repeat(300_000)}`)).toMatchObject({ touches: everything })
  })
})

describe('a text that nests too deep for the parser', () => {
  test('is judged by its words, and the parser is there again for others', async () => {
    const plans = await Plans.load()
    for (let round = 0; round < 60; round++) {
      const deep = `select ${round}, '${round}'${'+1'.repeat(4_000 + round)}`
      const plan = planOf(deep, plans)
      expect(plan).toMatchObject({ touches: 0, needs: 0 })
      await parses(plans)
      expect(planOf(deep, plans)).toEqual(plan)
    }
  })

  /** A new parser takes some turns of the event loop. */
  async function parses(plans: Plans): Promise<void> {
    for (let turn = 0; turn < 1_000; turn++) {
      if (planOf(`select ${'a'.repeat(turn + 1)}`, plans).statements === 1) return
      await new Promise(setImmediate)
    }
    throw new Error('it does not parse any more')
  }

  test.each(['(', 'not ', 'array[', '(select ', '- ', '~', 'case when '])(
    'never throws: %s',
    async opening => {
      const plans = await Plans.load()
      for (let depth = 100; depth < 10_000; depth *= 2)
        expect(planOf(`select ${opening.repeat(depth)}`, plans).statements).toBeDefined()
    },
  )
})

test('any bytes have a plan', () => {
  const pieces = [
    `'`,
    '"',
    '$',
    '$$',
    '\\',
    '--',
    '/*',
    '*/',
    'E',
    'U&',
    '(',
    ')',
    ';',
    ',',
    ' ',
    '\n',
    '\0',
    '\xff',
    '\xc3',
  ]
  const words = [
    'select',
    'set',
    'set_config',
    'into',
    'values',
    'in',
    'array[',
    '1',
    '.5',
    'a',
    '\ud800',
    'listen',
  ]
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc
          .array(fc.constantFrom(...pieces, ...words), { maxLength: 30 })
          .map(parts => Buffer.from(parts.join(''), 'latin1')),
      ),
      fc.boolean(),
      (bytes, asciiSafe) => {
        expect(plans.planOf(bytes, 0, bytes.length, asciiSafe).touches).toBeGreaterThanOrEqual(0)
      },
    ),
    { numRuns: 5_000 },
  )
})

describe('the cache', () => {
  const shape = new Shape(1_000)
  const plan = planOf('select 1')
  const read = (name: string) => {
    const bytes = encoder.encode(`select ${name}`)
    shape.read(bytes, 0, bytes.length)
    return shape
  }

  test('holds no more bytes than it may, and keeps what is used', () => {
    const cache = new PlanCache(50_000)
    cache.set(read('often'), plan)
    for (let at = 0; at < 1_000; at++) {
      cache.set(read(`rare_${at}`), plan)
      expect(cache.get(read('often'))).toBe(plan)
    }
    expect(cache.size).toBeGreaterThan(40)
    expect(cache.size).toBeLessThan(100)
    expect(cache.get(read('rare_0'))).toBeUndefined()
    expect(cache.get(read('rare_999'))).toBe(plan)
  })

  test('does not take one shape for another of the same hash', () => {
    const cache = new PlanCache(50_000)
    cache.set(read('a'), plan)
    const { hash } = read('a')
    read('b').hash = hash
    expect(cache.get(shape)).toBeUndefined()
    cache.set(shape, plan)
    expect(cache.get(shape)).toBe(plan)
    expect(cache.size).toBe(1)
  })
})
