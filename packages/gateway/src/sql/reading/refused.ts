/** Why an answer is not kept: thrown wherever in a statement it is found, caught where the verdict is made. */
import type { Refusal } from '../reading.ts'

export class Refused extends Error {
  readonly status: Refusal

  constructor(status: Refusal, why: string) {
    super(why)
    this.status = status
  }
}

export const notUnderstood = (what: string) => new Refused('uncacheable', `the cache does not read ${what}`)

export const unknownRelation = (name: string) =>
  new Refused('uncacheable', `no table or view ${name} is known in this search_path`)

export const systemRelation = (name: string) =>
  new Refused('uncacheable', `${name} belongs to PostgreSQL's own catalogues, whose changes nothing tells of`)

export const unresolved = (what: string) =>
  new Refused('uncacheable', `it can't be told which ${what} is meant, by the types of what it is given`)

export const volatileFunction = (name: string) =>
  new Refused('volatile', `${name}() is volatile: it may answer differently each time`)

export const stableFunction = (name: string) =>
  new Refused('volatile', `${name}() is stable: the time, the session or tables may change what it answers`)

export const tellsOfNow = (what: string) =>
  new Refused('volatile', `${what} may tell of the time or the session`)

export const readsText = (type: string) =>
  new Refused('volatile', `a text that is computed is read as ${type}, and may say "now"`)

export const catalogueInput = (type: string) =>
  new Refused('uncacheable', `what a text means as ${type}, or how it is printed, is looked up elsewhere`)
