/**
 * The client's side of SCRAM-SHA-256; the idea is in scram.ts.
 *
 *     first ──▶ challenged ──▶ (PBKDF2, elsewhere) ──▶ respond ──▶ verify
 *
 * The server is not trusted: it may be somebody else, who wants the proof of a nonce of his own, or our processor.
 * So what it says has limits, and without its own signature a login has not happened.
 */
import { timingSafeEqual } from 'node:crypto'
import { saslprep } from './saslprep.ts'
import {
  clientKeyOf,
  type Derivation,
  endPointBinding,
  fromBase64,
  fromLatin1,
  hmac,
  isNonce,
  latin1,
  ScramError,
  type ScramKeys,
  scramSha256,
  scramSha256Plus,
  serverKeyOf,
  sha256,
  toBase64,
  xor,
} from './scram.ts'

/** Of the whole nonce, in characters. PostgreSQL's has 48. */
const longestNonce = 1_024
/** In bytes. PostgreSQL's has 16. */
const longestSalt = 1_024
/** About half a second of a processor. PostgreSQL's default is 4,096; 600,000 is what is advised for passwords of people. */
export const mostIterations = 1_000_000

/** What a client logs in with: the password, the keys derived from it before, or both. */
export interface ScramSecret {
  password?: Uint8Array | undefined
  /** Spare the derivation as long as the server's salt and iterations are the same. */
  keys?: ScramKeys | undefined
}

export class ScramClient {
  readonly mechanism: string
  readonly #secret: ScramSecret
  readonly #clientNonce: string
  /** The gs2-header, and behind it what the channel is bound to. */
  readonly #header: string
  readonly #bound: string
  #salt: Uint8Array = new Uint8Array(0)
  #iterations = 0
  #signed = ''
  #response = ''
  #keys: ScramKeys | null = null

  /**
   * @param options.mechanisms what the server offers
   * @param options.endPoint of the certificate that the server showed on this connection; null without TLS
   * @param options.nonce 18 random bytes
   * @throws ScramError if nothing is offered that can be taken
   */
  constructor(options: {
    secret: ScramSecret
    mechanisms: readonly string[]
    encrypted: boolean
    endPoint: Uint8Array | null
    nonce: Uint8Array
  }) {
    const { mechanisms, endPoint } = options
    const plus = mechanisms.includes(scramSha256Plus)
    // Somebody who took TLS off between the two would be seen here.
    if (plus && !options.encrypted)
      throw new ScramError('08P01', `the server offers ${scramSha256Plus} on a connection without TLS`)
    if (plus && endPoint !== null) {
      this.mechanism = scramSha256Plus
      this.#header = `p=${endPointBinding},,`
      this.#bound = latin1(endPoint)
    } else {
      if (!mechanisms.includes(scramSha256))
        throw new ScramError('0A000', `the server offers no SASL mechanism but ${named(mechanisms)}`)
      this.mechanism = scramSha256
      // y: we could, and believe that you can't. A server that can knows then that its offer was taken away.
      this.#header = endPoint === null ? 'n,,' : 'y,,'
      this.#bound = ''
    }
    this.#secret = options.secret
    this.#clientNonce = toBase64(options.nonce)
  }

  /** The client's first message. The server knows the user from the StartupMessage: the name is left empty, as libpq does. */
  first(): Uint8Array {
    return fromLatin1(this.#header + this.#bare)
  }

  get #bare(): string {
    return `n=,r=${this.#clientNonce}`
  }

  /**
   * Takes the server's first message.
   *
   * @returns what is to be derived before {@link respond}; null if nothing is
   * @throws ScramError
   */
  challenged(message: Uint8Array): Derivation | null {
    const text = latin1(message)
    const parts = /^r=([^,]*),s=([^,]*),i=([0-9]{1,10})(?:,|$)/.exec(text)
    if (parts === null) throw new ScramError('08P01', 'the first SCRAM message of the server is malformed')
    const [, nonce, encodedSalt, iterationsText] = parts as unknown as [string, string, string, string]
    const iterations = Number(iterationsText)
    if (nonce.length > longestNonce)
      throw beyond('nonce', `${nonce.length} characters`, `${longestNonce} characters`)
    if (!isNonce(nonce) || !nonce.startsWith(this.#clientNonce) || nonce === this.#clientNonce)
      throw new ScramError('08P01', "the server's SCRAM nonce does not continue ours")
    // Checked before it is decoded; base64 is four characters for three bytes.
    if (encodedSalt.length > (longestSalt / 3) * 4 + 4) throw beyond('salt', 'more', `${longestSalt} bytes`)
    const salt = fromBase64(encodedSalt)
    if (!salt?.length) throw new ScramError('08P01', "the server's SCRAM salt is empty or not base64")
    if (iterations < 1 || iterations > mostIterations)
      throw beyond('iteration count', `${iterations}`, `1 to ${mostIterations}`)
    this.#salt = salt
    this.#iterations = iterations
    this.#response = `c=${toBase64(fromLatin1(this.#header + this.#bound))},r=${nonce}`
    this.#signed = `${this.#bare},${text},${this.#response}`
    const { keys, password } = this.#secret
    if (keys !== undefined && keys.iterations === iterations && same(keys.salt, salt)) {
      this.#keys = keys
      return null
    }
    if (password === undefined)
      throw new ScramError(
        '28P01',
        "the server's SCRAM verifier is not the one that the known keys belong to: the password was changed",
      )
    return { password: saslprep(password), salt, iterations }
  }

  /**
   * The client's final message.
   *
   * @param saltedPassword what was derived; null if {@link challenged} asked for nothing
   */
  respond(saltedPassword: Uint8Array | null): Uint8Array {
    if (saltedPassword !== null)
      this.#keys = {
        iterations: this.#iterations,
        salt: this.#salt,
        clientKey: clientKeyOf(saltedPassword),
        serverKey: serverKeyOf(saltedPassword),
      }
    const { clientKey } = this.keys
    const signature = hmac(sha256(clientKey), fromLatin1(this.#signed))
    return fromLatin1(`${this.#response},p=${toBase64(xor(clientKey, signature))}`)
  }

  /**
   * Takes the server's final message, by which the server shows that it knows the user.
   *
   * @throws ScramError
   */
  verify(message: Uint8Array): void {
    const [, signature] = /^v=([^,]*)(?:,|$)/.exec(latin1(message)) ?? []
    if (signature === undefined)
      throw new ScramError('08P01', 'the final SCRAM message of the server is malformed')
    const right = hmac(this.keys.serverKey, fromLatin1(this.#signed))
    const given = fromBase64(signature)
    if (given === null || !same(given, right))
      throw new ScramError('28000', "the server's SCRAM signature is wrong: it does not know the password")
  }

  /** What spares the derivation at the next login. */
  get keys(): ScramKeys {
    if (this.#keys === null) throw new Error('the SCRAM keys were asked for before they were derived')
    return this.#keys
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

const named = (mechanisms: readonly string[]): string =>
  mechanisms.length === 0 ? 'none at all' : mechanisms.slice(0, 5).join(', ').slice(0, 200)

const beyond = (what: string, is: string, limit: string) =>
  new ScramError('08P01', `the server's SCRAM ${what} is beyond the limit: ${is} instead of ${limit}`)
