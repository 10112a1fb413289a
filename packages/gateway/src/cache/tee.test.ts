import * as wire from '@sluice/wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Allowance, type Refusal, Tee } from './tee.ts'

const raw = (type: number, ...body: number[]) => Uint8Array.of(type, 0, 0, 0, 4 + body.length, ...body)

/** Messages by the letters of the protocol, as in the header of tee.ts. */
const messages: Record<string, Uint8Array> = {
  1: wire.parseComplete(),
  2: wire.bindComplete(),
  3: wire.closeComplete(),
  t: raw(wire.ParameterDescription, 0, 1, 0, 0, 0, 23),
  T: wire.rowDescription([{ name: 'n' }]),
  D: wire.dataRow(['one of some length']),
  C: wire.commandComplete('SELECT 1'),
  Z: wire.readyForQuery('I'),
  I: wire.readyForQuery('T'),
  E: wire.errorResponse({ severity: 'ERROR', code: '22012', message: 'division by zero' }),
  N: raw(wire.NoticeResponse, 0),
  S: wire.parameterStatus('TimeZone', 'UTC'),
  A: raw(wire.NotificationResponse, 0, 0, 0, 7, 0x6e, 0, 0x70, 0),
  H: raw(wire.CopyOutResponse, 0, 0, 0),
  s: raw(wire.PortalSuspended),
  n: wire.noData(),
  e: raw(wire.EmptyQueryResponse),
}
const encode = (letters: string) => Buffer.concat([...letters].map(letter => messages[letter]!))

const makeTee = (simple: boolean, most = 1_000, allowance: Allowance = { left: 10_000 }) =>
  new Tee(simple, most, allowance)

/** What was copied, cut where it says that its parts begin. */
function said(tee: Tee) {
  const all = tee.end()
  if (all === null) return null
  const bytes = Buffer.concat(all.parts)
  const { rowsAt, commandCompleteAt } = all
  return [
    bytes.subarray(0, rowsAt),
    bytes.subarray(rowsAt, commandCompleteAt),
    bytes.subarray(commandCompleteAt),
  ]
}

const series = ['12TDDCZ', '2DCZ', '12TCZ', '1tT2DDDCZ', '32TDCZ']
const queries = ['TDDDCZ', 'TCZ']

describe.each([
  ...series.map(sent => ({ sent, simple: false })),
  ...queries.map(sent => ({ sent, simple: true })),
])('of $sent (a simple Query: $simple)', ({ sent, simple }) => {
  // What follows BindComplete, or all of it.
  const answer = simple ? sent : sent.slice(sent.indexOf('2') + 1)
  const parts = [/T/, /D+/, /C/].map(part => encode(answer.match(part)?.[0] ?? ''))

  test('description, rows and CommandComplete are copied, however the rows are cut', () => {
    const bytes = encode(sent)
    fc.assert(
      fc.property(fc.array(fc.nat({ max: bytes.length })), cuts => {
        const tee = makeTee(simple)
        for (const chunk of split(sent, cuts)) tee.feed(chunk)
        expect(said(tee)).toEqual(parts)
      }),
    )
  })
})

/** As a pipeline hands it on: headers are whole, and so is all but rows. */
function split(letters: string, at: readonly number[]): Uint8Array[] {
  const bytes = encode(letters)
  const places: number[] = []
  let start = 0
  for (const letter of letters) {
    const { length } = messages[letter]!
    if (letter === 'D') places.push(...Array.from({ length: length - 4 }, (_, into) => start + 5 + into))
    places.push(start)
    start += length
  }
  const cuts = [...new Set(at)].filter(place => places.includes(place)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, nth) => bytes.subarray(from, cuts[nth] ?? bytes.length))
}

test.each<[Refusal, string]>([
  ['error', '12E'],
  ['notice', '12TNDCZ'],
  ['parameter', '2TDSCZ'],
  ['notification', '2TDCAZ'],
  ['copy', '12H'],
  ['suspended', '2TDs'],
  ['several', '2TDC2TDCZ'],
  ['several', '2TDCTDCZ'],
  ['other', '12nCZ'],
  ['other', '2eZ'],
  ['transaction', '2TDCI'],
])('refuses (%s) %s', (refusal, letters) => {
  const allowance = { left: 10_000 }
  const tee = makeTee(false, 1_000, allowance)
  tee.feed(encode(letters))
  expect(tee.refusal).toBe(refusal)
  expect(tee.end()).toBeNull()
  expect(allowance.left).toBe(10_000)
})

test('an answer that breaks off is none', () => {
  const tee = makeTee(false)
  tee.feed(encode('12TD'))
  expect(tee.end()).toBeNull()
})

describe('an answer that is too large', () => {
  test('is refused at the row with which it becomes so', () => {
    const tee = makeTee(true, encode('TD').length)
    tee.feed(encode('TD'))
    expect(tee.refusal).toBeNull()
    tee.feed(encode('D'))
    expect(tee.refusal).toBe('oversized')
  })

  test('for what all copies may take is none for itself; what was copied is given back', () => {
    const allowance = { left: encode('TDD').length }
    const [one, other] = [makeTee(true, 1_000, allowance), makeTee(true, 1_000, allowance)]
    one.feed(encode('TD'))
    other.feed(encode('TDD'))
    expect(other.refusal).toBe('crowded')
    one.feed(encode('D'))
    expect(one.refusal).toBeNull()
    one.refuse('lost')
    expect(allowance.left).toBe(encode('TDD').length)
  })
})

test('the copy is its own: a chunk may be used again', () => {
  const chunk = encode('TDCZ')
  const tee = makeTee(true)
  tee.feed(chunk)
  const before = said(tee)?.map(part => Buffer.from(part))
  chunk.fill(0)
  expect(before).toEqual(['T', 'D', 'C'].map(encode))
})
