/** What `sluice check` has to say, one thing at a time. */

/**
 * `advice`: it works, and could do better. `warning`: it works, and will surprise. `wrong`: clients will hear errors.
 */
export type Verdict = 'ok' | 'advice' | 'warning' | 'wrong'

export interface Line {
  readonly verdict: Verdict
  readonly what: string
  readonly cure?: string
  /** What the cure says to run. */
  readonly sql?: string
}

export const ok = (what: string): Line => ({ verdict: 'ok', what })
export const advice = (what: string, cure?: string, sql?: string) => line('advice', what, cure, sql)
export const warning = (what: string, cure?: string, sql?: string) => line('warning', what, cure, sql)
export const wrong = (what: string, cure?: string) => line('wrong', what, cure)

const line = (verdict: Verdict, what: string, cure?: string, sql?: string): Line => ({
  ...{ verdict, what },
  ...(cure === undefined ? {} : { cure }),
  ...(sql === undefined ? {} : { sql }),
})
