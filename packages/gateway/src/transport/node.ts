/**
 * Sockets on Node: node:net, and after a handshake node:tls on top of it.
 *
 * A stream finds its socket by a field, so that the listeners are the same five functions for all streams: closures would
 * be a part of what every idle client costs.
 *
 * On the server's side of TLS this stands on what Node gives to its own tls.Server and does not document for who begins
 * TLS on a connection of its own: the events `secure` and `_tlsError`, and `ssl.verifyError()`.
 */
import { constants } from 'node:crypto'
import net from 'node:net'
import tls from 'node:tls'
import { refusal } from './address.ts'
import { keepAliveMs, nobody } from './defaults.ts'
import { alreadyClosed, Handshake, handshakeCut, judged } from './tls.ts'
import type {
  ClientTls,
  Listener,
  ServerTls,
  Socket,
  SocketHandler,
  TlsInfo,
  Transport,
} from './transport.ts'

export const nodeTransport: Transport = {
  name: 'node',

  listen(at, onSocket) {
    const server = net.createServer(streamOptions, stream => onSocket(new NodeSocket(stream, nobody)))
    return new Promise<Listener>((resolve, reject) => {
      const fail = (error: Error) => reject(refusal('listen', at, error))
      server.once('error', fail)
      server.listen(at, () => {
        server.off('error', fail)
        // A connection that could not be accepted (no file descriptor was free) is the loss of its client alone.
        server.on('error', () => {})
        const { address: host, port } = server.address() as net.AddressInfo
        resolve({
          host,
          port,
          close: async () => {
            server.close()
          },
        })
      })
    })
  },

  connect(to, handler, signal) {
    return new Promise<Socket>((resolve, reject) => {
      signal?.throwIfAborted()
      const stream = net.connect({ ...to, ...streamOptions })
      const abort = () => {
        stream.destroy()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      const fail = (error: Error) => {
        signal?.removeEventListener('abort', abort)
        reject(refusal('connect', to, error))
      }
      stream.once('error', fail)
      stream.once('connect', () => {
        signal?.removeEventListener('abort', abort)
        stream.off('error', fail)
        resolve(new NodeSocket(stream, handler))
      })
    })
  },
}

const streamOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveMs,
}

const owner = Symbol('the socket of a stream')
type Stream = net.Socket & { [owner]?: NodeSocket | undefined }
type TlsStream = tls.TLSSocket & Stream & { ssl: { verifyError(): NodeJS.ErrnoException | null } }

class NodeSocket implements Socket {
  handler: SocketHandler
  tls: TlsInfo | null = null
  readonly remoteAddress: string
  #stream: Stream
  #error: Error | null = null
  #paused = false
  /** Nothing more is to be written: after `end`, or closed. */
  #ended = false
  /** `write` gave false, so `onDrain` is owed. */
  #full = false
  #handshake: Handshake | null = null

  constructor(stream: Stream, handler: SocketHandler) {
    this.handler = handler
    this.#stream = stream
    this.remoteAddress = stream.remoteAddress ?? 'unix'
    this.#listen(stream)
  }

  get pending(): number {
    return this.#stream.writableLength + (this.#handshake?.heldBytes ?? 0)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ended) return true
    if (this.#handshake) this.#handshake.hold(bytes)
    else if (this.#stream.write(bytes)) return true
    this.#full = true
    return false
  }

  pause(): void {
    this.#paused = true
    this.#stream.pause()
  }

  resume(): void {
    this.#paused = false
    if (!this.#handshake) this.#stream.resume()
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#handshake) this.#stream.end()
  }

  destroy(): void {
    this.#ended = true
    this.#stream.destroy()
  }

  startTls(wish: ServerTls | ClientTls): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw alreadyClosed()
      this.#handshake = new Handshake(wish, resolve, reject)
      const plain = this.#stream
      plain.pause()
      try {
        this.#stream = wish.side === 'server' ? serverSide(plain, wish) : clientSide(plain, wish)
      } catch (error) {
        plain.destroy(error as Error)
        return
      }
      plain[owner] = undefined
      this.#listen(this.#stream)
      this.#stream.pause()
      this.#stream
        .once('_tlsError', onError)
        .once(wish.side === 'server' ? 'secure' : 'secureConnect', onSecure)
    })
  }

  drained(): void {
    if (!this.#full || this.#ended) return
    this.#full = false
    this.handler.onDrain()
  }

  ended(): void {
    if (this.#handshake) this.#stream.destroy(handshakeCut())
    else this.handler.onEnd()
  }

  /** `closed` follows. */
  failed(error: Error): void {
    this.#error ??= error
  }

  closed(): void {
    this.#ended = true
    this.#handshake?.reject(this.#error ?? handshakeCut())
    this.#handshake = null
    this.handler.onClose(this.#error)
  }

  shaken(stream: TlsStream): void {
    const { tls: wish, resolve, held } = this.#handshake!
    const chainError = stream.ssl.verifyError()?.code ?? null
    const verdict = judged(wish, stream, chainError)
    if (verdict instanceof Error) {
      stream.destroy(verdict)
      return
    }
    this.tls = verdict
    this.#handshake = null
    const last = held.pop()
    for (const bytes of held) stream.write(bytes)
    if (last) stream.write(last, () => this.drained())
    if (this.#ended) stream.end()
    resolve()
    setImmediate(() => {
      if (!this.#paused) stream.resume()
    })
  }

  #listen(stream: Stream): void {
    stream[owner] = this
    stream.on('data', onData).on('drain', onDrain).on('end', onEnd).on('error', onError).on('close', onClose)
  }
}

function onData(this: Stream, chunk: Uint8Array): void {
  this[owner]?.handler.onData(chunk)
}

function onDrain(this: Stream): void {
  this[owner]?.drained()
}

function onEnd(this: Stream): void {
  if (!this.destroyed) this[owner]?.ended()
}

function onError(this: Stream, error: Error): void {
  this[owner]?.failed(error)
}

function onClose(this: Stream): void {
  this[owner]?.closed()
}

function onSecure(this: TlsStream): void {
  this[owner]?.shaken(this)
}

function serverSide(plain: Stream, wish: ServerTls): TlsStream {
  if (wish.alreadyRead) plain.unshift(wish.alreadyRead)
  return new tls.TLSSocket(plain, {
    isServer: true,
    secureContext: serverContext(wish),
    requestCert: wish.clientAuthority !== undefined,
    rejectUnauthorized: false,
    ...(wish.alpn && { ALPNProtocols: [...wish.alpn] }),
  }) as TlsStream
}

/** The one that was used last: a gateway shows one certificate, and reading it takes as long as a third of a handshake. */
let context: { readonly of: ServerTls; readonly made: tls.SecureContext } | null = null

function serverContext(wish: ServerTls): tls.SecureContext {
  const { certificate: cert, key, clientAuthority } = wish
  const known = context?.of
  if (known?.certificate !== cert || known.key !== key || known.clientAuthority !== clientAuthority) {
    // As PostgreSQL: no tickets, by which a client would come back without showing its certificate.
    const secureOptions = constants.SSL_OP_NO_TICKET
    const made = tls.createSecureContext({
      ...{ cert, key, secureOptions },
      ...(clientAuthority !== undefined && { ca: clientAuthority }),
    })
    context = { of: wish, made }
  }
  return context!.made
}

function clientSide(plain: Stream, wish: ClientTls): TlsStream {
  const { serverName, authority: ca, certificate: cert, key, alpn } = wish
  return tls.connect({
    socket: plain,
    rejectUnauthorized: false,
    servername: net.isIP(serverName) ? '' : serverName,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(alpn && { ALPNProtocols: [...alpn] }),
  }) as TlsStream
}
