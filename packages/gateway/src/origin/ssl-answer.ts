import { ProtocolError } from '@sluice/wire'

/**
 * What the origin answered to an SSLRequest. An ErrorResponse in place of the answer comes from no server of this
 * century, and nobody vouches for its text: it is not repeated.
 *
 * @param chunk the first bytes that came
 * @throws ProtocolError if there is more than the one byte. Before the handshake nobody but a man in the middle has
 *   anything to say, and it would be taken as said within it (CVE-2021-23222).
 */
export function sslAnswer(chunk: Uint8Array): 'tls' | 'plain' {
  const answer = chunk[0]
  if (answer !== 0x53 && answer !== 0x4e)
    throw new ProtocolError('the origin answered a request for TLS with neither yes nor no')
  if (chunk.length > 1)
    throw new ProtocolError('the origin sent unencrypted bytes behind its answer to a request for TLS')
  return answer === 0x53 ? 'tls' : 'plain'
}
