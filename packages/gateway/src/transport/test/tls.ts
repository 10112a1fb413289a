/** The course of a handshake, on either side. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import tlsModule from 'node:tls'
import type { ClientTls, ServerTls } from '../transport.ts'
import { proves } from './case.ts'
import { certificates } from './certificates.ts'
import { connected, fill, link, Port, reasonOf, refusedTls, requestTls, secureLink } from './end.ts'

const anyServer: ClientTls = { side: 'client', serverName: 'localhost', verify: 'none' }

async function server(more: Partial<ServerTls> = {}): Promise<ServerTls> {
  return { side: 'server', ...(await certificates()).server, ...more }
}

export const tls = [
  proves('both ends know the certificate that was shown, byte for byte', async transport => {
    const ours = await server()
    const pair = await secureLink(transport, ours, anyServer)
    const der = new X509Certificate(ours.certificate).raw
    for (const end of [pair.client, pair.server]) {
      assert.ok(der.equals(end.socket.tls!.serverCertificate!))
      assert.equal(end.socket.tls!.alpn, null)
      end.socket.destroy()
    }
    await pair.port.listener.close()
  }),

  proves('ALPN: a protocol that both have is agreed on', async transport => {
    const alpn = ['postgresql']
    const pair = await secureLink(transport, await server({ alpn }), { ...anyServer, alpn })
    for (const end of [pair.client, pair.server]) {
      assert.equal(end.socket.tls!.alpn, 'postgresql')
      end.socket.destroy()
    }
    await pair.port.listener.close()
  }),

  proves('ALPN: a client without any is let in, and one with none of ours is not', async transport => {
    const ours = await server({ alpn: ['postgresql'] })
    const pair = await secureLink(transport, ours, anyServer)
    assert.equal(pair.server.socket.tls!.alpn, null)
    pair.client.socket.destroy()
    pair.server.socket.destroy()
    const refused = await refusedTls(transport, ours, { ...anyServer, alpn: ['http/1.1'] })
    await Promise.all([refused.client.hearsClose(), refused.server.hearsClose()])
    for (const end of [refused.client, refused.server]) {
      assert.equal(end.heard.length, 1)
      assert.match(end.heard[0]!, /^close ./)
    }
    assert.equal(reasonOf(refused.outcome.server), refused.server.error)
    assert.equal(reasonOf(refused.outcome.client), refused.client.error)
    await refused.port.listener.close()
    await pair.port.listener.close()
  }),

  proves(
    'what is written right after startTls, on both sides, arrives when they trust each other',
    async transport => {
      const pair = await link(transport)
      const done = await requestTls(pair, await server(), anyServer)
      const big = Buffer.alloc(3_000_000, 1)
      for (const end of [pair.client, pair.server]) {
        end.keep = false
        assert.equal(end.says('early '), false)
        end.socket.write(big)
        assert.equal(end.socket.pending, 3_000_006)
      }
      await Promise.all([done.client, done.server])
      for (const end of [pair.client, pair.server]) {
        await end.until(() => end.receivedBytes === 3_000_006, 'all bytes')
        await end.until(() => end.heard.includes('drain'), 'drain')
        assert.equal(end.socket.pending, 0)
        end.socket.end()
      }
      await Promise.all([pair.client.hearsClose(), pair.server.hearsClose()])
      for (const { heard } of [pair.client, pair.server])
        assert.equal(heard.filter(event => event === 'drain').length, 1)
      await pair.port.listener.close()
    },
  ),

  proves('end right after startTls ends the connection behind the handshake', async transport => {
    const pair = await link(transport)
    const done = await requestTls(pair, await server(), anyServer)
    pair.client.says('bye')
    pair.client.socket.end()
    await Promise.all([done.client, done.server])
    await pair.server.hearsEnd()
    assert.equal(pair.server.text, 'bye')
    pair.server.socket.end()
    await Promise.all([pair.client.hearsClose(), pair.server.hearsClose()])
    await pair.port.listener.close()
  }),

  proves('a small write during a handshake is owed its onDrain, too', async transport => {
    const pair = await link(transport)
    const done = await requestTls(pair, await server(), anyServer)
    assert.equal(pair.server.says('x'), false)
    await Promise.all([done.client, done.server])
    await pair.server.until(() => pair.server.heard.includes('drain'), 'drain')
    await pair.client.hears('x')
    assert.deepEqual(pair.server.heard, ['drain'])
    pair.client.socket.destroy()
    pair.server.socket.destroy()
    await pair.port.listener.close()
  }),

  proves(
    'content that comes with the end of a handshake is heard after who awaited it has run',
    async transport => {
      const port = await Port.open(transport)
      const content = 'x'.repeat(2_000)
      const { client, relayed, goOn } = await startingWith(16_384, port.at)
      const end = await port.next()
      await end.until(() => end.receivedBytes > 0, 'the first flight')
      const alreadyRead = end.received
      end.forget()
      const order: string[] = []
      const done = end.socket.startTls(await server({ alreadyRead })).then(async () => {
        // A caller may be a few promises away.
        for (let hop = 0; hop < 5; hop++) await null
        order.push('handshake')
      })
      end.onChunk = () => order.push('content')
      client.once('secureConnect', () => client.write(content))
      // What ends the handshake and what follows it are let through together.
      await relayed(2_000)
      goOn()
      await Promise.all([done, end.hears(content)])
      assert.equal(order[0], 'handshake')
      client.destroy()
      end.socket.destroy()
      await port.listener.close()
    },
  ),

  proves('a socket that is paused shakes hands, and is paused after it', async transport => {
    const pair = await link(transport)
    const ours = await server()
    pair.client.says('TLS?')
    await pair.server.hears('TLS?')
    pair.server.says('S')
    const serverDone = pair.server.socket.startTls(ours)
    pair.server.socket.pause()
    await pair.client.hears('S')
    await Promise.all([serverDone, pair.client.socket.startTls(anyServer)])
    const offered = await fill(pair.client)
    assert.ok(offered < 64_000_000, `${offered} bytes were taken while nobody read`)
    assert.equal(pair.server.text, 'TLS?')
    pair.server.forget()
    pair.server.keep = false
    pair.server.socket.resume()
    await pair.server.until(() => pair.server.receivedBytes === offered, 'all bytes')
    pair.client.socket.destroy()
    pair.server.socket.destroy()
    await pair.port.listener.close()
  }),

  proves('a handshake waits for what was written before it', async transport => {
    const pair = await link(transport)
    const ours = await server()
    const plain = 20_000_000
    pair.client.keep = false
    pair.client.socket.pause()
    pair.server.socket.write(Buffer.alloc(plain))
    const serverDone = pair.server.socket.startTls(ours)
    pair.server.says('secret')
    pair.client.socket.resume()
    await pair.client.until(() => pair.client.receivedBytes === plain, 'the plain bytes')
    pair.client.keep = true
    await Promise.all([serverDone, pair.client.socket.startTls(anyServer)])
    await pair.client.hears('secret')
    pair.client.socket.destroy()
    pair.server.socket.destroy()
    await pair.port.listener.close()
  }),

  proves('what comes in plain text before a handshake that waits is not told as content', async transport => {
    const pair = await link(transport)
    const ours = await server()
    pair.client.socket.pause()
    assert.equal(pair.server.socket.write(Buffer.alloc(20_000_000)), false)
    const done = pair.server.socket.startTls(ours)
    pair.client.says('injected')
    pair.client.keep = false
    pair.client.socket.resume()
    await assert.rejects(done)
    await pair.server.hearsClose()
    assert.equal(pair.server.text, '')
    pair.client.socket.destroy()
    await pair.port.listener.close()
  }),

  ...[5, 16_384].map(most =>
    proves(`TLS may begin with bytes that were read already: the first ${most} at most`, async transport => {
      const port = await Port.open(transport)
      const { client, goOn } = await startingWith(most, port.at)
      const end = await port.next()
      await end.until(() => end.receivedBytes > 0, 'the first flight')
      const alreadyRead = end.received
      assert.ok(alreadyRead.length <= most)
      end.forget()
      end.socket.pause()
      const done = end.socket.startTls(await server({ alpn: ['postgresql'], alreadyRead }))
      goOn()
      await done
      assert.equal(end.socket.tls!.alpn, 'postgresql')
      client.write('hello')
      end.socket.resume()
      await end.hears('hello')
      const answer = once(client, 'data')
      end.says('welcome')
      assert.equal(String(await answer), 'welcome')
      client.end()
      await end.hearsEnd()
      end.socket.end()
      await end.hearsClose()
      assert.deepEqual(end.story, ['data', 'end', 'close'])
      await port.listener.close()
    }),
  ),

  proves('what is no handshake is refused, and closes once', async transport => {
    for (const how of ['read already', 'to come']) {
      const pair = await link(transport)
      const ours = await server()
      pair.client.says('\x00\x00\x00\x08 no handshake at all')
      if (how === 'read already') await pair.server.until(() => pair.server.receivedBytes > 0)
      const { received } = pair.server
      pair.server.forget()
      const done = pair.server.socket.startTls(how === 'to come' ? ours : { ...ours, alreadyRead: received })
      const reason = await done.then(
        () => null,
        error => error as Error,
      )
      await pair.server.hearsClose()
      assert.ok(reason)
      assert.equal(pair.server.error, reason)
      assert.equal(pair.server.heard.length, 1)
      await pair.client.until(() => pair.client.heard.length > 0)
      pair.client.socket.destroy()
      await pair.port.listener.close()
    }
  }),

  ...(['end', 'destroy'] as const).map(how =>
    proves(
      `a peer that leaves in the middle of a handshake (${how}) fails it, and close comes once`,
      async transport => {
        const pair = await link(transport)
        const ours = await server()
        pair.client.says('TLS?')
        await pair.server.hears('TLS?')
        pair.server.forget()
        const done = pair.server.socket.startTls(ours)
        pair.client.socket[how]()
        const reason = await done.then(
          () => null,
          error => error as NodeJS.ErrnoException,
        )
        assert.equal(reason?.code, 'ECONNRESET')
        await pair.server.hearsClose()
        assert.deepEqual(pair.server.heard, ['close ECONNRESET'])
        pair.client.socket.destroy()
        await pair.client.hearsClose()
        await pair.port.listener.close()
      },
    ),
  ),

  proves(
    'a server that leaves in the middle of a handshake fails it, and close comes once',
    async transport => {
      const pair = await link(transport)
      const done = pair.client.socket.startTls(anyServer)
      await pair.server.until(() => pair.server.receivedBytes > 0, 'the first flight')
      pair.server.socket.end()
      const reason = await done.then(
        () => null,
        error => error as NodeJS.ErrnoException,
      )
      assert.equal(reason?.code, 'ECONNRESET')
      await pair.client.hearsClose()
      assert.deepEqual(pair.client.heard, ['close ECONNRESET'])
      pair.server.socket.destroy()
      await pair.port.listener.close()
    },
  ),

  proves('destroy in the middle of a handshake fails it', async transport => {
    const pair = await link(transport)
    for (const done of [pair.server.socket.startTls(await server()), pair.client.socket.startTls(anyServer)])
      done.catch(() => {})
    pair.client.socket.destroy()
    await Promise.all([pair.client.hearsClose(), pair.server.hearsClose()])
    assert.deepEqual(pair.client.heard, ['close'])
    assert.deepEqual(pair.server.heard, ['close ECONNRESET'])
    await pair.port.listener.close()
  }),

  proves('a certificate that can not be read fails the handshake and closes the socket', async transport => {
    const pair = await link(transport)
    const nonsense: ServerTls = { side: 'server', certificate: 'no PEM', key: 'no PEM' }
    await assert.rejects(pair.server.socket.startTls(nonsense))
    await Promise.all([pair.server.hearsClose(), pair.client.until(() => pair.client.heard.length > 0)])
    assert.equal(pair.server.heard.length, 1)
    pair.client.socket.destroy()
    await pair.port.listener.close()
  }),

  proves('destroy closes a connection under TLS at once, although the peer says nothing', async transport => {
    const pair = await secureLink(transport, await server(), anyServer)
    pair.client.socket.pause()
    pair.server.socket.destroy()
    await pair.server.hearsClose()
    assert.deepEqual(pair.server.heard, ['close'])
    pair.client.socket.destroy()
    await pair.port.listener.close()
  }),

  proves('a hundred handshakes at once leave nothing behind', async transport => {
    const ours = await server()
    const port = await Port.open(transport)
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = await connected(transport, port.at)
        const end = await port.next()
        // The client speaks first here: the server has read nothing yet.
        await Promise.all([end.socket.startTls(ours), client.socket.startTls(anyServer)])
        client.says('x')
        client.socket.end()
        await end.hearsEnd()
        assert.equal(end.text, 'x')
        end.socket.end()
        await Promise.all([client.hearsClose(), end.hearsClose()])
      }),
    )
    await port.listener.close()
  }),
]

/**
 * A client that begins with TLS at once, through a relay: so much of its first flight comes at first, and the rest, with
 * all that has come to the relay meanwhile, when it is let go on.
 */
async function startingWith(bytes: number, to: { host: string; port: number }) {
  const upstream = connect(to).on('error', () => {})
  let kept: Buffer = Buffer.alloc(0)
  let waiting: { bytes: number; tell: () => void } | undefined
  let goOn = () => {}
  const relay = createServer(downstream => {
    upstream.pipe(downstream).on('error', () => {})
    downstream.once('data', first => {
      upstream.write(first.subarray(0, bytes))
      kept = first.subarray(bytes)
      downstream.on('data', chunk => {
        kept = Buffer.concat([kept, chunk])
        if (waiting && kept.length >= waiting.bytes) waiting.tell()
      })
    })
    goOn = () => {
      downstream.removeAllListeners('data')
      upstream.write(kept)
      downstream.pipe(upstream)
    }
  }).listen(0, '127.0.0.1')
  await once(relay, 'listening')
  const { port } = relay.address() as AddressInfo
  const client = tlsModule.connect({
    ...{ host: '127.0.0.1', port, rejectUnauthorized: false },
    ALPNProtocols: ['postgresql'],
  })
  client.once('close', () => relay.close())
  const relayed = (bytes: number) =>
    new Promise<void>(tell => {
      waiting = { bytes, tell }
    })
  return { client, relayed, goOn: () => goOn() }
}
