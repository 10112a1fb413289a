import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DataRow,
  ErrorResponse,
  MessageScanner,
  ProtocolError,
  ReadyForQuery,
  type Watch,
  watch,
} from './index.ts'

interface Message {
  type: number
  body: Uint8Array
}

function encode(messages: readonly Message[]): Uint8Array {
  const bytes: number[] = []
  for (const { type, body } of messages) {
    const length = 4 + body.length
    bytes.push(type, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, ...body)
  }
  return Uint8Array.from(bytes)
}

/** Cuts `bytes` at each of `at`, which may hold any numbers, also twice the same: that makes an empty chunk. */
function split(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const cuts = at.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...cuts].map((cut, index) => bytes.slice(cut, cuts[index] ?? bytes.length))
}

interface Told {
  type: number
  body: number[]
  /** Where in the whole stream the message ends. */
  end: number
}

function scan(chunks: readonly Uint8Array[], watched: Watch, bodyLimit?: number): Told[] {
  const told: Told[] = []
  const scanner = new MessageScanner(watched, bodyLimit)
  let before = 0
  for (const chunk of chunks) {
    scanner.feed(chunk, (type, bytes, bodyStart, bodyEnd, end) =>
      told.push({ type, body: [...bytes.subarray(bodyStart, bodyEnd)], end: before + end }),
    )
    before += chunk.length
  }
  expect(scanner.atBoundary).toBe(true)
  return told
}

const types = [ReadyForQuery, ErrorResponse, DataRow, 0x00, 0xff]
const messages = () =>
  fc.array(fc.record({ type: fc.constantFrom(...types), body: fc.uint8Array({ maxLength: 40 }) }), {
    maxLength: 12,
  })
const cuts = () => fc.array(fc.nat(), { maxLength: 30 })
const everything = watch({ whole: types })

describe('MessageScanner', () => {
  test('any split of the bytes gives the same messages', () => {
    fc.assert(
      fc.property(messages(), cuts(), (sent, at) => {
        const told = scan(split(encode(sent), at), everything)
        expect(told.map(({ type, body }) => ({ type, body }))).toEqual(
          sent.map(({ type, body }) => ({ type, body: [...body] })),
        )
      }),
    )
  })

  test('each message ends where the next one begins, however the bytes were split', () => {
    fc.assert(
      fc.property(messages(), cuts(), (sent, at) => {
        let end = 0
        const ends = sent.map(({ body }) => {
          end += 5 + body.length
          return end
        })
        expect(scan(split(encode(sent), at), watch({ noted: 'all others' })).map(told => told.end)).toEqual(
          ends,
        )
      }),
    )
  })

  test('a noted message comes without its body, and a type that nobody watches does not come', () => {
    fc.assert(
      fc.property(messages(), cuts(), (sent, at) => {
        const told = scan(split(encode(sent), at), watch({ whole: [ReadyForQuery], noted: [DataRow] }))
        expect(told.map(({ type, body }) => ({ type, body }))).toEqual(
          sent.flatMap(({ type, body }) => {
            if (type === ReadyForQuery) return [{ type, body: [...body] }]
            return type === DataRow ? [{ type, body: [] }] : []
          }),
        )
      }),
    )
  })

  test('a body longer than the limit is cut there, whole or in pieces', () => {
    fc.assert(
      fc.property(messages(), cuts(), fc.integer({ min: 1, max: 20 }), (sent, at, limit) => {
        expect(scan(split(encode(sent), at), everything, limit).map(told => told.body)).toEqual(
          sent.map(({ body }) => [...body.subarray(0, limit)]),
        )
      }),
    )
  })

  test('a body that is whole in its chunk is told where it lies, not copied', () => {
    const chunk = encode([{ type: ReadyForQuery, body: Uint8Array.of(0x49) }])
    new MessageScanner(everything).feed(chunk, (_type, bytes, bodyStart, bodyEnd) => {
      expect(bytes).toBe(chunk)
      expect([bodyStart, bodyEnd]).toEqual([5, 6])
    })
  })

  test('a length below its own four bytes is a ProtocolError, whatever the split, and messages before it are told', () => {
    const good = encode([{ type: ReadyForQuery, body: Uint8Array.of(0x49) }])
    const lengths = fc.integer({ min: -0x8000_0000, max: 3 })
    fc.assert(
      fc.property(lengths, cuts(), (length, at) => {
        const bad = [0x44, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255, 7, 7]
        const scanner = new MessageScanner(everything)
        const told: number[] = []
        expect(() => {
          for (const chunk of split(Uint8Array.of(...good, ...bad), at))
            scanner.feed(chunk, type => told.push(type))
        }).toThrow(ProtocolError)
        expect(told).toEqual([ReadyForQuery])
      }),
    )
  })

  test('a claimed length of 2 GB holds back no more than the limit', () => {
    const scanner = new MessageScanner(everything, 1_000)
    scanner.feed(Uint8Array.of(ErrorResponse, 0x7f, 0xff, 0xff, 0xff), () => {})
    const chunk = new Uint8Array(1_000_000)
    for (let i = 0; i < 2_147; i++) scanner.feed(chunk, () => expect.unreachable('the message is not over'))
    expect(scanner.atBoundary).toBe(false)
    const told: number[] = []
    scanner.feed(chunk.subarray(0, 0x7fff_ffff - 4 - 2_147_000_000), (_type, _bytes, from, to) =>
      told.push(to - from),
    )
    expect(told).toEqual([1_000])
  })

  test('between two messages it is at a boundary, within one it is not', () => {
    const bytes = encode([{ type: DataRow, body: Uint8Array.of(1, 2) }])
    const scanner = new MessageScanner(everything)
    const boundaries = [...bytes].map(byte => {
      scanner.feed(Uint8Array.of(byte), () => {})
      return scanner.atBoundary
    })
    expect(boundaries).toEqual([false, false, false, false, false, false, true])
  })
})
