import type { PgoutputRelation } from '@sluice/wire/pgoutput'
import { describe, expect, test } from 'vitest'
import { markPrefix, mostRows, type Transaction, TransactionReader } from './transaction.ts'

const table = (oid: number, identity: string, ...columns: string[]): PgoutputRelation => ({
  ...{ oid, schema: 'public', name: `t${oid}`, replicaIdentity: identity },
  // A star marks a column of the replica identity.
  columns: columns.map(name => ({ name: name.replace('*', ''), key: name.includes('*'), type: 25 })),
})

/** A reader whose catalogue knows these keys, and what it told. */
function reading(keys: Record<number, string[]>) {
  const told: (Transaction | string)[] = []
  const reader = new TransactionReader(
    { keyOf: oid => keys[oid] ?? null, ancestorsOf: () => [] },
    {
      onTransaction: transaction => told.push(transaction),
      onMark: mark => told.push(mark),
      onKeepalive: () => {},
      onPosition: () => {},
    },
  )
  const message = (prefix: string, content: string) =>
    reader.onMessage(prefix, new TextEncoder().encode(content), true)
  /** The columns of a row that the reader asks for. */
  const row = (oid: number, before: (string | undefined)[] | null, now: (string | undefined)[] | null) => {
    const columns = reader.columnsOf(oid)
    const wanted = (values: (string | undefined)[] | null) =>
      columns && values && columns.map(at => values[at])
    reader.onRow(oid, wanted(before), wanted(now))
  }
  return { reader, told, message, row }
}

const transaction = (changes: Transaction['changes'], schema: Transaction['schema'] = []) => ({
  ...{ xid: 7, changes, schema },
})

describe('TransactionReader', () => {
  test('a row is told by its key, in the order that the catalogue has; old and new one', () => {
    const { reader, told, row } = reading({ 1: ['b', 'a'] })
    reader.onRelation(table(1, 'd', '*a', 'v', '*b'))
    reader.onBegin(7)
    row(1, null, ['a1', 'v1', 'b1'])
    row(1, ['a1', undefined, 'b1'], ['a2', 'v1', 'b1'])
    reader.onCommit(1n)
    const rows = [
      ['b1', 'a1'],
      ['b1', 'a1'],
      ['b1', 'a2'],
    ]
    expect(told).toEqual([transaction([{ relation: 1, key: ['b', 'a'], rows }])])
  })

  test.each([
    ['its rows have no slots', {}, table(1, 'd', '*a', 'b')],
    ['another key is its identity', { 1: ['a'] }, table(1, 'i', 'a', '*b')],
    ['the catalogue knows another key than the stream', { 1: ['a'] }, table(1, 'd', 'a', '*b')],
    ['the key has a column more by now', { 1: ['a'] }, table(1, 'd', '*a', '*b')],
    ['the catalogue knows a column that is not there', { 1: ['c'] }, table(1, 'f', '*a', '*b')],
    ['what it looks like was not told', { 1: ['a'] }, table(2, 'd', '*a', 'b')],
  ])('any row of a table is told if %s', (_, keys: Record<number, string[]>, relation) => {
    const { reader, told, row } = reading(keys)
    reader.onRelation(relation)
    reader.onBegin(7)
    row(1, null, ['1', '2'])
    reader.onCommit(1n)
    expect(told).toEqual([transaction([{ relation: 1, key: keys[1] ?? null, rows: 'any' }])])
  })

  test('any row is told if a part of a key did not come: it was too large to be sent again', () => {
    const { reader, told, row } = reading({ 1: ['a'] })
    reader.onRelation(table(1, 'd', '*a'))
    reader.onBegin(7)
    row(1, null, ['1'])
    row(1, null, [undefined])
    reader.onCommit(1n)
    expect(told).toMatchObject([{ changes: [{ rows: 'any' }] }])
  })

  test('a table that is altered within the transaction is told whole', () => {
    const { reader, told, row } = reading({ 1: ['a'] })
    reader.onRelation(table(1, 'd', '*a'))
    reader.onBegin(7)
    row(1, null, ['1'])
    reader.onRelation(table(1, 'd', 'v', '*a'))
    row(1, null, ['x', '1'])
    reader.onCommit(1n)
    expect(told).toMatchObject([{ changes: [{ rows: 'any' }] }])
  })

  test('rows are counted over all tables of a commit; past the limit the tables are told, and no key is read', () => {
    const { reader, told, row } = reading({ 1: ['a'], 2: ['a'], 3: ['a'] })
    for (const oid of [1, 2, 3]) reader.onRelation(table(oid, 'd', '*a'))
    reader.onBegin(7)
    row(1, null, ['1'])
    for (let count = 0; count < mostRows; count++) row(2, null, [String(count)])
    expect(reader.columnsOf(2)).toBeNull()
    row(3, null, ['1'])
    reader.onCommit(1n)
    const [{ changes }] = told as [Transaction]
    expect(changes.map(({ relation, rows }) => [relation, rows])).toEqual([
      [1, [['1']]],
      [2, 'any'],
      [3, 'any'],
    ])
  })

  test('TRUNCATE is a change of each table', () => {
    const { reader, told } = reading({ 1: ['a'] })
    reader.onBegin(7)
    reader.onTruncate([1, 2])
    reader.onCommit(1n)
    expect(told).toEqual([
      transaction([
        { relation: 1, key: ['a'], rows: 'any' },
        { relation: 2, key: null, rows: 'any' },
      ]),
    ])
  })

  test('DDL is told with its transaction; a REFRESH is a change of the view', () => {
    const { reader, told, message } = reading({})
    reader.onBegin(7)
    message('sluice', '[["ALTER TABLE",1259,16385],["REFRESH MATERIALIZED VIEW",1259,16390]]')
    message('sluice', '[["GRANT",null,null]]')
    reader.onCommit(1n)
    expect(told).toEqual([
      transaction(
        [{ relation: 16390, key: null, rows: 'any' }],
        [
          { tag: 'ALTER TABLE', classId: 1259, objectId: 16385 },
          { tag: 'GRANT', classId: null, objectId: null },
        ],
      ),
    ])
  })

  test('a message of DDL that can not be read means any DDL', () => {
    for (const content of ['nonsense', null]) {
      const { reader, told } = reading({})
      reader.onBegin(7)
      reader.onMessage('sluice', content === null ? null : new TextEncoder().encode(content), true)
      reader.onCommit(1n)
      expect(told).toEqual([transaction([], 'any')])
    }
  })

  test('a mark comes out behind its transaction, and messages of others are none', () => {
    const { reader, told, message } = reading({})
    reader.onBegin(6)
    message('other', 'x')
    reader.onMessage(markPrefix, new TextEncoder().encode('not in a transaction'), false)
    reader.onCommit(1n)
    reader.onBegin(7)
    message(markPrefix, 'm 1')
    reader.onTruncate([1])
    expect(told).toEqual([])
    reader.onCommit(2n)
    expect(told).toEqual([transaction([{ relation: 1, key: null, rows: 'any' }]), 'm 1'])
  })

  test('nothing of one transaction is told with the next', () => {
    const { reader, told, message } = reading({})
    reader.onBegin(6)
    message('sluice', '[["ALTER TABLE",1259,1]]')
    message(markPrefix, 'm 1')
    reader.onTruncate([1])
    reader.onCommit(1n)
    told.splice(0)
    reader.onBegin(7)
    reader.onTruncate([2])
    reader.onCommit(2n)
    expect(told).toEqual([transaction([{ relation: 2, key: null, rows: 'any' }])])
  })
})
