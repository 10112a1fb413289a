/**
 * One connection through a FaultProxy.
 *
 *     firstPacket ──▶ session ◀──▶ refusing         read as messages; the client's go on whole or not at all
 *       │     ▲          │             │
 *       │     └─▶ tlsAsked ──▶ opaque  │            TLS that was passed through, a CancelRequest: piped
 *       └────────────────┴─────────────┴──▶ dark    dropped
 *
 * and from each to `closed`. `#takeFirstPacket` leaves firstPacket; `#refuse` enters refusing and the client's next
 * Sync or Query leaves it; `goDark` and `#end` do what they say.
 *
 * PostgreSQL answers in order, so the exchange that the client's n-th Sync or Query ends is answered by the n-th
 * ReadyForQuery after the one that ends start-up.
 *
 * Not here: listening and waiting (fault-proxy.ts), what the faults mean (fault.ts).
 */
import { connect, type Socket } from 'node:net'
import {
  Authentication,
  Bind,
  decodeFirstPacket,
  errorResponse,
  FunctionCall,
  MessageScanner,
  Parse,
  PasswordMessage,
  Query,
  ReadyForQuery,
  Sync,
  Terminate,
  watch,
} from '@sluice/wire'
import { DelayLine } from './delay-line.ts'
import type { Ending, Fault, Refusal } from './fault.ts'
import { matches, StatementLog } from './statement-log.ts'

/** What a connection asks of the proxy that accepted it. */
export interface ConnectionHost {
  readonly server: { readonly host: string; readonly port: number }
  readonly tls: 'refuse' | 'pass'
  readonly startUpDelayMs: number
  readonly latencyMs: { readonly toServer: number; readonly toClient: number }
  /** The fault of all connections that have none of their own. */
  readonly fault: Fault | null
  /** True if the fault may happen once more; with that it has. */
  happens(fault: Fault): boolean
  /** Something that a test may wait for has changed. */
  changed(): void
}

type Phase = 'firstPacket' | 'tlsAsked' | 'opaque' | 'session' | 'refusing' | 'dark' | 'closed'
type StatementFault = Extract<Fault, { is: 'cut' | 'dark' }>

/** More than any test sends in one statement. */
const longestStatement = 64 * 1024 * 1024
const allOfTheClient = watch({ whole: [...Array(256).keys()] })
const stagesOfTheServer = watch({ noted: [Authentication, ReadyForQuery] })
const no = Uint8Array.of(0x4e)
const idle = Uint8Array.of(ReadyForQuery, 0, 0, 0, 5, 0x49)

export class ProxiedConnection {
  /** The fault of this connection alone: `undefined` leaves it to the proxy's, `null` means none. */
  fault: Fault | null | undefined
  /** 'cancel' once it has shown itself to be a CancelRequest. */
  kind: 'session' | 'cancel' = 'session'
  /** The client's startup parameters, once they have come. */
  parameters: ReadonlyMap<string, string> | undefined
  /**
   * How often the client spoke after it had heard something, its first words included: what a far server costs it
   * in round trips. Writes that are pipelined count once as long as no answer comes between them; give the link a
   * latency where that matters.
   */
  flights = 0
  /** The flights that start-up took, once the server was ready for the first statement. */
  startUpFlights: number | undefined
  /** True once the client has said goodbye; the server may still hold the connection for a moment. */
  terminated = false
  /** Messages from the client after start-up. */
  messages = 0
  bytesToServer = 0
  bytesToClient = 0

  readonly #host: ConnectionHost
  readonly #client: Socket
  #server: Socket | undefined
  #phase: Phase = 'firstPacket'
  readonly #log = new StatementLog()
  readonly #clientScanner = new MessageScanner(allOfTheClient, longestStatement)
  readonly #serverScanner = new MessageScanner(stagesOfTheServer)
  readonly #toServer = new DelayLine()
  readonly #toClient = new DelayLine()
  #heard: 'client' | 'server' = 'server'
  /** What has come of a first packet or a client's message that is not whole yet. */
  #held: Uint8Array[] = []
  /** Own answers to statements that the client sent before the server was ready for them. */
  #early: Uint8Array[] = []
  #isFirstStatement = true
  /** Exchanges that the client has ended, and that the server has answered. */
  #ended = 0
  #answered = 0
  /** A fault whose statement has gone to the server, and the exchange that it waits for. */
  #pending: { fault: StatementFault; exchange: number } | undefined

  constructor(host: ConnectionHost, client: Socket, fault: Fault | null | undefined) {
    this.#host = host
    this.#client = client
    this.fault = fault
    client.setNoDelay(true)
    // A reset by the client is seen by `close`, which follows.
    client.on('error', () => {})
    client.on('close', () => this.#end('close'))
    client.on('drain', () => this.#server?.resume())
    client.on('end', () => this.#clientEnded())
    client.on('data', chunk => this.#guarded(() => this.#clientSays(chunk)))
    const close = this.#strikes('close')
    if (close) this.#end(close.by ?? 'close')
    else if (this.#strikes('hang')) this.#phase = 'dark'
  }

  get open(): boolean {
    return this.#phase !== 'closed'
  }

  /** True while bytes are dropped. */
  get dark(): boolean {
    return this.#phase === 'dark'
  }

  /** The texts of Query and Parse in the order in which the client sent them. */
  get statements(): readonly string[] {
    return this.#log.sent
  }

  /** The texts that the client ran, in order: of each Query, and behind each Execute. */
  get ran(): readonly string[] {
    return this.#log.ran
  }

  /** Ends it now, both ways. */
  cut(by: Ending = 'reset'): void {
    this.#end(by)
  }

  /** Drops every byte from now on, both ways, and keeps the sockets open. */
  goDark(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'dark'
    this.#toClient.clear()
    this.#client.resume()
    this.#server?.resume()
    this.#host.changed()
  }

  #clientSays(chunk: Uint8Array): void {
    if (this.#heard === 'server') this.flights++
    this.#heard = 'client'
    let rest = chunk
    while (rest.length > 0 && this.#phase === 'firstPacket') rest = this.#takeFirstPacket(rest)
    switch (this.#phase) {
      case 'opaque':
        this.#forward(rest)
        break
      case 'session':
      case 'refusing':
        this.#takeMessages(rest)
        break
      case 'firstPacket':
      case 'tlsAsked':
      case 'dark':
      case 'closed':
        break
      default:
        this.#phase satisfies never
    }
  }

  /** Returns what follows the packet; nothing, if more of it has to come. */
  #takeFirstPacket(chunk: Uint8Array): Uint8Array {
    const bytes = Buffer.concat([...this.#held, chunk])
    const packet = decodeFirstPacket(bytes)
    if (packet.is === 'incomplete') {
      this.#held = [bytes]
      return bytes.subarray(bytes.length)
    }
    this.#held = []
    const rest = bytes.subarray(packet.length)
    if (packet.is === 'GSSENCRequest' || (packet.is === 'SSLRequest' && this.#host.tls === 'refuse')) {
      this.#answer(no)
      return rest
    }
    if (packet.is === 'StartupMessage') {
      this.parameters = packet.parameters
      const refusal = this.#strikes('refuseAtStartUp')
      if (refusal) this.#answer(errorResponse({ severity: 'FATAL', ...refusal.error }))
      if (refusal || this.#strikes('closeAtStartUp', fault => fault.after === 'StartupMessage')) {
        this.#end('close')
        return rest
      }
    }
    if (packet.is === 'CancelRequest') this.kind = 'cancel'
    this.#phase =
      packet.is === 'StartupMessage' ? 'session' : packet.is === 'SSLRequest' ? 'tlsAsked' : 'opaque'
    this.#forward(bytes.subarray(0, packet.length), this.#host.startUpDelayMs)
    return rest
  }

  /** What goes on together is one write, as it came; only what a fault keeps back divides it. */
  #takeMessages(chunk: Uint8Array): void {
    let from = 0
    let messageStart = 0
    const forwardTo = (end: number) => {
      for (const part of this.#held) this.#forward(part)
      this.#held = []
      if (end > from) this.#forward(chunk.subarray(from, end))
      from = end
    }
    this.#clientScanner.feed(chunk, (type, bytes, bodyStart, bodyEnd, end) => {
      if (this.#phase !== 'session' && this.#phase !== 'refusing') return
      const before = () => {
        if (messageStart > 0) forwardTo(messageStart)
        this.#held = []
        from = end
      }
      if (this.#goesOn(type, bytes, bodyStart, bodyEnd, before)) {
        if (this.#endsExchange(type)) {
          this.#ended++
          const pending = this.#pending
          if (pending?.exchange === this.#ended && pending.fault.moment === 'forwarded') {
            forwardTo(end)
            this.#happen(pending.fault)
          }
        }
      }
      messageStart = end
    })
    if (this.#phase !== 'session' && this.#phase !== 'refusing') return
    if (messageStart > 0) forwardTo(messageStart)
    if (messageStart < chunk.length) this.#held.push(chunk.subarray(messageStart))
  }

  /**
   * Whether the client's message goes on to the server. If not, `before` is called first, which sends on what the
   * client said before it, and drops the message.
   */
  #goesOn(type: number, bytes: Uint8Array, bodyStart: number, bodyEnd: number, before: () => void): boolean {
    // A client may send its password and its first statement together; only the password belongs to start-up.
    if (type === PasswordMessage) return true
    this.messages++
    if (type === Terminate) this.terminated = true
    const statement = this.#log.take(type, bytes, bodyStart, bodyEnd)
    if (type === Query || type === Parse || type === Bind || type === FunctionCall) {
      const refusal = this.#isFirstStatement ? this.#strikes('refuseFirstStatement') : undefined
      this.#isFirstStatement = false
      if (refusal) {
        before()
        this.#refuse(refusal)
      }
    }
    if (this.#phase === 'refusing') {
      before()
      if (this.#endsExchange(type)) {
        this.#answerStatement(idle)
        this.#phase = 'session'
      }
      return false
    }
    if (this.#phase !== 'session') return false
    const triggered = (fault: StatementFault) =>
      typeof fault.at === 'object' && 'message' in fault.at
        ? this.messages === fault.at.message
        : statement !== undefined && matches(fault.at, statement)
    const fault = this.#strikes('cut', triggered) ?? this.#strikes('dark', triggered)
    if (fault === undefined) return true
    if (fault.moment !== 'before') {
      this.#pending = { fault, exchange: this.#ended + 1 }
      return true
    }
    before()
    this.#happen(fault)
    return false
  }

  #endsExchange(type: number): boolean {
    return type === Query || type === Sync || type === FunctionCall
  }

  #refuse(fault: { error: Refusal; then: 'ReadyForQuery' | 'close' }): void {
    this.#answerStatement(errorResponse(fault.error))
    if (fault.then === 'close') this.#end('close')
    else this.#phase = 'refusing'
  }

  #serverSays(chunk: Uint8Array): void {
    this.#heard = 'server'
    switch (this.#phase) {
      case 'tlsAsked':
        this.#phase = chunk[0] === no[0] ? 'firstPacket' : 'opaque'
        this.#answer(chunk)
        break
      case 'opaque':
        this.#answer(chunk)
        break
      case 'session':
      case 'refusing':
        this.#takeAnswers(chunk)
        break
      case 'firstPacket':
      case 'dark':
      case 'closed':
        break
      default:
        this.#phase satisfies never
    }
  }

  #takeAnswers(chunk: Uint8Array): void {
    let from = 0
    const passTo = (end: number) => {
      const withheld = this.#pending?.exchange === this.#answered + 1
      if (end > from && !withheld && this.#phase !== 'dark') this.#answer(chunk.subarray(from, end))
      from = end
    }
    this.#serverScanner.feed(chunk, (type, _bytes, _bodyStart, _bodyEnd, end) => {
      if (this.#phase === 'dark' || this.#phase === 'closed') return
      if (type === Authentication) {
        passTo(end)
        if (this.#strikes('closeAtStartUp', fault => fault.after === 'Authentication')) this.#end('close')
      } else if (this.startUpFlights === undefined) {
        passTo(end)
        this.startUpFlights = this.flights
        for (const answer of this.#early) this.#answer(answer)
      } else {
        passTo(end)
        this.#answered++
        if (this.#pending?.exchange === this.#answered) this.#happen(this.#pending.fault)
      }
    })
    if (this.#phase !== 'closed') passTo(chunk.length)
  }

  #happen(fault: StatementFault): void {
    this.#pending = undefined
    if (fault.is === 'dark') this.goDark()
    else this.#end(fault.by ?? 'reset')
  }

  /** The fault that is set, if it is of this kind, fulfils the condition and may happen once more. */
  #strikes<Kind extends Fault['is']>(
    kind: Kind,
    condition: (fault: Extract<Fault, { is: Kind }>) => boolean = () => true,
  ): Extract<Fault, { is: Kind }> | undefined {
    const fault = this.fault === undefined ? this.#host.fault : this.fault
    if (fault?.is !== kind || this.#pending !== undefined) return undefined
    const ofKind = fault as Extract<Fault, { is: Kind }>
    return condition(ofKind) && this.#host.happens(fault) ? ofKind : undefined
  }

  #answerStatement(bytes: Uint8Array): void {
    if (this.startUpFlights === undefined) this.#early.push(bytes)
    else this.#answer(bytes)
  }

  #answer(bytes: Uint8Array): void {
    this.#heard = 'server'
    this.bytesToClient += bytes.length
    this.#toClient.put(this.#host.latencyMs.toClient, () => write(this.#client, bytes, this.#server))
  }

  #forward(bytes: Uint8Array, delayMs = 0): void {
    const server = this.#connected()
    this.bytesToServer += bytes.length
    this.#toServer.put(this.#host.latencyMs.toServer + delayMs, () => write(server, bytes, this.#client))
  }

  #connected(): Socket {
    if (this.#server) return this.#server
    const server = connect({ ...this.#host.server, noDelay: true, allowHalfOpen: true })
    this.#server = server
    server.on('error', () => this.#end('reset'))
    server.on('data', chunk => this.#guarded(() => this.#serverSays(chunk)))
    server.on('end', () => {
      if (this.#phase !== 'dark') this.#toClient.put(this.#host.latencyMs.toClient, () => this.#client.end())
      server.end()
    })
    server.on('drain', () => this.#client.resume())
    server.on('close', () => {
      this.#client.resume()
      this.#host.changed()
    })
    return server
  }

  /** The client says no more. In the dark nobody hears it, but a test that ends must leave nothing open. */
  #clientEnded(): void {
    if (this.#phase === 'dark' || this.#server === undefined) this.#end('close')
    else this.#toServer.put(this.#host.latencyMs.toServer, () => this.#server?.end())
  }

  /** What was forwarded arrives at the server before its connection ends; so does an answer at the client, but for a reset. */
  #end(by: Ending): void {
    if (this.#phase !== 'closed') {
      this.#phase = 'closed'
      this.#client.resume()
      this.#server?.resume()
      if (by === 'reset') {
        this.#toClient.clear()
        this.#client.resetAndDestroy()
      } else this.#toClient.put(this.#host.latencyMs.toClient, () => this.#client.end())
      this.#toServer.put(this.#host.latencyMs.toServer, () => this.#server?.end())
    }
    this.#host.changed()
  }

  /** Frees the sockets, whatever the other ends do. */
  destroy(): void {
    this.#phase = 'closed'
    this.#toClient.clear()
    this.#toServer.clear()
    this.#client.destroy()
    this.#server?.destroy()
  }

  /** Bytes that are no protocol end the connection, as they do at a server. */
  #guarded(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#end('reset')
      if (!(error instanceof Error) || error.name !== 'ProtocolError') throw error
    }
    this.#host.changed()
  }
}

/** Writes, and lets the other side wait until the socket has room again (its `drain`). */
function write(socket: Socket, bytes: Uint8Array, source: Socket | undefined): void {
  if (!socket.destroyed && !socket.writableEnded && !socket.write(bytes)) source?.pause()
}
