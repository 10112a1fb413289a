/**
 * Texts that have no place on a stateless handle: each of its statements may use another connection, so BEGIN there
 * would open a transaction that nobody ends, and SET would change a session for whoever gets it next.
 *
 * Only the first word is looked at, comments skipped. What slips through (a function that does it) is met by
 * structure: a connection that is not idle after a statement is closed.
 */
import { sessionText, transactionText } from './errors.ts'

const firstWords = /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)*([a-z]+)(?:\s+([a-z]+))?/i

const transactionWords = new Set([
  'begin',
  'start',
  'commit',
  'end',
  'rollback',
  'abort',
  'savepoint',
  'release',
])
const sessionWords = new Set(['set', 'reset', 'discard', 'listen', 'unlisten', 'prepare', 'deallocate'])

/**
 * @returns true if the text changes the session for good, which only a transaction may do (its connection is then
 *   not used again).
 * @throws DatabaseError `transaction-text` or `session-text`
 */
export function guard(text: string, where: 'handle' | 'transaction'): boolean {
  const words = firstWords.exec(text)
  if (words === null) return false
  const first = words[1]!.toLowerCase()
  const second = words[2]?.toLowerCase()
  const endsTransaction = transactionWords.has(first) || (first === 'prepare' && second === 'transaction')
  if (where === 'handle') {
    if (endsTransaction) throw transactionText(first)
    if (sessionWords.has(first)) throw sessionText(first)
    return false
  }
  const savepoint = first === 'savepoint' || first === 'release' || (first === 'rollback' && second === 'to')
  if (endsTransaction && !savepoint) throw transactionText(first)
  return sessionWords.has(first) && second !== 'local' && second !== 'constraints' && second !== 'transaction'
}
