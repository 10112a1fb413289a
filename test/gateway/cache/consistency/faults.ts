/**
 * Faults that a cache can have, planted into gateways from outside, to prove that the checker finds them.
 *
 * What the gateway's objects do is replaced by what they would do with the fault; `vi.restoreAllMocks` takes out what
 * stands in a class, and the rest goes with the gateway.
 */
import { vi } from 'vitest'
import type { Entry } from '../../../../packages/gateway/src/cache/entry.ts'
import { Settling } from '../../../../packages/gateway/src/invalidation/settling.ts'
import { CachedReads } from '../../../../packages/gateway/src/session/cached-reads.ts'
import type { Trouble } from './trouble.ts'
import type { CachingGateway } from './world.ts'

/** An answer is stored as if it had been asked for when it came. */
function storeWithoutCheck({ reads }: CachingGateway): void {
  const begin = reads.begin.bind(reads)
  reads.begin = (form, asked) => {
    const fill = begin(form, asked)
    const onAnswered = fill.onAnswered.bind(fill)
    fill.onAnswered = now => {
      Object.assign(fill.asked, reads.stamps.ask(asked.slots, asked.at))
      return onAnswered(now)
    }
    return fill
  }
}

/** What others commit is told when the stream shows it, and not again when it is visible. */
function noSecondBump({ reads }: CachingGateway): void {
  let isSecond = false
  const { probed } = Settling.prototype
  vi.spyOn(Settling.prototype, 'probed').mockImplementation(function (this: Settling, snapshot) {
    isSecond = true
    probed.call(this, snapshot)
    isSecond = false
  })
  const onChanges = reads.onChanges.bind(reads)
  reads.onChanges = changes => {
    if (!isSecond) onChanges(changes)
  }
}

/** Whoever asks what is being asked for waits for that answer, whatever has changed since. */
function joinWithoutCheck({ reads, shared }: CachingGateway): void {
  const find = reads.find.bind(reads)
  reads.find = wanted => {
    const found = find(wanted)
    if (found !== null) return found
    const fill = shared.cache.fills.get(shared.cache.key)
    return fill && (fill.describes || !wanted.describes) ? fill : null
  }
}

/** A client that has written what can't be told from its statement has written nothing, until the stream tells. */
function nothingIsOpaque({ reads }: CachingGateway): void {
  const commit = reads.commit.bind(reads)
  reads.commit = writes => {
    writes.opaque = null
    commit(writes)
  }
}

/** A notification is handed over as if it told of nothing. */
function notifyAtOnce({ reads }: CachingGateway): void {
  reads.onNotified = () => {}
}

/** What is there when a question comes is the answer, though something is in flight before it. */
function lookUpAtArrival(): void {
  const { find, onSaid, onSent } = CachedReads.prototype
  const atArrival = new WeakMap<CachedReads, Entry>()
  vi.spyOn(CachedReads.prototype, 'find').mockImplementation(function (this: CachedReads, ...question) {
    const found = find.apply(this, question)
    if (found?.is === 'hit') atArrival.set(this, atArrival.get(this) ?? found)
    return atArrival.get(this) ?? found
  })
  vi.spyOn(CachedReads.prototype, 'onSaid').mockImplementation(function (this: CachedReads, ...said) {
    atArrival.delete(this)
    onSaid.apply(this, said)
  })
  vi.spyOn(CachedReads.prototype, 'onSent').mockImplementation(function (this: CachedReads) {
    atArrival.delete(this)
    onSent.call(this)
  })
}

export interface Fault {
  readonly is: string
  plant(gateway: CachingGateway): void
  /** In which it shows. */
  readonly trouble: Trouble
  /** It shows in writes whose statements do not tell what they write. */
  readonly isHidden?: true
}

export const faults: readonly Fault[] = [
  {
    is: 'an answer is stored without a look at its stamp',
    plant: storeWithoutCheck,
    trouble: 'delays',
  },
  { is: 'a commit is told once', plant: noSecondBump, trouble: 'a held standby' },
  {
    is: 'an answer on its way is joined without a look at its stamp',
    plant: joinWithoutCheck,
    trouble: 'delays',
  },
  { is: 'an answer is looked up when the question comes', plant: lookUpAtArrival, trouble: 'none' },
  {
    is: 'an opaque write of its own waits for the stream',
    plant: nothingIsOpaque,
    trouble: 'delays',
    isHidden: true,
  },
  {
    is: 'a notification is ahead of the stream',
    plant: notifyAtOnce,
    trouble: 'delays',
    isHidden: true,
  },
]
