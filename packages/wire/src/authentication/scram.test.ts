import { pbkdf2, pbkdf2Sync } from 'node:crypto'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatVerifier,
  makeVerifier,
  mechanismsFor,
  mockVerifier,
  mostIterations,
  parseVerifier,
  ScramClient,
  ScramError,
  type ScramKeys,
  type ScramSecret,
  ScramServer,
} from './index.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (message: Uint8Array) => new TextDecoder().decode(message)
const deriveKey = (password: Uint8Array, salt: Uint8Array, iterations: number) =>
  promisify(pbkdf2)(password, salt, iterations, 32, 'sha256')

const salt = bytes('0123456789abcdef')
const verifier = await makeVerifier(bytes('pencil'), salt, deriveKey, 10)
const endPoint = bytes('the hash of a certificate')
const plus = 'SCRAM-SHA-256-PLUS'

const server = (options: { verifier?: typeof verifier; endPoint?: Uint8Array | null } = {}) =>
  new ScramServer({ verifier, endPoint: null, nonce: bytes('of the server'), ...options })
const client = (
  secret: ScramSecret,
  options: { mechanisms?: readonly string[]; encrypted?: boolean; endPoint?: Uint8Array | null } = {},
) =>
  new ScramClient({
    ...{ secret, mechanisms: mechanismsFor(null), encrypted: false, endPoint: null },
    ...{ nonce: bytes('of the client'), ...options },
  })

/** Both sides talk; the client's keys if each is content with the other. */
function login(client: ScramClient, server: ScramServer): ScramKeys | null {
  const derivation = client.challenged(server.first(client.mechanism, client.first()))
  const { password, salt, iterations } = derivation ?? {}
  const final = server.final(
    client.respond(password ? pbkdf2Sync(password, salt!, iterations!, 32, 'sha256') : null),
  )
  if (final === null) return null
  client.verify(final.message)
  expect([...final.clientKey]).toEqual([...client.keys.clientKey])
  return client.keys
}

function refusal(what: () => unknown): { code: string; message: string; detail?: string | undefined } {
  try {
    what()
  } catch (error) {
    if (error instanceof ScramError)
      return { code: error.code, message: error.message, ...(error.detail && { detail: error.detail }) }
    throw error
  }
  return expect.unreachable('nothing was refused')
}

describe('both sides', () => {
  test('the right password logs in, another does not', () => {
    expect(login(client({ password: bytes('pencil') }), server())).not.toBeNull()
    expect(login(client({ password: bytes('pencils') }), server())).toBeNull()
  })

  test('the keys of one login make the next one without a derivation', () => {
    const keys = login(client({ password: bytes('pencil') }), server())!
    const again = client({ keys })
    expect(again.challenged(server().first(again.mechanism, again.first()))).toBeNull()
    expect(login(client({ keys }), server())).not.toBeNull()
  })

  test('keys of another salt are of no use: with the password they are derived anew, without it that is said', async () => {
    const keys = login(client({ password: bytes('pencil') }), server())!
    const changed = await makeVerifier(bytes('pen'), bytes('another salt'), deriveKey, 10)
    expect(login(client({ keys, password: bytes('pen') }), server({ verifier: changed }))).not.toBeNull()
    expect(refusal(() => login(client({ keys }), server({ verifier: changed })))).toMatchObject({
      code: '28P01',
    })
  })

  test('over TLS the channel is bound', () => {
    const offered = { mechanisms: mechanismsFor(endPoint), encrypted: true, endPoint }
    const bound = client({ password: bytes('pencil') }, offered)
    expect(bound.mechanism).toBe(plus)
    expect(login(bound, server({ endPoint }))).not.toBeNull()
  })

  test('a client that was shown another certificate is refused, right password or not', () => {
    const offered = { mechanisms: mechanismsFor(endPoint), encrypted: true, endPoint: bytes('another') }
    expect(
      refusal(() => login(client({ password: bytes('pencil') }, offered), server({ endPoint }))),
    ).toEqual({ code: '28000', message: 'SCRAM channel binding check failed' })
  })

  test('a client that could bind and was not offered it says so, and a server that did offer it refuses', () => {
    const hidden = client({ password: bytes('pencil') }, { encrypted: true, endPoint })
    expect(text(hidden.first())).toMatch(/^y,,/)
    expect(login(hidden, server())).not.toBeNull()
    expect(refusal(() => login(hidden, server({ endPoint })))).toMatchObject({
      code: '28000',
      message: 'SCRAM channel binding negotiation error',
    })
  })
})

describe('a verifier', () => {
  test('is read as it was written', () => {
    const binary = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    const verifiers = fc.record({
      iterations: fc.integer({ min: 1, max: 0x7fff_ffff }),
      salt: fc.uint8Array({ minLength: 1, maxLength: 40 }),
      storedKey: binary(32),
      serverKey: binary(32),
    })
    fc.assert(
      fc.property(verifiers, verifier => {
        expect(parseVerifier(formatVerifier(verifier))).toEqual(verifier)
      }),
    )
  })

  test.each([
    ['a password', 'pencil'],
    ['MD5', 'md50123456789abcdef0123456789abcdef'],
    ['no iterations', 'SCRAM-SHA-256$0:c2FsdA==$AAAA:AAAA'],
    ['short keys', 'SCRAM-SHA-256$4096:c2FsdA==$AAAA:AAAA'],
    ['no base64', `SCRAM-SHA-256$4096:#$${'A'.repeat(43)}=:${'A'.repeat(43)}=`],
    ['something behind it', `${formatVerifier(verifier)}:`],
  ])('%s is none', (_what, stored) => expect(parseVerifier(stored)).toBeNull())

  test('that is mocked has the same salt for the same user, and nobody logs in with it', () => {
    const secret = bytes('a secret')
    const mock = mockVerifier('nobody', secret)
    expect(mock).toEqual(mockVerifier('nobody', secret))
    expect(mock.salt).not.toEqual(mockVerifier('somebody', secret).salt)
    expect(mock.salt).toHaveLength(16)
    expect(login(client({ password: bytes('pencil') }), server({ verifier: mock }))).toBeNull()
  })
})

describe('a server refuses', () => {
  const first = (message: string, mechanism = 'SCRAM-SHA-256', options = {}) =>
    refusal(() => server(options).first(mechanism, bytes(message)))
  const malformed = (detail: string) => ({ code: '08P01', message: 'malformed SCRAM message', detail })

  test.each([
    ['', malformed('The message is empty.')],
    ['n,,n=,r=abc\0', malformed('Message length does not match input length.')],
    ['x,,n=,r=abc', malformed('Unexpected channel-binding flag "\'x\'".')],
    ['n,b,n=,r=abc', malformed('Unexpected attribute "\'b\'" in client-first-message.')],
    ['n,,r=abc', malformed('Expected attribute "n" but found "\'r\'".')],
    [
      'p=tls-server-end-point,,n=,r=abc',
      malformed(
        'The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.',
      ),
    ],
    [
      'n,a=me,n=,r=abc',
      { code: '0A000', message: 'client uses authorization identity, but it is not supported' },
    ],
    ['n,,m=x,n=,r=abc', { code: '0A000', message: 'client requires an unsupported SCRAM extension' }],
    ['n,,n=,r=a\u007f', { code: '08P01', message: 'non-printable characters in SCRAM nonce' }],
  ])('the first message %j', (message, expected) => expect(first(message)).toEqual(expected))

  test('an unknown mechanism, and binding where there is no TLS', () => {
    const expected = {
      code: '08P01',
      message: 'client selected an invalid SASL authentication mechanism',
    }
    expect(first('n,,n=,r=abc', 'PLAIN')).toEqual(expected)
    expect(first('p=tls-server-end-point,,n=,r=abc', plus)).toEqual(expected)
  })

  test('a binding that is unknown, or missing', () => {
    expect(first('p=tls-unique,,n=,r=abc', plus, { endPoint })).toEqual({
      code: '08P01',
      message: 'unsupported SCRAM channel-binding type "tls-unique"',
    })
    expect(first('n,,n=,r=abc', plus, { endPoint })).toEqual(
      malformed(
        'The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.',
      ),
    )
  })

  test.each([
    [
      'c=biws,r=wrong,p=AAAA',
      { code: '08P01', message: 'invalid SCRAM response', detail: 'Nonce does not match.' },
    ],
    [
      'c=eSws,r=NONCE,p=AAAA',
      {
        code: '08P01',
        message: 'unexpected SCRAM channel-binding attribute in client-final-message',
      },
    ],
    ['r=NONCE', malformed('Expected attribute "c" but found "\'r\'".')],
    ['c=biws,r=NONCE', malformed('Malformed proof in client-final-message.')],
    ['c=biws,r=NONCE,p=AAAA', malformed('Malformed proof in client-final-message.')],
    ['c=biws,r=NONCE,p=AAAA,x=', malformed('Garbage found at the end of client-final-message.')],
  ])('the final message %j', (message, expected) => {
    const one = server()
    const [nonce] = text(one.first('SCRAM-SHA-256', bytes('n,,n=,r=abc')))
      .slice(2)
      .split(',')
    expect(refusal(() => one.final(bytes(message.replace('NONCE', nonce!))))).toEqual(expected)
  })
})

describe('a client refuses', () => {
  const challenge = (message: (nonce: string) => string) => {
    const one = client({ password: bytes('pencil') })
    const nonce = text(one.first()).split('r=')[1]!
    return refusal(() => one.challenged(bytes(message(nonce))))
  }

  test.each<[string, (nonce: string) => string, RegExp]>([
    ['a nonce that is not a continuation of its own', () => 'r=x,s=AAAA,i=1', /does not continue/],
    ['its own nonce', nonce => `r=${nonce},s=AAAA,i=1`, /does not continue/],
    ['a nonce of 10 kB', nonce => `r=${nonce}${'x'.repeat(10_000)},s=AAAA,i=1`, /nonce is beyond/],
    ['a salt of 1 MB', nonce => `r=${nonce}x,s=${'AAAA'.repeat(250_000)},i=1`, /salt is beyond/],
    ['no salt', nonce => `r=${nonce}x,s=,i=1`, /salt is empty/],
    ['a salt that is no base64', nonce => `r=${nonce}x,s=A,i=1`, /not base64/],
    ['no iterations', nonce => `r=${nonce}x,s=AAAA,i=0`, /iteration count is beyond/],
    ['2^31 iterations', nonce => `r=${nonce}x,s=AAAA,i=2147483648`, /iteration count is beyond/],
    ['one too many', nonce => `r=${nonce}x,s=AAAA,i=${mostIterations + 1}`, /iteration count is beyond/],
    ['nothing', () => '', /malformed/],
  ])('%s', (_what, message, reason) => expect(challenge(message).message).toMatch(reason))

  test('a server without the right signature: it does not know the password', () => {
    const one = client({ password: bytes('pencil') })
    const { password, salt, iterations } = one.challenged(server().first(one.mechanism, one.first()))!
    one.respond(pbkdf2Sync(password, salt, iterations, 32, 'sha256'))
    expect(refusal(() => one.verify(bytes(`v=${'A'.repeat(43)}=`))).code).toBe('28000')
    expect(refusal(() => one.verify(bytes('e=other-error'))).code).toBe('08P01')
  })

  test('binding offered without TLS, and mechanisms it does not know', () => {
    const offered = (mechanisms: string[]) =>
      refusal(() => client({ password: bytes('pencil') }, { mechanisms })).message
    expect(offered([plus, 'SCRAM-SHA-256'])).toMatch(/without TLS/)
    expect(offered(['OAUTHBEARER'])).toMatch(/no SASL mechanism but OAUTHBEARER/)
    expect(offered([])).toMatch(/none at all/)
  })
})

test('any bytes are answered or refused, by either side', () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.string({ unit: fc.constantFrom(...'nyp=,,rscivAB0\0m') }).map(bytes),
  )
  const answers = (what: () => unknown) => {
    try {
      what()
    } catch (error) {
      expect(error).toBeInstanceOf(ScramError)
    }
  }
  fc.assert(
    fc.property(message, message, (one, two) => {
      const [left, right] = [client({ password: bytes('pencil') }), server()]
      answers(() => right.first('SCRAM-SHA-256', one))
      right.first('SCRAM-SHA-256', left.first())
      answers(() => right.final(two))
      answers(() => left.challenged(one))
    }),
  )
})
