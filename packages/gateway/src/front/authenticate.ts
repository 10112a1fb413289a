/**
 * How a client proves who it is: one dialogue, by the method that is right for its user.
 *
 *     trust                                                                              proven
 *     scram      mechanisms ─▶ first ─▶ final ──────────────────────── proof holds ────▶ proven, with its keys
 *     md5        salt ─▶ answer ────────────────────────────────────── answer holds ───▶ proven
 *     password   request ─▶ clear text ─▶ (the action `prove`) ─────── judged ─────────▶ proven, with the password
 *
 * A user who does not exist goes through the same dialogue, and fails at its end: nobody learns who exists.
 *
 * Not here: who the users are and by which method each comes in; whether a method is safe on this connection.
 * Source: auth.c and auth-scram.c of the server, whose words the errors are.
 */
import {
  authenticationCleartextPassword,
  authenticationMd5Password,
  authenticationSasl,
  authenticationSaslContinue,
  authenticationSaslFinal,
  type ErrorFields,
  type Message,
  PasswordMessage,
} from '@sluice/wire'
import {
  md5Matches,
  md5Stored,
  mechanismsFor,
  mockVerifier,
  nonceBytes,
  ScramError,
  type ScramKeys,
  ScramServer,
  type ScramVerifier,
} from '@sluice/wire/authentication'
import {
  ClientRefused,
  emptyPassword,
  fatal,
  noAnswer,
  offProtocol,
  passwordSize,
  wrongPassword,
} from './refusal.ts'

/** How a user comes in, and what it is judged by: null if there is no such user, or none that may log in. */
export type Credential =
  | { method: 'trust' }
  | { method: 'scram'; verifier: ScramVerifier | null }
  /** The password, or `md5` and its hash. */
  | { method: 'md5'; stored: string | null }
  /** Asked for in clear text and judged elsewhere. */
  | { method: 'password' }

/** What a client has shown. */
export type Proof =
  | { by: 'trust' }
  /** The keys log in wherever the user's verifier is the same. */
  | { by: 'scram'; keys: ScramKeys }
  | { by: 'md5' }
  | { by: 'password'; password: Uint8Array }

export type AuthenticationAction =
  | { do: 'send'; bytes: Uint8Array }
  /** Is this the password? The answer goes to {@link Authentication.judged}. */
  | { do: 'prove'; password: Uint8Array }
  | { do: 'proven'; proof: Proof }

/** What all dialogues of a gateway share. */
export interface AuthenticationContext {
  /** See `tlsServerEndPoint`; null in plain text. */
  endPoint: Uint8Array | null
  randomBytes: (count: number) => Uint8Array
  /** Of the gateway, kept for its life: what users who do not exist are made of. */
  mockSecret: Uint8Array
  /** As the verifiers of real users have it. */
  mockIterations?: number
}

type Phase =
  | { at: 'mechanism'; scram: ScramServer; verifier: ScramVerifier }
  /** SASLInitialResponse had no data, as the protocol allows: it follows. */
  | { at: 'scram first'; scram: ScramServer; verifier: ScramVerifier; mechanism: string }
  | { at: 'scram final'; scram: ScramServer; verifier: ScramVerifier }
  | { at: 'md5'; stored: string | null; salt: Uint8Array }
  | { at: 'password' }
  | { at: 'judging'; password: Uint8Array }
  | { at: 'over' }

export class Authentication {
  readonly #user: string
  readonly #context: AuthenticationContext
  #phase: Phase = { at: 'over' }

  constructor(user: string, context: AuthenticationContext) {
    this.#user = user
    this.#context = context
  }

  /** True while a message of the client is due. */
  get listening(): boolean {
    return this.#phase.at !== 'over' && this.#phase.at !== 'judging'
  }

  start(credential: Credential): AuthenticationAction[] {
    const { endPoint, randomBytes, mockSecret, mockIterations } = this.#context
    switch (credential.method) {
      case 'trust':
        return this.#proven({ by: 'trust' })
      case 'scram': {
        const verifier = credential.verifier ?? mockVerifier(this.#user, mockSecret, mockIterations)
        const scram = new ScramServer({ verifier, endPoint, nonce: randomBytes(nonceBytes) })
        this.#phase = { at: 'mechanism', scram, verifier }
        return [send(authenticationSasl(mechanismsFor(endPoint)))]
      }
      case 'md5': {
        const salt = randomBytes(4)
        this.#phase = { at: 'md5', stored: credential.stored, salt }
        return [send(authenticationMd5Password(salt))]
      }
      case 'password':
        this.#phase = { at: 'password' }
        return [send(authenticationCleartextPassword())]
      default:
        return credential satisfies never
    }
  }

  /**
   * Takes the client's answer.
   *
   * @throws ClientRefused
   */
  take({ type, body }: Message): AuthenticationAction[] {
    const phase = this.#phase
    const sasl = phase.at === 'mechanism' || phase.at === 'scram first' || phase.at === 'scram final'
    if (type !== PasswordMessage) throw new ClientRefused(noAnswer(sasl ? 'SASL' : 'password', type))
    switch (phase.at) {
      case 'mechanism': {
        const { mechanism, data } = readSaslInitialResponse(body)
        if (data !== null) return this.#first(phase, mechanism, data)
        this.#phase = { ...phase, at: 'scram first', mechanism }
        return [send(authenticationSaslContinue(new Uint8Array(0)))]
      }
      case 'scram first':
        return this.#first(phase, phase.mechanism, body)
      case 'scram final': {
        const final = refusing(() => phase.scram.final(body))
        if (final === null) throw new ClientRefused(wrongPassword(this.#user))
        const { clientKey, message } = final
        const { iterations, salt, serverKey } = phase.verifier
        const keys = { iterations, salt, clientKey, serverKey }
        return [send(authenticationSaslFinal(message)), ...this.#proven({ by: 'scram', keys })]
      }
      case 'md5': {
        const stored = phase.stored === null ? null : md5Stored(this.#user, phase.stored)
        if (stored === null || !md5Matches(readPassword(body), stored, phase.salt))
          throw new ClientRefused(wrongPassword(this.#user))
        return this.#proven({ by: 'md5' })
      }
      case 'password': {
        const password = readPassword(body).slice()
        this.#phase = { at: 'judging', password }
        return [{ do: 'prove', password }]
      }
      case 'judging':
      case 'over':
        throw new Error(`a message of the client was taken while the authentication is ${phase.at}`)
      default:
        return phase satisfies never
    }
  }

  /**
   * Takes the answer to `prove`.
   *
   * @param error why the password is not right, in the words of who judged; null if it is
   * @throws ClientRefused
   */
  judged(error: ErrorFields | null): AuthenticationAction[] {
    const phase = this.#phase
    if (phase.at !== 'judging') return []
    if (error !== null) throw new ClientRefused({ ...error, severity: 'FATAL' })
    return this.#proven({ by: 'password', password: phase.password })
  }

  #first(
    { scram, verifier }: { scram: ScramServer; verifier: ScramVerifier },
    mechanism: string,
    data: Uint8Array,
  ): AuthenticationAction[] {
    const challenge = refusing(() => scram.first(mechanism, data))
    this.#phase = { at: 'scram final', scram, verifier }
    return [send(authenticationSaslContinue(challenge))]
  }

  #proven(proof: Proof): AuthenticationAction[] {
    this.#phase = { at: 'over' }
    return [{ do: 'proven', proof }]
  }
}

const send = (bytes: Uint8Array): AuthenticationAction => ({ do: 'send', bytes })

function refusing<Result>(step: () => Result): Result {
  try {
    return step()
  } catch (error) {
    if (error instanceof ScramError)
      throw new ClientRefused(fatal(error.code, error.message, { detail: error.detail }))
    throw error
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function readSaslInitialResponse(body: Uint8Array): { mechanism: string; data: Uint8Array | null } {
  const end = body.indexOf(0)
  if (end === -1) throw new ClientRefused(offProtocol('invalid string in message'))
  const dataAt = end + 1 + 4
  if (dataAt > body.length) throw new ClientRefused(offProtocol('insufficient data left in message'))
  const length = new DataView(body.buffer, body.byteOffset, body.byteLength).getInt32(end + 1)
  const has = body.length - dataAt
  if (length > has) throw new ClientRefused(offProtocol('insufficient data left in message'))
  if (Math.max(length, 0) < has) throw new ClientRefused(offProtocol('invalid message format'))
  return {
    mechanism: decoder.decode(body.subarray(0, end)),
    data: length < 0 ? null : body.subarray(dataAt),
  }
}

/** The password of a PasswordMessage, without the NUL that ends it. */
function readPassword(body: Uint8Array): Uint8Array {
  if (body.length === 0 || body.indexOf(0) !== body.length - 1) throw new ClientRefused(passwordSize())
  if (body.length === 1) throw new ClientRefused(emptyPassword())
  return body.subarray(0, -1)
}
