/** MD5 passwords, for servers and clients that have nothing better: what is stored lets its reader log in. */
import { createHash, timingSafeEqual } from 'node:crypto'

const encoder = new TextEncoder()

const md5 = (...parts: readonly Uint8Array[]): string => {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

/** What PostgreSQL stores, and takes for stored: `md5` and 32 hexadecimal digits. */
export const isMd5Stored = (stored: string): boolean => /^md5[0-9a-f]{32}$/.test(stored)

/** @param password as the user has it; a string may also be what is stored */
export function md5Stored(user: string, password: string | Uint8Array): string {
  if (typeof password !== 'string') return `md5${md5(password, encoder.encode(user))}`
  return isMd5Stored(password) ? password : md5Stored(user, encoder.encode(password))
}

/**
 * The answer to AuthenticationMD5Password.
 *
 * @param stored see {@link md5Stored}
 * @param salt the four bytes of the request
 */
export const md5Answer = (stored: string, salt: Uint8Array): Uint8Array =>
  encoder.encode(`md5${md5(encoder.encode(stored.slice('md5'.length)), salt)}`)

export function md5Matches(answer: Uint8Array, stored: string, salt: Uint8Array): boolean {
  const right = md5Answer(stored, salt)
  return answer.length === right.length && timingSafeEqual(answer, right)
}
