export * from './backend-messages.ts'
export { type ErrorFields, errorResponse, parseErrorFields } from './error-response.ts'
export * from './frontend-messages.ts'
export { Inbox, type Message } from './inbox.ts'
export * from './messages.ts'
export { ProtocolError } from './protocol-error.ts'
export { MessageScanner, type OnMessage, type Watch, watch } from './scan.ts'
export {
  cancelRequest,
  decodeFirstPacket,
  type FirstPacket,
  protocol30,
  protocol32,
  sslRequest,
  startupMessage,
} from './startup.ts'
export { message } from './write.ts'
