/** Whom an end trusts: the certificates that are shown, against what was asked for. */
import assert from 'node:assert/strict'
import { selfSignedCertificate } from '../self-signed.ts'
import type { ClientTls, ServerTls } from '../transport.ts'
import { proves } from './case.ts'
import { type Certificates, certificates, type Pair } from './certificates.ts'
import { reasonOf, refusedTls, secureLink } from './end.ts'

const ours = ({ certificate, key }: Pair, more: Partial<ServerTls> = {}): ServerTls => ({
  ...{ side: 'server', certificate, key },
  ...more,
})

const theirs = (verify: ClientTls['verify'], more: Partial<ClientTls> = {}): ClientTls => ({
  ...{ side: 'client', serverName: 'localhost', verify },
  ...more,
})

interface Row {
  readonly name: string
  readonly server: (has: Certificates) => ServerTls
  readonly client: (has: Certificates) => ClientTls
}

const good: Row['server'] = has => ours(has.server)

const trusted: Row[] = [
  {
    name: 'a certificate by the authority that is named',
    server: good,
    client: has => theirs('full', { authority: has.authority }),
  },
  {
    name: 'a certificate for the address that was asked for',
    server: good,
    client: has => theirs('full', { authority: has.authority, serverName: '127.0.0.1' }),
  },
  {
    name: 'with `ca`, a certificate for another name',
    server: good,
    client: has => theirs('ca', { authority: has.authority, serverName: 'db.example.com' }),
  },
  {
    name: 'with `none`, a certificate for another name by nobody known',
    server: good,
    client: () => theirs('none', { serverName: 'db.example.com' }),
  },
  {
    name: 'with `none`, one for another name, although the authority is known',
    server: good,
    client: has => theirs('none', { serverName: 'db.example.com', authority: has.authority }),
  },
  { name: 'with `none`, an expired one', server: has => ours(has.expired), client: () => theirs('none') },
  {
    name: "a client's certificate by the server's authority",
    server: has => ours(has.server, { clientAuthority: has.authority }),
    client: has => theirs('none', has.client),
  },
  {
    name: 'a client without a certificate',
    server: has => ours(has.server, { clientAuthority: has.authority }),
    client: () => theirs('none'),
  },
  {
    name: 'any certificate of a client, by a server that asks for none',
    server: good,
    client: has => theirs('none', has.otherClient),
  },
]

const refused: (Row & { readonly message: RegExp })[] = [
  {
    name: 'a certificate for another name',
    server: good,
    client: has => theirs('full', { authority: has.authority, serverName: 'db.example.com' }),
    message: /not made for db\.example\.com, but for DNS:localhost/,
  },
  {
    name: 'a certificate for another address',
    server: good,
    client: has => theirs('full', { authority: has.authority, serverName: '127.0.0.2' }),
    message: /not made for 127\.0\.0\.2/,
  },
  {
    name: 'a certificate by another authority, with `ca`',
    server: good,
    client: has => theirs('ca', { authority: has.otherAuthority }),
    message: /certificate of localhost was refused: UNABLE_TO_/,
  },
  {
    name: 'a certificate by an authority that the system does not know',
    server: good,
    client: () => theirs('ca'),
    message: /certificate of localhost was refused: UNABLE_TO_/,
  },
  {
    name: 'an expired certificate',
    server: has => ours(has.expired),
    client: has => theirs('ca', { authority: has.authority }),
    message: /certificate of localhost was refused: CERT_HAS_EXPIRED/,
  },
  {
    name: 'a certificate by an authority that has expired',
    server: has => ours(has.ofExpiredAuthority),
    client: has => theirs('full', { authority: has.expiredAuthority }),
    message: /certificate of localhost was refused: CERT_HAS_EXPIRED/,
  },
]

export const verification = [
  ...trusted.map(({ name, server, client }) =>
    proves(`trusted: ${name}`, async transport => {
      const has = await certificates()
      const pair = await secureLink(transport, server(has), client(has))
      pair.client.says('question')
      await pair.server.hears('question')
      pair.server.says('answer')
      await pair.client.hears('answer')
      pair.client.socket.destroy()
      pair.server.socket.destroy()
      await pair.port.listener.close()
    }),
  ),

  ...refused.map(({ name, server, client, message }) =>
    proves(`refused by the client, which sends nothing to it: ${name}`, async transport => {
      const has = await certificates()
      const { port, outcome, ...ends } = await refusedTls(transport, server(has), client(has), 'a password')
      assert.match(reasonOf(outcome.client).message, message)
      await Promise.all([ends.client.hearsClose(), ends.server.until(() => ends.server.heard.length > 0)])
      assert.equal(ends.client.error, reasonOf(outcome.client))
      assert.equal(ends.client.heard.length, 1)
      assert.equal(ends.server.text, '')
      ends.server.socket.destroy()
      await ends.server.hearsClose()
      await port.listener.close()
    }),
  ),

  proves(
    "refused by the server, which tells it nothing: a client's certificate by another authority",
    async transport => {
      const has = await certificates()
      const server = ours(has.server, { clientAuthority: has.authority })
      const { port, outcome, ...ends } = await refusedTls(
        transport,
        server,
        theirs('none', has.otherClient),
        'a query',
      )
      assert.match(reasonOf(outcome.server).message, /client's certificate was refused: UNABLE_TO_/)
      await Promise.all([ends.server.hearsClose(), ends.client.until(() => ends.client.heard.length > 0)])
      assert.equal(ends.server.heard.length, 1)
      assert.deepEqual([ends.server.text, ends.client.text], ['', ''])
      ends.client.socket.destroy()
      await port.listener.close()
    },
  ),

  proves(
    "the gateway's self-signed certificate encrypts, is refused by who verifies, and can be named as its own authority",
    async transport => {
      const pair = await selfSignedCertificate(['localhost', '127.0.0.1'])
      const server = ours(pair)
      for (const client of [
        theirs('none'),
        theirs('full', { authority: pair.certificate }),
        theirs('full', { authority: pair.certificate, serverName: '127.0.0.1' }),
      ]) {
        const ends = await secureLink(transport, server, client)
        ends.client.says('hello')
        await ends.server.hears('hello')
        ends.client.socket.destroy()
        ends.server.socket.destroy()
        await ends.port.listener.close()
      }
      for (const verify of ['ca', 'full'] as const) {
        const ends = await refusedTls(transport, server, theirs(verify))
        assert.equal(reasonOf(ends.outcome.client).code, 'DEPTH_ZERO_SELF_SIGNED_CERT')
        ends.server.socket.destroy()
        await ends.port.listener.close()
      }
    },
  ),
]
