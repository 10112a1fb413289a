/** What a client hears that does not come in: the same from PostgreSQL and from the gateway. */
import { once } from 'node:events'
import { connect } from 'node:net'
import * as wire from '@sluice/wire'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { Startup } from './startup.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

type Heard = { type: string; body: unknown }[]

/** A single byte, or messages; of errors what is the server's and not its source's. */
function read(answer: Uint8Array): Heard {
  if (answer.length === 1) return [{ type: String.fromCharCode(answer[0]!), body: null }]
  const inbox = new wire.Inbox(1_000_000)
  inbox.push(answer)
  const heard: Heard = []
  for (let next = inbox.next(); next; next = inbox.next()) {
    const { file: _file, line: _line, routine: _routine, ...fields } = wire.parseErrorFields(next.body)
    const body = next.type === wire.ErrorResponse ? fields : [...next.body]
    heard.push({ type: wire.backendMessageName(next.type), body })
  }
  return heard
}

/** What a client sends next, after what it heard last. */
type Sent = Uint8Array | ((answer: Uint8Array) => Uint8Array)

async function fromPostgres(...sent: Sent[]): Promise<Heard[]> {
  const socket = connect(Number(new URL(inject('postgresUrl')).port), '127.0.0.1')
  await once(socket, 'connect')
  const heard: Uint8Array[] = []
  for (const each of sent) {
    socket.write(typeof each === 'function' ? each(heard.at(-1)!) : each)
    const [answer] = (await once(socket, 'data')) as [Uint8Array]
    heard.push(answer)
  }
  socket.destroy()
  return heard.map(read)
}

function fromGateway(...sent: Sent[]): Heard[] {
  const startup = new Startup({
    tls: false,
    randomBytes: count => new Uint8Array(count),
    mockSecret: new Uint8Array(32),
  })
  const bytesOf = (actions: ReturnType<Startup['feed']>): Uint8Array[] =>
    actions.flatMap(action => {
      if (action.do === 'send') return [action.bytes]
      if (action.do === 'refuse') return [wire.errorResponse(action.error)]
      return action.do === 'lookup' ? bytesOf(startup.found({ method: 'scram', verifier: null })) : []
    })
  const heard: Uint8Array[] = []
  for (const each of sent)
    heard.push(Buffer.concat(bytesOf(startup.feed(typeof each === 'function' ? each(heard.at(-1)!) : each))))
  return heard.map(read)
}

const user = 'sluice'
const startup = (parameters: Record<string, string>, version = wire.protocol30) =>
  wire.startupMessage({ user, ...parameters }, version)
/** A StartupMessage that our own encoder refuses to write. */
const raw = (version: number, text: string) => {
  const body = bytes(text)
  const packet = new Uint8Array(8 + body.length)
  const view = new DataView(packet.buffer)
  view.setUint32(0, packet.length)
  view.setUint32(4, version)
  packet.set(body, 8)
  return packet
}
const gssRequest = Uint8Array.of(0, 0, 0, 8, 4, 210, 22, 48)
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts))
const scram = (first: string) => wire.saslInitialResponse('SCRAM-SHA-256', bytes(first))

beforeAll(() => {
  expect(inject('postgresUrl')).toContain(`//${user}:`)
})

describe('the gateway answers as PostgreSQL does', () => {
  test.each<[string, ...Uint8Array[]]>([
    ['a StartupMessage', startup({})],
    ['one in version 3.2', startup({}, wire.protocol32)],
    ['one in version 3.1', startup({}, 0x0003_0001)],
    ['one in version 3.3', startup({}, 0x0003_0003)],
    ['one in version 3.9999', startup({}, 0x0003_270f)],
    ['options of the protocol', startup({ '_pq_.a': '1', '_pq_.b': '' })],
    ['options of the protocol in version 3.9', startup({ '_pq_.a': '1' }, 0x0003_0009)],
    ['version 4.0', raw(0x0004_0000, 'user\0me\0\0')],
    ['no user', raw(wire.protocol30, '\0')],
    ['an empty user', raw(wire.protocol30, 'user\0\0\0')],
    ['no user, and an unknown option', raw(wire.protocol30, '_pq_.a\x001\0\0')],
    ['replication of no kind', startup({ replication: 'perhaps' })],
    ['a request for TLS that is not to be had', wire.sslRequest(), startup({})],
    ['and for GSSAPI', gssRequest, wire.sslRequest(), startup({})],
    ['a second request for TLS', wire.sslRequest(), wire.sslRequest()],
    ['a second request for GSSAPI', gssRequest, gssRequest],
    ['a query for a password', startup({}), wire.query('select 1')],
    ['an unknown mechanism', startup({}), wire.saslInitialResponse('PLAIN', bytes('x'))],
    ['binding without TLS', startup({}), wire.saslInitialResponse('SCRAM-SHA-256-PLUS', bytes('x'))],
    ['an empty first message of SCRAM', startup({}), scram('')],
    ['a malformed one', startup({}), scram('x,,n=,r=abc')],
    ['one without a nonce', startup({}), scram('n,,n=')],
    ['one that ends early', startup({}), scram('n')],
    ['one that is not printable', startup({}), scram('n,,\u007f')],
    ['one with a flag that goes on', startup({}), scram('nx,n=,r=abc')],
    ['one that says that it could bind', startup({}), scram('y,,')],
    ['one with another attribute', startup({}), scram('n,,x=,r=abc')],
    ['one with an identity', startup({}), scram('n,a=me,n=,r=abc')],
    ['one with an extension', startup({}), scram('n,,m=x,n=,r=abc')],
    ['one that binds', startup({}), scram('p=tls-unique,,n=,r=abc')],
    ['an odd nonce', startup({}), scram('n,,n=,r=a b')],
    ['a response that is cut', startup({}), wire.saslResponse(bytes('SCRAM-SHA-256'))],
    ['a response without a length', startup({}), wire.saslResponse(bytes('SCRAM-SHA-256\0\0'))],
    ['a response that is too long', startup({}), wire.saslResponse(bytes('SCRAM-SHA-256\0\0\0\0\x01n,,'))],
    ['an empty response', startup({}), wire.saslInitialResponse('SCRAM-SHA-256', null)],
    [
      'a response whose length is wrong',
      startup({}),
      wire.saslResponse(bytes('SCRAM-SHA-256\0\0\0\0\x09n,,')),
    ],
  ])('%s', async (_what, ...sent) => {
    const heard = await fromPostgres(...sent)
    expect(fromGateway(...sent)).toEqual(heard)
  })

  const proof = Buffer.alloc(32).toString('base64')

  test.each<[string, string, string]>([
    ['a wrong proof', user, `c=biws,r=NONCE,p=${proof}`],
    ['a proof of nobody', 'nobody', `c=biws,r=NONCE,p=${proof}`],
    ['a wrong proof with an extension', user, `c=biws,r=NONCE,x=1,p=${proof}`],
    ['a nonce of its own', user, `c=biws,r=abc,p=${proof}`],
    ['another binding', user, `c=eSws,r=NONCE,p=${proof}`],
    ['no binding', user, `r=NONCE,p=${proof}`],
    ['no nonce', user, `c=biws,p=${proof}`],
    ['a short proof', user, 'c=biws,r=NONCE,p=AAAA'],
    ['a proof that is no base64', user, `c=biws,r=NONCE,p=#${proof.slice(1)}`],
    ['something behind the proof', user, `c=biws,r=NONCE,p=${proof},x=1`],
    ['an empty message', user, ''],
  ])('%s', async (_what, user, final) => {
    const answer = (first: Uint8Array) => {
      const [nonce] = new TextDecoder().decode(first.subarray(9)).slice(2).split(',')
      return wire.saslResponse(bytes(final.replace('NONCE', nonce!)))
    }
    const sent: Sent[] = [startup({ user }), scram('n,,n=,r=abc'), answer]
    const [postgres, gateway] = [await fromPostgres(...sent), fromGateway(...sent)]
    expect(gateway.at(-1)).toEqual(postgres.at(-1))
  })

  test.each<[string, Uint8Array]>([
    ['behind a request for TLS', joined(wire.sslRequest(), startup({}))],
    ['behind a request for GSSAPI', joined(gssRequest, startup({}))],
  ])('bytes %s', async (_what, sent) => {
    // The server has said no before it sees them.
    const socket = connect(Number(new URL(inject('postgresUrl')).port), '127.0.0.1', () => socket.write(sent))
    const answer = Buffer.concat(await socket.toArray())
    expect(answer.subarray(0, 1).toString()).toBe('N')
    expect(fromGateway(sent)).toEqual([read(answer.subarray(1))])
  })
})
