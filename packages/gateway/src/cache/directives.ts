/**
 * What a statement says of its own caching, in a comment (between slash and star) at its very beginning or end:
 *
 *     sluice: max_age=5, swr=2         at most so old; for so long after that it may be served while another is fetched
 *     sluice: no-cache                 the origin is asked, and its answer is not kept
 *
 * A max_age by itself is all: nothing older is served.
 * Of two the first counts, but for no-cache: a library puts it behind whatever the statement says itself.
 * Times are seconds, or have a unit (500ms, 5s, 10m, 1h). What can't be understood is no error: the statement runs
 * uncached, and its status says why.
 *
 * Nearly all statements end here at their first and last bytes: elsewhere a comment is not heeded, and nothing is kept.
 */
import type { Freshness } from './freshness.ts'

export type Directive =
  | { readonly says: 'nothing' }
  | { readonly says: 'no-cache' }
  /** What is not said is as configured. */
  | { readonly says: 'freshness'; readonly freshness: Partial<Freshness> }
  | { readonly says: 'nonsense'; readonly why: string }

const slash = 0x2f
const star = 0x2a
const semicolon = 0x3b

/** A comment of ours is not longer. */
const mostBytes = 200

/** @param start of the statement's text in `bytes`, and `end` behind it */
export function directiveOf(bytes: Uint8Array, start: number, end: number): Directive {
  let first = start
  while (first < end && isSpace(bytes[first]!)) first++
  let last = end
  while (last > first && (isSpace(bytes[last - 1]!) || bytes[last - 1] === semicolon)) last--
  const leads = bytes[first] === slash && bytes[first + 1] === star
  const trails = last - first >= 4 && bytes[last - 1] === slash && bytes[last - 2] === star
  if (!leads && !trails) return nothing
  const before = leads ? read(commentFrom(bytes, first, last)) : nothing
  if (!trails || before.says === 'no-cache') return before
  const after = read(commentBefore(bytes, first, last))
  return before.says === 'nothing' || after.says === 'no-cache' ? after : before
}

/**
 * Whether a comment of ours stands where nobody reads it, in a statement that says nothing where it would be read. A
 * literal that looks like one counts, too. It is looked for before an answer is kept, not before one is found.
 */
export function isMisplaced(bytes: Uint8Array, start: number, end: number): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  return text.includes('sluice:') && /(?:\/\*|--)\s*sluice:/.test(text.toString('latin1'))
}

const nothing: Directive = { says: 'nothing' }
const noCache: Directive = { says: 'no-cache' }

/** What stands between the marks of the comment that begins here. */
function commentFrom(bytes: Uint8Array, start: number, end: number): string {
  const most = Math.min(end, start + mostBytes)
  for (let at = start + 2; at + 1 < most; at++)
    if (bytes[at] === star && bytes[at + 1] === slash) return ascii(bytes, start + 2, at)
  return ''
}

/** What stands between the marks of the comment that ends here. */
function commentBefore(bytes: Uint8Array, start: number, end: number): string {
  const least = Math.max(start, end - mostBytes)
  for (let at = end - 4; at >= least; at--)
    if (bytes[at] === slash && bytes[at + 1] === star) return ascii(bytes, at + 2, end - 2)
  return ''
}

function read(comment: string): Directive {
  const [, said] = /^\s*sluice:(.*)$/s.exec(comment) ?? []
  if (said === undefined) return nothing
  const freshness: { -readonly [Key in keyof Freshness]?: Freshness[Key] } = {}
  let isOff = false
  for (const word of said.split(',').map(each => each.trim())) {
    const [, name, value] = /^([a-z_-]+)(?:\s*=\s*(\S+))?$/.exec(word) ?? []
    const ms = msOf(value)
    if (name === 'no-cache' && value === undefined) isOff = true
    else if (name === 'max_age' && ms !== null) freshness.maxAgeMs = ms
    else if (name === 'swr' && ms !== null) freshness.staleMs = ms
    else return { says: 'nonsense', why: whyNonsense(word, name) }
  }
  // Whoever says how old it may be, and no more, means that.
  if (freshness.maxAgeMs !== undefined) freshness.staleMs ??= 0
  return isOff ? noCache : { says: 'freshness', freshness }
}

function whyNonsense(word: string, name: string | undefined): string {
  const given = JSON.stringify(word)
  return name === 'max_age' || name === 'swr'
    ? `the comment's ${given} is no time of up to 24h: write ${name}=5 for seconds, or 500ms, 5s, 10m, 1h`
    : `the comment "sluice:" says ${given}; it may say max_age=…, swr=… and no-cache, with commas between them`
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const dayMs = 86_400_000

function msOf(value: string | undefined): number | null {
  const [, number, unit = 's'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(value ?? '') ?? []
  const ms = Math.round(Number(number) * unitMs[unit]!)
  return ms <= dayMs ? ms : null
}

/** As PostgreSQL's scanner has it. */
const isSpace = (byte: number) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}
