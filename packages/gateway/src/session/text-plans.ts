/**
 * The plan of a text as it came from a client, whose encoding decides what its bytes mean.
 *
 * A Parse is asked for up to three times: when it is looked up in the cache, before its series is sent, and when it is.
 * So the text that was read last, of all sessions', is remembered. Bytes that came stay as they are.
 */
import type { Values } from '../origin/values.ts'
import type { StatementPlan } from '../sql/plan.ts'
import type { SessionOptions } from './options.ts'

/** Encodings in which a quote or a backslash may be the second byte of a character. */
const notAsciiSafe: ReadonlySet<string> = new Set([
  'SJIS',
  'SHIFT_JIS_2004',
  'BIG5',
  'GBK',
  'UHC',
  'GB18030',
  'JOHAB',
])

const last = {
  bytes: null as Uint8Array | null,
  ...{ start: 0, end: 0 },
  reported: null as Values | null,
  asciiSafe: true,
  plan: null as StatementPlan | null,
}

/** @param reported what the client's server reports: its encoding is among it */
export function planOfText(
  { planOf }: Pick<SessionOptions, 'planOf'>,
  reported: Values,
  bytes: Uint8Array,
  start: number,
  end: number,
): StatementPlan {
  if (reported !== last.reported) {
    last.reported = reported
    last.asciiSafe = !notAsciiSafe.has(reported.byName.get('client_encoding') ?? '')
    last.plan = null
  }
  if (last.plan === null || bytes !== last.bytes || start !== last.start || end !== last.end) {
    last.plan = planOf(bytes, start, end, last.asciiSafe)
    last.bytes = bytes
    last.start = start
    last.end = end
  }
  return last.plan
}
