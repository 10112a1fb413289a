/**
 * How a client comes in, from its first byte to the end of its login.
 *
 *     first ──SSLRequest──▶ handshake ──secured──▶ first ──StartupMessage──▶ looking up ──found──▶ authenticating ──▶ over
 *       │ ──TLS at once──────▲                       │                                              ▲     │
 *       └──CancelRequest──▶ over                     └──GSSENCRequest: no──▶ first         judged ──┘     └── judging
 *
 *     first            #firstPacket      what the connection is for
 *     handshake        the caller's: `secured` tells its end
 *     looking up       the caller's: who is this, and how does he prove it? `found` tells
 *     authenticating   #listen           authenticate.ts asks, the client answers
 *     judging          the caller's: is this the password? `judged` tells
 *
 * It answers with actions, in the order in which they are to be done. What it does not send is the welcome behind a
 * login that was granted (AuthenticationOk to ReadyForQuery): that needs to know what the origin reports.
 *
 * Nothing of a client that is not in is believed or kept beyond its limits: a message has 10 kB at most, as in the
 * server, and what a client sends ahead while the caller is busy 1 MB: a caller that stops reading meanwhile never
 * gets there.
 *
 * Not here: sockets, the TLS handshake itself, who the users are, how long all this may take.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Start-up", "SSL Session Encryption"; the server's
 * backend_startup.c, for the order of its checks and for its words.
 */
import {
  decodeFirstPacket,
  type ErrorFields,
  type FirstPacket,
  Inbox,
  negotiateProtocolVersion,
  ProtocolError,
  protocol32,
} from '@sluice/wire'
import { tlsServerEndPoint } from '@sluice/wire/authentication'
import {
  Authentication,
  type AuthenticationAction,
  type AuthenticationContext,
  type Credential,
  type Proof,
} from './authenticate.ts'
import { ClientRefused, offProtocol, stuffedBytes, tooMuchAhead, unsupportedProtocol } from './refusal.ts'
import { readStartupParameters, unknownOptions } from './startup-parameters.ts'

/** MAX_STARTUP_PACKET_LENGTH of the server. It is more generous to passwords (64 kB); those have no need of it. */
const longestMessage = 10_000
const mostAhead = 1_048_576

/** The first byte of a TLS handshake, and of no PostgreSQL packet of a possible length. */
const tlsHandshake = 0x16

export interface StartupOptions extends Omit<AuthenticationContext, 'endPoint'> {
  /** Whether the gateway has a certificate, so that a client may have TLS. */
  tls: boolean
}

/** A client that is in. */
export interface Admitted {
  user: string
  database: string
  /** What it asked for in its StartupMessage; names in lower case. Not checked. */
  settings: Map<string, string>
  /** Of the protocol, major and minor. */
  version: number
  /** How long the secret key in its BackendKeyData is to be. */
  secretKeyBytes: 4 | 32
  proof: Proof
  /** What it has sent behind its login. */
  leftover: Uint8Array
}

export type StartupAction =
  | { do: 'send'; bytes: Uint8Array }
  /** TLS begins, with the bytes that were read of it already, if any; then `secured`. */
  | { do: 'handshake'; alreadyRead: Uint8Array | null }
  /** Cancel what this key names, and close. */
  | { do: 'cancel'; processId: number; secretKey: Uint8Array }
  /** Then `found`. Nothing was proven yet. */
  | { do: 'lookup'; user: string; database: string }
  /** Then `judged`. */
  | { do: 'prove'; user: string; database: string; password: Uint8Array }
  | { do: 'admit'; client: Admitted }
  /** Send this ErrorResponse and close. */
  | { do: 'refuse'; error: ErrorFields }
  /** Close without a word. */
  | { do: 'close' }

type Request = Omit<Admitted, 'proof' | 'leftover'>

type Phase =
  | { at: 'first' }
  | { at: 'handshake' }
  | { at: 'looking up'; request: Request }
  | { at: 'authenticating'; request: Request; dialogue: Authentication }
  | { at: 'over' }

export class Startup {
  readonly #options: StartupOptions
  readonly #inbox = new Inbox(longestMessage)
  #phase: Phase = { at: 'first' }
  /** What came of the first packet. */
  #first: Uint8Array = new Uint8Array(0)
  // Each of both is answered once.
  #sslAnswered = false
  #gssAnswered = false
  #endPoint: Uint8Array | null = null
  /** What is to be done of the present call. */
  #actions: StartupAction[] = []

  constructor(options: StartupOptions) {
    this.#options = options
  }

  /** Takes what the client sent, decrypted if there is TLS. Without effect when the login is over. */
  feed(chunk: Uint8Array): StartupAction[] {
    return this.#act(() => {
      switch (this.#phase.at) {
        case 'first':
          return this.#firstPacket(chunk)
        case 'handshake':
          // The caller's TLS reads these, not we: bytes that it did not decrypt are nobody's.
          throw new ClientRefused(stuffedBytes('SSL'))
        case 'looking up':
        case 'authenticating':
          if (this.#inbox.held + chunk.length > mostAhead) throw new ClientRefused(tooMuchAhead(mostAhead))
          this.#inbox.push(chunk)
          return this.#listen()
        case 'over':
          return
        default:
          return this.#phase satisfies never
      }
    })
  }

  /**
   * The TLS handshake is done: from here on it is fed with what was decrypted.
   *
   * @param certificate the one that this connection was shown, DER; the channel is bound to it
   */
  secured(certificate: Uint8Array | null): void {
    if (this.#phase.at !== 'handshake') return
    this.#endPoint = certificate === null ? null : tlsServerEndPoint(certificate)
    this.#phase = { at: 'first' }
  }

  /** The answer to `lookup`: how the user proves who it is; or an error that turns it away at once. */
  found(credential: Credential | { refusal: ErrorFields }): StartupAction[] {
    const phase = this.#phase
    if (phase.at !== 'looking up') return []
    return this.#act(() => {
      if ('refusal' in credential) throw new ClientRefused({ ...credential.refusal, severity: 'FATAL' })
      const { request } = phase
      const dialogue = new Authentication(request.user, { ...this.#options, endPoint: this.#endPoint })
      this.#phase = { at: 'authenticating', request, dialogue }
      this.#do(request, dialogue.start(credential))
      this.#listen()
    })
  }

  /** The answer to `prove`: null if this is the password, else why not. */
  judged(error: ErrorFields | null): StartupAction[] {
    const phase = this.#phase
    if (phase.at !== 'authenticating') return []
    return this.#act(() => this.#do(phase.request, phase.dialogue.judged(error)))
  }

  #act(step: () => void): StartupAction[] {
    try {
      step()
    } catch (error) {
      if (error instanceof ClientRefused) this.#end({ do: 'refuse', error: error.fields })
      else if (error instanceof ProtocolError) this.#end({ do: 'refuse', error: offProtocol(error.message) })
      else throw error
    }
    return this.#actions.splice(0)
  }

  #end(action: StartupAction): void {
    this.#actions.push(action)
    this.#phase = { at: 'over' }
    this.#first = new Uint8Array(0)
    this.#inbox.takeRest()
  }

  #send(bytes: Uint8Array): void {
    this.#actions.push({ do: 'send', bytes })
  }

  #firstPacket(chunk: Uint8Array): void {
    const bytes = this.#first.length === 0 ? chunk : joined(this.#first, chunk)
    if (bytes[0] === tlsHandshake && !this.#sslAnswered) {
      this.#tlsAtOnce(bytes)
      return
    }
    const packet = decodeFirstPacket(bytes)
    // A copy: the chunk may be a large one of which this is the end.
    this.#first = packet.is === 'incomplete' ? bytes.slice() : new Uint8Array(0)
    switch (packet.is) {
      case 'incomplete':
        return
      case 'SSLRequest':
        if (this.#sslAnswered) throw new ClientRefused(unsupportedProtocol(sslCode))
        this.#sslAnswered = true
        if (bytes.length > packet.length) throw new ClientRefused(stuffedBytes('SSL'))
        if (this.#options.tls) this.#handshake(null)
        else this.#send(no)
        return
      case 'GSSENCRequest':
        if (this.#gssAnswered) throw new ClientRefused(unsupportedProtocol(gssCode))
        this.#gssAnswered = true
        if (bytes.length > packet.length) throw new ClientRefused(stuffedBytes('GSSAPI encryption'))
        this.#send(no)
        return
      case 'CancelRequest':
        this.#end({ do: 'cancel', processId: packet.processId, secretKey: packet.secretKey })
        return
      case 'StartupMessage':
        this.#inbox.push(bytes.subarray(packet.length))
        this.#startup(packet)
        return
      default:
        packet satisfies never
    }
  }

  #tlsAtOnce(bytes: Uint8Array): void {
    // In TLS there is nobody to understand a message that says why not.
    if (this.#options.tls) this.#handshake(bytes)
    else this.#end({ do: 'close' })
  }

  #handshake(alreadyRead: Uint8Array | null): void {
    if (alreadyRead === null) this.#send(yes)
    this.#sslAnswered = true
    this.#gssAnswered = true
    this.#first = new Uint8Array(0)
    this.#phase = { at: 'handshake' }
    this.#actions.push({ do: 'handshake', alreadyRead })
  }

  #startup({ version, parameters }: Extract<FirstPacket, { is: 'StartupMessage' }>): void {
    if (version >>> 16 !== protocol32 >>> 16) throw new ClientRefused(unsupportedProtocol(version))
    const spoken = Math.min(version, protocol32)
    const unknown = unknownOptions(parameters)
    // Here and nowhere else, hence once, whatever the login has to wait for.
    if (version > spoken || unknown.length > 0) this.#send(negotiateProtocolVersion(spoken, unknown))
    const { user, database, settings } = readStartupParameters(parameters)
    const secretKeyBytes = spoken >= protocol32 ? 32 : 4
    const request: Request = { user, database, settings, version: spoken, secretKeyBytes }
    this.#phase = { at: 'looking up', request }
    this.#actions.push({ do: 'lookup', user, database })
  }

  /** Hands on what the client has answered, as long as an answer is due. */
  #listen(): void {
    for (;;) {
      const phase = this.#phase
      if (phase.at !== 'authenticating' || !phase.dialogue.listening) return
      const message = this.#inbox.next()
      if (message === null) return
      this.#do(phase.request, phase.dialogue.take(message))
    }
  }

  #do(request: Request, actions: readonly AuthenticationAction[]): void {
    for (const action of actions)
      switch (action.do) {
        case 'send':
          this.#actions.push(action)
          break
        case 'prove':
          this.#actions.push({ ...action, user: request.user, database: request.database })
          break
        case 'proven': {
          const client = { ...request, proof: action.proof, leftover: this.#inbox.takeRest() }
          this.#phase = { at: 'over' }
          this.#actions.push({ do: 'admit', client })
          break
        }
        default:
          action satisfies never
      }
  }
}

const yes = Uint8Array.of(0x53) // S
const no = Uint8Array.of(0x4e) // N

// As versions of the protocol, for the words of the refusal: 1234.5679 and 1234.5680.
const sslCode = 80_877_103
const gssCode = 80_877_104

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}
