/**
 * Sockets as the gateway sees them: what node.ts and bun.ts both give.
 *
 *     client ──▶ Listener ──▶ Socket ─onData─▶ handler (startup, then the session)
 *     origin ◀── connect() ── Socket ─onData─▶ handler (login, then the server connection)
 *
 * A socket has one handler at a time, and whoever owns the conversation puts itself there. Each side ends by itself, as
 * in TCP: a socket lives until both have, or one is gone.
 *
 *     onData* ─▶ onEnd ─▶ onClose(null)     the peer has ended, and so have we, in either order
 *     onData* ──────────▶ onClose(error)    reset, or a failed handshake
 *     onData* ──────────▶ onClose(null)     we called destroy
 *
 * Invariants, on both runtimes: (1) no event comes from within a call of the socket's own methods; (2) nothing comes
 * after onClose, and only onClose after destroy; (3) onDrain comes once for each run of writes that gave false.
 * Not here: what the bytes mean; when to time out.
 */

export interface SocketHandler {
  /** Bytes as they came. They stay as they are: who keeps a part may keep the subarray. Never while paused. */
  onData(chunk: Uint8Array): void
  /** After `write` gave false: everything that was written has left. */
  onDrain(): void
  /**
   * The peer will send nothing more, and may still read. What it sent was told before, so while the socket is paused
   * this waits as long as there is something to tell.
   */
  onEnd(): void
  /** Once, last: nothing can be read or written any more. Null if both sides had ended in order, or after `destroy`. */
  onClose(error: Error | null): void
}

/** What a TLS connection has agreed on. */
export interface TlsInfo {
  /** Of the certificate that this connection was shown (a client's view) or has shown (a server's), DER: for channel binding. */
  readonly serverCertificate: Uint8Array | null
  readonly alpn: string | null
}

export interface Socket {
  handler: SocketHandler
  /** Null in plain text. */
  readonly tls: TlsInfo | null
  /** Of the peer; `unix` for a socket in the file system. */
  readonly remoteAddress: string
  /** Bytes that were written and have not left this process yet: bounded by whoever stops when `write` gives false. */
  readonly pending: number
  /**
   * All of the bytes are taken, always, and may be kept until they have left: they must stay as they are. False asks to
   * stop until `onDrain`. Without effect after `end` and once closed.
   */
  write(bytes: Uint8Array): boolean
  /** No `onData` until `resume`: what the peer sends waits in the kernel, and then at the peer. Again is harmless. */
  pause(): void
  resume(): void
  /** Sends what was written, then the end of our side; what the peer still sends is told. Again is harmless. */
  end(): void
  /** Closes at once; what has not left is lost. `onClose` follows, from the event loop. */
  destroy(): void
  /**
   * What comes next, either way, is a TLS handshake, and then its content. The handler stays; it hears of content only
   * after what awaits this promise has run. What is written meanwhile leaves when the peer has proved itself, or never.
   *
   * @throws if the handshake fails or the certificate is refused; the socket is closed then, and the handler hears it too
   */
  startTls(tls: ServerTls | ClientTls): Promise<void>
}

/** The side that shows a certificate. */
export interface ServerTls {
  readonly side: 'server'
  /** PEM, the chain. */
  readonly certificate: string
  /** PEM. */
  readonly key: string
  /** PEM: who signs the certificates that clients may show. A client without one is let in, one with another is not. */
  readonly clientAuthority?: string
  /** What was read already of the client's first flight: for TLS without an SSLRequest before it. */
  readonly alreadyRead?: Uint8Array
  /** Protocols offered by ALPN, e.g. `postgresql`. A client without ALPN is let in, one with none of them is not. */
  readonly alpn?: readonly string[]
}

/** The side that checks one. */
export interface ClientTls {
  readonly side: 'client'
  /** Sent as SNI unless it is an address, and compared with the certificate if `verify` is `full`. */
  readonly serverName: string
  /** `none`: any certificate; `ca`: one that is signed by a trusted authority; `full`: and is made for `serverName`. */
  readonly verify: 'none' | 'ca' | 'full'
  /** PEM; without it the system's authorities. */
  readonly authority?: string
  /** PEM. */
  readonly certificate?: string
  readonly key?: string
  readonly alpn?: readonly string[]
}

export interface Listener {
  /** Where it listens: the real port if 0 was asked for. */
  readonly host: string
  readonly port: number
  /** No new connections; the ones there stay. */
  close(): Promise<void>
}

export interface Transport {
  readonly name: 'node' | 'bun'
  /** @throws NodeJS.ErrnoException (EADDRINUSE, EACCES, …) */
  listen(at: { host: string; port: number }, onSocket: (socket: Socket) => void): Promise<Listener>
  /**
   * Opens a connection to one address. Aborting the signal ends the attempt; an open connection it leaves alone.
   *
   * @throws NodeJS.ErrnoException (ECONNREFUSED, …), or the signal's reason
   */
  connect(
    to: { host: string; port: number } | { path: string },
    handler: SocketHandler,
    signal?: AbortSignal,
  ): Promise<Socket>
}
