import { CopyBothResponse, CopyDone, errorResponse, readyForQuery } from '@sluice/wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { copied, type Row, type Told } from '../../../wire/src/pgoutput/test/written.ts'
import { Stream } from './stream.ts'

const utf8 = new TextDecoder()
const textOf = (query: Uint8Array) => utf8.decode(query.subarray(5, -1))
const joined = (...parts: Uint8Array[]) => Buffer.concat(parts)
// W, with a length, a format and no columns; and c.
const copyBoth = Uint8Array.of(CopyBothResponse, 0, 0, 0, 7, 0, 0, 0)
const copyDone = Uint8Array.of(CopyDone, 0, 0, 0, 4)

function streaming() {
  const told: unknown[] = []
  const stream = new Stream({
    ...{ slot: 'sluice_1', publication: `it's "mine"` },
    known: { keyOf: () => ['id'], ancestorsOf: () => [] },
    sink: {
      onTransaction: ({ xid, changes }) => told.push([xid, ...changes.map(({ rows }) => rows)]),
      onMark: mark => told.push(mark),
      onKeepalive: walEnd => told.push(walEnd),
      onPosition: () => {},
    },
  })
  stream.create()
  stream.feed(readyForQuery('I'))
  stream.start()
  stream.feed(copyBoth)
  return { stream, told }
}

const relation = {
  ...{ is: 'relation', oid: 1, schema: 'public', name: 't', identity: 'd' },
  columns: [
    { name: 'v', key: false, type: 25 },
    { name: 'id', key: true, type: 25 },
  ],
} as const satisfies Told
const inserted = (...now: Row): Told => ({ is: 'row', does: 'I', oid: 1, before: null, now })

describe('Stream', () => {
  test('makes a replication slot that ends with the connection, and reads from it; names are quoted', () => {
    const stream = new Stream({
      ...{ slot: 'sluice_1', publication: `it's "mine"` },
      known: { keyOf: () => null, ancestorsOf: () => [] },
      sink: { onTransaction() {}, onMark() {}, onKeepalive() {}, onPosition() {} },
    })
    expect(textOf(stream.create())).toBe(
      'CREATE_REPLICATION_SLOT "sluice_1" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT',
    )
    expect(stream.feed(readyForQuery('I'))).toEqual([{ is: 'created' }])
    expect(textOf(stream.start())).toBe(
      `START_REPLICATION SLOT "sluice_1" LOGICAL 0/0 (proto_version '1', publication_names '"it''s ""mine"""', messages 'true')`,
    )
    expect(stream.feed(copyBoth)).toEqual([{ is: 'streaming' }])
  })

  test('what the server refuses is said, and nothing behind it is taken', () => {
    const { stream, told } = streaming()
    const refusal = errorResponse({ code: '55000', message: 'the replication slot was invalidated' })
    const events = stream.feed(joined(refusal, copied({ is: 'keepalive', lsn: 1n })))
    expect(events).toMatchObject([{ is: 'refused', error: { code: '55000' } }])
    expect(told).toEqual([])
  })

  test('an end is said', () => {
    expect(streaming().stream.feed(copyDone)).toEqual([{ is: 'ended' }])
  })

  test('any split of the bytes tells the same', () => {
    const bytes = joined(
      copied({ is: 'begin', xid: 7 }),
      ...[relation, inserted('x', '1'), inserted(null, '2')].map(copied),
      copied({ is: 'message', prefix: 'sluice.mark', content: [109, 49], transactional: true }),
      copied({ is: 'commit', lsn: 9n }),
      copied({ is: 'keepalive', lsn: 10n }),
    )
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), cuts => {
        const { stream, told } = streaming()
        const at = [0, ...cuts.sort((one, other) => one - other), bytes.length]
        for (let cut = 1; cut < at.length; cut++) stream.feed(bytes.subarray(at[cut - 1], at[cut]))
        expect(told).toEqual([[7, [['1'], ['2']]], 'm1', 10n])
      }),
    )
  })

  test('of a row larger than what is held, the key is told if it stands before the rest', () => {
    const large = 'x'.repeat(1_100_000)
    for (const [row, rows] of [
      [inserted(large, '1'), 'any'],
      [inserted('small', '1'), [['1']]],
      [inserted(null, '1', large), [['1']]],
    ] as const) {
      const { stream, told } = streaming()
      stream.feed(
        joined(
          copied({ is: 'begin', xid: 7 }),
          copied(relation),
          copied(row),
          copied({ is: 'commit', lsn: 9n }),
        ),
      )
      expect(told).toEqual([[7, rows]])
    }
  })
})
