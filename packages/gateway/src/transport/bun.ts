/**
 * Sockets on Bun: its own ones, without streams; TLS is an upgrade of the native socket in place.
 *
 *     clear ──the kernel took less──▶ blocked ──all has left──▶ clear       (startTls blocks, too)
 *       └───────────── end, close ──────┴─────▶ shut
 *
 * Bun says how many bytes the kernel took; the rest waits here, as the subarray that it is. What comes while nobody may
 * hear it waits as well: content that follows a handshake in one chunk, and what a reset still finds in a paused socket.
 *
 * Invariant: while `blocked`, either `write` gave false and `onDrain` is owed, or a handshake is under way.
 * Only to be imported where Bun runs. `initialData`, by which TLS begins with bytes that were read already, is what Bun's
 * own `tls` uses; its documentation does not name it.
 */
import { lookup } from 'node:dns/promises'
import { refusal } from './address.ts'
import type { BunSockets, Events, Native } from './bun-native.ts'
import { clientSide, serverSide } from './bun-tls.ts'
import { keepAliveMs, nobody } from './defaults.ts'
import { alreadyClosed, Handshake, handshakeCut, judged } from './tls.ts'
import type { ClientTls, ServerTls, Socket, SocketHandler, TlsInfo, Transport } from './transport.ts'

declare const Bun: BunSockets

/** Bun does not say of a name that it has no address. */
async function cause(error: NodeJS.ErrnoException, host: string): Promise<NodeJS.ErrnoException> {
  if (error.code !== undefined) return error
  return lookup(host).then(
    () => error,
    (why: NodeJS.ErrnoException) => why,
  )
}

export const bunTransport: Transport = {
  name: 'bun',

  async listen(at, onSocket) {
    try {
      const listener = Bun.listen<BunSocket | null>({
        ...{ hostname: at.host, port: at.port, allowHalfOpen: true },
        socket: {
          ...events,
          open(native) {
            const socket = new BunSocket(nobody)
            socket.opened(native)
            onSocket(socket)
          },
        },
      })
      return { host: listener.hostname, port: listener.port, close: async () => listener.stop() }
    } catch (error) {
      throw refusal('listen', at, await cause(error as Error, at.host))
    }
  },

  async connect(to, handler, signal) {
    signal?.throwIfAborted()
    const socket = new BunSocket(handler)
    return new Promise((resolve, reject) => {
      // An attempt can't be taken back from Bun: it is closed when it succeeds.
      const abort = () => {
        socket.handler = nobody
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      const where = 'path' in to ? { unix: to.path } : { hostname: to.host, port: to.port }
      Bun.connect<BunSocket | null>({ ...where, allowHalfOpen: true, data: socket, socket: connecting })
        .then(
          () => (signal?.aborted ? socket.destroy() : resolve(socket)),
          error => reject(refusal('connect', to, error)),
        )
        .finally(() => signal?.removeEventListener('abort', abort))
    })
  },
}

/** Of all sockets. A native one that another has taken over belongs to nobody. */
const events: Events<BunSocket | null> = {
  data: (native, chunk) => native.data?.heard(chunk),
  drain: native => native.data?.drained(),
  end: native => native.data?.ended(),
  close: (native, error) => native.data?.closed(error ?? null),
  handshake: (native, success, error) => native.data?.shaken(native, success, error),
  error(native, error) {
    if (error.code === 'EPROTO') native.data?.failed(error)
    // A handler has thrown, which is a mistake in this program and not the connection's.
    else
      queueMicrotask(() => {
        throw error
      })
  },
}

const connecting: Events<BunSocket | null> = { ...events, open: native => native.data?.opened(native) }

class BunSocket implements Socket {
  handler: SocketHandler
  tls: TlsInfo | null = null
  remoteAddress = ''
  #native!: Native<BunSocket | null>
  #way: 'clear' | 'blocked' | 'shut' = 'clear'
  /** What waits for the kernel. */
  #rest: Uint8Array[] = none
  #restBytes = 0
  #ending = false
  #paused = false
  /** What comes goes to `unheard`: while paused, until who awaits a handshake has run, and until that is told. */
  #deaf = false
  /** Null is the peer's end. */
  #unheard: (Uint8Array | null)[] = none
  #peerEnded = false
  #error: Error | null = null
  /** By us. */
  #destroyed = false
  #closed = false
  #handshake: Handshake | null = null

  constructor(handler: SocketHandler) {
    this.handler = handler
  }

  get pending(): number {
    return this.#restBytes + (this.#handshake?.heldBytes ?? 0)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#way !== 'clear') return this.#wait(bytes)
    const written = this.#native.write(bytes)
    if (written === bytes.length) return true
    this.#way = written < 0 ? 'shut' : 'blocked'
    return this.#wait(written > 0 ? bytes.subarray(written) : bytes)
  }

  pause(): void {
    this.#paused = true
    this.#deaf = true
    if (!this.#handshake) this.#native.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    if (this.#handshake) return
    this.#native.resume()
    if (this.#unheard.length === 0) this.#deaf = false
    else setImmediate(() => this.#tell())
  }

  end(): void {
    if (this.#ending) return
    this.#ending = true
    if (this.#way === 'clear') this.#shut()
  }

  destroy(): void {
    if (this.#closed) return
    this.#destroyed = true
    this.#native.close()
  }

  startTls(wish: ServerTls | ClientTls): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#way === 'shut' || this.#ending) throw alreadyClosed()
      this.#handshake = new Handshake(wish, resolve, reject)
      this.#deaf = true
      this.#way = 'blocked'
      if (this.#rest.length === 0) this.#upgrade(this.#handshake)
      // What comes meanwhile belongs to the handshake: told as content, it would be anybody's.
      else this.#native.pause()
    })
  }

  /** The connection is there. */
  opened(native: Native<BunSocket | null>): void {
    native.data = this
    this.#native = native
    this.remoteAddress = native.remoteAddress || 'unix'
    native.setNoDelay(true)
    native.setKeepAlive(true, keepAliveMs)
  }

  heard(chunk: Uint8Array): void {
    if (this.#deaf) this.#keep(chunk)
    else this.handler.onData(chunk)
  }

  ended(): void {
    this.#peerEnded = true
    if (this.#handshake) this.failed(handshakeCut())
    else if (this.#unheard.length > 0) this.#keep(null)
    else this.handler.onEnd()
  }

  /** Bun says so also when nothing waits. */
  drained(): void {
    const rest = this.#rest
    for (let at = 0; at < rest.length; at++) {
      const bytes = rest[at]!
      const written = Math.max(0, this.#native.write(bytes))
      this.#restBytes -= written
      if (written === bytes.length) continue
      rest[at] = bytes.subarray(written)
      rest.splice(0, at)
      return
    }
    if (rest.length === 0) return
    this.#rest = none
    if (this.#handshake) this.#upgrade(this.#handshake)
    else this.#clear()
  }

  failed(error: Error): void {
    this.#error ??= error
    this.destroy()
  }

  closed(error: Error | null): void {
    if (this.#closed) return
    this.#closed = true
    this.#way = 'shut'
    this.#rest = none
    this.#restBytes = 0
    const cause = this.#error ?? error
    this.#handshake?.reject(cause ?? handshakeCut())
    this.#handshake = null
    if (cause === null && !this.#destroyed) this.#tellTheEnd()
    this.#unheard = none
    // Bun calls this from within our call.
    if (this.#destroyed) queueMicrotask(() => this.handler.onClose(cause))
    else this.handler.onClose(cause)
  }

  shaken(native: Native<BunSocket | null>, success: boolean, error: NodeJS.ErrnoException | null): void {
    const handshake = this.#handshake
    // Closing tells of the handshake that it cuts.
    if (!handshake || this.#destroyed) return
    // Bytes that were read already may fail before `upgradeTLS` returns.
    this.#native = native
    const code = error?.code ?? null
    // Without success it was the handshake that failed, or only what Bun found in the certificate.
    if (error && !success && /^E[A-Z]+$/.test(code ?? '')) {
      this.failed(error)
      return
    }
    const chainError = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? null : code
    const verdict = judged(handshake.tls, native, chainError)
    if (verdict instanceof Error) {
      this.failed(verdict)
      return
    }
    this.tls = verdict
    this.#handshake = null
    this.#rest = handshake.held
    this.#restBytes = handshake.heldBytes
    if (this.#rest.length === 0) this.#way = 'clear'
    if (this.#paused) native.pause()
    handshake.resolve()
    setImmediate(() => {
      if (this.#closed) return
      if (this.#rest.length > 0) this.drained()
      else if (this.#ending && this.#way === 'clear') this.#shut()
      this.#tell()
    })
  }

  #wait(bytes: Uint8Array): boolean {
    if (this.#way === 'shut' || this.#ending) return true
    if (this.#handshake) this.#handshake.hold(bytes)
    else {
      if (this.#rest.length > 0) this.#rest.push(bytes)
      else this.#rest = [bytes]
      this.#restBytes += bytes.length
    }
    return false
  }

  /** What waited has left. */
  #clear(): void {
    this.#way = 'clear'
    if (this.#ending) this.#shut()
    else this.handler.onDrain()
  }

  #shut(): void {
    this.#way = 'shut'
    this.#native.shutdown()
  }

  #keep(event: Uint8Array | null): void {
    if (this.#unheard.length > 0) this.#unheard.push(event)
    else this.#unheard = [event]
  }

  #tell(): void {
    while (this.#unheard.length > 0 && !this.#paused && !this.#destroyed) {
      const event = this.#unheard.shift()
      if (event) this.handler.onData(event)
      else this.handler.onEnd()
    }
    if (this.#unheard.length === 0) this.#deaf = this.#paused
  }

  /** After both sides have ended Bun says no more than that the socket is closed, if we were the first. */
  #tellTheEnd(): void {
    this.#tell()
    if (!this.#peerEnded) this.handler.onEnd()
  }

  #upgrade({ tls }: Handshake): void {
    const plain = this.#native
    plain.data = null
    try {
      const isServer = tls.side === 'server'
      const [, secured] = plain.upgradeTLS({
        ...{ data: this, socket: events, isServer, tls: isServer ? serverSide(tls) : clientSide(tls) },
        ...(isServer && tls.alreadyRead && { initialData: tls.alreadyRead }),
      })
      this.#native = secured
    } catch (error) {
      plain.data = this
      this.failed(error as Error)
    }
  }
}

/** Most sockets never have anything in their two queues. */
const none: never[] = []
