/** A certificate for a gateway that was given none, so that `sslmode=require` works at once. */

import { isIP } from 'node:net'
import { hostname } from 'node:os'

const years = 10

/**
 * Makes a key and a certificate that it signs itself: it encrypts, and proves nothing to a client that verifies.
 *
 * @param names whom it is made for; those of this machine by default
 * @returns PEM
 */
export async function selfSignedCertificate(
  names: readonly string[] = [hostname(), 'localhost', '127.0.0.1', '::1'],
): Promise<{ certificate: string; key: string }> {
  // Only who has no certificate pays for what can make one.
  const { generate } = await import('selfsigned')
  const [name = 'sluice'] = names
  const now = Date.now()
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    ...{ keyType: 'ec', curve: 'P-256', algorithm: 'sha256' },
    // A client's clock may be behind.
    notBeforeDate: new Date(now - 24 * 3_600_000),
    notAfterDate: new Date(now + years * 365 * 24 * 3_600_000),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map(name => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  })
  return { certificate: cert, key }
}
