/** Bytes that are not PostgreSQL's protocol. Nothing after them can be understood: the connection has to be closed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** protocol_violation, as PostgreSQL itself answers. */
  readonly code = '08P01'
}
