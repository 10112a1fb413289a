/**
 * Texts that have no place on a stateless handle: each of its statements may use another connection, so BEGIN there
 * would open a transaction that nobody ends, and SET would change a session for whoever gets it next.
 *
 * Only the first word is looked at, comments skipped. What slips through (a function that does it) is met by
 * structure: a connection that is not idle after a statement is closed.
 */
import { copyText, sessionText, transactionText } from './errors.ts'

const blanks = /(?:[\s;]|--[^\n\r]*(?:[\n\r]|$))*/y
const firstWords = /([a-z]+)(?:\s+([a-z]+))?/iy

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
const sessionWords = new Set([
  'set',
  'reset',
  'discard',
  'listen',
  'unlisten',
  'prepare',
  'deallocate',
  'load',
])
/** `create [or replace] [local | global] temp[orary] …`; a temporary table hides one of the same name from whoever comes next. */
const temporary = /create\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?temp(?:orary)?\s/iy

/**
 * @returns true if the text changes the session for good, which only a transaction may do (its connection is then
 *   not used again).
 * @throws DatabaseError `transaction-text`, `session-text` or `copy-text`
 */
export function guard(text: string, where: 'handle' | 'transaction'): boolean {
  const start = startOf(text)
  const [first, second] = wordsAt(text, start)
  // No driver's query carries its data: one waits for ever, another loses the rows without a word.
  if (first === 'copy') throw copyText()
  const endsTransaction = transactionWords.has(first) || (first === 'prepare' && second === 'transaction')
  temporary.lastIndex = start
  const changesSession = sessionWords.has(first) || (first === 'create' && temporary.test(text))
  if (where === 'handle') {
    if (endsTransaction) throw transactionText(first)
    if (changesSession || first === 'declare') throw sessionText(first)
    return false
  }
  const savepoint = first === 'savepoint' || first === 'release' || (first === 'rollback' && second === 'to')
  if (endsTransaction && !savepoint) throw transactionText(first, 'inside sql.transaction: it ends by itself')
  if (first === 'declare') return /\bwith\s+hold\b/i.test(text)
  return changesSession && second !== 'local' && second !== 'constraints' && second !== 'transaction'
}

/** True for the two statements that can commit in their middle, and then fail: CALL and DO. */
export function mayCommitInside(text: string): boolean {
  const [first] = wordsAt(text, startOf(text))
  return first === 'call' || first === 'do'
}

/** What begins a statement that returns rows and may be free of writes; one in parentheses has no first word. */
const readWords = new Set(['select', 'with', 'values', 'table', ''])

/** True for a statement that may only read: a cache might have its answer. */
export function isRead(text: string): boolean {
  const [first] = wordsAt(text, startOf(text))
  return readWords.has(first)
}

function wordsAt(text: string, start: number): [first: string, second: string | undefined] {
  firstWords.lastIndex = start
  const words = firstWords.exec(text)
  return [words?.[1]?.toLowerCase() ?? '', words?.[2]?.toLowerCase()]
}

/** Where a text's first word begins. Block comments nest in PostgreSQL, which no regular expression can follow. */
function startOf(text: string): number {
  for (let at = 0; ; ) {
    blanks.lastIndex = at
    blanks.test(text)
    at = blanks.lastIndex
    if (!text.startsWith('/*', at)) return at
    let depth = 0
    do {
      const opens = text.indexOf('/*', at)
      const closes = text.indexOf('*/', at)
      if (closes < 0) return text.length
      const isOpening = opens >= 0 && opens < closes
      depth += isOpening ? 1 : -1
      at = (isOpening ? opens : closes) + 2
    } while (depth > 0)
  }
}
