import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Settling } from './settling.ts'
import type { Change, KnownTables } from './sink.ts'
import { Snapshot } from './snapshot.ts'
import type { Transaction } from './transaction.ts'

const nothingKnown: KnownTables = { keyOf: () => null, ancestorsOf: () => [] }
const writes = (xid: number, ...relations: number[]): Transaction => ({
  ...{ xid, schema: [] },
  changes: relations.map(relation => ({ relation, key: null, rows: 'any' })),
})

/**
 * A primary with tables of one number each, and a cache before it. As in PostgreSQL, a transaction that commits is
 * flushed (the stream may show it), and some time later new snapshots see it; both in any order among transactions.
 */
class World {
  readonly #settling: Settling
  /** By table, as a new snapshot sees it: the transaction that wrote it last. */
  readonly #rows: number[] = [0, 0, 0]
  #nextXid = 100
  #running: number[] = []
  #committing: { xid: number; table: number; shown: boolean; visible: boolean }[] = []
  #questions: Snapshot[] = []
  readonly #bumps = [0, 0, 0]
  #fills: { table: number; saw: number; stamp: number }[] = []
  #stored = new Map<number, { saw: number; stamp: number }>()

  constructor(rule: 'twice' | 'once') {
    let visible = false
    this.#settling = new Settling(nothingKnown, {
      onSchema: () => {},
      onChanges: changes => {
        if (rule === 'twice' || !visible) for (const { relation } of changes) this.#bumps[relation]!++
      },
    })
    this.#answer = snapshot => {
      visible = true
      this.#settling.probed(snapshot)
      visible = false
    }
  }

  readonly #answer: (snapshot: Snapshot) => void

  step(what: number, which: number): void {
    const pick = <Value>(values: readonly Value[]) => values[which % values.length]
    switch (what) {
      case 0: // A transaction begins.
        this.#running.push(this.#nextXid++)
        break
      case 1: {
        const xid = pick(this.#running)
        if (xid === undefined) break
        this.#running = this.#running.filter(other => other !== xid)
        this.#committing.push({ xid, table: which % 3, shown: false, visible: false })
        break
      }
      case 2: {
        const commit = this.#committing.find(({ shown }) => !shown)
        if (commit) this.#show(commit)
        break
      }
      case 3: {
        const commit = pick(this.#committing.filter(({ visible }) => !visible))
        if (commit) this.#reveal(commit)
        break
      }
      case 4: // A probe runs; its answer comes later.
        if (this.#questions.length === 0) this.#questions.push(this.#snapshot())
        break
      case 5: {
        const answer = this.#questions.shift()
        if (answer) this.#answer(answer)
        break
      }
      case 6: {
        // A fill is sent, and takes its snapshot at once.
        const table = which % 3
        this.#fills.push({ table, saw: this.#rows[table]!, stamp: this.#bumps[table]! })
        break
      }
      case 7: {
        const fill = pick(this.#fills)
        if (!fill) break
        this.#fills = this.#fills.filter(other => other !== fill)
        if (fill.stamp === this.#bumps[fill.table]) this.#stored.set(fill.table, fill)
        break
      }
    }
  }

  /** All that was committed is shown and visible, and all that was asked is answered. */
  drain(): void {
    for (const commit of this.#committing) {
      if (!commit.shown) this.#show(commit)
      if (!commit.visible) this.#reveal(commit)
    }
    for (const answer of this.#questions.splice(0)) this.#answer(answer)
    this.#answer(this.#snapshot())
    while (this.#fills.length > 0) this.step(7, 0)
    expect(this.#settling.unsettled).toBe(0)
  }

  /** Tables whose answer is current, and wrong. */
  get stale(): number[] {
    return [...this.#stored].flatMap(([table, { saw, stamp }]) =>
      stamp === this.#bumps[table] && saw !== this.#rows[table] ? [table] : [],
    )
  }

  #show(commit: { xid: number; table: number; shown: boolean }): void {
    commit.shown = true
    this.#settling.shown(writes(commit.xid, commit.table))
  }

  /** Visible, it holds its table's lock no longer; who writes the table next comes after it. */
  #reveal(commit: { xid: number; table: number; visible: boolean }): void {
    commit.visible = true
    this.#rows[commit.table] = commit.xid
  }

  #snapshot(): Snapshot {
    const hidden = this.#committing.filter(({ visible }) => !visible).map(({ xid }) => xid)
    const inProgress = [...this.#running, ...hidden].sort((a, b) => a - b)
    return new Snapshot(`${inProgress[0] ?? this.#nextXid}:${this.#nextXid}:${inProgress.join(',')}`)
  }
}

const histories = () => fc.array(fc.tuple(fc.nat(7), fc.nat(11)), { maxLength: 200, size: 'max' })
const run = (history: readonly (readonly [number, number])[], rule: 'twice' | 'once') => {
  const world = new World(rule)
  for (const [what, which] of history) world.step(what, which)
  world.drain()
  return world
}

describe('Settling', () => {
  test('whatever happens in which order, no answer that was stored stays current and wrong', () => {
    fc.assert(
      fc.property(histories(), history => {
        expect(run(history, 'twice').stale).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })

  test('one telling would not be enough', () => {
    const found = fc.check(
      fc.property(histories(), history => run(history, 'once').stale.length === 0),
      { numRuns: 1_000 },
    )
    expect(found.failed).toBe(true)
  })

  const heard = (known: KnownTables = nothingKnown) => {
    const calls: (readonly Change[])[] = []
    const settling = new Settling(known, {
      onChanges: changes => calls.push(changes),
      onSchema: () => {},
    })
    return { settling, calls }
  }

  test('a transaction is told again by the first probe that sees it, and then no more', () => {
    const { settling, calls } = heard()
    settling.shown(writes(100, 1))
    settling.probed(new Snapshot('100:101:100'))
    expect([calls.length, settling.unsettled]).toEqual([1, 1])
    settling.probed(new Snapshot('101:101:'))
    expect([calls.length, settling.unsettled]).toEqual([2, 0])
    settling.probed(new Snapshot('101:101:'))
    expect(calls).toHaveLength(2)
  })

  test('a transaction that the last probe saw is told once', () => {
    const { settling, calls } = heard()
    settling.probed(new Snapshot('101:101:'))
    settling.shown(writes(100, 1))
    expect([calls.length, settling.unsettled]).toEqual([1, 0])
  })

  test('what is settled is counted up to the first transaction that is not', () => {
    const { settling } = heard()
    for (const xid of [100, 101, 102]) settling.shown(writes(xid, 1))
    settling.probed(new Snapshot('101:103:101'))
    expect([settling.settledTo, settling.position]).toEqual([1, 3])
    settling.probed(new Snapshot('103:103:'))
    expect(settling.settledTo).toBe(3)
  })

  test('tables above a changed one are told as they are at each telling', () => {
    let above: number[] = []
    const { settling, calls } = heard({ keyOf: () => null, ancestorsOf: () => above })
    settling.shown(writes(100, 1))
    above = [9]
    settling.probed(new Snapshot('101:101:'))
    expect(calls.map(changes => changes.map(({ relation }) => relation))).toEqual([[1], [1, 9]])
  })

  test('rows are told as long as the key is the one that they were read by', () => {
    let key: string[] | null = ['id']
    const { settling, calls } = heard({ keyOf: () => key, ancestorsOf: () => [] })
    settling.shown({ xid: 100, schema: [], changes: [{ relation: 1, key: ['id'], rows: [['7']] }] })
    key = ['other']
    settling.probed(new Snapshot('101:101:'))
    expect(calls.map(([change]) => change!.rows)).toEqual([[['7']], 'any'])
  })
})
