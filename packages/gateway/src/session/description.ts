/**
 * What a client was told of a statement by a Describe, so that two descriptions can be compared.
 *
 * A statement that is prepared again must still mean what its client knows of it: PostgreSQL itself refuses
 * ("cached plan must not change result type") when the columns' names, types or modifiers have changed. Where a column
 * comes from (table and attribute) may change.
 * Source: PostgreSQL documentation, Frontend/Backend Protocol, "Message Formats": ParameterDescription, RowDescription.
 */
import { NoData, ParameterDescription, RowDescription } from '@sluice/wire'

const latin1 = new TextDecoder('latin1')

/** @param answer the whole messages that answered a Describe of a statement */
export function describedBy(answer: readonly Uint8Array[]): string {
  return answer.map(description).join('\n')
}

function description(message: Uint8Array): string {
  switch (message[0]) {
    case ParameterDescription:
      return latin1.decode(message.subarray(5))
    case RowDescription:
      return columns(message)
    case NoData:
      return 'no data'
    default:
      return ''
  }
}

function columns(message: Uint8Array): string {
  let text = ''
  let at = 7
  while (at < message.length) {
    const nul = message.indexOf(0, at)
    if (nul === -1) break
    // Name; then table (4) and attribute (2) are left out; type (4), size (2), modifier (4); format (2) is left out.
    text += `${latin1.decode(message.subarray(at, nul))}\0${latin1.decode(message.subarray(nul + 7, nul + 17))}\n`
    at = nul + 19
  }
  return text
}
