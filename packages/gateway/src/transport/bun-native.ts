/** Bun's sockets, as far as bun.ts uses them: its whole types clash with those of Node. */
import type { Secured } from './tls.ts'

export interface Native<Data> extends Secured {
  data: Data
  readonly remoteAddress: string | undefined
  /** How many bytes the kernel took: all, some, none; -1 if the socket is closed. */
  write(bytes: Uint8Array): number
  /** Ends our side. */
  shutdown(): void
  /** Closes both, calling `close` before it returns. */
  close(): void
  pause(): void
  resume(): void
  setNoDelay(on: boolean): void
  setKeepAlive(on: boolean, idleMs: number): void
  /** Answers with what is left of this socket, deaf and dumb, and the one above TLS. */
  upgradeTLS(options: {
    data: Data
    socket: Events<Data>
    tls: TlsOptions
    isServer: boolean
    /** What was read already. */
    initialData?: Uint8Array
  }): [raw: Native<Data>, secured: Native<Data>]
}

export interface Events<Data> {
  open?(native: Native<Data>): void
  data(native: Native<Data>, chunk: Uint8Array): void
  drain(native: Native<Data>): void
  end(native: Native<Data>): void
  close(native: Native<Data>, error?: Error): void
  /** Of TLS, or what one of these functions has thrown. */
  error(native: Native<Data>, error: NodeJS.ErrnoException): void
  handshake?(native: Native<Data>, success: boolean, error: NodeJS.ErrnoException | null): void
}

export interface TlsOptions {
  cert?: string
  key?: string
  ca?: string
  serverName?: string
  requestCert?: boolean
  rejectUnauthorized: boolean
  /** As on the wire: each name behind its length. */
  ALPNProtocols?: Buffer
  secureOptions?: number
}

type Common<Data> = { allowHalfOpen: true; socket: Events<Data> }

export interface BunSockets {
  listen<Data>(options: Common<Data> & { hostname: string; port: number }): {
    readonly hostname: string
    readonly port: number
    stop(): void
  }
  connect<Data>(
    options: Common<Data> & { data: Data } & ({ hostname: string; port: number } | { unix: string }),
  ): Promise<Native<Data>>
}
