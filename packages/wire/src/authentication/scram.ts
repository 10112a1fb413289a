/**
 * SCRAM-SHA-256 as PostgreSQL speaks it: what both sides share.
 *
 *     client                                                   server
 *     n,,n=,r=C                                     ──▶
 *                                                   ◀──        r=CS,s=salt,i=iterations
 *     c=biws,r=CS,p=ClientKey xor ClientSignature   ──▶        SHA-256(ClientKey) = StoredKey?
 *                                                   ◀──        v=ServerSignature
 *
 *     SaltedPassword = PBKDF2(SASLprep(password), salt, iterations)      slow on purpose: left to the caller
 *     ClientKey      = HMAC(SaltedPassword, "Client Key")     StoredKey       = SHA-256(ClientKey)
 *     ServerKey      = HMAC(SaltedPassword, "Server Key")     AuthMessage     = the first three messages, bare
 *                                                             ClientSignature = HMAC(StoredKey, AuthMessage)
 *
 * The server keeps StoredKey and ServerKey, which do not let their reader log in. A proof that holds gives it the
 * ClientKey, which does, wherever salt and iterations are the same: so a gateway logs in as its client.
 *
 * Messages are handled as Latin-1, in which each byte is one character: they are signed byte by byte.
 * Not here: the sides, scram-client.ts and scram-server.ts; which password is asked for.
 * Source: RFC 5802 and RFC 7677; auth-scram.c, fe-auth-scram.c and scram-common.c of PostgreSQL.
 */
import { Buffer } from 'node:buffer'
import { createHash, createHmac } from 'node:crypto'
import { saslprep } from './saslprep.ts'

export const scramSha256 = 'SCRAM-SHA-256'
/** With channel binding: over TLS only. */
export const scramSha256Plus = 'SCRAM-SHA-256-PLUS'
export const endPointBinding = 'tls-server-end-point'

/** The hash's, hence the keys' length in bytes. */
export const keyBytes = 32
/** What PostgreSQL makes verifiers with: RFC 7677's least number of iterations, and its salt's length in bytes. */
export const defaultIterations = 4_096
export const defaultSaltBytes = 16
/** Bytes of random in a nonce, which is their base64. */
export const nonceBytes = 18

/** A side that does not keep to SCRAM, or that can't be believed. */
export class ScramError extends Error {
  override readonly name = 'ScramError'
  readonly code: string
  readonly detail: string | undefined

  constructor(code: '08P01' | '0A000' | '28000' | '28P01', message: string, detail?: string) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/** PBKDF2 with HMAC-SHA-256 and a result of 32 bytes. Some milliseconds long: not to be done on an event loop. */
export type DeriveKey = (password: Uint8Array, salt: Uint8Array, iterations: number) => Promise<Uint8Array>

/** What {@link DeriveKey} is asked for. */
export interface Derivation {
  /** After SASLprep. */
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly iterations: number
}

/** What a server keeps of a password. */
export interface ScramVerifier {
  readonly iterations: number
  readonly salt: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** What a client needs in place of a password, at servers whose verifier has the same salt and iterations. */
export interface ScramKeys {
  readonly iterations: number
  readonly salt: Uint8Array
  readonly clientKey: Uint8Array
  readonly serverKey: Uint8Array
}

export const hmac = (key: Uint8Array, data: Uint8Array | string): Uint8Array =>
  createHmac('sha256', key).update(data).digest()

export const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest()

export const clientKeyOf = (saltedPassword: Uint8Array): Uint8Array => hmac(saltedPassword, 'Client Key')

export const serverKeyOf = (saltedPassword: Uint8Array): Uint8Array => hmac(saltedPassword, 'Server Key')

export const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, index) => byte ^ b[index]!)

export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

export const fromLatin1 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'))

export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Null if this is not base64, strictly: with its padding and nothing else. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null
  return Uint8Array.from(Buffer.from(text, 'base64'))
}

/** Printable and no comma, as the RFC wants a nonce. */
export const isNonce = (text: string): boolean => /^[\x21-\x2b\x2d-\x7e]+$/.test(text)

/** Reads a verifier as `pg_authid.rolpassword` has it; null if it is something else. */
export function parseVerifier(text: string): ScramVerifier | null {
  const parts = /^SCRAM-SHA-256\$(\d{1,10}):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(text)
  if (parts === null) return null
  const iterations = Number(parts[1])
  const [salt, storedKey, serverKey] = parts.slice(2).map(fromBase64)
  if (!salt?.length || storedKey?.length !== keyBytes || serverKey?.length !== keyBytes) return null
  if (iterations < 1 || iterations > 0x7fff_ffff) return null
  return { iterations, salt, storedKey, serverKey }
}

export const formatVerifier = ({ iterations, salt, storedKey, serverKey }: ScramVerifier): string =>
  `${scramSha256}$${iterations}:${toBase64(salt)}$${toBase64(storedKey)}:${toBase64(serverKey)}`

/**
 * What a server would keep of `password`.
 *
 * @param salt 16 random bytes
 */
export async function makeVerifier(
  password: Uint8Array,
  salt: Uint8Array,
  deriveKey: DeriveKey,
  iterations: number = defaultIterations,
): Promise<ScramVerifier> {
  const saltedPassword = await deriveKey(saslprep(password), salt, iterations)
  const storedKey = sha256(clientKeyOf(saltedPassword))
  return { iterations, salt, storedKey, serverKey: serverKeyOf(saltedPassword) }
}

/**
 * A verifier for a user who does not exist, so that who asks can't tell: the salt is the same at each try, and no key
 * has the hash that is stored.
 *
 * @param secret random, the same as long as the answers shall be the same
 * @param iterations those of the users who do exist
 */
export function mockVerifier(
  user: string,
  secret: Uint8Array,
  iterations: number = defaultIterations,
): ScramVerifier {
  const salt = hmac(secret, user).subarray(0, defaultSaltBytes)
  return { iterations, salt, storedKey: new Uint8Array(keyBytes), serverKey: new Uint8Array(keyBytes) }
}
