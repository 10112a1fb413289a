/**
 * The gateway's login at an origin, on a byte stream that is open and, if it shall be, encrypted.
 *
 *     start ─▶ greeted ─▶ password ───────────────────────────────────┐
 *                │  └───▶ challenge ─▶ deriving ─▶ signature ─▶ password ─▶ settling ─▶ over
 *                └──────────────── no password wanted ─────────────────────▲
 *
 *     greeted     StartupMessage sent: how does the server want to know us? (#request)
 *     challenge   SASLInitialResponse sent (#challenged)
 *     deriving    PBKDF2 runs elsewhere: the action `derive`, answered by `derived`
 *     signature   our proof sent: the server's own is awaited (#signed)
 *     password    all that we had to say is sent: AuthenticationOk is awaited
 *     settling    logged in: ParameterStatus, BackendKeyData, ReadyForQuery (#settle)
 *
 * The origin is not trusted: it may be another than we believe, or broken. What it says has limits in number and in
 * bytes, comes in an order, and breaks nothing but this one login.
 *
 * Not here: sockets and TLS; the answer to SSLRequest (ssl-answer.ts); how long it may take; which host is next.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Start-up" and "SASL Authentication".
 */
import {
  Authentication,
  AuthenticationRequest,
  BackendKeyData,
  type ErrorFields,
  ErrorResponse,
  Inbox,
  type Message,
  NegotiateProtocolVersion,
  NoticeResponse,
  ParameterStatus,
  ProtocolError,
  parseErrorFields,
  password,
  protocol30,
  ReadyForQuery,
  saslInitialResponse,
  saslResponse,
  startupMessage,
} from '@sluice/wire'
import {
  type Derivation,
  md5Answer,
  md5Stored,
  nonceBytes,
  ScramClient,
  ScramError,
  type ScramKeys,
  type ScramSecret,
  tlsServerEndPoint,
} from '@sluice/wire/authentication'
import {
  closedEarly,
  impossibleStartup,
  LoginFailed,
  noPassword,
  offProtocol,
  onlyKeys,
  scramFailed,
  unknownMethod,
} from './login-errors.ts'
import {
  expectAuthentication,
  outOfTurn,
  readAuthentication,
  readBackendKeyData,
  readMechanisms,
  readNegotiateProtocolVersion,
  readParameterStatus,
} from './login-messages.ts'

/** PostgreSQL says some 20 parameters in 600 bytes. These are for what others say who speak its protocol. */
const longestMessage = 65_536
const mostBytes = 1_048_576
const mostMessages = 1_000

export interface LoginOptions {
  user: string
  database: string
  /** What else goes into the StartupMessage: `application_name`, `options`, any setting. */
  parameters?: Iterable<readonly [string, string]>
  /** None of both is right where the origin asks for none (trust, a client certificate). */
  secret: ScramSecret
  /** The protocol version that is asked for; {@link protocol30} by default, because older proxies refuse any other. */
  version?: number
  /** Over TLS: what the server showed. Null in plain text. */
  tls: { readonly serverCertificate: Uint8Array | null } | null
  randomBytes: (count: number) => Uint8Array
}

/** What a login has shown. */
export interface LoggedIn {
  /** All that ParameterStatus said. */
  parameters: Map<string, string>
  /** What a CancelRequest needs. Null if the origin gave none, as some proxies do. */
  key: { processId: number; secretKey: Uint8Array } | null
  /** As agreed. */
  version: number
  /** After SCRAM: what spares the next login the derivation. */
  keys: ScramKeys | null
  /** Bytes behind ReadyForQuery: none, if it is PostgreSQL. */
  leftover: Uint8Array
}

export type LoginAction =
  | { do: 'send'; bytes: Uint8Array }
  /** PBKDF2, off the event loop; its result goes to {@link Login.derived}. */
  | ({ do: 'derive' } & Derivation)
  | { do: 'ready'; login: LoggedIn }
  /** The connection is of no use any more. The origin's own words, or ours: then the routine is `sluice`. */
  | { do: 'fail'; error: ErrorFields }

type Phase =
  | { at: 'greeted' }
  | { at: 'challenge'; scram: ScramClient }
  | { at: 'deriving'; scram: ScramClient }
  | { at: 'signature'; scram: ScramClient }
  | { at: 'password' }
  | { at: 'settling' }
  | { at: 'over' }

export class Login {
  readonly #options: LoginOptions
  readonly #inbox = new Inbox(longestMessage)
  readonly #parameters = new Map<string, string>()
  #phase: Phase = { at: 'greeted' }
  #version: number
  #negotiated = false
  #key: LoggedIn['key'] = null
  #keys: ScramKeys | null = null
  #bytes = 0
  #messages = 0

  constructor(options: LoginOptions) {
    this.#options = options
    this.#version = options.version ?? protocol30
  }

  /** What to do first. */
  start(): LoginAction[] {
    const { user, database, parameters = [] } = this.#options
    try {
      const all = [['user', user], ['database', database], ...parameters] as const
      return [{ do: 'send', bytes: startupMessage(all, this.#version) }]
    } catch (error) {
      // A name or a value that no StartupMessage can hold.
      if (error instanceof RangeError) return this.#fail(impossibleStartup(error))
      throw error
    }
  }

  /** Takes what the origin sent. */
  feed(chunk: Uint8Array): LoginAction[] {
    if (this.#phase.at === 'over') return []
    return this.#guarded(() => {
      this.#bytes += chunk.length
      if (this.#bytes > mostBytes) throw new ProtocolError(`it sent more than ${mostBytes} bytes`)
      this.#inbox.push(chunk)
      const actions: LoginAction[] = []
      while (!this.#over) {
        const message = this.#inbox.next()
        if (message === null) break
        if (++this.#messages > mostMessages)
          throw new ProtocolError(`it sent more than ${mostMessages} messages`)
        actions.push(...this.#take(message))
      }
      return actions
    })
  }

  /** Takes what the action `derive` asked for. Without effect if the login has failed meanwhile. */
  derived(saltedPassword: Uint8Array): LoginAction[] {
    const phase = this.#phase
    return phase.at === 'deriving' ? this.#prove(phase.scram, saltedPassword) : []
  }

  /** The connection has ended. Without effect if the login is over. */
  lost(): LoginAction[] {
    return this.#over ? [] : this.#fail(closedEarly())
  }

  get #over(): boolean {
    return this.#phase.at === 'over'
  }

  #guarded(step: () => LoginAction[]): LoginAction[] {
    try {
      return step()
    } catch (error) {
      if (error instanceof ProtocolError) return this.#fail(offProtocol(error))
      if (error instanceof ScramError) return this.#fail(scramFailed(error))
      if (error instanceof LoginFailed) return this.#fail(error.fields)
      throw error
    }
  }

  #fail(error: ErrorFields): LoginAction[] {
    this.#phase = { at: 'over' }
    return [{ do: 'fail', error }]
  }

  #take(message: Message): LoginAction[] {
    const phase = this.#phase
    if (message.type === ErrorResponse) return this.#fail(parseErrorFields(message.body))
    if (message.type === NoticeResponse) return []
    switch (phase.at) {
      case 'greeted':
        if (message.type === NegotiateProtocolVersion) return this.#negotiate(message.body)
        return this.#request(readAuthentication(message))
      case 'challenge':
        return this.#challenged(
          phase.scram,
          expectAuthentication(message, AuthenticationRequest.SASLContinue),
        )
      case 'signature':
        phase.scram.verify(expectAuthentication(message, AuthenticationRequest.SASLFinal))
        this.#keys = phase.scram.keys
        this.#phase = { at: 'password' }
        return []
      case 'password':
        expectAuthentication(message, AuthenticationRequest.Ok)
        this.#phase = { at: 'settling' }
        return []
      case 'settling':
        return this.#settle(message)
      case 'deriving':
      case 'over':
        throw outOfTurn(message.type)
      default:
        return phase satisfies never
    }
  }

  #negotiate(body: Uint8Array): LoginAction[] {
    if (this.#negotiated) throw outOfTurn(NegotiateProtocolVersion)
    const version = readNegotiateProtocolVersion(body)
    // We name no `_pq_.` options, so a lower version is all that there is to say.
    if (version >>> 16 !== 3 || version >= this.#version)
      throw new ProtocolError(
        `asked for version ${numbered(this.#version)}, it wants to speak ${numbered(version)}`,
      )
    this.#negotiated = true
    this.#version = version
    return []
  }

  #request({ code, data }: { code: number; data: Uint8Array }): LoginAction[] {
    const { user, secret } = this.#options
    switch (code) {
      case AuthenticationRequest.Ok:
        this.#phase = { at: 'settling' }
        return []
      case AuthenticationRequest.CleartextPassword:
        return this.#answer(password(this.#password()))
      case AuthenticationRequest.MD5Password:
        if (data.length !== 4)
          throw new ProtocolError('its request for an MD5 password has no salt of 4 bytes')
        return this.#answer(password(md5Answer(md5Stored(user, this.#password()), data)))
      case AuthenticationRequest.SASL: {
        if (secret.keys === undefined) this.#password()
        const { tls, randomBytes } = this.#options
        const certificate = tls?.serverCertificate ?? null
        const scram = new ScramClient({
          secret,
          mechanisms: readMechanisms(data),
          encrypted: tls !== null,
          endPoint: certificate === null ? null : tlsServerEndPoint(certificate),
          nonce: randomBytes(nonceBytes),
        })
        this.#phase = { at: 'challenge', scram }
        return [{ do: 'send', bytes: saslInitialResponse(scram.mechanism, scram.first()) }]
      }
      case AuthenticationRequest.SASLContinue:
      case AuthenticationRequest.SASLFinal:
        throw outOfTurn(Authentication)
      default:
        throw new LoginFailed(unknownMethod(code))
    }
  }

  /** The password, if it is known in clear text. */
  #password(): Uint8Array {
    const { secret, user } = this.#options
    if (secret.password !== undefined) return secret.password
    throw new LoginFailed(secret.keys === undefined ? noPassword(user) : onlyKeys(user))
  }

  #answer(bytes: Uint8Array): LoginAction[] {
    this.#phase = { at: 'password' }
    return [{ do: 'send', bytes }]
  }

  #challenged(scram: ScramClient, data: Uint8Array): LoginAction[] {
    const derivation = scram.challenged(data)
    if (derivation === null) return this.#prove(scram, null)
    this.#phase = { at: 'deriving', scram }
    return [{ do: 'derive', ...derivation }]
  }

  #prove(scram: ScramClient, saltedPassword: Uint8Array | null): LoginAction[] {
    this.#phase = { at: 'signature', scram }
    return [{ do: 'send', bytes: saslResponse(scram.respond(saltedPassword)) }]
  }

  #settle({ type, body }: Message): LoginAction[] {
    switch (type) {
      case ParameterStatus:
        this.#parameters.set(...readParameterStatus(body))
        return []
      case BackendKeyData:
        this.#key = readBackendKeyData(body)
        return []
      case ReadyForQuery: {
        if (body.length !== 1 || body[0] !== idle)
          throw new ProtocolError('it is ready, but not idle, right after the login')
        this.#phase = { at: 'over' }
        const login = {
          parameters: this.#parameters,
          key: this.#key,
          version: this.#version,
          keys: this.#keys,
          leftover: this.#inbox.takeRest(),
        }
        return [{ do: 'ready', login }]
      }
      default:
        throw outOfTurn(type)
    }
  }
}

const idle = 0x49

const numbered = (version: number) => `${version >>> 16}.${version & 0xffff}`
