/** What `sluice check` finds out: each origin's addresses are asked at once, and judged together with its neighbours. */
import { examine, type Means } from './examine.ts'
import { type Judged, judge, named } from './judge.ts'
import type { Line } from './line.ts'

export type { Means } from './examine.ts'
export type { Line, Verdict } from './line.ts'

export interface Checked {
  readonly origin: string
  readonly lines: readonly Line[]
}

export interface ToCheck extends Judged {
  readonly names: readonly string[]
}

export function check(origins: readonly ToCheck[], means: Means): Promise<Checked[]> {
  return Promise.all(
    origins.map(async origin => {
      const examined = await Promise.all(
        origin.origin.addresses.map(address => examine(origin, address, means)),
      )
      const neighbours = origins.filter(other => serverOf(other) === serverOf(origin))
      return { origin: origin.names[0] ?? origin.database, lines: judge(origin, examined, neighbours) }
    }),
  )
}

const serverOf = ({ origin }: ToCheck) => origin.addresses.map(named).join(',')
