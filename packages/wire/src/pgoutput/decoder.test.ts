import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CopyData, ProtocolError } from '../index.ts'
import { PgoutputDecoder, type PgoutputRow, type PgoutputSink, standbyStatusUpdate } from './index.ts'
import { char, int32, int64, type Row, type Told, xlog } from './test/written.ts'

/** What a sink that wants these columns hears. */
function heard(bytes: Uint8Array, columns: readonly number[] | null, cut?: number): unknown[] {
  const calls: unknown[] = []
  const sink: PgoutputSink = {
    onBegin: xid => calls.push({ is: 'begin', xid }),
    onCommit: lsn => calls.push({ is: 'commit', lsn }),
    onRelation: ({ replicaIdentity: identity, ...rest }) =>
      calls.push({ is: 'relation', identity, ...rest, columns: [...rest.columns] }),
    columnsOf: () => columns,
    onRow: (oid, before, now) => calls.push({ oid, before, now }),
    onTruncate: oids => calls.push({ is: 'truncate', oids: [...oids] }),
    onMessage: (prefix, content, transactional) =>
      calls.push({ is: 'message', prefix, content: content && [...content], transactional }),
    onKeepalive: lsn => calls.push({ is: 'keepalive', lsn }),
  }
  // Not at the beginning of the buffer, and not up to its end.
  const within = Uint8Array.from([9, 9, 9, ...bytes, 9, 9])
  new PgoutputDecoder(sink).copyData(within, 3, 3 + (cut ?? bytes.length), cut !== undefined)
  return calls
}

const names = () => fc.string({ unit: 'grapheme', maxLength: 12 }).filter(name => !name.includes('\0'))
const oids = () => fc.integer({ min: 1, max: 2 ** 32 - 1 })
const lsns = () => fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const rows = (): fc.Arbitrary<Row> =>
  fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(null), fc.constant(undefined)), {
    minLength: 1,
    maxLength: 6,
  })
const row = () =>
  fc
    .record({ does: fc.constantFrom('I', 'U', 'D'), oid: oids(), before: fc.option(rows()), now: rows() })
    .map(({ does, oid, before, now }): Told & { is: 'row' } => ({
      ...({ is: 'row', does, oid } as const),
      before: does === 'I' ? null : does === 'D' ? (before ?? now) : before,
      now: does === 'D' ? null : now,
    }))
const others = (): fc.Arbitrary<Told> =>
  fc.oneof(
    fc.record({ is: fc.constant('begin' as const), xid: oids() }),
    fc.record({ is: fc.constant('commit' as const), lsn: lsns() }),
    fc.record({ is: fc.constant('keepalive' as const), lsn: lsns() }),
    fc.record({ is: fc.constant('truncate' as const), oids: fc.array(oids(), { maxLength: 5 }) }),
    fc.record({
      is: fc.constant('message' as const),
      prefix: names(),
      content: fc.array(fc.nat(255)),
      transactional: fc.boolean(),
    }),
    fc.record({
      ...{ is: fc.constant('relation' as const), oid: oids(), schema: names(), name: names() },
      identity: fc.constantFrom('d', 'n', 'f', 'i'),
      columns: fc.array(fc.record({ name: names(), key: fc.boolean(), type: oids() }), { maxLength: 5 }),
    }),
  )

describe('PgoutputDecoder', () => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(others(), told => {
        expect(heard(xlog(told), null)).toEqual([told])
      }),
    )
  })

  test('of a row, the columns that were asked for are told in the order asked', () => {
    const picked = (from: Row | null, columns: number[]): PgoutputRow | null =>
      from && columns.map(column => from[column])
    fc.assert(
      fc.property(row(), fc.uniqueArray(fc.nat(6), { maxLength: 4 }), (told, columns) => {
        const { oid, before, now } = told
        expect(heard(xlog(told), columns)).toEqual([
          { oid, before: picked(before, columns), now: picked(now, columns) },
        ])
      }),
    )
  })

  test('no row is read if no column is asked for, whatever it holds', () => {
    const bytes = xlog({ is: 'row', does: 'I', oid: 5, before: null, now: ['1'] }).fill(0xff, 31)
    expect(heard(bytes, null)).toEqual([{ oid: 5, before: null, now: null }])
  })

  test('a row that was cut tells what has come, and never another value', () => {
    fc.assert(
      fc.property(row(), fc.nat(), (told, cutAt) => {
        const bytes = xlog(told)
        const rowStart = 25 + 5 + 1
        const cut = rowStart + (cutAt % (bytes.length - rowStart + 1))
        const columns = [0, 1, 2, 3, 4, 5]
        const [call] = heard(bytes, columns, cut) as { before: PgoutputRow | null; now: PgoutputRow | null }[]
        for (const part of ['before', 'now'] as const) {
          expect(call![part] === null).toBe(told[part] === null)
          for (const column of columns)
            expect([told[part]?.[column], undefined]).toContain(call![part]?.[column])
        }
      }),
    )
  })

  test('a message of which only a part was held is told without its content', () => {
    const bytes = xlog({ is: 'message', prefix: 'sluice', content: [1, 2, 3], transactional: true })
    expect(heard(bytes, null, bytes.length - 2)).toEqual([
      { is: 'message', prefix: 'sluice', content: null, transactional: true },
    ])
  })

  test('where a transaction came from, and the names of its types, are passed over', () => {
    expect(heard(xlog({ is: 'origin', name: 'elsewhere' }), null)).toEqual([])
    expect(heard(xlog({ is: 'type', oid: 70_000, name: 'mood' }), null)).toEqual([])
  })

  test('a message that ends early, or goes on behind its end, is no pgoutput', () => {
    fc.assert(
      fc.property(fc.oneof(others(), row()), fc.nat(), (told, by) => {
        const bytes = xlog(told)
        const shorter = bytes.subarray(0, by % bytes.length)
        expect(() => heard(shorter, [0])).toThrow(ProtocolError)
        expect(() => heard(Uint8Array.from([...bytes, 0]), [0])).toThrow(ProtocolError)
      }),
    )
  })

  test('any bytes are either read or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (tail, framed) => {
        const bytes = framed ? Uint8Array.from([char('w'), ...new Uint8Array(24), ...tail]) : tail
        try {
          heard(bytes, [0, 1])
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
  })
})

test('a standby status update names one position as written, flushed and applied', () => {
  const update = standbyStatusUpdate(0x1_0000_0002n)
  expect([...update]).toEqual([
    ...[CopyData, ...int32(4 + 34), char('r')],
    ...[...int64(0x1_0000_0002n), ...int64(0x1_0000_0002n), ...int64(0x1_0000_0002n)],
    ...[...int64(0), 0],
  ])
})
