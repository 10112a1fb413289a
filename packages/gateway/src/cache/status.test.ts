import { describe, expect, test } from 'vitest'
import { type Outcome, outcomeOf, type Status, Tallies, Tally } from './status.ts'

const shape = (text: string) => ({ text })
const as = (status: Status, why = ''): Outcome => ({ status, why })

describe('what has become of questions', () => {
  test('is counted in total and by shape, with the time that the origin did not spend', () => {
    const tallies = new Tallies()
    const [one, other] = [shape('select $1'), shape('select now()')]
    tallies.count(as('miss'), one, one.text)
    tallies.count(as('hit'), one, one.text, 20)
    tallies.count(as('volatile'), other, other.text)
    expect(tallies.total).toMatchObject({ counts: { hit: 1, miss: 1, volatile: 1, stale: 0 }, savedMs: 20 })
    expect(tallies.shapes).toMatchObject([
      { text: 'select $1', tally: { counts: { hit: 1, miss: 1 }, savedMs: 20 } },
      { text: 'select now()', tally: { counts: { volatile: 1 } } },
    ])
  })

  test('is kept for so many shapes; those that are asked for no more are counted with the others', () => {
    const tallies = new Tallies(2)
    const [hot, cold, next] = [shape('hot'), shape('cold'), shape('next')]
    const count = (each: { text: string }) => tallies.count(as('hit'), each, each.text, 5)
    for (const each of [hot, cold, hot, next]) count(each)
    // What comes once only drives out nothing.
    expect(tallies.shapes.map(({ text }) => text)).toEqual(['hot', 'cold'])
    count(next)
    expect(tallies.shapes.map(({ text }) => text)).toEqual(['hot', 'next'])
    expect(tallies.others).toMatchObject({ counts: { hit: 2 }, savedMs: 10 })
    expect(tallies.total).toMatchObject({ counts: { hit: 5 }, savedMs: 25 })
  })

  test('a refresh is no question, and takes off what it costs the origin', () => {
    const tallies = new Tallies(1)
    const [one, next] = [shape('one'), shape('next')]
    tallies.count(as('stale'), one, one.text, 20)
    tallies.countRefresh(one, one.text, 15)
    const expected = { counts: { stale: 1, miss: 0 }, refreshes: 1, savedMs: 5 }
    expect(tallies.shapes).toMatchObject([{ text: 'one', tally: expected }])
    for (let time = 0; time < 2; time++) tallies.count(as('disabled'), next, next.text)
    expect(tallies.others).toMatchObject(expected)
    expect(tallies.total).toMatchObject({ refreshes: 1, savedMs: 5 })
  })

  test('tells why a shape was not answered from the cache the last time', () => {
    const tallies = new Tallies()
    const one = shape('one')
    const last = () => tallies.shapes[0]!.last
    tallies.count(as('hit'), one, one.text)
    expect(last()).toBeNull()
    tallies.count(as('miss', 'no answer was there'), one, one.text)
    tallies.count(as('hit'), one, one.text)
    expect(last()).toEqual(as('miss', 'no answer was there'))
    tallies.countAnswer(one, 7, as('oversizedresult', 'it is too large'))
    expect(last()).toEqual(as('oversizedresult', 'it is too large'))
    expect(tallies.shapes[0]!.tally).toMatchObject({ answers: 1, originMs: 7 })
    expect(tallies.total.counts).toMatchObject({ hit: 2, miss: 0, oversizedresult: 1 })
  })

  test('counts for all databases, too', () => {
    const all = new Tally()
    for (const tallies of [new Tallies(2, all), new Tallies(2, all)]) {
      tallies.count(as('hit'), shape('one'), 'one', 5)
      tallies.countAnswer(shape('one'), 20, null)
    }
    expect(all).toMatchObject({ counts: { hit: 2 }, savedMs: 10, answers: 2, originMs: 40 })
  })

  test('asks for the text of a shape once', () => {
    const tallies = new Tallies()
    const one = shape('select 1')
    let asked = 0
    const text = {
      toString: () => {
        asked++
        return one.text
      },
    }
    for (let time = 0; time < 3; time++) tallies.count(as('hit'), one, text)
    expect(asked).toBe(1)
  })
})

test('an answer that is too large has a word of its own; every refusal has its sentence', () => {
  expect(outcomeOf('oversized')).toEqual({
    status: 'oversizedresult',
    why: 'the answer is larger than max_result_size, or was when it was asked for last',
  })
  expect(outcomeOf('notice').status).toBe('uncacheable')
})
