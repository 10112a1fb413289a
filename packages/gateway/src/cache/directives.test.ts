import fc from 'fast-check'
import { expect, test } from 'vitest'
import { directiveOf, isMisplaced } from './directives.ts'

const said = (text: string) => {
  // Amid others, as it comes.
  const bytes = new TextEncoder().encode(`*/${text}/*`)
  return directiveOf(bytes, 2, bytes.length - 2)
}
const freshness = (values: object) => ({ says: 'freshness', freshness: values })

test.each([
  ['select 1 /* sluice: max_age=5, swr=2 */', { maxAgeMs: 5_000, staleMs: 2_000 }],
  ['select 1 /* sluice: max_age=5 */ ;\n', { maxAgeMs: 5_000, staleMs: 0 }],
  ['/* sluice: swr=0 */ select 1', { staleMs: 0 }],
  [' \n/*sluice:max_age = 1.5,swr=250ms*/select 1', { maxAgeMs: 1_500, staleMs: 250 }],
  ['/* sluice: max_age=24h */ select 1', { maxAgeMs: 86_400_000, staleMs: 0 }],
  // Before another comment, and behind one.
  ['/* sluice: max_age=2m */ select 1 /* by the shop */', { maxAgeMs: 120_000, staleMs: 0 }],
  ["/* by the shop */ select '/*' /* sluice: max_age=1h */", { maxAgeMs: 3_600_000, staleMs: 0 }],
])('%s', (text, values) => {
  expect(said(text)).toEqual(freshness(values))
})

test('of two the first counts', () => {
  expect(said('/* sluice: max_age=5 */ select 1 /* sluice: swr=2 */')).toEqual(
    freshness({ maxAgeMs: 5_000, staleMs: 0 }),
  )
})

test.each([
  '/* sluice: no-cache */ select 1',
  'select 1 /* sluice: max_age=5, no-cache */',
  '/* sluice: max_age=5 */ select 1\n/* sluice: no-cache */',
  '/* sluice: no-cache */ select 1 /* sluice: max_age=5 */',
  '/* sluice: nonsense */ select 1 /* sluice: no-cache */',
  'select 1 -- a note\n/* sluice: no-cache */',
  'select 1;\n/* sluice: no-cache */',
])('%s', text => {
  expect(said(text)).toEqual({ says: 'no-cache' })
})

test.each([
  ['select 1'],
  [''],
  ['/'],
  ['/*'],
  ['*/'],
  ['/*/'],
  ['select 1 /* of sluice: no-cache */'],
  // Neither in a literal nor in the middle.
  ["select '/* sluice: no-cache */'"],
  ['select /* sluice: no-cache */ 1'],
  ['select 1 -- sluice: no-cache'],
])('nothing is said by: %s', text => {
  expect(said(text)).toEqual({ says: 'nothing' })
})

test.each([
  ['select /* sluice: no-cache */ 1', true],
  ['select 1 -- sluice: no-cache', true],
  ['/* by the shop */ /*sluice:no-cache*/ select 1', true],
  // Rather too often.
  ["select '/* sluice: no-cache */'", true],
  ["select 'sluice: no-cache'", false],
  ['select 1 /* of sluice: no-cache */', false],
])('a comment that nobody reads: %s', (text, is) => {
  const bytes = new TextEncoder().encode(`/* sluice:${text}/* sluice:`)
  expect(isMisplaced(bytes, 10, bytes.length - 10)).toBe(is)
})

test.each([
  ['/* sluice: max_age=long */ select 1', 'the comment\'s "max_age=long" is no time of up to 24h'],
  ['/* sluice: swr */ select 1', 'the comment\'s "swr" is no time of up to 24h: write swr=5 for seconds'],
  ['/* sluice: max_age=25h */ select 1', '"max_age=25h" is no time of up to 24h'],
  ['/* sluice: max_age=-1 */ select 1', '"max_age=-1" is no time'],
  ['/* sluice: nocache */ select 1', 'says "nocache"; it may say max_age=…, swr=… and no-cache'],
  ['/* sluice: no-cache=1 */ select 1', 'says "no-cache=1"'],
  ['/* sluice: max_age=5 swr=2 */ select 1', '"max_age=5 swr=2"'],
  ['/* sluice: */ select 1', 'says ""'],
  ['/* sluice: no-cache /* nested */ */ select 1', 'says "no-cache /* nested"'],
])('what is nonsense is told: %s', (text, why) => {
  expect(said(text)).toEqual({ says: 'nonsense', why: expect.stringContaining(why) })
})

test('any bytes are read, and nothing outside of the statement is', () => {
  const piece = fc.constantFrom('/*', '*/', 'sluice:', ' max_age=5', ',', 'no-cache', ';', ' ', "'", 'é', 'x')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
      const text = pieces.join('')
      const bytes = new TextEncoder().encode(text)
      expect(said(text)).toEqual(directiveOf(bytes, 0, bytes.length))
    }),
  )
})
