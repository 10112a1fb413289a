/**
 * What a server says, written: for whoever plays the server, a gateway or a test. ErrorResponse and NoticeResponse
 * are in error-response.ts.
 *
 * Messages without content are the same array at each call: not to be written into.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Formats".
 */
import {
  Authentication,
  BackendKeyData,
  BindComplete,
  CloseComplete,
  CommandComplete,
  DataRow,
  EmptyQueryResponse,
  NegotiateProtocolVersion,
  NoData,
  ParameterStatus,
  ParseComplete,
  ReadyForQuery,
  RowDescription,
} from './messages.ts'
import { int16, int32, message, text, value } from './write.ts'

/** The first four bytes of an Authentication message: what the server wants, or that it is content. */
export const AuthenticationRequest = {
  Ok: 0,
  KerberosV5: 2,
  CleartextPassword: 3,
  MD5Password: 5,
  GSS: 7,
  GSSContinue: 8,
  SSPI: 9,
  SASL: 10,
  SASLContinue: 11,
  SASLFinal: 12,
} as const

const authentication = (request: number, ...parts: readonly Uint8Array[]) =>
  message(Authentication, int32(request), ...parts)

const ok = authentication(AuthenticationRequest.Ok)
const cleartextPassword = authentication(AuthenticationRequest.CleartextPassword)
const parsed = message(ParseComplete)
const bound = message(BindComplete)
const closed = message(CloseComplete)
const noRows = message(NoData)
const emptyQuery = message(EmptyQueryResponse)
const ready = {
  I: message(ReadyForQuery, Uint8Array.of(0x49)),
  T: message(ReadyForQuery, Uint8Array.of(0x54)),
  E: message(ReadyForQuery, Uint8Array.of(0x45)),
}

export const authenticationOk = (): Uint8Array => ok

export const authenticationCleartextPassword = (): Uint8Array => cleartextPassword

/** @param salt four bytes */
export const authenticationMd5Password = (salt: Uint8Array): Uint8Array =>
  authentication(AuthenticationRequest.MD5Password, salt)

/** @param mechanisms the one that is liked best first */
export const authenticationSasl = (mechanisms: readonly string[]): Uint8Array =>
  authentication(AuthenticationRequest.SASL, ...mechanisms.map(text), Uint8Array.of(0))

export const authenticationSaslContinue = (data: Uint8Array): Uint8Array =>
  authentication(AuthenticationRequest.SASLContinue, data)

export const authenticationSaslFinal = (data: Uint8Array): Uint8Array =>
  authentication(AuthenticationRequest.SASLFinal, data)

export const parameterStatus = (name: string, value: string): Uint8Array =>
  message(ParameterStatus, text(name), text(value))

/** @param secretKey 4 bytes under protocol 3.0, up to 256 under 3.2 */
export const backendKeyData = (processId: number, secretKey: Uint8Array): Uint8Array =>
  message(BackendKeyData, int32(processId), secretKey)

/**
 * @param version the newest one that is spoken, major and minor. The documentation says "minor"; servers send both,
 *   and libpq expects both.
 * @param unknownOptions the `_pq_.` parameters of the StartupMessage that are not known
 */
export const negotiateProtocolVersion = (version: number, unknownOptions: readonly string[]): Uint8Array =>
  message(NegotiateProtocolVersion, int32(version), int32(unknownOptions.length), ...unknownOptions.map(text))

/** @param status idle, in a transaction block, in a failed one */
export const readyForQuery = (status: 'I' | 'T' | 'E'): Uint8Array => ready[status]

export const parseComplete = (): Uint8Array => parsed

export const bindComplete = (): Uint8Array => bound

export const closeComplete = (): Uint8Array => closed

export const noData = (): Uint8Array => noRows

export const emptyQueryResponse = (): Uint8Array => emptyQuery

/** @param tag such as `SELECT 1` */
export const commandComplete = (tag: string): Uint8Array => message(CommandComplete, text(tag))

/** A column of a RowDescription; all but the name has a default, which is that of an expression of type text. */
export interface Column {
  name: string
  /** 0 if the column is not one of a table; then `attribute` is 0 too. */
  tableOid?: number
  attribute?: number
  typeOid?: number
  /** Negative for a type of variable width. */
  typeSize?: number
  typeModifier?: number
  format?: 0 | 1
}

const textOid = 25

export const rowDescription = (columns: readonly Column[]): Uint8Array =>
  message(
    RowDescription,
    int16(columns.length),
    ...columns.flatMap(column => [
      text(column.name),
      int32(column.tableOid ?? 0),
      int16(column.attribute ?? 0),
      int32(column.typeOid ?? textOid),
      int16(column.typeSize ?? -1),
      int32(column.typeModifier ?? -1),
      int16(column.format ?? 0),
    ]),
  )

export const dataRow = (values: readonly (string | Uint8Array | null)[]): Uint8Array =>
  message(DataRow, int16(values.length), ...values.map(value))
