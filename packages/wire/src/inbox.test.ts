import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Inbox, ProtocolError } from './index.ts'
import { message } from './write.ts'

const taken = (inbox: Inbox) => {
  const all: [number, number[]][] = []
  for (let next = inbox.next(); next; next = inbox.next()) all.push([next.type, [...next.body]])
  return all
}

describe('Inbox', () => {
  test('any split of the bytes gives the same messages, and what is behind them is the rest', () => {
    const messages = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 40 })), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
        const bytes = Buffer.concat([...sent.map(([type, body]) => message(type, body)), Buffer.of(1, 0, 0)])
        const inbox = new Inbox(44)
        const edges = [0, ...cuts.map(cut => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
        const told = edges.slice(1).flatMap((edge, index) => {
          inbox.push(bytes.subarray(edges[index], edge))
          return taken(inbox)
        })
        expect(told).toEqual(sent.map(([type, body]) => [type, [...body]]))
        expect(inbox.held).toBe(3)
        expect([...inbox.takeRest()]).toEqual([1, 0, 0])
        expect(inbox.held).toBe(0)
      }),
    )
  })

  test.each([3, 45, 0x7fff_ffff, 0xffff_ffff])('a claimed length of %d is refused at once', length => {
    const inbox = new Inbox(44)
    inbox.push(Uint8Array.of(0x70, length >>> 24, length >>> 16, length >>> 8, length))
    expect(() => inbox.next()).toThrow(ProtocolError)
  })
})
