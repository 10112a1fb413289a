import { CopyBothResponse, errorResponse, readyForQuery } from '@sluice/wire'
import { standbyStatusUpdate } from '@sluice/wire/pgoutput'
import { describe, expect, test } from 'vitest'
import { copied, type Told } from '../../../wire/src/pgoutput/test/written.ts'
import { Cover, type CoverAction } from './cover.ts'

const copyBoth = Uint8Array.of(CopyBothResponse, 0, 0, 0, 7, 0, 0, 0)
const utf8 = new TextDecoder()
const server = {
  ...{ is: 'server', version: 180_000, walLevel: 'logical', standby: false, slot: true, ddl: null },
  publication: { insert: true, update: true, delete: true, truncate: true, viaRoot: false, allTables: false },
}
const table = {
  ...{ is: 'table', oid: 1, schema: 'public', name: 'a', kind: 'r', persistence: 'p', replicaIdentity: 'd' },
  ...{ key: '1', generated: false, root: null, member: true, owned: true },
}
const published = { is: 'published', relid: 1, attrs: null, qual: null, since: '1' }

/** A cover whose connections are the test: what it asks and writes is kept, and answered by hand. */
class Line {
  readonly heard: string[] = []
  readonly written: Uint8Array[] = []
  asked: string | null = null
  failed: string | null = null
  readonly cover = new Cover(
    {
      ...{ publication: 'sluice', mayChange: false, slot: 'sluice_1' },
      ...{ heartbeatMs: 1_000, silenceMs: 5_000, refreshMs: 60_000 },
      known: { keyOf: () => null, ancestorsOf: () => [] },
      sink: {
        onChanges: changes => this.heard.push(`changed ${changes.map(({ relation }) => relation)}`),
        onSchema: () => this.heard.push('schema'),
        onPassed: number => this.heard.push(`passed ${number}`),
        onCovered: tables => this.heard.push(`covered ${[...tables]}`),
        onEpoch: () => this.heard.push('epoch'),
      },
    },
    0,
  )

  do(actions: readonly CoverAction[]): void {
    for (const action of actions)
      if (action.do === 'ask') {
        expect(this.asked).toBeNull()
        this.asked = action.sql
      } else if (action.do === 'write') this.written.push(action.bytes)
      else this.failed = action.failure.cause
  }

  answers(now: number, ...values: (string | object)[]): void {
    expect(this.asked).not.toBeNull()
    this.asked = null
    const rows = values.map(value => [typeof value === 'string' ? value : JSON.stringify(value)])
    this.do(this.cover.answered({ rows }, now))
  }

  sends(now: number, ...told: (Told | Uint8Array)[]): void {
    for (const one of told) this.do(this.cover.feed(one instanceof Uint8Array ? one : copied(one), now))
  }

  /** What was written last, as text. */
  get query(): string {
    return utf8.decode(this.written.at(-1)).slice(5, -1)
  }

  /** The mark within the look that is asked. */
  get mark(): number[] {
    const [, mark] = /'(sluice_1 \d+)'/.exec(this.asked!)!
    return [...new TextEncoder().encode(mark)]
  }

  /** The mark comes out. */
  marks(now: number, content: number[]): void {
    this.sends(
      now,
      { is: 'begin', xid: 90 },
      { is: 'message', prefix: 'sluice.mark', content, transactional: true },
      { is: 'commit', lsn: BigInt(now) },
    )
  }

  /** Up to the point where it runs and its first mark was asked for. */
  runs(): this {
    this.do(this.cover.start(0))
    this.answers(0, server, table, published)
    this.answers(0)
    this.sends(0, readyForQuery('I'), copyBoth)
    this.answers(0, server, table, published)
    return this
  }

  /** And its table is covered. */
  covers(): this {
    this.runs()
    const { mark } = this
    this.answers(0, '100:100:')
    this.marks(0, mark)
    while (!this.heard.includes('covered 1')) {
      if (this.asked === null) this.do(this.cover.tick(this.cover.deadline()))
      this.answers(0, this.asked?.includes('pg_prepared_xacts') ? [] : '100:100:')
    }
    this.heard.splice(0)
    return this
  }
}

describe('Cover', () => {
  test('the publication comes first, then the replication slot, the stream, and a look whether both are on one server', () => {
    const line = new Line()
    line.do(line.cover.start(0))
    expect([line.asked, line.written]).toEqual([expect.stringContaining('pg_publication'), []])
    line.answers(0, server, table, published)
    expect(line.query).toMatch(/^CREATE_REPLICATION_SLOT "sluice_1"/)
    expect(line.asked).toContain('pg_stat_activity')
    line.answers(0)
    line.sends(1, readyForQuery('I'))
    expect(line.query).toMatch(/^START_REPLICATION SLOT "sluice_1"/)
    line.sends(2, copyBoth)
    expect(line.asked).toContain('pg_replication_slots')
    expect([line.cover.running, line.heard]).toEqual([false, []])
    line.answers(3, server, table, published)
    expect([line.cover.running, line.heard]).toEqual([true, ['epoch']])
  })

  test('who holds up the replication slot is asked again and again, and named', () => {
    const line = new Line()
    line.do(line.cover.start(0))
    line.answers(0, server, table, published)
    line.do(line.cover.answered({ rows: [['4711', null, '5000', 'app', 'psql']] }, 10))
    expect(line.cover.status(20)).toEqual({
      ...{ at: 'opening', step: 'creating' },
      heldBy: { processId: 4711, gid: null, ageMs: 5_000, user: 'app', application: 'psql' },
    })
  })

  test('a stream of one server and a control connection of another are of no use', () => {
    const line = new Line()
    line.do(line.cover.start(0))
    line.answers(0, server, table, published)
    line.answers(0)
    line.sends(0, readyForQuery('I'), copyBoth)
    line.answers(0, { ...server, slot: false }, table, published)
    expect(line.failed).toContain('lead to two servers')
    expect([line.heard, line.cover.deadline()]).toEqual([[], Infinity])
  })

  test('every keepalive is acknowledged at once', () => {
    const line = new Line().covers()
    line.sends(5, { is: 'keepalive', lsn: 77n })
    expect(line.written.at(-1)).toEqual(standbyStatusUpdate(77n))
  })

  test('a stream that is never idle is acknowledged in every heartbeat', () => {
    const line = new Line().covers()
    line.sends(5, { is: 'begin', xid: 91 }, { is: 'commit', lsn: 78n })
    expect(line.written.at(-1)).not.toEqual(standbyStatusUpdate(78n))
    line.sends(1_005, { is: 'begin', xid: 92 }, { is: 'commit', lsn: 79n })
    expect(line.written.at(-1)).toEqual(standbyStatusUpdate(79n))
  })

  test('a transaction is told when it is shown, and when a look sees it', () => {
    const line = new Line().covers()
    line.sends(5, { is: 'begin', xid: 100 }, { is: 'truncate', oids: [1] })
    expect(line.heard).toEqual([])
    line.sends(6, { is: 'commit', lsn: 80n })
    expect(line.heard).toEqual(['changed 1'])
    expect(line.cover.status(6)).toMatchObject({ unsettled: 1 })
    line.answers(7, '101:101:')
    expect(line.heard).toEqual(['changed 1', 'changed 1'])
  })

  test('it is lost if nothing comes though a mark was put in', () => {
    const line = new Line().covers()
    const due = line.cover.deadline()
    line.do(line.cover.tick(due))
    line.answers(due, '100:100:')
    line.do(line.cover.tick(due + 4_999))
    expect(line.failed).toBeNull()
    expect(line.cover.status(due + 4_999)).toMatchObject({ delayMs: 4_999, boundMs: 5_999 })
    line.do(line.cover.tick(due + 5_000))
    expect(line.failed).toContain('silent for 5 s')
    expect(line.heard).toEqual(['covered ', 'epoch'])
  })

  test('it is not lost because we did not look', () => {
    const line = new Line().covers()
    const due = line.cover.deadline()
    line.do(line.cover.tick(due))
    const { mark } = line
    line.answers(due, '100:100:')
    line.do(line.cover.tick(due + 30_000))
    expect(line.failed).toBeNull()
    line.marks(due + 30_001, mark)
    expect(line.cover.status(due + 30_001)).toMatchObject({ at: 'running', delayMs: 30_001 })
  })

  test('it is lost if it is a minute behind, though something comes', () => {
    const line = new Line().covers()
    const due = line.cover.deadline()
    line.do(line.cover.tick(due))
    line.answers(due, '100:100:')
    for (let second = 1; second < 60; second++) {
      line.sends(due + 1_000 * second, { is: 'keepalive', lsn: 1n })
      line.do(line.cover.tick(due + 1_000 * second))
    }
    expect(line.failed).toBeNull()
    line.do(line.cover.tick(due + 60_000))
    expect(line.failed).toBe('the stream is 60 s behind')
  })

  test.each([
    ['the server refuses', (line: Line) => line.sends(5, errorResponse({ code: '55000', message: 'gone' }))],
    ['a connection ends', (line: Line) => line.do(line.cover.lost(new Error('gone'), 5))],
  ])('when %s, nothing is covered or counts any more, and nothing more is done', (_, happens) => {
    const line = new Line().covers()
    happens(line)
    expect(line.failed).toContain('gone')
    expect(line.heard).toEqual(['covered ', 'epoch'])
    line.sends(6, { is: 'keepalive', lsn: 1n })
    expect(line.cover.opaque(1, 7)).toEqual([])
    expect([line.heard.length, line.cover.deadline()]).toEqual([2, Infinity])
  })
})
