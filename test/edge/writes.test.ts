/**
 * No acknowledged write is lost, and none is there twice, whatever happens to the route behind the binding.
 *
 * Each write is a row of its own without a unique key, so that counting rows tells: 'ok' means once, an error that
 * says `sent: 'no'` means not at all, one that says 'maybe' means once at most.
 *
 * SLUICE_WRITES=500 sends that many writes per fault in place of 36.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Fault } from '../support/fault-proxy.ts'
import { inParallel } from '../support/parallel.ts'
import type { Outcome, Written } from '../workers/writes.ts'
import { twoRoutes } from './two-routes.ts'

const connectDeadlineMs = 1_500
/** Leaves a write both routes' connect deadlines. */
const queryDeadlineMs = 3_500
const writesPerFault = Number(process.env.SLUICE_WRITES ?? 36)

const { database, hyperdrive, direct, worker } = await twoRoutes('writes', {
  OPTIONS: { connectDeadlineMs, queryDeadlineMs },
})
await database.query(`
  create table writes (id int, part int);
  create procedure commit_then_raise(id int) language plpgsql as $$ begin
    insert into writes values (id, 1);
    commit;
    raise exception 'Failed to acquire a connection from the pool' using errcode = '53300';
  end $$`)

let nextId = 1
let manager = ''
let tests = 0

/** Each test has a manager of its own, whose breakers know nothing of what happened before. */
beforeEach(async () => {
  tests++
  hyperdrive.fault = null
  direct.fault = null
  await hyperdrive.listen()
  await direct.listen()
})

const write = (shape: string, options = ''): Promise<Written> =>
  worker.json(`/${shape}?id=${nextId++}&manager=${manager}${options}`)

const info = () => worker.json(`/info?manager=${manager}`)

async function rowsOf(ids: number[]): Promise<Map<string, number>> {
  const rows = await database.query(
    'select id, part, count(*)::int as count from writes where id = any($1) group by id, part',
    [ids],
  )
  return new Map(rows.map(({ id, part, count }) => [`${id}.${part}`, count]))
}

/** What was told against what is there; the outcomes, for a closer look. */
async function account(all: Written[]): Promise<Outcome[]> {
  // What was cut off may still be running.
  await database.connectionsFallTo(0)
  const rows = await rowsOf(all.map(({ id }) => id))
  const wrong: unknown[] = []
  for (const { id, shape, parts } of all) {
    for (const part of ['1', '2']) {
      const count = rows.get(`${id}.${part}`) ?? 0
      const outcome = parts[part]
      const allowed = outcome === 'ok' ? [1] : outcome?.sent === 'maybe' ? [0, 1] : [0]
      if (!allowed.includes(count)) wrong.push({ id, shape, part, outcome, count })
    }
  }
  expect(wrong).toEqual([])
  return all.flatMap(({ parts }) => Object.values(parts))
}

const failed = (outcomes: Outcome[]) => outcomes.filter(outcome => outcome !== 'ok')
const slowest = (all: Written[]) => Math.max(...all.map(({ ms }) => ms))
const rotating = ['one', 'handle', 'two', 'pair', 'apart', 'transaction', 'drizzle', 'closedOver']
const stream = (count = writesPerFault, width = 9, shapes = rotating) =>
  inParallel(count, width, n => write(shapes[n % shapes.length]!, n % 3 === 0 ? '&run' : ''))

describe.each(['pg', 'postgres'])('the driver %s', driver => {
  beforeEach(() => {
    manager = `${driver}-${tests}`
  })

  describe('with the binding at work', () => {
    test('every write is acknowledged, once, and comes by the binding', async () => {
      const before = direct.accepted
      expect(failed(await account(await stream()))).toEqual([])
      expect(direct.accepted).toBe(before)
    })

    test('a parameter of 200 kB survives', async () => {
      expect(await worker.json('/big')).toEqual({ length: 100_000 })
    })
  })

  describe('while no connection can be had by the binding', () => {
    const refusal = { code: '58000', message: 'Failed to acquire a connection from the pool' }
    const cases: [string, Fault | 'refuse'][] = [
      ['refuses', 'refuse'],
      ['accepts and never says a word', { is: 'hang' }],
      ['closes at once', { is: 'close' }],
      ['closes after the StartupMessage', { is: 'closeAtStartUp', after: 'StartupMessage' }],
      ['closes after the Authentication', { is: 'closeAtStartUp', after: 'Authentication' }],
      ['answers the StartupMessage with 58000', { is: 'refuseAtStartUp', error: refusal }],
      [
        'answers the StartupMessage with 53300',
        { is: 'refuseAtStartUp', error: { code: '53300', message: 'full' } },
      ],
      [
        'answers the StartupMessage with 57P03',
        { is: 'refuseAtStartUp', error: { code: '57P03', message: 'away' } },
      ],
      [
        'refuses the first statement and goes on',
        { is: 'refuseFirstStatement', error: refusal, then: 'ReadyForQuery' },
      ],
      [
        'refuses the first statement and closes',
        { is: 'refuseFirstStatement', error: refusal, then: 'close' },
      ],
    ]

    test.each(cases)(
      'it %s: every write is acknowledged within the connect deadline, once, directly',
      async (_, fault) => {
        if (fault === 'refuse') await hyperdrive.refuse()
        else hyperdrive.fault = fault
        const { accepted } = hyperdrive
        const all = await stream()
        expect(failed(await account(all))).toEqual([])
        expect(slowest(all)).toBeLessThan(connectDeadlineMs + 600)
        const [{ breaker, fallbacks }] = (await info()).routes
        expect(breaker).toBe('open')
        // Those that were under way when it opened, and a few trials.
        expect(hyperdrive.accepted - accepted).toBeLessThan(writesPerFault)
        expect(fallbacks).toBeGreaterThan(writesPerFault / 2)
        const opening = (line: string) =>
          line.startsWith(`${manager}:`) && line.includes('from closed to open')
        expect(worker.console.filter(opening)).toHaveLength(1)
      },
    )
  })

  describe('a route that loses connections', () => {
    const insert = /insert into writes/
    const cases: [string, Fault][] = [
      ['before an insert reaches it (reset)', { is: 'cut', at: insert, moment: 'before' }],
      ['before an insert reaches it (close)', { is: 'cut', at: insert, moment: 'before', by: 'close' }],
      ['with an insert on its way', { is: 'cut', at: insert, moment: 'forwarded' }],
      ['between an insert and its answer (reset)', { is: 'cut', at: insert, moment: 'answered' }],
      [
        'between an insert and its answer (close)',
        { is: 'cut', at: insert, moment: 'answered', by: 'close' },
      ],
      ['at BEGIN', { is: 'cut', at: 'begin', moment: 'before' }],
      ['between BEGIN and its answer', { is: 'cut', at: 'begin', moment: 'answered' }],
      ['before COMMIT', { is: 'cut', at: 'commit', moment: 'before' }],
      ['with COMMIT on its way', { is: 'cut', at: 'commit', moment: 'forwarded' }],
      ['between COMMIT and its answer (reset)', { is: 'cut', at: 'commit', moment: 'answered' }],
      ['between COMMIT and its answer (close)', { is: 'cut', at: 'commit', moment: 'answered', by: 'close' }],
    ]

    test.each(cases)('%s: what is acknowledged is there once, what is not says so', async (_, fault) => {
      hyperdrive.fault = { ...fault, times: 12 }
      const { faults } = hyperdrive
      await account(await stream())
      expect(hyperdrive.faults).toBeGreaterThan(faults)
    })

    test('at moments that nobody chose: what is acknowledged is there once', async () => {
      const all = stream(3 * writesPerFault)
      let done = false
      const cutting = (async () => {
        for (let cuts = 0; !done; cuts++) {
          await hyperdrive.until(({ open }) => open > 2 || done).catch(() => {})
          hyperdrive.cut(cuts % 2 ? 'reset' : 'close')
          await new Promise(resolve => setImmediate(resolve))
        }
      })()
      const outcomes = await account(await all)
      done = true
      hyperdrive.changed()
      await cutting
      expect(outcomes).toContain('ok')
    })
  })

  describe('one write at a time', () => {
    const only = async (written: Promise<Written>) => {
      const { id, parts, ms } = await written
      await account([{ id, shape: '', parts, ms }])
      const rows = await rowsOf([id])
      return { parts, ms, rows: [rows.get(`${id}.1`) ?? 0, rows.get(`${id}.2`) ?? 0] }
    }

    test.each([
      ['that runs', 'forwarded', 1],
      ['that does not run', 'before', 0],
    ] as const)(
      'an insert %s on a connection gone dark is given up at its deadline, its outcome unknown',
      async (_, moment, rows) => {
        hyperdrive.fault = { is: 'dark', at: 'insert', moment, times: 1 }
        const written = await only(write('one', '&deadline=600'))
        expect(written).toMatchObject({
          parts: { 1: { reason: 'query-deadline', sent: 'maybe', retryable: false } },
        })
        expect(written.rows).toEqual([rows, 0])
        expect(written.ms).toBeLessThan(600 + 1_500)
        await hyperdrive.until(({ open }) => open === 0)
        expect((await only(write('one'))).parts).toEqual({ 1: 'ok' })
      },
    )

    test.each([
      ['before it ran', 'before', 0],
      ['after it ran', 'answered', 1],
    ] as const)(
      'a connection that dies between COMMIT and its answer, %s, leaves an unknown outcome and no repetition',
      async (_, moment, rows) => {
        hyperdrive.fault = { is: 'cut', at: 'commit', moment, times: 1 }
        const { accepted } = direct
        const written = await only(write('transaction'))
        expect(written.parts[1]).toMatchObject({
          reason: 'commit-unknown',
          code: '08007',
          sent: 'maybe',
          retryable: false,
        })
        expect(written.rows).toEqual([rows, rows])
        expect(direct.accepted).toBe(accepted)
      },
    )

    test('a second insert that is slow to connect while the first is refused: two rows, not three', async () => {
      hyperdrive.failNext({ is: 'closeAtStartUp', after: 'StartupMessage' })
      hyperdrive.startUpDelayMs = connectDeadlineMs / 2
      const { accepted } = hyperdrive
      const written = await only(write('apart'))
      hyperdrive.startUpDelayMs = 0
      expect(hyperdrive.accepted).toBe(accepted + 2)
      expect(written).toMatchObject({ parts: { 1: 'ok', 2: 'ok' }, rows: [1, 1] })
    })

    test.each(['two', 'closedOver'])(
      'a function whose second statement dies on the way has its first row once (%s)',
      async shape => {
        let inserts = 0
        hyperdrive.fault = {
          is: 'cut',
          at: text => text.startsWith('insert') && ++inserts === 2,
          moment: 'before',
        }
        expect(await only(write(shape))).toMatchObject({
          parts: { 1: 'ok', 2: { sent: 'maybe', reason: 'connection-lost' } },
          rows: [1, 0],
        })
      },
    )

    test('a procedure that commits and raises the text of a refusal is not taken for one', async () => {
      const { accepted } = direct
      const written = await only(write('procedure'))
      expect(written).toMatchObject({
        parts: { 1: { code: '53300', reason: 'sql', sent: 'maybe' } },
        rows: [1, 0],
      })
      expect(direct.accepted).toBe(accepted)
    })

    test('connections that log in and then never answer open the breaker', async () => {
      hyperdrive.fault = { is: 'dark', at: 'insert', moment: 'before' }
      const dark = await Promise.all([write('one'), write('one'), write('one')])
      for (const { parts } of dark)
        expect(parts[1]).toMatchObject({ reason: 'query-deadline', sent: 'maybe' })
      expect((await info()).routes[0].breaker).toBe('open')
      expect(await only(write('one'))).toMatchObject({ parts: { 1: 'ok' }, rows: [1, 0] })
    })

    test('a session that the server ends at its first statement is a failure of the route', async () => {
      hyperdrive.fault = {
        is: 'refuseFirstStatement',
        error: {
          severity: 'FATAL',
          code: '57P01',
          message: 'terminating connection due to administrator command',
        },
        then: 'close',
      }
      for (let n = 0; n < 3; n++) {
        expect((await only(write('one'))).parts[1]).toMatchObject({ code: '57P01', sent: 'maybe' })
      }
      expect((await info()).routes[0].breaker).toBe('open')
      expect((await only(write('one'))).parts).toEqual({ 1: 'ok' })
    })

    test('a transaction whose session the server ends at BEGIN moves to the direct route', async () => {
      hyperdrive.fault = {
        is: 'refuseFirstStatement',
        error: {
          severity: 'FATAL',
          code: '57P01',
          message: 'terminating connection due to administrator command',
        },
        then: 'close',
      }
      expect(await only(write('transaction'))).toMatchObject({ parts: { 1: 'ok' }, rows: [1, 1] })
    })

    test('a refusal by Sluice in answer to a first statement moves it to the direct route, once', async () => {
      hyperdrive.fault = {
        is: 'refuseFirstStatement',
        error: { code: '53300', message: 'no server connection became free', routine: 'sluice' },
        then: 'ReadyForQuery',
      }
      expect(await only(write('one'))).toMatchObject({ parts: { 1: 'ok' }, rows: [1, 0] })
      expect(await only(write('transaction'))).toMatchObject({ parts: { 1: 'ok' }, rows: [1, 1] })
    })
  })
})
