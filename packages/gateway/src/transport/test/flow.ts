/** Bytes, and who waits for whom. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { Transport } from '../transport.ts'
import { proves } from './case.ts'
import { certificates } from './certificates.ts'
import { type End, fill, type Link, link, secureLink } from './end.ts'

const ways: Record<string, (transport: Transport) => Promise<Link>> = {
  'in plain text': transport => link(transport),
  'over TLS': async transport => {
    const { server } = await certificates()
    return secureLink(
      transport,
      { side: 'server', ...server },
      { side: 'client', serverName: 'localhost', verify: 'none' },
    )
  },
}

const megabytes = 50
const sent = randomBytes(1_000_000)

const throughBoth = Object.entries(ways).flatMap(([way, open]) => [
  proves(
    `${way}: what is written in pieces of any size arrives as one stream, both ways`,
    async transport => {
      const pair = await open(transport)
      const sizes = [0, 1, 2, 99, 1_460, 16_384, 16_385, 65_536, 100_000]
      let at = 0
      for (const size of sizes) {
        for (const end of [pair.client, pair.server]) end.socket.write(sent.subarray(at, at + size))
        at += size
      }
      for (const end of [pair.client, pair.server]) {
        await end.until(() => end.receivedBytes === at, `${at} bytes`)
        assert.ok(end.received.equals(sent.subarray(0, at)))
      }
      await close(pair)
    },
  ),

  proves(
    `${way}: ${megabytes} MB in one write reach a reader that pauses at every chunk`,
    async transport => {
      const { port, client, server } = await open(transport)
      const whole = Buffer.concat(Array.from({ length: megabytes }, () => sent))
      const expected = createHash('sha1').update(whole).digest('hex')
      const seen = createHash('sha1')
      client.keep = false
      client.onChunk = chunk => {
        seen.update(chunk)
        client.socket.pause()
        setImmediate(() => client.socket.resume())
      }
      assert.equal(server.socket.write(whole), false)
      assert.ok(server.socket.pending > 0)
      server.socket.end()
      await client.hearsEnd()
      assert.equal(client.receivedBytes, whole.length)
      assert.equal(seen.digest('hex'), expected)
      assert.equal(server.socket.pending, 0)
      client.socket.end()
      await Promise.all([client.hearsClose(), server.hearsClose()])
      await port.listener.close()
    },
  ),

  proves(
    `${way}: who stops at false has little waiting, and goes on at onDrain, once for each time`,
    async transport => {
      const { port, client, server } = await open(transport)
      const piece = 64 * 1_024
      const pieces = Math.ceil((megabytes * 1_000_000) / piece)
      const block = Buffer.alloc(piece, 7)
      let written = 0
      let most = 0
      let refusals = 0
      client.keep = false
      client.socket.pause()
      const fill = () => {
        while (written < pieces) {
          written++
          const more = server.socket.write(block)
          most = Math.max(most, server.socket.pending)
          if (more) continue
          refusals++
          return
        }
        server.socket.end()
      }
      server.onWritable = fill
      fill()
      assert.ok(written < pieces, 'a reader that reads nothing stops the writer')
      client.socket.resume()
      await client.hearsEnd()
      assert.equal(client.receivedBytes, pieces * piece)
      assert.ok(most <= 2 * piece, `${most} bytes waited`)
      assert.equal(server.heard.filter(event => event === 'drain').length, refusals)
      client.socket.end()
      await Promise.all([client.hearsClose(), server.hearsClose()])
      await port.listener.close()
    },
  ),

  proves(`${way}: what comes while paused waits outside of this process`, async transport => {
    const { port, client, server } = await open(transport)
    server.keep = false
    server.socket.pause()
    const offered = await fill(client)
    // Linux lets a loopback connection hold about 6 MB by default.
    assert.ok(offered < 64_000_000, `${offered} bytes were taken while nobody read`)
    assert.equal(server.receivedBytes, 0)
    client.socket.end()
    server.socket.resume()
    await server.hearsEnd()
    assert.equal(server.receivedBytes, offered)
    await close({ port, client, server })
  }),

  proves(`${way}: pause in onData is obeyed at once, and nothing is lost`, async transport => {
    const { port, client, server } = await open(transport)
    let mayHear = true
    server.onChunk = () => {
      assert.ok(mayHear, 'a chunk came while paused')
      mayHear = false
      server.socket.pause()
      server.socket.pause()
      setTimeout(() => {
        mayHear = true
        server.socket.resume()
        server.socket.resume()
      }, 1)
    }
    client.socket.write(sent)
    await server.until(() => server.receivedBytes === sent.length, 'all bytes')
    assert.ok(server.received.equals(sent))
    server.onChunk = () => {}
    await close({ port, client, server })
  }),

  proves(`${way}: the peer's end waits behind what a paused socket has not told`, async transport => {
    const { port, client, server } = await open(transport)
    server.socket.pause()
    client.says('before the end')
    client.socket.end()
    await turn()
    assert.deepEqual(server.heard, [])
    server.says('go')
    await client.hears('go')
    assert.deepEqual(server.heard, [])
    server.socket.resume()
    await server.hearsEnd()
    assert.equal(server.text, 'before the end')
    assert.deepEqual(server.heard, ['data', 'end'])
    await close({ port, client, server })
  }),

  proves(`${way}: a paused socket writes on`, async transport => {
    const { port, client, server } = await open(transport)
    server.socket.pause()
    client.keep = false
    server.socket.write(Buffer.alloc(20_000_000))
    await client.until(() => client.receivedBytes === 20_000_000, '20 MB')
    server.socket.resume()
    await close({ port, client, server })
  }),

  proves(`${way}: each end may end by itself`, async transport => {
    const { port, client, server } = await open(transport)
    client.says('question')
    client.socket.end()
    await server.hearsEnd()
    server.says('answer')
    await client.hears('answer')
    server.socket.end()
    await Promise.all([client.hearsClose(), server.hearsClose()])
    assert.deepEqual(
      [client.story, server.story],
      [
        ['data', 'end', 'close'],
        ['data', 'end', 'close'],
      ],
    )
    await port.listener.close()
  }),
])

export const flow = [
  ...throughBoth,

  proves(
    'a write that the kernel takes at once gives true, whatever its size, and owes no onDrain',
    async transport => {
      const pair = await link(transport)
      assert.equal(pair.server.socket.write(sent.subarray(0, 200_000)), true)
      assert.equal(pair.server.socket.pending, 0)
      await pair.client.until(() => pair.client.receivedBytes === 200_000, 'all bytes')
      assert.deepEqual(pair.server.heard, [])
      await close(pair)
    },
  ),
]

const turn = () => new Promise(resolve => setImmediate(resolve))

async function close({ port, client, server }: Link): Promise<void> {
  for (const end of [client, server] satisfies End[]) end.socket.end()
  await Promise.all([client.hearsClose(), server.hearsClose()])
  await port.listener.close()
}
