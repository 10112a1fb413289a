/** What a server says at a login, read; what can't be read is a ProtocolError. */
import { Authentication, type Message, ProtocolError } from '@sluice/wire'

const shortestSecret = 4
const longestSecret = 256

/** The number of what the server asks for, and what belongs to it. */
export function readAuthentication({ type, body }: Message): { code: number; data: Uint8Array } {
  if (type !== Authentication) throw outOfTurn(type)
  if (body.length < 4) throw new ProtocolError('an Authentication message is too short')
  return { code: viewOf(body).getUint32(0), data: body.subarray(4) }
}

/** What belongs to the request `code`, and to no other. */
export function expectAuthentication(message: Message, code: number): Uint8Array {
  const { code: given, data } = readAuthentication(message)
  if (given !== code)
    throw new ProtocolError(`it sent authentication request ${given}, where ${code} was due`)
  return data
}

/** The names of AuthenticationSASL, whose list an empty one closes. */
export const readMechanisms = (data: Uint8Array): string[] => strings(data).filter(name => name !== '')

export function readParameterStatus(body: Uint8Array): [name: string, value: string] {
  const [name, value, ...more] = strings(body)
  if (name === undefined || value === undefined || more.length > 0)
    throw new ProtocolError('a ParameterStatus is not a name and a value')
  return [name, value]
}

export function readBackendKeyData(body: Uint8Array): { processId: number; secretKey: Uint8Array } {
  const secretBytes = body.length - 4
  if (secretBytes < shortestSecret || secretBytes > longestSecret)
    throw new ProtocolError(
      `a cancel key has ${shortestSecret} to ${longestSecret} bytes, not ${secretBytes}`,
    )
  return { processId: viewOf(body).getInt32(0), secretKey: body.slice(4) }
}

/** The version that the server speaks, major and minor. */
export function readNegotiateProtocolVersion(body: Uint8Array): number {
  if (body.length < 8) throw new ProtocolError('a NegotiateProtocolVersion is too short')
  return viewOf(body).getUint32(0)
}

export const outOfTurn = (type: number) =>
  new ProtocolError(`it sent a message of type ${JSON.stringify(String.fromCharCode(type))} out of turn`)

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Strings that each end in NUL. */
function strings(data: Uint8Array): string[] {
  if (data.at(-1) !== 0) throw new ProtocolError('a string has no end')
  return decoder.decode(data.subarray(0, -1)).split('\0')
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
