/** A statement's bytes in, its plan out. */
import { loadModule, parseSync } from 'libpg-query'
import { Draft } from './draft.ts'
import { judge } from './judge.ts'
import type { StatementPlan } from './plan.ts'

const limit = 10_000

export class Plans {
  readonly #byText = new Map<string, StatementPlan>()

  static async load(): Promise<Plans> {
    await loadModule()
    return new Plans()
  }

  planOf(bytes: Uint8Array, start: number, end: number): StatementPlan {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString()
    let plan = this.#byText.get(text)
    if (plan) return plan
    plan = this.#judge(text)
    if (this.#byText.size > limit) this.#byText.clear()
    this.#byText.set(text, plan)
    return plan
  }

  #judge(text: string): StatementPlan {
    if (text.length < 16_384)
      try {
        return text.trim() === '' ? new Draft().plan(0) : judge(parseSync(text)).plan
      } catch {}
    const draft = new Draft()
    draft.runsUnseen()
    draft.copiesIn = true
    return draft.plan(-1)
  }
}
