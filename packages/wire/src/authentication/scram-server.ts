/**
 * The server's side of SCRAM-SHA-256; the idea is in scram.ts.
 *
 *     first ──▶ final
 *
 * Errors are PostgreSQL's, word by word, for a client that does not keep to the rules. A proof that does not hold is
 * no error here but the answer null: what is said of it is the caller's.
 */
import { timingSafeEqual } from 'node:crypto'
import {
  endPointBinding,
  fromBase64,
  fromLatin1,
  hmac,
  isNonce,
  keyBytes,
  latin1,
  ScramError,
  type ScramVerifier,
  scramSha256,
  scramSha256Plus,
  sha256,
  toBase64,
  xor,
} from './scram.ts'

/** What a server offers, the better first. */
export const mechanismsFor = (endPoint: Uint8Array | null): readonly string[] =>
  endPoint === null ? [scramSha256] : [scramSha256Plus, scramSha256]

export class ScramServer {
  readonly #verifier: ScramVerifier
  readonly #endPoint: Uint8Array | null
  readonly #serverNonce: string
  /** What the client's final message has to repeat in base64: the first one's header, what the channel is bound to. */
  #binding = ''
  #plus = false
  #nonce = ''
  /** client-first-message-bare and server-first-message: what is signed begins with them. */
  #signed = ''

  /**
   * @param options.endPoint of the certificate that this very connection was shown; null without TLS
   * @param options.nonce 18 random bytes
   */
  constructor(options: { verifier: ScramVerifier; endPoint: Uint8Array | null; nonce: Uint8Array }) {
    this.#verifier = options.verifier
    this.#endPoint = options.endPoint
    this.#serverNonce = toBase64(options.nonce)
  }

  /**
   * Takes the client's first message; returns what to send as AuthenticationSASLContinue.
   *
   * @throws ScramError
   */
  first(mechanism: string, message: Uint8Array): Uint8Array {
    const plus = mechanism === scramSha256Plus && this.#endPoint !== null
    if (!plus && mechanism !== scramSha256)
      throw new ScramError('08P01', 'client selected an invalid SASL authentication mechanism')
    const text = textOf(message)
    const header = this.#header(text, plus)
    const bare = text.slice(header.length)
    if (bare.startsWith('m=')) throw new ScramError('0A000', 'client requires an unsupported SCRAM extension')
    const [user, nonce] = bare.split(',')
    // The name is that of the StartupMessage; libpq leaves it empty here.
    attribute(user, 'n')
    const clientNonce = attribute(nonce, 'r')
    if (!isNonce(clientNonce)) throw new ScramError('08P01', 'non-printable characters in SCRAM nonce')
    this.#plus = plus
    this.#nonce = clientNonce + this.#serverNonce
    const bound = plus ? latin1(this.#endPoint!) : ''
    this.#binding = toBase64(fromLatin1(header + bound))
    const { salt, iterations } = this.#verifier
    const reply = `r=${this.#nonce},s=${toBase64(salt)},i=${iterations}`
    this.#signed = `${bare},${reply}`
    return fromLatin1(reply)
  }

  /**
   * Takes the client's final message.
   *
   * @returns what to send as AuthenticationSASLFinal, and the client's key; null if the password is wrong
   * @throws ScramError
   */
  final(message: Uint8Array): { message: Uint8Array; clientKey: Uint8Array } | null {
    const text = textOf(message)
    const attributes = text.split(',')
    const binding = attribute(attributes[0], 'c')
    if (binding !== this.#binding)
      throw this.#plus
        ? new ScramError('28000', 'SCRAM channel binding check failed')
        : new ScramError('08P01', 'unexpected SCRAM channel-binding attribute in client-final-message')
    if (attribute(attributes[1], 'r') !== this.#nonce)
      throw new ScramError('08P01', 'invalid SCRAM response', 'Nonce does not match.')
    // Extensions may stand between nonce and proof.
    const proofAt = attributes.findIndex((each, index) => index > 1 && each.startsWith('p='))
    if (proofAt === -1) throw malformed('Malformed proof in client-final-message.')
    if (proofAt !== attributes.length - 1)
      throw malformed('Garbage found at the end of client-final-message.')
    const proof = fromBase64(attribute(attributes[proofAt], 'p'))
    if (proof?.length !== keyBytes) throw malformed('Malformed proof in client-final-message.')
    const signed = fromLatin1(`${this.#signed},${attributes.slice(0, -1).join(',')}`)
    const { storedKey, serverKey } = this.#verifier
    const clientKey = xor(proof, hmac(storedKey, signed))
    if (!timingSafeEqual(sha256(clientKey), storedKey)) return null
    return { message: fromLatin1(`v=${toBase64(hmac(serverKey, signed))}`), clientKey }
  }

  /** The gs2-header: whether the channel is bound, and an identity other than the user's, which PostgreSQL has not. */
  #header(text: string, plus: boolean): string {
    const [flag = '', identity] = text.split(',', 2)
    if (flag === 'n' || flag === 'y') {
      if (plus)
        throw malformed(
          `The client selected ${scramSha256Plus}, but the SCRAM message does not include channel binding data.`,
        )
      // Somebody between the two may have taken our offer away: with a binding he could not have.
      if (flag === 'y' && this.#endPoint !== null)
        throw new ScramError(
          '28000',
          'SCRAM channel binding negotiation error',
          'The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.',
        )
    } else if (flag.startsWith('p=')) {
      if (!plus)
        throw malformed(
          `The client selected ${scramSha256} without channel binding, but the SCRAM message includes channel binding data.`,
        )
      if (flag !== `p=${endPointBinding}`)
        throw new ScramError('08P01', `unsupported SCRAM channel-binding type "${printable(flag.slice(2))}"`)
    } else if (flag.startsWith('n') || flag.startsWith('y'))
      throw malformed(`Comma expected, but found character "${shown(flag.slice(1))}".`)
    else throw malformed(`Unexpected channel-binding flag "${shown(flag)}".`)
    if (identity === undefined) throw malformed('Comma expected, but found character "0x00".')
    if (identity.startsWith('a='))
      throw new ScramError('0A000', 'client uses authorization identity, but it is not supported')
    if (identity !== '') throw malformed(`Unexpected attribute "${shown(identity)}" in client-first-message.`)
    return `${flag},,`
  }
}

function textOf(message: Uint8Array): string {
  if (message.length === 0) throw malformed('The message is empty.')
  if (message.includes(0)) throw malformed('Message length does not match input length.')
  return latin1(message)
}

function attribute(text: string | undefined, name: string): string {
  if (text?.startsWith(`${name}=`)) return text.slice(2)
  throw malformed(`Expected attribute "${name}" but found "${shown(text ?? '')}".`)
}

/** The first of a client's bytes in a sentence, as PostgreSQL shows one. */
function shown(text: string): string {
  const byte = text.charCodeAt(0) || 0
  return byte > 0x20 && byte < 0x7f ? `'${text[0]}'` : `0x${byte.toString(16).padStart(2, '0')}`
}

const printable = (text: string): string => text.slice(0, 30).replace(/[^\x21-\x7e]/g, '?')

const malformed = (detail: string) => new ScramError('08P01', 'malformed SCRAM message', detail)
