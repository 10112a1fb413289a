/** Samples, their medians, and what is printed of them. */
import type { Load, Measured } from './pgbench.ts'

interface Kind extends Load {
  readonly pooler: string
}

export interface Sample extends Kind, Measured {
  readonly round: number
  /** Of the pooler, for a transaction; null where there is none, or it can't be told. */
  readonly cpuUs: number | null
}

export interface Median extends Kind {
  readonly tps: Figure | null
  readonly latencyMs: Figure | null
  readonly cpuUs: Figure | null
}

export interface Figure {
  /** Over all rounds. */
  readonly median: number
  /** To PgBouncer in the same round: the median of that over all rounds. Null without PgBouncer. */
  readonly ratio: number | null
}

const measures = ['tps', 'latencyMs', 'cpuUs'] as const
type Measure = (typeof measures)[number]
/** What the others are compared with. */
const yardstick = 'PgBouncer'

export function medians(samples: readonly Sample[]): Median[] {
  const kinds = new Map(
    samples.map(({ protocol, clients, pooler }) => [
      `${protocol} ${clients} ${pooler}`,
      { protocol, clients, pooler },
    ]),
  )
  return [...kinds.values()].map(kind => {
    const group = samples.filter(sample => isOf(sample, kind))
    const beside = samples.filter(sample => isOf(sample, { ...kind, pooler: yardstick }))
    const figure = (measure: Measure) => figureOf(measure, group, beside)
    return { ...kind, tps: figure('tps'), latencyMs: figure('latencyMs'), cpuUs: figure('cpuUs') }
  })
}

const isOf = (sample: Kind, { protocol, clients, pooler }: Kind) =>
  sample.protocol === protocol && sample.clients === clients && sample.pooler === pooler

function figureOf(measure: Measure, group: readonly Sample[], beside: readonly Sample[]): Figure | null {
  const values = group.map(sample => sample[measure]).filter(value => value !== null)
  const ratios = group.flatMap(sample => {
    const ours = sample[measure]
    const theirs = beside.find(({ round }) => round === sample.round)?.[measure] ?? null
    return ours === null || theirs === null ? [] : [ours / theirs]
  })
  if (values.length === 0) return null
  return { median: medianOf(values), ratio: ratios.length === 0 ? null : medianOf(ratios) }
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const titles: Record<Measure, { title: string; digits: number }> = {
  tps: { title: 'Transactions a second', digits: 0 },
  latencyMs: { title: 'Latency, ms', digits: 3 },
  cpuUs: { title: "Pooler's CPU, µs a transaction", digits: 1 },
}

/** A table for each measure: loads downwards, poolers across, in brackets the ratio to PgBouncer. */
export function tables(
  samples: readonly Sample[],
  loads: readonly Load[],
  poolers: readonly { readonly name: string }[],
): string {
  const all = medians(samples)
  return measures
    .map(measure => {
      const { title, digits } = titles[measure]
      const shown = poolers.filter(({ name }) =>
        all.some(each => each.pooler === name && each[measure] !== null),
      )
      const rows = loads.map(load => {
        const cells = shown.map(({ name }) =>
          cell(all.find(each => isOf(each, { ...load, pooler: name }))?.[measure], digits),
        )
        return [`${load.protocol}, ${load.clients} at a time`, ...cells]
      })
      const head = [title, ...shown.map(({ name }) => name)]
      return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')
    })
    .join('\n\n')
}

function cell(figure: Figure | null | undefined, digits: number): string {
  if (!figure) return '–'
  const { median, ratio } = figure
  return ratio === null ? median.toFixed(digits) : `${median.toFixed(digits)} (${ratio.toFixed(2)})`
}
