/** Rows of `SHOW sluice.…` (session/shown.ts): counters and the stream's status in figures, and in a sentence with its remedy. */
import type { Cache } from './cache/cache.ts'
import { statuses, type Tallies, type Tally } from './cache/status.ts'
import type { Suspected } from './cache/suspicion.ts'
import type { InvalidationPhase, InvalidationStatus, OldTransaction } from './invalidation/status.ts'
import type { Row } from './session/shown.ts'

/** Shapes that are shown of those that are counted. */
const mostShapes = 100

const rounded = (ms: number) => Math.round(ms)
const mean = ({ answers, originMs }: Tally) =>
  answers === 0 ? null : Math.round((1_000 * originMs) / answers) / 1_000

export function cacheStats({ total }: Tallies, cache: Cache): Row<'cache_stats'> {
  const { counts, refreshes, savedMs } = total
  const served = counts.hit + counts.stale
  const asked = served + counts.miss
  const { store } = cache
  return {
    hit_ratio: asked === 0 ? null : Math.round((10_000 * served) / asked) / 10_000,
    ...counts,
    ...{ refreshes, origin_mean_ms: mean(total), origin_saved_ms: rounded(savedMs) },
    ...{ entries: store.size, bytes: cache.bytes, max_bytes: cache.mostBytes },
    ...{ evicted: store.evicted, rejected: store.rejected },
  }
}

/** In place of a statement, or what may have a piece of one in it, that is none of the viewer's business. */
const hidden = '<insufficient privilege>'

/** @param showsTexts false: statements are hidden, as in pg_stat_statements */
export function cacheShapes(tallies: Tallies, showsTexts: boolean): Row<'cache_shapes'>[] {
  const rows = tallies.shapes.map(({ text, tally, last }) => ({
    shape: showsTexts ? text : hidden,
    ...asRow(tally),
    ...{ last_status: last?.status ?? null, why: showsTexts ? (last?.why ?? null) : null },
  }))
  const { others } = tallies
  const top = rows.sort((a, b) => askedOfOrigin(b) - askedOfOrigin(a)).slice(0, mostShapes)
  const rest = asRow(others)
  if (rest.queries > 0) top.push({ shape: '<other shapes>', ...rest, last_status: null, why: null })
  return top
}

function asRow(tally: Tally) {
  const { counts, refreshes, savedMs } = tally
  const { hit, stale, miss } = counts
  const queries = statuses.reduce((sum, status) => sum + counts[status], 0)
  return {
    ...{ queries, hit, stale, miss, not_cached: queries - hit - stale - miss },
    ...{ refreshes, origin_mean_ms: mean(tally), origin_saved_ms: rounded(savedMs) },
  }
}

const askedOfOrigin = ({ miss, not_cached }: { readonly miss: number; readonly not_cached: number }) =>
  miss + not_cached

export const opaqueCommits = (causes: readonly Suspected[], showsTexts: boolean): Row<'opaque_commits'>[] =>
  causes.map(({ cause, commits, ms, now }) => ({
    ...{ cause: showsTexts ? cause : hidden, commits, suspect_ms: rounded(ms), suspect: now },
  }))

export type Mode = 'stream' | 'age' | 'off'

/** @param ageMs after which an answer is not served any more */
export function streamStatus(status: InvalidationStatus, mode: Mode, ageMs: number): Row<'stream_status'> {
  const { phase, losses, uncoveredMs } = status
  const heldBy = heldByOf(phase)
  const running = phase.at === 'running' ? phase : null
  // While a stream that is wanted again is being opened, no table is covered.
  const kept = mode === 'stream' && !running ? 'off' : mode
  const boundMs = { stream: running?.boundMs ?? null, age: ageMs, off: null }[kept]
  return {
    ...{ state: stateOf(status), kept: { stream: 'by changes', age: 'by age', off: 'nothing' }[kept] },
    detail: detailOf(phase, heldBy),
    remedy: heldBy ? remedyFor(heldBy) : phase.at === 'waiting' ? phase.hint : null,
    for_ms: 'forMs' in phase ? rounded(phase.forMs) : null,
    ...{ bound_ms: boundMs && rounded(boundMs), delay_ms: running && rounded(running.delayMs) },
    ...{ unsettled: running?.unsettled ?? null, covered_tables: running?.covered ?? null },
    waiting_tables: running?.quarantine?.tables ?? null,
    ...{ held_by_pid: heldBy?.processId ?? null, held_by_gid: heldBy?.gid ?? null },
    ...{ held_by_user: heldBy?.user ?? null, held_by_application: heldBy?.application ?? null },
    held_for_ms: heldBy?.ageMs ?? null,
    ...{ ddl: running?.ddl ?? null, losses, uncovered_ms: rounded(uncoveredMs) },
  }
}

function stateOf({ phase, everRan }: InvalidationStatus): string {
  switch (phase.at) {
    case 'running':
      return phase.covered === 0 && phase.quarantine ? 'quarantine' : 'running'
    case 'waiting':
      return everRan ? 'lost' : phase.possible ? 'failed' : 'impossible'
    case 'opening':
    case 'resting':
      return phase.at
    default:
      return phase satisfies never
  }
}

function heldByOf(phase: InvalidationPhase): OldTransaction | null {
  if (phase.at === 'opening') return phase.heldBy
  return phase.at === 'running' ? (phase.quarantine?.heldBy ?? null) : null
}

function detailOf(phase: InvalidationPhase, heldBy: OldTransaction | null): string {
  switch (phase.at) {
    case 'running':
      if (!phase.quarantine) return 'changes by others are told'
      return `answers from ${phase.quarantine.tables} tables are not kept before all transactions have ended that were open when the stream began to tell of them${ofWhich(heldBy)}`
    case 'waiting':
      return `${phase.cause}; it is tried again`
    case 'opening':
      return `the stream is being opened: ${steps[phase.step]}${ofWhich(heldBy)}`
    case 'resting':
      return 'no client is there, so that the database may sleep'
    default:
      return phase satisfies never
  }
}

const steps: Readonly<Record<Extract<InvalidationPhase, { at: 'opening' }>['step'], string>> = {
  connecting: 'the gateway logs in',
  examining: 'the publication is looked at',
  creating: 'PostgreSQL makes a replication slot when all transactions have ended that it found open',
  starting: 'the stream begins',
}

function ofWhich(heldBy: OldTransaction | null): string {
  if (!heldBy) return ''
  const age = heldBy.ageMs === null ? '' : `, ${Math.round(heldBy.ageMs / 1_000)} s old`
  return `; the oldest is ${nameOf(heldBy)}${age}`
}

const nameOf = ({ processId, gid }: OldTransaction) =>
  gid !== null ? `the prepared transaction '${gid}'` : `that of process ${processId}`

const remedyFor = ({ processId, gid }: OldTransaction) =>
  gid !== null
    ? `COMMIT PREPARED or ROLLBACK PREPARED '${gid}' ends it.`
    : `Let it end; SELECT pg_terminate_backend(${processId}) ends it at once.`
