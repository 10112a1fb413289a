import { bindComplete, commandComplete, dataRow, readyForQuery, rowDescription } from '@sluice/wire'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Answers, Cache } from './cache.ts'
import { Entry } from './entry.ts'
import { Fill } from './fills.ts'
import type { Freshness } from './freshness.ts'
import { makeCounters } from './stamps.ts'

const counters = makeCounters()
const mostBytes = 200_000
const freshness = { maxAgeMs: 60_000, staleMs: 15_000 }
const subject = { shape: {}, tables: [] }
const series = { subject, simple: false, describes: true }
const wants = (describes: boolean, wanted: Freshness = freshness) => ({
  describes,
  freshnessOf: () => wanted,
})

let cache: Cache
let answers: Answers

beforeEach(() => {
  cache = new Cache({ mostBytes, maxResultBytes: 20_000, seed: 1, counters })
  answers = cache.database('app')
})

function asks(text: string): void {
  cache.key.begin(1)
  cache.key.add(Buffer.from(text), 0, text.length)
  cache.key.end()
}

const said = (value: string, describes = true) =>
  Buffer.concat([
    bindComplete(),
    ...(describes ? [rowDescription([{ name: 'n' }])] : []),
    dataRow([value]),
    commandComplete('SELECT 1'),
    readyForQuery('I'),
  ])

/** The only value of its only row. */
const rowOf = ({ bytes, rowsAt, commandCompleteAt }: Entry) =>
  Buffer.from(bytes.subarray(rowsAt + 11, commandCompleteAt)).toString()

function keep(text: string, value: string, at = 0, table = 1, form = series): void {
  asks(text)
  const fill = answers.begin(form, answers.stamps.ask([answers.stamps.table(table)], at))
  fill.onBytes(said(value, form.describes))
  fill.onAnswered(at + 20)
}

function find(text: string, now: number, describes = true, wanted = freshness) {
  asks(text)
  return answers.find(wants(describes, wanted), now)
}

/** What would be served: its value, with a mark if it is stale. */
function served(text: string, now: number, describes = true, wanted = freshness): string | null {
  const found = find(text, now, describes, wanted)
  return found instanceof Entry ? `${rowOf(found)}${found.stale ? ' stale' : ''}` : null
}

describe('an answer that was kept', () => {
  test('is served until it is too old, by when it was asked for and what its asker wants', () => {
    keep('q', '1', 1_000)
    expect(served('q', 60_999)).toBe('1')
    expect(served('q', 61_000)).toBe('1 stale')
    expect(served('q', 75_999)).toBe('1 stale')
    expect(served('q', 76_000)).toBeNull()
    expect(served('q', 7_000, true, { maxAgeMs: 5_000, staleMs: 0 })).toBeNull()
  })

  test('may be older than an hour only while a stream tells of changes, and never than a day', () => {
    const wanted = { maxAgeMs: 100 * 3_600_000, staleMs: 0 }
    keep('q', '1')
    expect(served('q', 3_600_000, true, wanted)).toBeNull()
    answers.told = true
    expect(served('q', 3_600_000, true, wanted)).toBe('1')
    expect(served('q', 24 * 3_600_000, true, wanted)).toBeNull()
  })

  test('that is stale is fetched anew by one at a time, with a pause that grows if that brings nothing', () => {
    keep('q', '1')
    const entry = find('q', 61_000) as Entry
    const leases = (...times: number[]) => times.map(now => entry.takeLease(now))
    expect(leases(61_000, 61_001, 70_000)).toEqual([true, false, false])
    entry.giveBackLease(70_000)
    expect(leases(70_999, 71_000)).toEqual([false, true])
    entry.giveBackLease(71_000)
    expect(leases(72_999, 73_000)).toEqual([false, true])
  })

  test('that is not served says why', () => {
    const lack = (text: string, now: number) => {
      expect(find(text, now)).toBeNull()
      return answers.lack
    }
    expect(lack('q', 0)).toBe('none')
    keep('q', '1')
    expect(lack('q', 80_000)).toBe('expired')
    expect(lack('other', 80_000)).toBe('none')
    answers.stamps.bump(answers.stamps.table(1))
    expect(lack('q', 1)).toBe('changed')
  })

  test('is not served once something that it depends on has changed, also not while it would be stale', () => {
    keep('q', '1')
    answers.stamps.bump(answers.stamps.table(1))
    expect(served('q', 1)).toBeNull()
    expect(served('q', 61_000)).toBeNull()
  })

  test('is served again when an opaque commit that may have changed it has passed', () => {
    keep('q', '1')
    const number = answers.stamps.commitOpaque()
    expect(served('q', 1)).toBeNull()
    answers.stamps.pass(number)
    expect(served('q', 1)).toBe('1')
  })

  test('without a description does not answer who asks for one; the next answer takes its place', () => {
    keep('q', '1', 0, 1, { ...series, describes: false })
    expect(served('q', 1)).toBeNull()
    expect(served('q', 1, false)).toBe('1')
    keep('q', '2')
    expect(served('q', 1, false)).toBe('2')
    expect(served('q', 1)).toBe('2')
  })

  test('is nothing to a database of the same name that is opened anew', () => {
    keep('q', '1')
    answers = cache.database('app')
    expect(served('q', 1)).toBeNull()
  })
})

describe('an answer on its way', () => {
  const begin = (at = 0, form = series) => {
    asks('q')
    return answers.begin(form, answers.stamps.ask([answers.stamps.table(1)], at))
  }

  test('is joined by who asks the same', () => {
    const fill = begin()
    expect(find('q', 1)).toBe(fill)
    expect(find('other', 1)).toBeNull()
  })

  test('is not joined after a change, an opaque commit, or when it was asked for too long ago', () => {
    const fill = begin()
    expect(find('q', 60_000)).toBeNull()
    answers.stamps.commitOpaque()
    expect(find('q', 1)).toBeNull()
    answers.stamps.pass(1)
    expect(find('q', 1)).toBe(fill)
    answers.stamps.bump(answers.stamps.table(1))
    expect(find('q', 1)).toBeNull()
  })

  test('is not joined by who asks for a description that it does not have', () => {
    const fill = begin(0, { ...series, describes: false })
    expect(find('q', 1)).toBeNull()
    expect(find('q', 1, false)).toBe(fill)
  })

  test('is kept though an opaque commit came meanwhile, and served when that has passed', () => {
    const fill = begin()
    const number = answers.stamps.commitOpaque()
    fill.onBytes(said('1'))
    expect(fill.onAnswered(5)).toBeNull()
    expect(served('q', 6)).toBeNull()
    answers.stamps.pass(number)
    expect(served('q', 6)).toBe('1')
  })
})

describe('a description of a statement', () => {
  const messages = [Uint8Array.of(0x74, 0, 0, 0, 6, 0, 0), rowDescription([{ name: 'n' }])]
  const describes = () => {
    asks('text and types')
    const question = cache.key.copy()
    answers.keepDescription(question, answers.stamps.ask([], 0), messages)
  }
  const found = (now = 1) => {
    asks('text and types')
    return answers.findDescription(now)
  }

  test('is kept until the schema changes', () => {
    expect(found()).toBeNull()
    describes()
    expect([found()?.parameters, found()?.result]).toEqual(messages.map(message => new Uint8Array(message)))
    answers.stamps.bumpSchema()
    expect(found()).toBeNull()
  })

  test('is not kept if the schema has changed since it was asked for', () => {
    asks('text and types')
    const asked = answers.stamps.ask([], 0)
    answers.stamps.bumpSchema()
    answers.keepDescription(cache.key.copy(), asked, messages)
    expect(found()).toBeNull()
  })

  test('is no answer', () => {
    describes()
    expect(find('text and types', 1)).toBeNull()
  })
})

/**
 * A database of four tables, whose rows are the transactions that have written them. Those of others are told as the
 * stream tells: bumped when it shows the commit, visible some time later, and bumped again after that.
 */
class World {
  #newest = 0
  now = 0
  readonly visible = [new Set<number>(), new Set<number>(), new Set<number>(), new Set<number>()]
  /** What every answer must hold from now on. */
  readonly acknowledged: { table: number; transaction: number }[] = []
  readonly shown: { table: number; transaction: number }[] = []
  readonly unsettled: { table: number; transaction: number }[] = []
  readonly opaque: number[] = []
  readonly fills: { fill: Fill; query: number; rows: string | null }[] = []

  bump(table: number): void {
    answers.stamps.bump(answers.stamps.table(table))
  }

  /** Through this gateway: bumped before its client hears of it. */
  writes(table: number): void {
    const transaction = this.#runs(table)
    this.bump(table)
    this.acknowledged.push({ table, transaction })
  }

  writesOpaquely(table: number): void {
    const transaction = this.#runs(table)
    answers.stamps.commitOpaque()
    this.opaque.push(table)
    this.acknowledged.push({ table, transaction })
  }

  #runs(table: number): number {
    this.visible[table]!.add(++this.#newest)
    return this.#newest
  }

  passes(): void {
    for (const table of this.opaque.splice(0)) this.bump(table)
    answers.stamps.pass(answers.stamps.newestOpaque)
  }

  others(table: number): void {
    this.shown.push({ table, transaction: ++this.#newest })
    this.bump(table)
  }

  becomesVisible(): void {
    const next = this.shown.shift()
    if (!next) return
    this.visible[next.table]!.add(next.transaction)
    this.unsettled.push(next)
  }

  settles(): void {
    for (const each of this.unsettled.splice(0)) {
      this.bump(each.table)
      this.acknowledged.push(each)
    }
  }

  /** Of query 5 the tables 0 and 2: its bits. */
  tablesOf = (query: number) => [0, 1, 2, 3].filter(table => (query & (1 << table)) !== 0)

  asks(query: number): void {
    const found = find(`query ${query}`, this.now)
    if (found instanceof Entry) {
      expect(this.now - found.askedAt).toBeLessThan(75_000)
      this.#expectAll(query, found, this.acknowledged.slice())
    } else if (found instanceof Fill) {
      const before = this.acknowledged.slice()
      found.join({ onAnswer: entry => this.#expectAll(query, entry, before), onNoAnswer: () => {} })
    } else {
      const slots = this.tablesOf(query).map(table => answers.stamps.table(table))
      const fill = answers.begin(series, answers.stamps.ask(slots, this.now))
      this.fills.push({ fill, query, rows: null })
    }
  }

  #expectAll(query: number, entry: Entry, transactions: readonly { table: number; transaction: number }[]) {
    const rows = JSON.parse(rowOf(entry)) as number[]
    for (const { table, transaction } of transactions)
      if (this.tablesOf(query).includes(table)) expect(rows).toContain(transaction)
  }

  takesSnapshot(nth: number): void {
    const each = this.fills[nth % this.fills.length]
    if (each)
      each.rows ??= JSON.stringify(this.tablesOf(each.query).flatMap(table => [...this.visible[table]!]))
  }

  answers(nth: number): void {
    const at = nth % this.fills.length
    const each = this.fills[at]
    if (!each || each.rows === null) return
    this.fills.splice(at, 1)
    each.fill.onBytes(said(each.rows))
    each.fill.onAnswered(this.now)
  }

  loses(nth: number): void {
    const [lost] = this.fills.splice(nth % this.fills.length, 1)
    lost?.fill.onLost()
  }
}

test('whatever happens in whatever order, nobody reads what is older than what was acknowledged before', () => {
  const table = fc.nat({ max: 3 })
  const nth = fc.nat({ max: 20 })
  const act = <T>(does: (world: World, with_: T) => void, arbitrary: fc.Arbitrary<T>) =>
    arbitrary.map(value => (world: World) => does(world, value))
  const step = fc.oneof(
    { weight: 6, arbitrary: act((world, query) => world.asks(query), fc.integer({ min: 1, max: 15 })) },
    { weight: 4, arbitrary: act((world, at) => world.takesSnapshot(at), nth) },
    { weight: 4, arbitrary: act((world, at) => world.answers(at), nth) },
    { weight: 1, arbitrary: act((world, at) => world.loses(at), nth) },
    { weight: 2, arbitrary: act((world, to) => world.writes(to), table) },
    { weight: 1, arbitrary: act((world, to) => world.writesOpaquely(to), table) },
    { weight: 1, arbitrary: act(world => world.passes(), fc.constant(null)) },
    { weight: 2, arbitrary: act((world, to) => world.others(to), table) },
    { weight: 2, arbitrary: act(world => world.becomesVisible(), fc.constant(null)) },
    { weight: 2, arbitrary: act(world => world.settles(), fc.constant(null)) },
    {
      weight: 1,
      arbitrary: act(
        (world, ms) => {
          world.now += ms
          cache.sweep(world.now)
        },
        fc.nat({ max: 30_000 }),
      ),
    },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150, size: 'max' }), steps => {
      cache = new Cache({ mostBytes, maxResultBytes: 20_000, seed: 1, counters })
      answers = cache.database('app')
      const world = new World()
      for (const each of steps) {
        each(world)
        expect(cache.bytes).toBeLessThanOrEqual(mostBytes)
      }
    }),
    { numRuns: 1_000 },
  )
})

describe('where no question comes again', () => {
  /** Asks as a session does. */
  function ask(text: string): 'answered' | 'kept' | 'passed on' {
    if (served(text, 1) !== null) return 'answered'
    if (!answers.keeps) return 'passed on'
    keep(text, '1')
    return 'kept'
  }

  beforeEach(() => {
    for (let number = 0; number < 3_000; number++) ask(`once ${number}`)
  })

  test('an answer is kept when it is asked for once more', () => {
    expect([ask('new'), ask('new'), ask('new')]).toEqual(['passed on', 'kept', 'answered'])
  })

  test('and again at once when questions come again', () => {
    expect(ask('other')).toBe('passed on')
    for (let time = 0; time < 3; time++) ask('new')
    expect([ask('another'), ask('another')]).toEqual(['kept', 'answered'])
  })
})

test('what is written by one way to a database ends what was read by another', () => {
  const other = cache.database('app')
  keep('q', 'old')
  asks('q')
  expect(answers.find(wants(true), 0)).toBeInstanceOf(Entry)
  other.stamps.bump(other.stamps.table(1))
  asks('q')
  expect(answers.find(wants(true), 0)).toBeNull()
  keep('q', 'old')
  other.stamps.commitOpaque()
  asks('q')
  expect(answers.find(wants(true), 0)).toBeNull()
})
