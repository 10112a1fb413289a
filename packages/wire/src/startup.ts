/**
 * The first packet of a connection: what a client sends before messages have type bytes.
 *
 *     length (4, counts itself) │ code (4) │ what the code asks for
 *
 * SSLRequest and GSSENCRequest are answered by a single byte ('S', 'N', 'G') or an ErrorResponse, and another first
 * packet follows; a CancelRequest is answered by the end of the connection; a StartupMessage begins the session.
 *
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Formats" and "SSL Session Encryption";
 * for the limits, ProcessStartupPacket in the server's backend_startup.c.
 */
import { ProtocolError } from './protocol-error.ts'

/** Protocol 3.0, which every server since 7.4 speaks. 3.2 (PostgreSQL 18) allows secret keys longer than four bytes. */
export const protocol30 = 0x0003_0000
export const protocol32 = 0x0003_0002

const cancelCode = 80_877_102
const sslCode = 80_877_103
const gssCode = 80_877_104

/** MAX_STARTUP_PACKET_LENGTH of the server, which does not count the length itself. */
const longestFirstPacket = 4 + 10_000
const shortestSecret = 4
const longestSecret = 256

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Asks whether the server will speak TLS. It answers with one byte: 'S' yes, 'N' no. */
export function sslRequest(): Uint8Array {
  return packet(sslCode, 0)
}

/**
 * Asks, on a connection of its own, that what another connection runs be stopped.
 *
 * @param processId and `secretKey` are those of that connection's BackendKeyData; 4 bytes under protocol 3.0, up to
 *   256 under 3.2
 */
export function cancelRequest(processId: number, secretKey: Uint8Array): Uint8Array {
  if (secretKey.length < shortestSecret || secretKey.length > longestSecret)
    throw new RangeError(
      `a secret key has ${shortestSecret} to ${longestSecret} bytes, not ${secretKey.length}`,
    )
  const bytes = packet(cancelCode, 4 + secretKey.length)
  new DataView(bytes.buffer).setInt32(8, processId)
  bytes.set(secretKey, 12)
  return bytes
}

/**
 * Begins a session.
 *
 * @param parameters `user` is demanded by the server, `database` defaults to it there; others are settings
 * @throws RangeError if a name or value holds a NUL, which would end it and make the rest further settings, or if
 *   the packet is longer than a server accepts
 */
export function startupMessage(
  parameters: Readonly<Record<string, string>> | Iterable<readonly [string, string]>,
  version: number = protocol30,
): Uint8Array {
  const pairs = Symbol.iterator in parameters ? parameters : Object.entries(parameters)
  let text = ''
  for (const [name, value] of pairs as Iterable<readonly [string, string]>) {
    if (name === '' || name.includes('\0') || value.includes('\0'))
      throw new RangeError(`the startup parameter ${JSON.stringify(name)} is empty or holds a NUL`)
    text += `${name}\0${value}\0`
  }
  const body = encoder.encode(`${text}\0`)
  if (8 + body.length > longestFirstPacket)
    throw new RangeError(
      `the startup parameters have ${body.length} bytes; a server accepts ${longestFirstPacket - 8}`,
    )
  const bytes = packet(version, body.length)
  bytes.set(body, 8)
  return bytes
}

/** A first packet; `length` is how many bytes of the stream it took. */
export type FirstPacket =
  | { is: 'incomplete' }
  | { is: 'SSLRequest'; length: number }
  | { is: 'GSSENCRequest'; length: number }
  | { is: 'CancelRequest'; length: number; processId: number; secretKey: Uint8Array }
  | {
      is: 'StartupMessage'
      length: number
      /** Major version in the upper 16 bits, minor in the lower. Whether it can be served is the reader's to decide. */
      version: number
      parameters: Map<string, string>
    }

/**
 * Reads the first packet of a connection from all bytes that have come so far; `incomplete` asks for more of them.
 *
 * @throws ProtocolError as soon as the bytes that are there can't begin a first packet, a length that no server
 *   accepts included. So at most 10,004 bytes have ever to be held back.
 */
export function decodeFirstPacket(bytes: Uint8Array): FirstPacket {
  if (bytes.length < 4) return { is: 'incomplete' }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(0)
  if (length < 8 || length > longestFirstPacket)
    throw new ProtocolError(`a first packet has 8 to ${longestFirstPacket} bytes, not ${length}`)
  if (bytes.length < length) return { is: 'incomplete' }
  const code = view.getUint32(4)
  switch (code) {
    case sslCode:
    case gssCode:
      if (length !== 8) throw new ProtocolError(`an encryption request has 8 bytes, not ${length}`)
      return { is: code === sslCode ? 'SSLRequest' : 'GSSENCRequest', length }
    case cancelCode: {
      const secretBytes = length - 12
      if (secretBytes < shortestSecret || secretBytes > longestSecret)
        throw new ProtocolError(
          `a CancelRequest carries a key of ${shortestSecret} to ${longestSecret} bytes, not ${secretBytes}`,
        )
      return {
        is: 'CancelRequest',
        length,
        processId: view.getInt32(8),
        secretKey: bytes.slice(12, length),
      }
    }
    default:
      return { is: 'StartupMessage', length, version: code, parameters: readParameters(bytes, 8, length) }
  }
}

function readParameters(bytes: Uint8Array, start: number, end: number): Map<string, string> {
  const parameters = new Map<string, string>()
  let at = start
  const text = () => {
    const nul = bytes.indexOf(0, at)
    if (nul === -1 || nul >= end) throw new ProtocolError('a StartupMessage ends within a parameter')
    const value = decoder.decode(bytes.subarray(at, nul))
    at = nul + 1
    return value
  }
  while (at < end && bytes[at] !== 0) {
    const name = text()
    parameters.set(name, text())
  }
  // As the server: the closing NUL is the last byte, so that nothing is hidden behind it.
  if (at !== end - 1)
    throw new ProtocolError('a StartupMessage has to end in the NUL that closes its parameters')
  return parameters
}

function packet(code: number, bodyBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + bodyBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length)
  view.setUint32(4, code)
  return bytes
}
