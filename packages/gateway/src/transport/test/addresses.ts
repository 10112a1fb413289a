/** Listening, connecting, and what comes of a connection that can't be had. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { proves } from './case.ts'
import { connected, End, link, Port } from './end.ts'

export const addresses = [
  proves('a listener on port 0 tells the port that it got', async transport => {
    const port = await Port.open(transport)
    assert.equal(port.at.host, '127.0.0.1')
    assert.ok(port.at.port > 0)
    await port.listener.close()
  }),

  proves('each end tells where the other is', async transport => {
    const { port, client, server } = await link(transport)
    assert.equal(client.socket.remoteAddress, '127.0.0.1')
    assert.equal(server.socket.remoteAddress, '127.0.0.1')
    assert.equal(client.socket.tls, null)
    await closing(port, client, server)
    assert.equal(server.socket.remoteAddress, '127.0.0.1')
  }),

  proves('IPv6 is an address like another', async transport => {
    const { port, client, server } = await link(transport, '::1')
    assert.equal(server.socket.remoteAddress, '::1')
    client.says('six')
    await server.hears('six')
    await closing(port, client, server)
  }),

  proves('a socket in the file system can be connected to', async transport => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-'))
    const path = join(folder, '.s.PGSQL.5432')
    const origin = net.createServer(socket => socket.pipe(socket)).listen(path)
    await new Promise(resolve => origin.once('listening', resolve))
    const client = await connected(transport, { path })
    assert.equal(client.socket.remoteAddress, 'unix')
    client.says('echo')
    await client.hears('echo')
    client.socket.end()
    await client.hearsClose()
    origin.close()
    await rm(folder, { recursive: true })
  }),

  proves('a port that is taken is refused with EADDRINUSE', async transport => {
    const port = await Port.open(transport)
    await assert.rejects(
      transport.listen(port.at, () => {}),
      { code: 'EADDRINUSE', message: `listen EADDRINUSE 127.0.0.1:${port.at.port}` },
    )
    await port.listener.close()
  }),

  proves('a name without an address is refused with what the look-up says', async transport => {
    await assert.rejects(
      transport.listen({ host: 'none.invalid', port: 0 }, () => {}),
      {
        message: /^listen (ENOTFOUND|EAI_AGAIN) none\.invalid:0$/,
      },
    )
  }),

  proves(
    'a port that nobody listens on is refused with ECONNREFUSED, and the error names it',
    async transport => {
      const { listener, at } = await Port.open(transport)
      await listener.close()
      const end = new End()
      await assert.rejects(transport.connect(at, end), {
        code: 'ECONNREFUSED',
        message: `connect ECONNREFUSED 127.0.0.1:${at.port}`,
      })
      assert.deepEqual(end.heard, [])
    },
  ),

  proves('a missing socket file is refused with ENOENT', async transport => {
    await assert.rejects(transport.connect({ path: '/nowhere/.s.PGSQL.5432' }, new End()), { code: 'ENOENT' })
  }),

  proves('a name whose addresses all refuse is refused as one', async transport => {
    const { listener, at } = await Port.open(transport)
    await listener.close()
    await assert.rejects(transport.connect({ ...at, host: 'localhost' }, new End()), {
      code: 'ECONNREFUSED',
      message: `connect ECONNREFUSED localhost:${at.port}`,
    })
  }),

  proves('an attempt is not begun with an aborted signal', async transport => {
    const reason = new Error('too late')
    const at = { host: '127.0.0.1', port: 1 }
    await assert.rejects(transport.connect(at, new End(), AbortSignal.abort(reason)), reason)
  }),

  proves(
    'an attempt that is aborted rejects at once with the reason, and leaves no connection',
    async transport => {
      const port = await Port.open(transport)
      const controller = new AbortController()
      const end = new End()
      const attempt = transport.connect(port.at, end, controller.signal)
      const reason = new Error('changed our mind')
      controller.abort(reason)
      await assert.rejects(attempt, reason)
      const other = await connected(transport, port.at)
      other.says('the other')
      // The attempt may have come first: then it ends, without a word.
      let came = await port.next()
      await came.until(() => came.heard.length > 0, 'something')
      if (came.text === '') {
        await came.hearsEnd()
        came.socket.destroy()
        came = await port.next()
      }
      await came.hears('the other')
      assert.deepEqual(end.heard, [])
      came.socket.destroy()
      other.socket.destroy()
      await Promise.all([came.hearsClose(), other.hearsClose()])
      await port.listener.close()
    },
  ),

  proves('aborting later leaves an open connection alone', async transport => {
    const port = await Port.open(transport)
    const controller = new AbortController()
    const client = new End()
    client.socket = await transport.connect(port.at, client, controller.signal)
    const server = await port.next()
    controller.abort()
    client.says('still here')
    await server.hears('still here')
    await closing(port, client, server)
  }),

  proves('a closed listener takes nobody in, and keeps who is there', async transport => {
    const { port, client, server } = await link(transport)
    await port.listener.close()
    await assert.rejects(transport.connect(port.at, new End()), { code: 'ECONNREFUSED' })
    client.says('question')
    await server.hears('question')
    server.says('answer')
    await client.hears('answer')
    await closing(port, client, server)
  }),

  proves('a thousand connections, opened and closed, leave nothing behind', async transport => {
    const port = await Port.open(transport)
    const visit = async () => {
      const client = await connected(transport, port.at)
      const server = await port.next()
      client.says('x')
      await server.hears('x')
      client.socket.end()
      await server.hearsEnd()
      server.socket.end()
      await Promise.all([client.hearsClose(), server.hearsClose()])
      assert.deepEqual(
        [client.story, server.story],
        [
          ['end', 'close'],
          ['data', 'end', 'close'],
        ],
      )
    }
    await visit()
    const before = await openFiles()
    for (let round = 0; round < 50; round++) await Promise.all(Array.from({ length: 20 }, visit))
    const after = await openFiles()
    assert.ok(after <= before + 2, `${after} descriptors after ${before}`)
    await port.listener.close()
  }),
]

async function closing(port: Port, client: End, server: End): Promise<void> {
  client.socket.end()
  server.socket.end()
  await Promise.all([client.hearsClose(), server.hearsClose()])
  await port.listener.close()
}

/** Of this process, where the system tells. */
async function openFiles(): Promise<number> {
  return (await readdir('/proc/self/fd').catch(() => [])).length
}
