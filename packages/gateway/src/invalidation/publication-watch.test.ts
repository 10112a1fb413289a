import { describe, expect, test } from 'vitest'
import { PublicationWatch } from './publication-watch.ts'

const server = (more: object = {}) => ({
  ...{
    is: 'server',
    version: 180_000,
    walLevel: 'logical',
    standby: false,
    slot: true,
    ddl: null,
    state: '1',
  },
  publication: { insert: true, update: true, delete: true, truncate: true, viaRoot: false, allTables: false },
  ...more,
})
const table = (oid: number, name: string, more: object = {}) => ({
  ...{
    is: 'table',
    oid,
    schema: 'public',
    name,
    kind: 'r',
    persistence: 'p',
    replicaIdentity: 'd',
    key: '1',
  },
  ...{ generated: false, root: null, member: true, owned: true },
  ...more,
})
const published = (relid: number) => ({ is: 'published', relid, attrs: null, qual: null, since: '1' })
const rows = (...values: object[]) => values.map(value => [JSON.stringify(value)])
const missing = rows(server({ publication: null }), table(1, 'a'))

const watching = (mayChange: boolean) =>
  new PublicationWatch({ publication: 'sluice', mayChange, slot: 'sluice_1', refreshMs: 1_000 })

const create = 'CREATE PUBLICATION "sluice" FOR TABLE ONLY "public"."a"'

describe('PublicationWatch', () => {
  test('looks at once, and again after a while or when told to', () => {
    const watch = watching(false)
    expect(watch.deadline()).toBe(-Infinity)
    expect(watch.question()).toMatch(/^SELECT/)
    const looked = watch.answered(rows(server(), table(1, 'a'), published(1)), 100)
    expect(looked).toMatchObject({ is: 'fit', slot: true })
    expect(watch.fit!.covered).toEqual(new Map([[1, '1']]))
    expect(watch.deadline()).toBe(1_100)
    watch.hurry()
    expect(watch.deadline()).toBe(-Infinity)
  })

  test('while the state is the same, nothing is examined; another state, or a hint, leads to an examination', () => {
    const watch = watching(false)
    watch.question()
    watch.answered(rows(server(), table(1, 'a'), published(1)), 0)
    expect(watch.question()).toMatch(/^SELECT concat_ws/)
    expect(watch.answered([['1']], 1_000)).toEqual({ is: 'same' })
    expect(watch.deadline()).toBe(2_000)
    watch.question()
    watch.answered([['2']], 2_000)
    expect(watch.deadline()).toBe(-Infinity)
    expect(watch.question()).toMatch(/^SELECT json_build_object/)
    watch.answered(rows(server({ state: '2' }), table(1, 'a'), published(1)), 2_000)
    watch.hurry()
    expect(watch.question()).toMatch(/^SELECT json_build_object/)
  })

  test('a publication that is missing is made, and looked at', () => {
    const watch = watching(true)
    watch.question()
    expect(watch.answered(missing, 0)).toEqual({ is: 'changing' })
    expect(watch.deadline()).toBe(-Infinity)
    expect(watch.question()).toBe(create)
    expect(watch.answered([], 10)).toEqual({ is: 'changing' })
    expect(watch.question()).toMatch(/^SELECT/)
  })

  test('if it may not be made, the statement that would make it is told', () => {
    const watch = watching(false)
    watch.question()
    const looked = watch.answered(missing, 0)
    expect(looked).toMatchObject({
      is: 'failed',
      failure: { cause: 'there is no publication "sluice"', possible: false },
    })
    expect(looked.is === 'failed' && looked.failure.hint).toContain(create)
  })

  test('if it can not be made, the server’s reason is told', () => {
    const watch = watching(true)
    watch.question()
    watch.answered(missing, 0)
    watch.question()
    const error = { severity: 'ERROR', code: '42501', message: 'permission denied for database shop' }
    expect(watch.refused(error)).toEqual({ is: 'changing' })
    watch.question()
    expect(watch.answered(missing, 10)).toMatchObject({
      is: 'failed',
      failure: {
        cause: 'publication "sluice" can\'t be made: permission denied for database shop (42501)',
        possible: false,
      },
    })
  })

  test('a change that is of no use is made again some seconds later, another one at once', () => {
    const watch = watching(true)
    const ask = (now: number, ...tables: object[]) => {
      watch.question()
      return watch.answered(rows(server(), table(1, 'a'), published(1), ...tables), now).is
    }
    const b = table(2, 'b', { member: false })
    expect(ask(0, b)).toBe('changing')
    expect(watch.question()).toBe('ALTER PUBLICATION "sluice" ADD TABLE ONLY "public"."b"')
    watch.answered([], 5)
    expect(ask(10, b)).toBe('fit')
    expect(ask(1_010, b, table(3, 'c', { member: false }))).toBe('changing')
    watch.question()
    watch.answered([], 1_020)
    expect(ask(1_030, b)).toBe('changing')
    watch.question()
    watch.answered([], 1_040)
    expect([ask(6_000, b), ask(6_040, b)]).toEqual(['fit', 'changing'])
  })

  test('what the server refuses to say is said', () => {
    const watch = watching(true)
    watch.question()
    const error = { severity: 'ERROR', code: '57014', message: 'canceled' }
    expect(watch.refused(error)).toMatchObject({ is: 'failed', failure: { possible: true } })
  })
})
