/** TLS as Bun's `upgradeTLS` wants it said. */
import { constants } from 'node:crypto'
import { isIP } from 'node:net'
import type { TlsOptions } from './bun-native.ts'
import type { ClientTls, ServerTls } from './transport.ts'

export function serverSide({ certificate: cert, key, clientAuthority, alpn }: ServerTls): TlsOptions {
  return {
    ...{ cert, key, rejectUnauthorized: false },
    // As PostgreSQL: no tickets, by which a client would come back without showing its certificate.
    secureOptions: constants.SSL_OP_NO_TICKET,
    ...(clientAuthority !== undefined && { ca: clientAuthority, requestCert: true }),
    ...(alpn && { ALPNProtocols: onTheWire(alpn) }),
  }
}

export function clientSide({ serverName, authority, certificate, key, alpn }: ClientTls): TlsOptions {
  return {
    rejectUnauthorized: false,
    ...(isIP(serverName) === 0 && { serverName }),
    ...(authority !== undefined && { ca: authority }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
    ...(alpn && { ALPNProtocols: onTheWire(alpn) }),
  }
}

const onTheWire = (names: readonly string[]): Buffer =>
  Buffer.concat(names.map(name => Buffer.from([name.length, ...Buffer.from(name)])))
