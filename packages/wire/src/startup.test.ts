import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  cancelRequest,
  decodeFirstPacket,
  ProtocolError,
  protocol30,
  protocol32,
  sslRequest,
  startupMessage,
} from './index.ts'

describe('what a client sends first', () => {
  test('an SSLRequest has the eight bytes of the documentation', () => {
    expect([...sslRequest()]).toEqual([0, 0, 0, 8, 4, 210, 22, 47])
    expect(decodeFirstPacket(sslRequest())).toEqual({ is: 'SSLRequest', length: 8 })
  })

  test('a CancelRequest is read as it was written, its key of 4 to 256 bytes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
        fc.uint8Array({ minLength: 4, maxLength: 256 }),
        (processId, secretKey) => {
          expect(decodeFirstPacket(cancelRequest(processId, secretKey))).toEqual({
            is: 'CancelRequest',
            length: 12 + secretKey.length,
            processId,
            secretKey,
          })
        },
      ),
    )
  })

  test('a key of another length is refused, written or read', () => {
    expect(() => cancelRequest(1, new Uint8Array(3))).toThrow(RangeError)
    expect(() => cancelRequest(1, new Uint8Array(257))).toThrow(RangeError)
    expect(() => decodeFirstPacket(Uint8Array.of(0, 0, 0, 12, 4, 210, 22, 46, 0, 0, 0, 1))).toThrow(
      ProtocolError,
    )
  })

  test('a StartupMessage is read as it was written', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter(string => !string.includes('\0'))
    const value = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(string => !string.includes('\0'))
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, value), { selector: ([name]) => name, maxLength: 8 }),
        fc.constantFrom(protocol30, protocol32),
        (parameters, version) => {
          const bytes = startupMessage(parameters, version)
          expect(decodeFirstPacket(bytes)).toEqual({
            is: 'StartupMessage',
            length: bytes.length,
            version,
            parameters: new Map(parameters),
          })
        },
      ),
    )
  })

  test('a NUL in a startup parameter is refused: what follows it would be another setting', () => {
    expect(() => startupMessage({ user: 'me\0options' })).toThrow(RangeError)
    expect(() => startupMessage({ 'user\0x': 'me' })).toThrow(RangeError)
  })
})

describe('decodeFirstPacket', () => {
  test('asks for more until the packet is whole, and takes no byte behind it', () => {
    const packet = startupMessage({ user: 'me' })
    for (let length = 0; length < packet.length; length++)
      expect(decodeFirstPacket(packet.subarray(0, length))).toEqual({ is: 'incomplete' })
    expect(decodeFirstPacket(Uint8Array.of(...packet, 0x51))).toMatchObject({
      is: 'StartupMessage',
      length: packet.length,
    })
  })

  test.each([
    ['a length below eight', [0, 0, 0, 7]],
    ['a length that no server accepts', [0, 0, 39, 21]],
    ['HTTP', [...new TextEncoder().encode('GET / HTTP/1.1')]],
    ['TLS without asking', [22, 3, 1, 2, 0]],
    ['an SSLRequest with more in it', [0, 0, 0, 9, 4, 210, 22, 47, 0]],
    ['no closing NUL', [0, 0, 0, 12, 0, 3, 0, 0, 97, 0, 98, 0]],
    ['a name without a value', [0, 0, 0, 10, 0, 3, 0, 0, 97, 0]],
    ['a value without its NUL', [0, 0, 0, 11, 0, 3, 0, 0, 97, 0, 98]],
    ['bytes behind the closing NUL', [0, 0, 0, 10, 0, 3, 0, 0, 0, 1]],
  ])('%s is a ProtocolError', (_what, bytes) => {
    expect(() => decodeFirstPacket(Uint8Array.from(bytes))).toThrow(ProtocolError)
  })

  test('any bytes are understood, refused, or asked for more of, at most 10,004', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, plausible) => {
        if (plausible && bytes.length >= 8) bytes.set([0, 0, 0, bytes.length])
        try {
          const packet = decodeFirstPacket(bytes)
          if (packet.is !== 'incomplete') expect(packet.length).toBeLessThanOrEqual(bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
    expect(() => decodeFirstPacket(new Uint8Array(10_005).fill(0))).toThrow(ProtocolError)
  })
})
