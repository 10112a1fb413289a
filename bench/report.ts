/** Samples, their medians, and what is printed of them. */
export interface Sample {
  readonly round: number
  readonly pooler: string
  /** As a table's row is called. */
  readonly load: string
  /** By measure; null where there is none, or it can't be told. */
  readonly figures: Readonly<Record<string, number | null>>
}

export interface Measure {
  readonly name: string
  /** Of its table. */
  readonly title: string
  readonly digits: number
}

/** Which of the poolers this one is compared with. */
export type Yardstick = (pooler: string) => string

export interface Median {
  readonly pooler: string
  readonly load: string
  readonly figures: Readonly<Record<string, Figure | null>>
}

interface Figure {
  /** Over all rounds. */
  readonly median: number
  /** To the yardstick in the same round: the median of that over all rounds. Null without it. */
  readonly ratio: number | null
}

export function medians(samples: readonly Sample[], yardstick: Yardstick): Median[] {
  const kinds = new Map(samples.map(({ pooler, load }) => [JSON.stringify([pooler, load]), { pooler, load }]))
  return [...kinds.values()].map(({ pooler, load }) => {
    const of = (name: string) => samples.filter(sample => sample.pooler === name && sample.load === load)
    const ours = of(pooler)
    const theirs = of(yardstick(pooler))
    const measures = Object.keys(ours[0]!.figures)
    const figures = Object.fromEntries(measures.map(name => [name, figureOf(name, ours, theirs)]))
    return { pooler, load, figures }
  })
}

function figureOf(measure: string, ours: readonly Sample[], theirs: readonly Sample[]): Figure | null {
  const values = ours.map(({ figures }) => figures[measure]).filter(value => typeof value === 'number')
  const ratios = ours.flatMap(({ round, figures }) => {
    const mine = figures[measure]
    const other = theirs.find(sample => sample.round === round)?.figures[measure]
    return typeof mine === 'number' && other ? [mine / other] : []
  })
  if (values.length === 0) return null
  return { median: medianOf(values), ratio: ratios.length === 0 ? null : medianOf(ratios) }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A table for each measure: loads downwards, poolers across, in brackets the ratio to the yardstick. */
export function tables(all: readonly Median[], measures: readonly Measure[]): string {
  const loads = new Set(all.map(({ load }) => load))
  return measures
    .map(({ name, title, digits }) => {
      const poolers = new Set(all.filter(({ figures }) => figures[name]).map(({ pooler }) => pooler))
      const rows = [...loads].map(load => {
        const of = (pooler: string) => all.find(each => each.pooler === pooler && each.load === load)
        return [load, ...[...poolers].map(pooler => cell(of(pooler)?.figures[name], digits))]
      })
      const head = [title, ...poolers]
      return [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n')
    })
    .join('\n\n')
}

function cell(figure: Figure | null | undefined, digits: number): string {
  if (!figure) return '–'
  const { median, ratio } = figure
  return ratio === null ? median.toFixed(digits) : `${median.toFixed(digits)} (${ratio.toFixed(2)})`
}
