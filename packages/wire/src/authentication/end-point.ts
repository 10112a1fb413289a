/**
 * Channel binding `tls-server-end-point`: both ends prove that they saw the same certificate of the server.
 *
 * What is compared is a hash of the certificate, made with the hash function of the certificate's own signature, or
 * SHA-256 where that is MD5 or SHA-1. Neither Node nor Bun tell which one that is in all versions, so it is read from
 * the certificate: of its structure only as much as leads there.
 *
 *     Certificate  SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OID, parameters }, … }
 *
 * Source: RFC 5929, "tls-server-end-point"; RFC 5280, "Basic Certificate Fields"; RFC 8017 for RSASSA-PSS.
 */
import { createHash } from 'node:crypto'

/**
 * @param certificate DER
 * @returns null if its signature names no hash function (Ed25519): then there is no such binding
 */
export function tlsServerEndPoint(certificate: Uint8Array): Uint8Array | null {
  const hash = signatureHash(certificate)
  return hash === null ? null : createHash(hash).update(certificate).digest()
}

const rsa = '2a864886f70d0101'
const rsaPss = `${rsa}0a`
const ecdsa = '2a8648ce3d04'

/** Object identifiers as they are encoded. */
const hashOf: Readonly<Record<string, string>> = {
  [`${rsa}04`]: 'sha256', // with MD5
  [`${rsa}05`]: 'sha256', // with SHA-1
  [`${rsa}0b`]: 'sha256',
  [`${rsa}0c`]: 'sha384',
  [`${rsa}0d`]: 'sha512',
  [`${rsa}0e`]: 'sha224',
  [`${ecdsa}01`]: 'sha256', // with SHA-1
  [`${ecdsa}0301`]: 'sha224',
  [`${ecdsa}0302`]: 'sha256',
  [`${ecdsa}0303`]: 'sha384',
  [`${ecdsa}0304`]: 'sha512',
  // Hash functions by themselves, as RSASSA-PSS names its own.
  '2b0e03021a': 'sha256', // SHA-1
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
  '608648016503040204': 'sha224',
}

function signatureHash(der: Uint8Array): string | null {
  try {
    const certificate = element(der, 0)
    const tbsCertificate = element(der, certificate.start)
    const algorithm = element(der, tbsCertificate.end)
    const oid = element(der, algorithm.start)
    const name = hex(der, oid)
    return (name === rsaPss ? pssHash(der, oid.end, algorithm.end) : hashOf[name]) ?? null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** RSASSA-PSS-params: SEQUENCE { [0] SEQUENCE { OID of the hash function, … }, … }; without [0] it is SHA-1. */
function pssHash(der: Uint8Array, at: number, end: number): string | undefined {
  const sha1 = 'sha256'
  if (at >= end) return sha1
  const parameters = element(der, at)
  if (parameters.start >= parameters.end) return sha1
  const tagged = element(der, parameters.start)
  if (tagged.tag !== 0xa0) return sha1
  return hashOf[hex(der, element(der, element(der, tagged.start).start))]
}

interface Element {
  tag: number
  start: number
  end: number
}

function element(der: Uint8Array, at: number): Element {
  const tag = der[at]
  let length = der[at + 1]
  let start = at + 2
  if (length !== undefined && length > 0x80) {
    const bytes = der.subarray(start, start + (length & 0x7f))
    start += bytes.length
    length = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  }
  if (tag === undefined || length === undefined || start + length > der.length)
    throw new RangeError('an element of the certificate goes beyond its end')
  return { tag, start, end: start + length }
}

const hex = (der: Uint8Array, { start, end }: Element): string =>
  Array.from(der.subarray(start, end), byte => byte.toString(16).padStart(2, '0')).join('')
