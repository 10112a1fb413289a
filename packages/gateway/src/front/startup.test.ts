import { pbkdf2Sync } from 'node:crypto'
import * as wire from '@sluice/wire'
import { makeVerifier, md5Answer, md5Stored, ScramClient } from '@sluice/wire/authentication'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Credential } from './authenticate.ts'
import { type Admitted, Startup, type StartupAction } from './startup.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const derive = (password: Uint8Array, salt: Uint8Array, iterations: number) =>
  pbkdf2Sync(password, salt, iterations, 32, 'sha256')
const verifier = await makeVerifier(bytes('geheim'), bytes('salt'), async (...of) => derive(...of), 5)

/** The startup of a client, whose actions are told in short; `admitted` is who came in. */
function line({ tls = true, credential = { method: 'trust' } as Credential | null } = {}) {
  const startup = new Startup({
    tls,
    randomBytes: count => new Uint8Array(count).fill(7),
    mockSecret: bytes('a secret'),
  })
  const admitted: Admitted[] = []
  const sent: Uint8Array[] = []
  const inShort = (action: StartupAction): string[] => {
    switch (action.do) {
      case 'send': {
        sent.push(action.bytes)
        const [type] = action.bytes
        return [action.bytes.length === 1 ? String.fromCharCode(type!) : wire.backendMessageName(type!)]
      }
      case 'lookup':
        if (credential === null) return [`lookup ${action.user} ${action.database}`]
        return [`lookup ${action.user} ${action.database}`, ...startup.found(credential).flatMap(inShort)]
      case 'prove':
        return [`prove ${new TextDecoder().decode(action.password)}`]
      case 'admit':
        admitted.push(action.client)
        return [`admit ${action.client.user}`]
      case 'refuse':
        return [`${action.error.severity} ${action.error.code} ${action.error.message}`]
      case 'cancel':
        return [`cancel ${action.processId} ${action.secretKey}`]
      case 'handshake':
        return [`handshake ${action.alreadyRead === null ? '' : [...action.alreadyRead]}`.trimEnd()]
      case 'close':
        return ['close']
    }
  }
  return {
    startup,
    admitted,
    sent,
    told: (actions: StartupAction[]) => actions.flatMap(inShort),
    client: (...chunks: Uint8Array[]) => chunks.flatMap(chunk => startup.feed(chunk).flatMap(inShort)),
  }
}

const gssRequest = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 48)
const hello = (parameters: Record<string, string> = {}, version: number = wire.protocol30) =>
  wire.startupMessage({ user: 'me', database: 'shop', ...parameters }, version)

describe('encryption', () => {
  test('is begun where the gateway has a certificate, once', () => {
    const one = line()
    expect(one.client(wire.sslRequest())).toEqual(['S', 'handshake'])
    one.startup.secured(null)
    expect(one.client(hello())).toEqual(['lookup me shop', 'admit me'])
  })

  test('is refused where it has none, and by GSSAPI always; the client goes on in plain text', () => {
    const one = line({ tls: false })
    expect(one.client(gssRequest, wire.sslRequest(), hello())).toEqual([
      'N',
      'N',
      'lookup me shop',
      'admit me',
    ])
  })

  test('may begin without a question', () => {
    const one = line()
    expect(one.client(Uint8Array.of(0x16, 3, 1))).toEqual(['handshake 22,3,1'])
    one.startup.secured(null)
    expect(one.client(hello())).toEqual(['lookup me shop', 'admit me'])
    expect(line({ tls: false }).client(Uint8Array.of(0x16, 3, 1))).toEqual(['close'])
  })

  test.each([
    ['SSL', wire.sslRequest()],
    ['GSSAPI encryption', gssRequest],
  ])('after a request for %s nothing may come in plain text before its answer', (name, request) => {
    expect(line().client(Uint8Array.of(...request, ...hello()))).toEqual([
      `FATAL 08P01 received unencrypted data after ${name} request`,
    ])
  })

  test('bytes that come by themselves while the handshake is due are not taken for a message', () => {
    expect(line().client(wire.sslRequest(), hello()).at(-1)).toMatch(/^FATAL 08P01 received unencrypted/)
  })
})

describe('the first packet', () => {
  test('may be a CancelRequest, with a key of either length', () => {
    expect(line().client(wire.cancelRequest(-7, Uint8Array.of(1, 2, 3, 4)))).toEqual(['cancel -7 1,2,3,4'])
    const key = new Uint8Array(32).fill(1)
    expect(line().client(wire.cancelRequest(7, key))).toEqual([`cancel 7 ${key}`])
  })

  test.each<[number, number, boolean, 4 | 32]>([
    [wire.protocol30, wire.protocol30, false, 4],
    [0x0003_0001, 0x0003_0001, false, 4],
    [wire.protocol32, wire.protocol32, false, 32],
    [0x0003_0003, wire.protocol32, true, 32],
    [0x0003_270f, wire.protocol32, true, 32],
  ])('with version %i is spoken to in version %i', (asked, spoken, negotiated, secretKeyBytes) => {
    const one = line()
    const told = negotiated ? ['NegotiateProtocolVersion'] : []
    expect(one.client(hello({}, asked))).toEqual([...told, 'lookup me shop', 'admit me'])
    expect(one.admitted).toMatchObject([{ version: spoken, secretKeyBytes }])
    if (negotiated) expect(one.sent[0]).toEqual(wire.negotiateProtocolVersion(spoken, []))
  })

  test('with options of the protocol that nobody knows is told so once, however long the login waits', () => {
    const one = line({ credential: null })
    one.client(hello({ '_pq_.x': '1', '_pq_.y': '1' }))
    one.told(one.startup.found({ method: 'password' }))
    one.client(wire.password(bytes('geheim')))
    one.told(one.startup.judged(null))
    expect(one.sent[0]).toEqual(wire.negotiateProtocolVersion(wire.protocol30, ['_pq_.x', '_pq_.y']))
    expect(one.sent.filter(([type]) => type === wire.NegotiateProtocolVersion)).toHaveLength(1)
    expect(one.admitted).toMatchObject([{ settings: new Map() }])
  })

  test('carries settings', () => {
    const one = line()
    one.client(hello({ application_name: 'psql', options: '-c geqo=off' }))
    expect(one.admitted[0]?.settings).toEqual(
      new Map([
        ['geqo', 'off'],
        ['application_name', 'psql'],
      ]),
    )
  })

  test('that is none is refused as soon as its length is there', () => {
    expect(line().client(bytes('GET '))).toEqual([expect.stringMatching(/^FATAL 08P01/)])
  })
})

describe('a login', () => {
  /** Goes through SCRAM; `password` is what the client believes. */
  function scram(password: string, credential: Credential) {
    const one = line({ credential })
    const heard = one.client(hello())
    const client = new ScramClient({
      secret: { password: bytes(password) },
      ...{ mechanisms: ['SCRAM-SHA-256'], encrypted: false, endPoint: null, nonce: new Uint8Array(18) },
    })
    heard.push(...one.client(wire.saslInitialResponse(client.mechanism, client.first())))
    const derivation = client.challenged(one.sent.at(-1)!.subarray(9))!
    const final = client.respond(derive(derivation.password, derivation.salt, derivation.iterations))
    heard.push(...one.client(wire.saslResponse(final)))
    return { heard: heard.slice(1), one, client, derivation }
  }
  const wrong = 'FATAL 28P01 password authentication failed for user "me"'
  const dialogue = ['Authentication', 'Authentication']

  test('by SCRAM yields the keys with which to log in as this client', () => {
    const { heard, one, client } = scram('geheim', { method: 'scram', verifier })
    expect(heard).toEqual([...dialogue, 'Authentication', 'admit me'])
    client.verify(one.sent.at(-1)!.subarray(9))
    const [admitted] = one.admitted
    expect(admitted!.proof).toMatchObject({ by: 'scram', keys: { iterations: 5, salt: verifier.salt } })
    if (admitted!.proof.by === 'scram')
      expect([...admitted!.proof.keys.clientKey]).toEqual([...client.keys.clientKey])
  })

  test('by SCRAM with a wrong password, or of no user at all, fails alike', () => {
    expect(scram('falsch', { method: 'scram', verifier }).heard).toEqual([...dialogue, wrong])
    const nobody = scram('geheim', { method: 'scram', verifier: null })
    expect(nobody.heard).toEqual([...dialogue, wrong])
    expect(nobody.derivation.iterations).toBe(4_096)
    expect(scram('geheim', { method: 'scram', verifier: null }).derivation.salt).toEqual(
      nobody.derivation.salt,
    )
  })

  test('by SCRAM may begin with an empty response', () => {
    const one = line({ credential: { method: 'scram', verifier } })
    one.client(hello(), wire.saslInitialResponse('SCRAM-SHA-256', null))
    expect(one.sent.at(-1)).toEqual(wire.authenticationSaslContinue(new Uint8Array(0)))
    expect(one.client(wire.saslResponse(bytes('n,,n=,r=abc')))).toEqual(['Authentication'])
  })

  test.each([
    ['stored in clear text', 'geheim', true],
    ['stored as its hash', md5Stored('me', 'geheim'), true],
    ['of another password', 'falsch', false],
    ['of no user', null, false],
  ])('by MD5 %s', (_what, stored, right) => {
    const one = line({ credential: { method: 'md5', stored } })
    one.client(hello())
    const salt = one.sent.at(-1)!.subarray(9)
    const heard = one.client(wire.password(md5Answer(md5Stored('me', 'geheim'), salt)))
    expect(heard).toEqual([right ? 'admit me' : wrong])
  })

  test('by password is judged elsewhere, and fails in the words of the judge', () => {
    const one = line({ credential: { method: 'password' } })
    expect(one.client(hello(), wire.password(bytes('geheim')))).toEqual([
      'lookup me shop',
      'Authentication',
      'prove geheim',
    ])
    const error = { severity: 'ERROR', code: '3D000', message: 'database "shop" does not exist' }
    expect(one.told(one.startup.judged(error))).toEqual(['FATAL 3D000 database "shop" does not exist'])
    expect(one.startup.judged(null)).toEqual([])
  })

  test('of a user who is turned away asks for nothing', () => {
    const one = line({ credential: null })
    one.client(hello())
    const refusal = { severity: 'ERROR', code: '53300', message: 'sorry, too many clients already' }
    expect(one.told(one.startup.found({ refusal }))).toEqual(['FATAL 53300 sorry, too many clients already'])
  })

  test.each<[string, Credential, Uint8Array, string]>([
    [
      'an empty password',
      { method: 'password' },
      wire.password(bytes('')),
      '28P01 empty password returned by client',
    ],
    [
      'a password that holds a NUL',
      { method: 'password' },
      wire.password(bytes('a\0b')),
      '08P01 invalid password packet size',
    ],
    [
      'a query in place of a password',
      { method: 'password' },
      wire.query('x'),
      '08P01 expected password response, got message type 81',
    ],
    [
      'a query in place of SCRAM',
      { method: 'scram', verifier },
      wire.query('x'),
      '08P01 expected SASL response, got message type 81',
    ],
    [
      'an unknown mechanism',
      { method: 'scram', verifier },
      wire.saslInitialResponse('PLAIN', bytes('x')),
      '08P01 client selected an invalid SASL authentication mechanism',
    ],
    [
      'a response that is cut',
      { method: 'scram', verifier },
      wire.saslResponse(bytes('SCRAM-SHA-256')),
      '08P01 invalid string in message',
    ],
    [
      'a message of 10,001 bytes',
      { method: 'password' },
      wire.password(new Uint8Array(9_996).fill(97)),
      '08P01 a message of type 0x70 claims 10001 bytes, where 4 to 10000 are possible',
    ],
  ])('with %s is refused', (_what, credential, message, expected) => {
    const one = line({ credential })
    expect(one.client(hello(), message).at(-1)).toBe(`FATAL ${expected}`)
    expect(one.client(message)).toEqual([])
  })

  test('keeps what the client sent behind it', () => {
    const one = line({ credential: { method: 'password' } })
    one.client(Uint8Array.of(...hello(), ...wire.password(bytes('geheim')), ...wire.query('select 1')))
    one.told(one.startup.judged(null))
    expect([...one.admitted[0]!.leftover]).toEqual([...wire.query('select 1')])
  })

  test('holds 1 MB of what is sent ahead, and no more', () => {
    const one = line({ credential: null })
    one.client(hello())
    const chunk = new Uint8Array(65_536)
    expect(Array.from({ length: 17 }, () => one.client(chunk)).flat()).toEqual([
      'FATAL 08P01 more than 1048576 bytes were sent before the login was complete',
    ])
  })
})

describe('the same bytes', () => {
  const client = new ScramClient({
    secret: { password: bytes('geheim') },
    ...{ mechanisms: ['SCRAM-SHA-256'], encrypted: false, endPoint: null, nonce: new Uint8Array(18) },
  })
  const ours = line({ credential: { method: 'scram', verifier } })
  const turns = [gssRequest, hello({ options: '-c geqo=off' }, 0x0003_0003)]
  ours.client(...turns)
  turns.push(wire.saslInitialResponse(client.mechanism, client.first()))
  ours.client(turns[2]!)
  const { password, salt, iterations } = client.challenged(ours.sent.at(-1)!.subarray(9))!
  turns.push(
    Buffer.concat([wire.saslResponse(client.respond(derive(password, salt, iterations))), bytes('more')]),
  )

  const cut = (turn: Uint8Array, cuts: number[]) => {
    const edges = [0, ...cuts.map(at => at % (turn.length + 1)).sort((a, b) => a - b), turn.length]
    return edges.slice(1).map((edge, index) => turn.slice(edges[index], edge))
  }

  test('in any split make the same login', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 10 }), cuts => {
        const one = line({ credential: { method: 'scram', verifier } })
        expect(one.client(...turns.flatMap(turn => cut(turn, cuts)))).toEqual([
          ...['N', 'NegotiateProtocolVersion', 'lookup me shop'],
          ...['Authentication', 'Authentication', 'Authentication', 'admit me'],
        ])
        // What came behind the login in the same chunk; the rest goes to whoever comes next.
        expect('more').toMatch(new RegExp(`^${new TextDecoder().decode(one.admitted[0]!.leftover)}`))
      }),
    )
  })

  test('changed anywhere end in at most one refusal, never in a throw', () => {
    const change = fc.record({ turn: fc.nat(3), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 3 }),
        (changes, cuts) => {
          const changed = turns.map(turn => turn.slice())
          for (const { turn, at, byte } of changes) changed[turn]![at % changed[turn]!.length] = byte
          const one = line({ credential: { method: 'scram', verifier } })
          const heard = one.client(...changed.flatMap(turn => cut(turn, cuts)))
          const ends = heard.findIndex(each => /^(FATAL|admit|cancel|close)/.test(each))
          // After an end nothing is heard.
          if (ends !== -1) expect(ends).toBe(heard.length - 1)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
