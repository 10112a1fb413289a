/**
 * The type bytes of PostgreSQL's protocol, version 3, under PostgreSQL's names.
 *
 * After start-up every message is a type byte, a length of four bytes that counts itself but not the type, and a
 * body. A byte means one thing in each direction ('D' is Describe to the server and DataRow from it), but no name
 * stands for two bytes, so the table is flat. The first packet of a connection has no type byte: startup.ts.
 *
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Formats".
 */

// From the server.
/** Authentication*: AuthenticationOk, -CleartextPassword, -SASL and so on; the first four bytes of the body tell which. */
export const Authentication = 0x52 // R
export const BackendKeyData = 0x4b // K
export const BindComplete = 0x32 // 2
export const CloseComplete = 0x33 // 3
export const CommandComplete = 0x43 // C
export const CopyBothResponse = 0x57 // W
export const CopyInResponse = 0x47 // G
export const CopyOutResponse = 0x48 // H
export const DataRow = 0x44 // D
export const EmptyQueryResponse = 0x49 // I
export const ErrorResponse = 0x45 // E
export const FunctionCallResponse = 0x56 // V
export const NegotiateProtocolVersion = 0x76 // v
export const NoData = 0x6e // n
export const NoticeResponse = 0x4e // N
export const NotificationResponse = 0x41 // A
export const ParameterDescription = 0x74 // t
export const ParameterStatus = 0x53 // S
export const ParseComplete = 0x31 // 1
export const PortalSuspended = 0x73 // s
export const ReadyForQuery = 0x5a // Z
export const RowDescription = 0x54 // T

// From the client.
export const Bind = 0x42 // B
export const Close = 0x43 // C
export const CopyFail = 0x66 // f
export const Describe = 0x44 // D
export const Execute = 0x45 // E
export const Flush = 0x48 // H
export const FunctionCall = 0x46 // F
export const Parse = 0x50 // P
/** PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse share one byte; the server's last request tells which. */
export const PasswordMessage = 0x70 // p
export const Query = 0x51 // Q
export const Sync = 0x53 // S
export const Terminate = 0x58 // X

// Both ways.
export const CopyData = 0x64 // d
export const CopyDone = 0x63 // c

const backend: Readonly<Record<string, number>> = {
  Authentication,
  BackendKeyData,
  BindComplete,
  CloseComplete,
  CommandComplete,
  CopyBothResponse,
  CopyData,
  CopyDone,
  CopyInResponse,
  CopyOutResponse,
  DataRow,
  EmptyQueryResponse,
  ErrorResponse,
  FunctionCallResponse,
  NegotiateProtocolVersion,
  NoData,
  NoticeResponse,
  NotificationResponse,
  ParameterDescription,
  ParameterStatus,
  ParseComplete,
  PortalSuspended,
  ReadyForQuery,
  RowDescription,
}

const frontend: Readonly<Record<string, number>> = {
  Bind,
  Close,
  CopyData,
  CopyDone,
  CopyFail,
  Describe,
  Execute,
  Flush,
  FunctionCall,
  Parse,
  PasswordMessage,
  Query,
  Sync,
  Terminate,
}

/** The name of a message from the server, for logs and tests; an unknown byte is shown as `0x..`. */
export function backendMessageName(type: number): string {
  return nameIn(backend, type)
}

/** The name of a message from the client, for logs and tests; an unknown byte is shown as `0x..`. */
export function frontendMessageName(type: number): string {
  return nameIn(frontend, type)
}

function nameIn(table: Readonly<Record<string, number>>, type: number): string {
  for (const name in table) if (table[name] === type) return name
  return `0x${type.toString(16).padStart(2, '0')}`
}
