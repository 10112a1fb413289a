/** What `readOnly` and `repeatable` allow: a second run, on the next route, after the first can send nothing more. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Moment } from '../support/fault-proxy.ts'
import { twoRoutes } from './two-routes.ts'

const queryDeadlineMs = 1_000

const { database, hyperdrive, direct, worker } = await twoRoutes('rerun', { OPTIONS: { queryDeadlineMs } })

let tests = 0
let driver = ''
let directBefore = 0

beforeEach(async () => {
  tests++
  hyperdrive.fault = null
  direct.fault = null
  hyperdrive.startUpDelayMs = 0
  directBefore = direct.accepted
  await database.query(
    `drop table if exists items; create table items (name text); insert into items values ('old')`,
  )
})

const run = (name: string, mode?: string) =>
  worker.json(`/${name}?manager=${driver}-${tests}${mode ? `&mode=${mode}` : ''}`)

async function items(): Promise<string[]> {
  await database.connectionsFallTo(0)
  return (await database.query('select name from items order by name')).map(({ name }) => name)
}

const cut = (at: string, moment: Moment = 'before') => {
  hyperdrive.fault = { is: 'cut', at, moment, times: 1 }
}

describe.each(['pg', 'postgres'])('the driver %s', name => {
  beforeEach(() => {
    driver = name
  })

  describe.each(['readOnly', 'repeatable'])('%s', mode => {
    test('without a failure the function runs once, on the binding', async () => {
      expect(await run('read', mode)).toEqual({ runs: 1, result: [{ name: 'old' }] })
      expect(direct.accepted).toBe(directBefore)
    })

    test.each(['before', 'forwarded', 'answered'] as const)(
      'a connection lost at a statement (%s): the whole function runs again, on the direct route',
      async moment => {
        cut('select name', moment)
        const before = hyperdrive.count('select 1 as first')
        expect(await run('readTwice', mode)).toEqual({ runs: 2, result: [{ name: 'old' }] })
        expect(hyperdrive.count('select 1 as first')).toBe(before + 1)
        expect(direct.connections.slice(directBefore).flatMap(({ ran }) => ran)).toEqual(
          expect.arrayContaining(['select 1 as first', 'select name from items order by name']),
        )
      },
    )

    test('a connection gone dark: it runs again on the direct route, after the deadline', async () => {
      hyperdrive.fault = { is: 'dark', at: 'select name', moment: 'forwarded', times: 1 }
      expect(await run('read', mode)).toEqual({ runs: 2, result: [{ name: 'old' }] })
      await hyperdrive.until(({ open }) => open === 0)
    })

    test('connections lost on both routes: the error of the second, after two runs', async () => {
      cut('select name')
      direct.fault = { is: 'cut', at: 'select name', moment: 'before' }
      expect(await run('read', mode)).toMatchObject({
        runs: 2,
        error: { reason: 'connection-lost', route: 'direct', sent: 'maybe' },
      })
    })

    test('an error of the SQL itself, and one of the function, are the caller’s at once', async () => {
      expect(await run('divide', mode)).toMatchObject({ runs: 1, error: { code: '22012' } })
    })

    test('no connection by the binding: the function runs once, directly', async () => {
      hyperdrive.fault = { is: 'close' }
      expect(await run('read', mode)).toEqual({ runs: 1, result: [{ name: 'old' }] })
    })
  })

  describe('neither', () => {
    test('a connection lost at a statement is the caller’s to judge', async () => {
      cut('select name')
      expect(await run('readTwice')).toMatchObject({
        runs: 1,
        error: { reason: 'connection-lost', sent: 'maybe' },
      })
      expect(direct.accepted).toBe(directBefore)
    })
  })

  describe('readOnly', () => {
    test('BEGIN READ ONLY and a first SELECT are one flight, and COMMIT is the last', async () => {
      await run('read', 'readOnly')
      await hyperdrive.until(({ open }) => open === 0)
      const { ran, flights, startUpFlights, terminated } = hyperdrive.connections.at(-1)!
      expect(ran).toEqual(['begin read only; select 1', 'select name from items order by name', 'commit'])
      // And the goodbye, if the request's end did not overtake it.
      expect(flights - startUpFlights!).toBe(terminated ? 4 : 3)
    })

    test('PostgreSQL refuses a write, and the function does not run again', async () => {
      expect(await run('write', 'readOnly')).toMatchObject({ runs: 1, error: { code: '25006' } })
      expect(await items()).toEqual(['old'])
    })

    test('PostgreSQL refuses to make it READ WRITE again', async () => {
      expect(await run('unlock', 'readOnly')).toMatchObject({ runs: 1, error: { code: '25001' } })
      expect(await items()).toEqual(['old'])
    })

    test.each(['writeOutside', 'transactionOutside'])(
      'a write by a handle made outside forbids the second run (%s)',
      async name => {
        cut('select name')
        expect(await run(name, 'readOnly')).toMatchObject({ runs: 1, error: { reason: 'connection-lost' } })
        expect(await items()).toEqual(['old', 'outside'])
        expect(direct.accepted).toBe(directBefore)
      },
    )

    test('a lost connection that the function hides behind its own error does not make it run for ever', async () => {
      cut('select name')
      expect(await run('catchAndGoOn', 'readOnly')).toEqual({ runs: 2, error: { name: 'TypeError' } })
    })
  })

  describe('repeatable', () => {
    test('a statement that still waited for its connection when the run was sealed never arrives', async () => {
      const { accepted } = hyperdrive
      cut('insert')
      const answer = run('writeTwo', 'repeatable')
      await hyperdrive.until(({ connections }) => connections[accepted]?.startUpFlights !== undefined)
      // The second connection: had it not been destroyed, it would be ready long before the second run is counted.
      hyperdrive.startUpDelayMs = 150
      expect(await answer).toMatchObject({ runs: 2 })
      await hyperdrive.until(({ open }) => open === 0)
      expect(hyperdrive.accepted).toBe(accepted + 2)
      expect(hyperdrive.connections.at(-1)!.statements).toEqual([])
      expect(await items()).toEqual(['beside', 'in transaction', 'old'])
    })

    test('a statement of the sealed run that waited for another’s connection never arrives', async () => {
      cut('insert')
      expect(await run('writePair', 'repeatable')).toMatchObject({ runs: 2 })
      expect(await items()).toEqual(['first', 'old', 'second'])
    })

    test('a write whose answer was lost runs again, and takes effect twice', async () => {
      hyperdrive.fault = { is: 'cut', at: 'insert', moment: 'answered', times: 1 }
      expect(await run('write', 'repeatable')).toMatchObject({ runs: 2 })
      expect(await items()).toEqual(['old', 'written', 'written'])
    })

    test('writes by a handle made outside are covered by the caller’s word', async () => {
      cut('select name')
      expect(await run('writeOutside', 'repeatable')).toMatchObject({ runs: 2 })
      expect(await items()).toEqual(['old', 'outside', 'outside'])
    })
  })
})
