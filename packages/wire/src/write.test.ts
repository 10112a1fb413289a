import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as wire from './index.ts'

/** Text as it stands, other bytes as numbers. */
const bytes = (...parts: (string | number)[]) =>
  parts.flatMap(part => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : [part]))
const of = (message: Uint8Array) => [...message]

describe('what a server says has the bytes of the documentation', () => {
  test.each<[string, Uint8Array, number[]]>([
    ['AuthenticationOk', wire.authenticationOk(), bytes('R', 0, 0, 0, 8, 0, 0, 0, 0)],
    [
      'AuthenticationCleartextPassword',
      wire.authenticationCleartextPassword(),
      bytes('R', 0, 0, 0, 8, 0, 0, 0, 3),
    ],
    [
      'AuthenticationMD5Password',
      wire.authenticationMd5Password(Uint8Array.of(1, 2, 3, 4)),
      bytes('R', 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4),
    ],
    [
      'AuthenticationSASL',
      wire.authenticationSasl(['A', 'B-PLUS']),
      bytes('R', 0, 0, 0, 18, 0, 0, 0, 10, 'A', 0, 'B-PLUS', 0, 0),
    ],
    [
      'AuthenticationSASLContinue',
      wire.authenticationSaslContinue(Uint8Array.of(7)),
      bytes('R', 0, 0, 0, 9, 0, 0, 0, 11, 7),
    ],
    [
      'AuthenticationSASLFinal',
      wire.authenticationSaslFinal(Uint8Array.of(7)),
      bytes('R', 0, 0, 0, 9, 0, 0, 0, 12, 7),
    ],
    [
      'ParameterStatus',
      wire.parameterStatus('TimeZone', 'UTC'),
      bytes('S', 0, 0, 0, 17, 'TimeZone', 0, 'UTC', 0),
    ],
    [
      'BackendKeyData',
      wire.backendKeyData(-2, Uint8Array.of(1, 2, 3, 4, 5)),
      bytes('K', 0, 0, 0, 13, 255, 255, 255, 254, 1, 2, 3, 4, 5),
    ],
    [
      'NegotiateProtocolVersion',
      wire.negotiateProtocolVersion(wire.protocol32, ['_pq_.x']),
      bytes('v', 0, 0, 0, 19, 0, 3, 0, 2, 0, 0, 0, 1, '_pq_.x', 0),
    ],
    ['ReadyForQuery', wire.readyForQuery('T'), bytes('Z', 0, 0, 0, 5, 'T')],
    ['ParseComplete', wire.parseComplete(), bytes('1', 0, 0, 0, 4)],
    ['BindComplete', wire.bindComplete(), bytes('2', 0, 0, 0, 4)],
    ['CloseComplete', wire.closeComplete(), bytes('3', 0, 0, 0, 4)],
    ['NoData', wire.noData(), bytes('n', 0, 0, 0, 4)],
    ['EmptyQueryResponse', wire.emptyQueryResponse(), bytes('I', 0, 0, 0, 4)],
    ['CommandComplete', wire.commandComplete('SET'), bytes('C', 0, 0, 0, 8, 'SET', 0)],
    [
      'RowDescription',
      wire.rowDescription([{ name: 'ä' }]),
      bytes(
        ...['T', 0, 0, 0, 27, 0, 1, 'ä', 0],
        ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 255, 255, 255, 255, 255, 255, 0, 0],
      ),
    ],
    [
      'DataRow',
      wire.dataRow(['1', null]),
      bytes('D', 0, 0, 0, 15, 0, 2, 0, 0, 0, 1, '1', 255, 255, 255, 255),
    ],
  ])('%s', (_name, message, expected) => expect(of(message)).toEqual(expected))
})

describe('what a client says has the bytes of the documentation', () => {
  test.each<[string, Uint8Array, number[]]>([
    ['Query', wire.query('ä'), bytes('Q', 0, 0, 0, 7, 'ä', 0)],
    ['Parse', wire.parse('s', ';', [23]), bytes('P', 0, 0, 0, 14, 's', 0, ';', 0, 0, 1, 0, 0, 0, 23)],
    [
      'Bind',
      wire.bind('', 's', '1', null),
      bytes('B', 0, 0, 0, 22, 0, 's', 0, 0, 0, 0, 2, 0, 0, 0, 1, '1', 255, 255, 255, 255, 0, 0),
    ],
    ['Describe', wire.describe('S', 's'), bytes('D', 0, 0, 0, 7, 'Ss', 0)],
    ['Execute', wire.execute('p', 2), bytes('E', 0, 0, 0, 10, 'p', 0, 0, 0, 0, 2)],
    ['Close', wire.close('P', 'p'), bytes('C', 0, 0, 0, 7, 'Pp', 0)],
    ['Sync', wire.sync(), bytes('S', 0, 0, 0, 4)],
    ['Flush', wire.flush(), bytes('H', 0, 0, 0, 4)],
    ['Terminate', wire.terminate(), bytes('X', 0, 0, 0, 4)],
    ['PasswordMessage', wire.password(Uint8Array.of(120)), bytes('p', 0, 0, 0, 6, 'x', 0)],
    [
      'SASLInitialResponse',
      wire.saslInitialResponse('A', Uint8Array.of(120)),
      bytes('p', 0, 0, 0, 11, 'A', 0, 0, 0, 0, 1, 'x'),
    ],
    [
      'SASLInitialResponse without data',
      wire.saslInitialResponse('A', null),
      bytes('p', 0, 0, 0, 10, 'A', 0, 255, 255, 255, 255),
    ],
    ['SASLResponse', wire.saslResponse(Uint8Array.of(120)), bytes('p', 0, 0, 0, 5, 'x')],
    ['CopyData', wire.copyData(Uint8Array.of(120)), bytes('d', 0, 0, 0, 5, 'x')],
    ['CopyDone', wire.copyDone(), bytes('c', 0, 0, 0, 4)],
    ['CopyFail', wire.copyFail('no'), bytes('f', 0, 0, 0, 7, 'no', 0)],
  ])('%s', (_name, message, expected) => expect(of(message)).toEqual(expected))
})

test('a string that holds a NUL is refused in every message: what follows would be further fields', () => {
  const withNul = fc.tuple(fc.string(), fc.string()).map(([a, b]) => `${a}\0${b}`)
  fc.assert(
    fc.property(withNul, string => {
      const writers = [
        () => wire.query(string),
        () => wire.parse(string, ''),
        () => wire.bind('', string),
        () => wire.copyFail(string),
        () => wire.parameterStatus('x', string),
        () => wire.commandComplete(string),
        () => wire.rowDescription([{ name: string }]),
      ]
      for (const write of writers) expect(write).toThrow(RangeError)
    }),
  )
})
