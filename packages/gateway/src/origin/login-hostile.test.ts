import { pbkdf2Sync } from 'node:crypto'
import * as wire from '@sluice/wire'
import { makeVerifier, type ScramSecret, ScramServer } from '@sluice/wire/authentication'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Login, type LoginAction, type LoginOptions } from './login.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const derive = (password: Uint8Array, salt: Uint8Array, iterations: number) =>
  pbkdf2Sync(password, salt, iterations, 32, 'sha256')
const verifier = await makeVerifier(bytes('geheim'), bytes('salt'), async (...of) => derive(...of), 5)

/** A login of user `me`, whose actions are told in short. */
function line(options: Partial<LoginOptions> = {}) {
  const login = new Login({
    ...{ user: 'me', database: 'shop', tls: null, secret: { password: bytes('geheim') } as ScramSecret },
    ...{ randomBytes: count => new Uint8Array(count).fill(7), ...options },
  })
  login.start()
  const sent: Uint8Array[] = []
  const told = (actions: LoginAction[]): string[] => actions.flatMap(inShort)
  const inShort = (action: LoginAction): string[] => {
    switch (action.do) {
      case 'send':
        sent.push(action.bytes)
        return ['send']
      case 'derive':
        return ['derive', ...told(login.derived(derive(action.password, action.salt, action.iterations)))]
      case 'ready':
        return ['ready']
      case 'fail':
        return [`${action.error.code} ${action.error.message}`]
    }
  }
  return {
    login,
    sent,
    lost: () => told(login.lost()),
    origin: (...chunks: Uint8Array[]) => chunks.flatMap(chunk => told(login.feed(chunk))),
  }
}

const key = wire.backendKeyData(1, new Uint8Array(4))
const welcome = [
  wire.authenticationOk(),
  wire.parameterStatus('TimeZone', 'UTC'),
  key,
  wire.readyForQuery('I'),
]
const negotiate = wire.negotiateProtocolVersion
const message = (type: number, ...body: number[]) =>
  Uint8Array.of(type, 0, 0, (4 + body.length) >> 8, 4 + body.length, ...body)
const error = (fields: number[]) => message(wire.ErrorResponse, ...fields)

describe('an origin that is not PostgreSQL', () => {
  const protocol = /^08P01 the origin does not keep to PostgreSQL's protocol: /

  test.each<[string, Uint8Array[], RegExp]>([
    ['HTTP', [bytes('HTTP/1.1 400 Bad Request\r\n')], protocol],
    ['a message of 2 GB', [Uint8Array.of(0x52, 0x7f, 255, 255, 255)], protocol],
    ['a message of 3 bytes', [Uint8Array.of(0x52, 0, 0, 0, 3)], protocol],
    ['an Authentication message of 3 bytes', [message(wire.Authentication, 0, 0, 0)], protocol],
    ['ready without a login', [wire.readyForQuery('I')], protocol],
    ['parameters without a login', [wire.parameterStatus('a', 'b')], protocol],
    ['an MD5 salt of 3 bytes', [wire.authenticationMd5Password(Uint8Array.of(1, 2, 3))], protocol],
    ['SASL mechanisms without an end', [message(wire.Authentication, 0, 0, 0, 10, 65)], protocol],
    ['the end of SASL before its beginning', [wire.authenticationSaslFinal(bytes('v='))], protocol],
    [
      'a login without proof of its own',
      [wire.authenticationSasl(['SCRAM-SHA-256']), wire.authenticationOk()],
      protocol,
    ],
    ['logged in twice', [wire.authenticationOk(), wire.authenticationOk()], protocol],
    ['a version nobody asked for', [negotiate(wire.protocol32, [])], protocol],
    ['a version that is ours', [negotiate(wire.protocol30, [])], protocol],
    ['a key of 3 bytes', [welcome[0]!, wire.backendKeyData(1, new Uint8Array(3))], protocol],
    ['a key of 257 bytes', [welcome[0]!, wire.backendKeyData(1, new Uint8Array(257))], protocol],
    ['a parameter without a value', [welcome[0]!, message(wire.ParameterStatus, 65, 0)], protocol],
    ['a parameter without an end', [welcome[0]!, message(wire.ParameterStatus, 65, 0, 65)], protocol],
    ['a row', [welcome[0]!, wire.dataRow(['1'])], protocol],
    ['ready in a transaction', [welcome[0]!, wire.readyForQuery('T')], protocol],
    ['Kerberos', [message(wire.Authentication, 0, 0, 0, 2)], /^0A000 .* Kerberos V5$/],
    ['GSSAPI', [message(wire.Authentication, 0, 0, 0, 7)], /^0A000 .* GSSAPI$/],
    ['an unknown method', [message(wire.Authentication, 0, 0, 1, 0)], /^0A000 .* number 256$/],
    ['an unknown mechanism', [wire.authenticationSasl(['OAUTHBEARER'])], /^0A000 .* OAUTHBEARER$/],
  ])('%s is a clear error', (_what, chunks, expected) => {
    const one = line()
    const heard = one.origin(...chunks)
    expect(heard.at(-1)).toMatch(expected)
    // Nothing after it is heard.
    expect(one.origin(...welcome)).toEqual([])
    expect(one.lost()).toEqual([])
  })

  test.each<[string, number[], string]>([
    ['without a code', [...bytes('SFATAL\0Mno\0'), 0], 'XX000 no'],
    ['without a field', [0], 'XX000 the server reported an error without a message'],
    ['without a body', [], 'XX000 the server reported an error without a message'],
    ['whose field lacks its end', [...bytes('C28P01\0Mno')], '28P01 no'],
  ])('an ErrorResponse %s is an error all the same', (_what, fields, expected) => {
    expect(line().origin(error(fields))).toEqual([expected])
  })

  test.each<[string, (nonce: string) => string]>([
    ['a nonce of 10 kB', nonce => `r=${nonce}${'x'.repeat(10_000)},s=c2FsdA==,i=5`],
    ['a nonce that is not a continuation of ours', () => 'r=abc,s=c2FsdA==,i=5'],
    ['a salt of 40 kB', nonce => `r=${nonce}x,s=${'c2Fs'.repeat(13_000)},i=5`],
    ['2^31 iterations', nonce => `r=${nonce}x,s=c2FsdA==,i=2147483648`],
  ])('%s fails before anything is derived', (_what, first) => {
    const one = line()
    one.origin(wire.authenticationSasl(['SCRAM-SHA-256']))
    const nonce = new TextDecoder().decode(one.sent.at(-1)).split('r=')[1]!
    const heard = one.origin(wire.authenticationSaslContinue(bytes(first(nonce))))
    expect(heard).toEqual([expect.stringMatching(/^08P01 the login at the origin failed: /)])
  })

  test('a server that does not know the password is found out', () => {
    const one = line()
    one.origin(wire.authenticationSasl(['SCRAM-SHA-256']))
    const nonce = new TextDecoder().decode(one.sent.at(-1)).split('r=')[1]!
    const first = wire.authenticationSaslContinue(bytes(`r=${nonce}x,s=c2FsdA==,i=5`))
    const final = wire.authenticationSaslFinal(bytes(`v=${'A'.repeat(43)}=`))
    expect(one.origin(first, final)).toEqual(['derive', 'send', expect.stringMatching(/^28000 .*signature/)])
  })

  test('one that speaks while a key is derived is refused, and the key is of no use any more', () => {
    const login = new Login({
      ...{ user: 'me', database: 'shop', tls: null, secret: { password: bytes('geheim') } },
      randomBytes: count => new Uint8Array(count),
    })
    login.feed(wire.authenticationSasl(['SCRAM-SHA-256']))
    const [derive] = login.feed(wire.authenticationSaslContinue(bytes(`r=${'A'.repeat(24)}x,s=c2FsdA==,i=5`)))
    expect(derive).toMatchObject({ do: 'derive', iterations: 5 })
    expect(login.feed(wire.authenticationOk())).toMatchObject([{ do: 'fail', error: { code: '08P01' } }])
    expect(login.derived(new Uint8Array(32))).toEqual([])
  })

  test('without an end is given up after 1,000 messages, and after 1 MB', () => {
    const notice = wire.errorResponse({ code: '01000', message: 'wait' }, wire.NoticeResponse)
    const many = line()
    const heard = Array.from({ length: 1_001 }, () => many.origin(notice)).flat()
    expect(heard).toEqual([expect.stringMatching(/more than 1000 messages$/)])
    const large = line()
    const long = message(wire.NoticeResponse, ...new Uint8Array(60_000))
    expect(Array.from({ length: 20 }, () => large.origin(long)).flat()).toEqual([
      expect.stringMatching(/more than 1048576 bytes$/),
    ])
  })

  test('that hangs up is told as such', () => {
    expect(line().lost()).toEqual(['08006 the origin closed the connection before the login was complete'])
  })
})

describe('a login', () => {
  test('without BackendKeyData has no key', () => {
    const { login } = line()
    login.feed(wire.authenticationOk())
    expect(login.feed(wire.readyForQuery('I'))).toMatchObject([{ do: 'ready', login: { key: null } }])
  })

  test('takes a lower version once, and notices at any time', () => {
    const one = line({ version: wire.protocol32 })
    const notice = wire.errorResponse({ code: '01000', message: 'hm' }, wire.NoticeResponse)
    expect(one.origin(negotiate(wire.protocol30, []), notice, ...welcome)).toEqual(['ready'])
    const twice = line({ version: wire.protocol32 })
    expect(twice.origin(negotiate(0x0003_0001, []), negotiate(wire.protocol30, []))).toEqual([
      expect.stringMatching(/^08P01/),
    ])
  })

  test('that knows only keys gives no password away', () => {
    const keys = {
      iterations: 5,
      salt: bytes('salt'),
      clientKey: new Uint8Array(32),
      serverKey: new Uint8Array(32),
    }
    for (const asked of [
      wire.authenticationCleartextPassword(),
      wire.authenticationMd5Password(new Uint8Array(4)),
    ])
      expect(line({ secret: { keys } }).origin(asked)).toEqual([
        expect.stringMatching(/^28000 .* only SCRAM keys/),
      ])
  })
})

/** What an honest origin says, turn by turn: in each it waits for an answer to the one before. */
function turns(): Uint8Array[] {
  const one = line()
  const scram = new ScramServer({ verifier, endPoint: null, nonce: new Uint8Array(18) })
  const offer = wire.authenticationSasl(['SCRAM-SHA-256'])
  one.origin(offer)
  const first = one.sent.at(-1)!.subarray(5 + 'SCRAM-SHA-256'.length + 1 + 4)
  const challenge = wire.authenticationSaslContinue(scram.first('SCRAM-SHA-256', first))
  one.origin(challenge)
  const signature = wire.authenticationSaslFinal(scram.final(one.sent.at(-1)!.subarray(5))!.message)
  return [offer, challenge, Buffer.concat([signature, ...welcome])]
}

describe('the same bytes', () => {
  const said = turns()

  test('in any split make the same login', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 10 }), cuts => {
        const chunks = said.flatMap(turn => {
          const edges = [0, ...cuts.map(cut => cut % (turn.length + 1)).sort((a, b) => a - b), turn.length]
          return edges.slice(1).map((edge, index) => turn.slice(edges[index], edge))
        })
        expect(line().origin(...chunks)).toEqual(['send', 'derive', 'send', 'ready'])
      }),
    )
  })

  test('changed anywhere end in a login or in one error, never in a throw', () => {
    const change = fc.record({ turn: fc.nat(2), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), changes => {
        const changed = said.map(turn => turn.slice())
        for (const { turn, at, byte } of changes) changed[turn]![at % changed[turn]!.length] = byte
        const one = line()
        const heard = [...one.origin(...changed), ...one.lost()]
        expect(heard.at(-1)).toMatch(/^ready$|^[0-9A-Z]{5} ./)
        expect(heard.filter(each => !/^(send|derive)$/.test(each))).toHaveLength(1)
      }),
      { numRuns: 2_000 },
    )
  })
})
