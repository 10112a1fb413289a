/**
 * A statement's text, as far as the cache has to know it: where it stands in the message that brought it, its plan, and
 * what a client knows of it that has prepared it.
 */
import { createHash } from 'node:crypto'
import type { Asked } from '../cache/stamps.ts'
import type { StatementPlan } from '../sql/plan.ts'
import { printed } from '../sql/printed.ts'
import type { Verdict } from '../sql/reading.ts'
import { withoutTrace } from '../sql/trace-comment.ts'

export class Text {
  readonly bytes: Uint8Array
  readonly start: number
  /** Without its NUL. */
  readonly end: number
  /** Of the parameter types behind it; the same as `end` for a Query. */
  readonly typesEnd: number
  /** The statement that it is the text of, if it was prepared before. */
  readonly prepared: { readonly described?: string | null } | null
  /** In which context, and when, it was seen to mean what it did when it was prepared. */
  asTold: { readonly as: number; readonly asked: Asked } | null = null
  /** What is known of what it reads: see `Readings.isLasting`. */
  read: { readonly as: number; readonly verdict: Verdict } | null = null
  #questionEnd = -1
  #plan: StatementPlan | ((bytes: Uint8Array, start: number, end: number) => StatementPlan)
  #meaning: Uint8Array | null = null

  /** @param plan or how it is found: what is answered from the cache needs none */
  constructor(
    bytes: Uint8Array,
    { start, end, typesEnd }: { readonly start: number; readonly end: number; readonly typesEnd: number },
    plan: StatementPlan | ((bytes: Uint8Array, start: number, end: number) => StatementPlan),
    prepared: Text['prepared'] = null,
  ) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.typesEnd = typesEnd
    this.#plan = plan
    this.prepared = prepared
  }

  get plan(): StatementPlan {
    const plan = this.#plan
    if (typeof plan === 'object') return plan
    this.#plan = plan(this.bytes, this.start, this.end)
    return this.#plan
  }

  /**
   * A hash of what its parameters and columns were when it was prepared; empty if that is not known. It stands in the key
   * if they may be others by now, for the client would not be told.
   */
  get meaning(): Uint8Array {
    const described = this.prepared?.described ?? null
    if (described === null) return nothing
    this.#meaning ??= createHash('sha256').update(described).digest()
    return this.#meaning
  }

  /** Where it ends without what is another each time and asks nothing: trace-comment.ts. */
  get questionEnd(): number {
    if (this.#questionEnd < 0) this.#questionEnd = withoutTrace(this.bytes, this.start, this.end)
    return this.#questionEnd
  }

  /** The types that a Parse declares for its parameters; 0 for those that PostgreSQL is to find. */
  get types(): readonly number[] {
    if (this.typesEnd <= this.end + 3) return noTypes
    const { buffer, byteOffset, byteLength } = this.bytes
    const view = new DataView(buffer, byteOffset, byteLength)
    const types: number[] = []
    for (let at = this.end + 3; at + 4 <= this.typesEnd; at += 4) types.push(view.getUint32(at))
    return types
  }

  /** What its shape is called: without the values in it. */
  toString(): string {
    return printed(this.bytes, this.start, this.end)
  }
}

const noTypes: readonly number[] = []
const nothing = new Uint8Array(0)

/** Of a statement that was prepared, found once. */
const known = new WeakMap<object, Text>()

/** @param statement its `parse` is the whole message that prepares it; `described` as in description.ts */
export function textOf(statement: {
  readonly parse: Uint8Array
  readonly plan: StatementPlan
  readonly described?: string | null
}): Text {
  let text = known.get(statement)
  if (text === undefined) {
    const { parse, plan } = statement
    const start = parse.indexOf(0, 5) + 1
    text = new Text(parse, { start, end: parse.indexOf(0, start), typesEnd: parse.length }, plan, statement)
    known.set(statement, text)
  }
  return text
}
