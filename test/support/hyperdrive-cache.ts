/**
 * Cloudflare's Hyperdrive as far as its cache goes, before a PostgreSQL server.
 *
 *     client ──unit──▶ kept? ──yes──▶ the answer of the first time
 *                        └──no──▶ PostgreSQL ──answer──▶ kept, if it is a read's, and passed on
 *
 * As Cloudflare documents it: what is kept are answers to reads outside of transactions, in the extended protocol, by
 * what the client sent, comments included; no write ends one. Only age would, which no test waits for: here they stay.
 *
 * Not here: pooling (each client has a connection of its own), and what no test sends: TLS, statements that are
 * prepared under a name, volatile functions.
 * Source: Cloudflare's documentation of Hyperdrive, "Query caching".
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import {
  decodeFirstPacket,
  ErrorResponse,
  MessageScanner,
  Query,
  ReadyForQuery,
  Sync,
  watch,
} from '@sluice/wire'

const ofTheClient = watch({ noted: 'all others' })
const ofTheServer = watch({ whole: [ReadyForQuery], noted: [ErrorResponse] })
/** Parse of the unnamed statement, whose text begins so; its bytes as Latin-1. */
const read = /^P.{4}\0\s*select\b/is
const idle = 0x49

export class HyperdriveCache implements AsyncDisposable {
  /** How many answers were given without the server. */
  hits = 0
  readonly #kept = new Map<string, Uint8Array>()
  readonly #server: URL
  readonly #listener: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: string) {
    this.#server = new URL(server)
    this.#listener = createServer({ noDelay: true }, client => this.#serve(client))
  }

  /** @param server its URL */
  static async start(server: string): Promise<HyperdriveCache> {
    const cache = new HyperdriveCache(server)
    cache.#listener.listen(0, '127.0.0.1')
    await once(cache.#listener, 'listening')
    return cache
  }

  get url(): string {
    const { port } = this.#listener.address() as AddressInfo
    return Object.assign(new URL(this.#server), { host: `127.0.0.1:${port}` }).href
  }

  #serve(client: Socket): void {
    const server = connect({ host: this.#server.hostname, port: Number(this.#server.port), noDelay: true })
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    const line = new Line(
      this.#kept,
      bytes => server.write(bytes),
      bytes => client.write(bytes),
      () => this.hits++,
    )
    client.on('data', chunk => line.clientSays(chunk))
    server.on('data', chunk => line.serverSays(chunk))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

type Write = (bytes: Uint8Array) => void

/** One client and its connection to the server. */
class Line {
  readonly #kept: Map<string, Uint8Array>
  readonly #toServer: Write
  readonly #toClient: Write
  readonly #onHit: () => void
  readonly #clientScanner = new MessageScanner(ofTheClient)
  readonly #serverScanner = new MessageScanner(ofTheServer)
  /** The first packet, which has no type, has gone on. */
  #started = false
  /** Of the last ReadyForQuery; none yet while the client logs in. */
  #status: number | undefined
  /** What the client has sent of its next unit. */
  #unit: Uint8Array[] = []
  /** The units that the server owes an answer, under which key each is to be kept, and what has come of the first. */
  readonly #owed: (string | undefined)[] = []
  #answer: Uint8Array[] = []
  #failed = false

  constructor(kept: Map<string, Uint8Array>, toServer: Write, toClient: Write, onHit: () => void) {
    this.#kept = kept
    this.#toServer = toServer
    this.#toClient = toClient
    this.#onHit = onHit
  }

  clientSays(chunk: Uint8Array): void {
    if (this.#status === undefined) this.#logIn(chunk)
    else this.#takeUnits(chunk)
  }

  #takeUnits(chunk: Uint8Array): void {
    let from = 0
    this.#clientScanner.feed(chunk, (type, _bytes, _start, _bodyEnd, end) => {
      if (type !== Sync && type !== Query) return
      this.#unit.push(chunk.subarray(from, end))
      from = end
      this.#ask(Buffer.concat(this.#unit.splice(0)))
    })
    if (from < chunk.length) this.#unit.push(chunk.slice(from))
  }

  #logIn(chunk: Uint8Array): void {
    if (this.#started || decodeFirstPacket(chunk).is !== 'SSLRequest') {
      this.#started = true
      this.#toServer(chunk)
    } else this.#toClient(Buffer.from('N'))
  }

  #ask(unit: Buffer): void {
    const text = unit.toString('latin1')
    const mayBeKept = this.#status === idle && this.#owed.length === 0 && read.test(text)
    const kept = mayBeKept ? this.#kept.get(text) : undefined
    if (kept) {
      this.#onHit()
      this.#toClient(kept)
    } else {
      this.#owed.push(mayBeKept ? text : undefined)
      this.#toServer(unit)
    }
  }

  serverSays(chunk: Uint8Array): void {
    let from = 0
    this.#serverScanner.feed(chunk, (type, bytes, start, _bodyEnd, end) => {
      if (type === ErrorResponse) this.#failed = true
      if (type !== ReadyForQuery) return
      this.#answer.push(chunk.slice(from, end))
      from = end
      this.#status = bytes[start]
      const answer = Buffer.concat(this.#answer.splice(0))
      const key = this.#owed.shift()
      if (key !== undefined && !this.#failed) this.#kept.set(key, answer)
      this.#failed = false
    })
    if (from < chunk.length) this.#answer.push(chunk.slice(from))
    this.#toClient(chunk)
  }
}
