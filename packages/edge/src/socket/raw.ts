/** A connected byte stream to one host, TLS done, whatever the runtime. */
export interface RawSocket {
  /** Bytes leave in order. `sent` is called once they left this process, or with the error. */
  write(chunk: Uint8Array, sent?: (error?: Error) => void): void
  /** Sends what was written, then closes. */
  end(): void
  destroy(): void
}

/** What the socket's owner hears. `onClose` comes once, after the last data. */
export interface RawEvents {
  onData(chunk: Uint8Array): void
  onClose(error: Error | undefined): void
}

/** libpq's sslmode reduced to what is done on the wire (PostgreSQL documentation, "SSL Support"). */
export interface TlsWish {
  /** 'try' goes on without TLS when the server has none; 'off' asks for none. */
  readonly use: 'off' | 'try' | 'must'
  /** Start with the handshake at once (PostgreSQL 17 and later), ALPN `postgresql`. */
  readonly direct: boolean
  readonly verifyChain: boolean
  readonly verifyName: boolean
  /** Paths, readable on Node, Bun and Deno only. */
  readonly rootCertificate?: string | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}

/**
 * Opens a socket and settles TLS. Rejects when the signal aborts, and then leaves no socket behind.
 * One per runtime: node.ts (Node, Bun, Deno) and workerd.ts.
 */
export type OpenRaw = (
  host: string,
  port: number,
  tls: TlsWish,
  events: RawEvents,
  signal: AbortSignal,
) => Promise<RawSocket>

export const tlsRefused = () => new Error('the server has no TLS, and sslmode asks for it')

/** Bytes behind the answer to SSLRequest came in plain text: somebody else put them there (CVE-2021-23222). */
export const bytesBeforeTls = () => new Error('the server sent bytes before the TLS handshake')

export const oddTlsAnswer = () =>
  new Error('the server did not answer SSLRequest as PostgreSQL does: is this a PostgreSQL port?')
