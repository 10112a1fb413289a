/**
 * What a client says, written: for whoever plays the client, a gateway or a test. The first packet of a connection
 * is in startup.ts.
 *
 * Messages without content are the same array at each call: not to be written into.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Formats".
 */
import {
  Bind,
  Close,
  CopyData,
  CopyDone,
  CopyFail,
  Describe,
  Execute,
  Flush,
  Parse,
  PasswordMessage,
  Query,
  Sync,
  Terminate,
} from './messages.ts'
import { int16, int32, message, text, value } from './write.ts'

const synced = message(Sync)
const flushed = message(Flush)
const terminated = message(Terminate)
const copied = message(CopyDone)

export const query = (statement: string): Uint8Array => message(Query, text(statement))

/**
 * @param name '' is the unnamed statement
 * @param types OIDs of the parameters' types; 0, or none, leaves one to the server
 */
export const parse = (name: string, statement: string, types: readonly number[] = []): Uint8Array =>
  message(Parse, text(name), text(statement), int16(types.length), ...types.map(int32))

/**
 * All parameters and all results in text format.
 *
 * @param portal '' is the unnamed portal
 * @param values strings as the parameters' types read them
 */
export const bind = (
  portal: string,
  statement: string,
  ...values: readonly (string | Uint8Array | null)[]
): Uint8Array =>
  message(Bind, text(portal), text(statement), int16(0), int16(values.length), ...values.map(value), int16(0))

/** @param what S a statement, P a portal */
export const describe = (what: 'S' | 'P', name: string): Uint8Array =>
  message(Describe, Uint8Array.of(what.charCodeAt(0)), text(name))

/** @param maxRows after which the portal is suspended; 0 for no limit */
export const execute = (portal = '', maxRows = 0): Uint8Array =>
  message(Execute, text(portal), int32(maxRows))

/** @param what S a statement, P a portal */
export const close = (what: 'S' | 'P', name: string): Uint8Array =>
  message(Close, Uint8Array.of(what.charCodeAt(0)), text(name))

export const sync = (): Uint8Array => synced

export const flush = (): Uint8Array => flushed

export const terminate = (): Uint8Array => terminated

/** @param secret in clear text or as MD5 has it, without the NUL that ends it */
export const password = (secret: Uint8Array): Uint8Array => message(PasswordMessage, secret, Uint8Array.of(0))

/** @param data the mechanism's first message; null if the server speaks first */
export const saslInitialResponse = (mechanism: string, data: Uint8Array | null): Uint8Array =>
  message(PasswordMessage, text(mechanism), value(data))

export const saslResponse = (data: Uint8Array): Uint8Array => message(PasswordMessage, data)

export const copyData = (data: Uint8Array): Uint8Array => message(CopyData, data)

export const copyDone = (): Uint8Array => copied

export const copyFail = (reason: string): Uint8Array => message(CopyFail, text(reason))
