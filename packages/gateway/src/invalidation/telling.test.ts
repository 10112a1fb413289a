import { describe, expect, test } from 'vitest'
import { Telling } from './telling.ts'
import type { Transaction } from './transaction.ts'

/** A running stream, and what its sink heard. */
function running() {
  const heard: string[] = []
  const telling = new Telling({
    ...{ token: 'm', heartbeatMs: 1_000 },
    known: { keyOf: () => null, ancestorsOf: oid => (oid === 1 ? [10] : []) },
    onPublicationChange: () => heard.push('look at the publication'),
    sink: {
      onChanges: changes => heard.push(`changed ${changes.map(({ relation }) => relation)}`),
      onSchema: objects => heard.push(`schema ${objects === 'any' ? 'any' : objects.length}`),
      onPassed: number => heard.push(`passed ${number}`),
      onCovered: tables => heard.push(`covered ${[...tables]}`),
      onEpoch: () => heard.push('epoch'),
    },
  })
  return {
    ...{ telling, heard },
    /** A look that is answered at once. */
    look(now: number, snapshot: string) {
      const sql = telling.look(now)
      telling.looked([[snapshot]], now)
      telling.tell()
      return /'m \d+'/.exec(sql)?.[0].slice(1, -1) ?? null
    },
    cameOut(mark: string, now: number) {
      telling.cameOut(mark, now)
      telling.tell()
    },
    /** What the sink has heard since. */
    since: () => heard.splice(0),
  }
}

const changes = (xid: number, ...relations: number[]): Transaction => ({
  ...{ xid, schema: [] },
  changes: relations.map(relation => ({ relation, key: null, rows: 'any' })),
})
const tables = (...oids: number[]) => new Map(oids.map(oid => [oid, '1']))

/** One with a table that is covered. */
function covering() {
  const at = running()
  at.telling.published(tables(1))
  at.cameOut(at.look(0, '100:100:')!, 5)
  at.look(10, '100:100:')
  at.look(11, '100:100:')
  expect(at.since()).toEqual(['changed 1,10', 'covered 1'])
  return at
}

describe('Telling', () => {
  test('no table is covered before a mark has come out: the stream may show nothing', () => {
    const at = running()
    at.telling.published(tables(1))
    const mark = at.look(0, '100:100:')!
    at.look(1, '100:100:')
    at.look(2, '100:100:')
    expect([at.since(), at.telling.waiting]).toEqual([[], 1])
    at.cameOut(mark, 5)
    at.look(10, '100:101:100')
    at.look(11, '100:101:100')
    expect(at.since()).toEqual([])
    at.look(12, '101:102:101')
    expect(at.since()).toEqual(['changed 1,10', 'covered 1'])
  })

  test('a table that is covered no longer is bumped', () => {
    const at = covering()
    at.telling.published(tables())
    at.telling.tell()
    expect(at.since()).toEqual(['changed 1,10', 'covered '])
  })

  test('it looks at once when a transaction was shown, and later and later until that is visible', () => {
    const at = covering()
    const heartbeat = at.telling.deadline()
    at.telling.shown(changes(100, 1), 20)
    const pauses = Array.from({ length: 9 }, () => {
      const now = at.telling.deadline()
      at.look(now, '100:101:100')
      return at.telling.deadline() - now
    })
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 50, 50, 50])
    at.look(500, '101:101:')
    expect(at.telling.deadline()).toBe(heartbeat)
    expect(at.since()).toEqual(['changed 1,10', 'changed 1,10'])
  })

  test('the bound counts from the last look while something is unsettled', () => {
    const at = covering()
    const mark = /'(m \d+)'/.exec(at.telling.look(1_000))![1]!
    at.cameOut(mark, 1_005)
    expect(at.telling.boundMs(1_900)).toBe(1_005)
    at.telling.shown(changes(100, 1), 1_900)
    // Its answer does not come: what has become visible since the look at 11 may have been told only once.
    expect(at.telling.boundMs(1_900)).toBe(1_889)
    at.telling.looked([['101:101:']], 1_950)
    expect(at.telling.boundMs(1_950)).toBe(1_005)
  })

  test('an opaque commit is marked by the next look, and has passed when what was shown before the mark is settled', () => {
    const at = covering()
    at.telling.opaque(1)
    expect(at.telling.deadline()).toBe(-Infinity)
    const mark = at.look(20, '100:101:100')!
    at.telling.shown(changes(100, 1), 21)
    at.cameOut(mark, 22)
    expect(at.since()).toEqual(['changed 1,10'])
    at.look(23, '101:101:')
    expect(at.since()).toEqual(['changed 1,10', 'passed 1'])
  })

  test('while the publication changes nothing is covered', () => {
    const at = covering()
    const schema = [{ tag: 'ALTER PUBLICATION', classId: 6106, objectId: 5 }]
    at.telling.shown({ xid: 100, changes: [], schema }, 20)
    at.telling.tell()
    expect(at.since()).toEqual(['look at the publication', 'schema 1', 'changed 1,10', 'covered '])
  })

  test('other DDL is told, and covers what it did', () => {
    const at = covering()
    const schema = [{ tag: 'ALTER TABLE', classId: 1259, objectId: 1 }]
    at.telling.shown({ xid: 100, changes: [], schema }, 20)
    at.look(21, '101:101:')
    expect(at.since()).toEqual(['look at the publication', 'schema 1', 'look at the publication', 'schema 1'])
  })

  test('at its end nothing is covered, and nothing counts that was stored', () => {
    const at = covering()
    at.telling.end()
    expect(at.since()).toEqual(['covered ', 'epoch'])
  })
})
