/**
 * Two ways to do one thing, timed in turns: ours, theirs, ours, theirs, … so that what else the machine does hits both.
 *
 * The figure is the ratio of times in a pair, its median over all pairs, with the quartiles beside it: absolute
 * times say more about the machine than about the code.
 */
export interface Comparison {
  readonly name: string
  /** Runs the thing once. */
  readonly bare: () => Promise<unknown>
  readonly ours: () => Promise<unknown>
}

export interface Compared {
  readonly name: string
  /** Median µs for one run. */
  readonly bareUs: number
  readonly oursUs: number
  /** Ours ÷ bare: median and quartiles of the pairs. */
  readonly ratio: { readonly q1: number; readonly median: number; readonly q3: number }
}

export async function compare(
  { name, bare, ours }: Comparison,
  { pairs, runs, at }: { pairs: number; runs: number; at: number },
): Promise<Compared> {
  const times: { bare: number; ours: number }[] = []
  // The first two pairs warm connections and compilers up.
  for (let pair = -2; pair < pairs; pair++) {
    const first = pair % 2 === 0
    const one = await timed(first ? bare : ours, runs, at)
    const two = await timed(first ? ours : bare, runs, at)
    if (pair >= 0) times.push(first ? { bare: one, ours: two } : { bare: two, ours: one })
  }
  const ratios = times.map(time => time.ours / time.bare).sort((a, b) => a - b)
  const quantile = (sorted: number[], part: number) => sorted[Math.floor(part * (sorted.length - 1))]!
  const median = (values: number[]) =>
    quantile(
      [...values].sort((a, b) => a - b),
      0.5,
    )
  return {
    name,
    bareUs: median(times.map(time => time.bare)),
    oursUs: median(times.map(time => time.ours)),
    ratio: { q1: quantile(ratios, 0.25), median: quantile(ratios, 0.5), q3: quantile(ratios, 0.75) },
  }
}

/** Microseconds a run, `at` of them at a time. */
async function timed(run: () => Promise<unknown>, runs: number, at: number): Promise<number> {
  let left = runs
  const began = performance.now()
  await Promise.all(
    Array.from({ length: at }, async () => {
      while (left-- > 0) await run()
    }),
  )
  return ((performance.now() - began) * 1000) / runs
}

export function table(results: readonly Compared[]): string {
  const lines = results.map(
    ({ name, bareUs, oursUs, ratio }) =>
      `| ${name} | ${Math.round(bareUs)} | ${Math.round(oursUs)} | ${ratio.median.toFixed(3)} | ${ratio.q1.toFixed(3)} to ${ratio.q3.toFixed(3)} |`,
  )
  return [
    '| | bare driver, µs | DatabaseManager, µs | ratio | quartiles |',
    '|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}
