/**
 * What both runtimes have in common about TLS: what waits for a handshake, and what is made of the peer's certificate.
 *
 * The runtimes are told to accept any certificate, and it is judged here, before a byte of content goes either way: they
 * differ in what they check by themselves, and PostgreSQL's sslmodes are none of their choices.
 */
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { ClientTls, ServerTls, TlsInfo } from './transport.ts'

/** A handshake that is under way on a socket. */
export class Handshake {
  readonly tls: ServerTls | ClientTls
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** What was written meanwhile. */
  readonly held: Uint8Array[] = []
  heldBytes = 0

  constructor(tls: ServerTls | ClientTls, resolve: () => void, reject: (error: Error) => void) {
    this.tls = tls
    this.resolve = resolve
    this.reject = reject
  }

  hold(bytes: Uint8Array): void {
    this.held.push(bytes)
    this.heldBytes += bytes.length
  }
}

/** What a runtime's socket says after a handshake: Node's TLSSocket and Bun's Socket agree in this. */
export interface Secured {
  readonly alpnProtocol: string | false | null
  /** To be asked once: Node has no answer the second time. */
  getPeerX509Certificate(): X509Certificate | undefined
}

/**
 * What was agreed on, if the peer can be trusted; an Error if not.
 *
 * @param chainError what the runtime found wrong with the chain of signatures or its dates, e.g. CERT_HAS_EXPIRED
 */
export function judged(
  tls: ServerTls | ClientTls,
  secured: Secured,
  chainError: string | null,
): TlsInfo | Error {
  const peer = secured.getPeerX509Certificate()
  const refusal = objection(tls, peer, chainError)
  if (refusal) return refusal
  const shown = tls.side === 'client' ? peer : new X509Certificate(tls.certificate)
  return { serverCertificate: shown?.raw ?? null, alpn: secured.alpnProtocol || null }
}

function objection(
  tls: ServerTls | ClientTls,
  peer: X509Certificate | undefined,
  chainError: string | null,
): Error | null {
  if (tls.side === 'server') {
    if (tls.clientAuthority === undefined || !peer || chainError === null) return null
    return refused(chainError, `the client's certificate was refused: ${chainError}`)
  }
  if (tls.verify === 'none') return null
  const { serverName } = tls
  if (!peer) return refused('ERR_TLS_NO_CERTIFICATE', `${serverName} showed no certificate`)
  if (chainError !== null)
    return refused(chainError, `the certificate of ${serverName} was refused: ${chainError}`)
  if (tls.verify === 'ca' || isFor(peer, serverName)) return null
  return refused(
    'ERR_TLS_CERT_ALTNAME_INVALID',
    `the certificate that was shown is not made for ${serverName}, but for ${namesOf(peer)}`,
  )
}

function isFor(certificate: X509Certificate, name: string): boolean {
  return (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
}

const namesOf = ({ subjectAltName, subject }: X509Certificate): string =>
  subjectAltName ?? (subject || 'nobody')

const refused = (code: string, message: string): Error => Object.assign(new Error(message), { code })

/** Of a socket that was closed in the middle of a handshake by nobody's stated fault. */
export const handshakeCut = (): Error =>
  Object.assign(new Error('the connection was closed in the middle of the TLS handshake'), {
    code: 'ECONNRESET',
  })

/** Of a handshake that came too late. */
export const alreadyClosed = (): Error =>
  Object.assign(new Error('TLS was to begin on a connection that is closed already'), { code: 'EPIPE' })
