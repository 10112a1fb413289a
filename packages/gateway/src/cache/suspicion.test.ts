import { expect, test } from 'vitest'
import { Suspicion } from './suspicion.ts'

function commit(suspicion: Suspicion, number: number, cause: string, now: number): void {
  suspicion.count(cause)
  suspicion.begin(number, cause, now)
}

test('a cause is under suspicion from its first commit until its last one has passed, once at a time', () => {
  const suspicion = new Suspicion()
  commit(suspicion, 1, 'DO', 100)
  commit(suspicion, 2, 'CALL', 110)
  commit(suspicion, 3, 'DO', 120)
  suspicion.pass(2, 130)
  expect(suspicion.causes(140)).toEqual([
    { cause: 'DO', commits: 2, ms: 40, now: true },
    { cause: 'CALL', commits: 1, ms: 20, now: false },
  ])
  suspicion.pass(3, 150)
  commit(suspicion, 4, 'DO', 200)
  suspicion.pass(4, 210)
  expect(suspicion.causes(999)[0]).toEqual({ cause: 'DO', commits: 3, ms: 60, now: false })
})

test('it ends when all that was kept has ended', () => {
  const suspicion = new Suspicion()
  commit(suspicion, 1, 'DO', 100)
  suspicion.end(105)
  expect(suspicion.causes(999)).toEqual([{ cause: 'DO', commits: 1, ms: 5, now: false }])
})

test('where no stream tells, commits are counted and no time', () => {
  const suspicion = new Suspicion()
  suspicion.count('DO')
  expect(suspicion.causes(200)).toEqual([{ cause: 'DO', commits: 1, ms: 0, now: false }])
})

test('of more causes than can be told apart, the rest is one', () => {
  const suspicion = new Suspicion(2)
  for (const cause of ['a', 'b', 'c', 'd', 'a']) commit(suspicion, 1, cause, 0)
  expect(suspicion.causes(0).map(({ cause, commits }) => `${cause} ${commits}`)).toEqual([
    'a 2',
    'b 1',
    'other causes 2',
  ])
})
