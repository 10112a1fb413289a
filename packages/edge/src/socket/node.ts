/** Sockets on Node, Bun and Deno: node:net, and node:tls on top after SSLRequest. */
import type * as fs from 'node:fs'
import type * as net from 'node:net'
import type * as tls from 'node:tls'
import { sslRequest } from '@sluice/wire'
import { builtin } from '../runtime.ts'
import {
  bytesBeforeTls,
  type OpenRaw,
  oddTlsAnswer,
  type RawSocket,
  type TlsWish,
  tlsRefused,
} from './raw.ts'

export const openNodeSocket: OpenRaw = async (host, port, wish, events, signal) => {
  const { connect } = builtin<typeof net>('node:net')
  signal.throwIfAborted()
  const socket = connect({ host, port, noDelay: true })
  // `close` follows every `error`; the error is kept for it, so that the owner hears one thing once.
  let failure: Error | undefined
  let current: net.Socket = socket
  const abort = () => current.destroy(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  try {
    socket.on('error', error => {
      failure ??= error
    })
    await happens(socket, 'connect')
    if (wish.use !== 'off') {
      if (wish.direct || (await serverHasTls(socket, wish))) {
        current = await secure(socket, host, wish, error => {
          failure ??= error
        })
      }
    }
  } catch (error) {
    current.destroy()
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', abort)
  }
  const ready = current
  // A connection keeps no process alive: who waits for an answer has a deadline, whose timer does.
  ready.unref()
  ready.on('data', (chunk: Uint8Array) => events.onData(chunk))
  ready.once('close', () => events.onClose(failure))
  // The server's end of stream is the end: PostgreSQL never half-closes.
  ready.once('end', () => ready.destroy())
  return new NodeSocket(ready)
}

class NodeSocket implements RawSocket {
  readonly #socket: net.Socket
  constructor(socket: net.Socket) {
    this.#socket = socket
  }
  write(chunk: Uint8Array, sent?: (error?: Error) => void): void {
    this.#socket.write(chunk, sent && (error => sent(error ?? undefined)))
  }
  end(): void {
    this.#socket.end()
  }
  destroy(): void {
    this.#socket.destroy()
  }
}

/** Resolves with the event's first argument; rejects when the socket fails or closes before. */
function happens(socket: net.Socket, event: 'connect' | 'secureConnect' | 'data'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      socket.off(event, onEvent)
      socket.off('error', onError)
      socket.off('close', onClose)
      settle()
    }
    const onEvent = (value: unknown) => done(() => resolve(value))
    const onError = (error: Error) => done(() => reject(error))
    const onClose = () => done(() => reject(new Error('the server closed the connection')))
    socket.once(event, onEvent)
    socket.once('error', onError)
    socket.once('close', onClose)
  })
}

async function serverHasTls(socket: net.Socket, wish: TlsWish): Promise<boolean> {
  socket.write(sslRequest())
  const answer = (await happens(socket, 'data')) as Uint8Array
  // Nothing may be read as plain text from here on: what follows belongs to the handshake.
  socket.pause()
  if (answer.length !== 1) throw answer[0] === 0x53 ? bytesBeforeTls() : oddTlsAnswer()
  if (answer[0] === 0x53) return true
  if (answer[0] !== 0x4e) throw oddTlsAnswer()
  if (wish.use === 'must') throw tlsRefused()
  socket.resume()
  return false
}

async function secure(
  socket: net.Socket,
  host: string,
  wish: TlsWish,
  onError: (error: Error) => void,
): Promise<tls.TLSSocket> {
  const { connect, rootCertificates } = builtin<typeof tls>('node:tls')
  const read = (path: string) => builtin<typeof fs>('node:fs').readFileSync(path, 'utf8')
  const { isIP } = builtin<typeof net>('node:net')
  const options: tls.ConnectionOptions = {
    socket,
    host,
    rejectUnauthorized: wish.verifyChain,
    // A server name is never an address (RFC 6066, section 3).
    ...(isIP(host) === 0 && { servername: host }),
    ...(!wish.verifyName && { checkServerIdentity: () => undefined }),
    ...(wish.direct && { ALPNProtocols: ['postgresql'] }),
    ...(wish.rootCertificate === 'system'
      ? { ca: [...rootCertificates] }
      : wish.rootCertificate && { ca: read(wish.rootCertificate) }),
    ...(wish.certificate && { cert: read(wish.certificate) }),
    ...(wish.key && { key: read(wish.key) }),
  }
  const secured = connect(options)
  secured.on('error', onError)
  await happens(secured, 'secureConnect')
  return secured
}
