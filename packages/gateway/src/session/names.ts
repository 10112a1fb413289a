/**
 * The prepared statements of one client, under the client's names: a table of what PostgreSQL would have on a
 * connection of its own.
 *
 * A name is entered when its Parse is sent and taken back if the Parse is not answered by ParseComplete. The unnamed
 * statement is one more; it ends with the next Parse of one, whether that succeeds or not, with its Close, and with the
 * next simple Query. What the server skips after an error ends nothing.
 */
import { namePrefix, type Statement } from '../origin/statement.ts'
import type { StatementPlan } from '../sql/plan.ts'

/** Prepared statements of one client. */
export const mostNames = 10_000

/** An unnamed statement: it is on a connection if that connection's `unnamed` is this object. */
export interface Unnamed {
  /** The whole Parse message. */
  readonly parse: Uint8Array
  readonly plan: StatementPlan
  /** What its client was told of it, which then has to be so: see description.ts. */
  described?: string
}

/** What was sent that makes or ends the unnamed statement. */
interface UnnamedStep {
  /** The exchange that it is part of, and the number of its answer there. */
  readonly exchange: object
  readonly at: number
  readonly then: Unnamed | null
}

export class Names {
  /** Null as long as there is none: most clients have none. */
  #statements: Map<string, Statement> | null = null
  /** The client's names by the gateway's. */
  #mine: Map<string, string> | null = null
  /** The same of those that go with what is in flight: an error that comes before may tell them. */
  #leaving: Map<string, string> | null = null
  /** As it is if all that is in flight succeeds. */
  #unnamed: Unnamed | null = null
  /** What it was before the steps in flight. */
  #unnamedBefore: Unnamed | null = null
  #steps: UnnamedStep[] | null = null

  get unnamed(): Unnamed | null {
    return this.#unnamed
  }

  /** Whether it is what it seems is not known yet. */
  get unnamedInFlight(): boolean {
    return this.#steps !== null && this.#steps.length > 0
  }

  /** @param at the number of the answer in the exchange that tells that it is done */
  setUnnamed(unnamed: Unnamed | null, exchange: object, at: number): void {
    if (unnamed === null && this.#unnamed === null && !this.#steps?.length) return
    this.#steps ??= []
    this.#steps.push({ exchange, at, then: unnamed })
    this.#unnamed = unnamed
  }

  /** It is this from now on: all that was sent has answered. */
  putUnnamed(unnamed: Unnamed | null): void {
    this.#steps = null
    this.#unnamed = unnamed
    this.#unnamedBefore = unnamed
  }

  /**
   * An error has come in place of an answer: what stood there failed, and what stands behind it is skipped.
   *
   * @returns true if that makes a difference to the unnamed statement
   */
  unnamedFailed(exchange: object, at: number): boolean {
    const steps = this.#steps
    if (!steps?.some(step => step.exchange === exchange && step.at >= at)) return false
    this.#steps = steps
      .filter(step => step.exchange !== exchange || step.at <= at)
      .map(step => (step.exchange === exchange && step.at === at ? { ...step, then: null } : step))
    const last = this.#steps.at(-1)
    this.#unnamed = last ? last.then : this.#unnamedBefore
    return true
  }

  /** The exchange is over. */
  unnamedSettled(exchange: object): void {
    const steps = this.#steps
    if (steps === null) return
    while (steps[0]?.exchange === exchange) this.#unnamedBefore = steps.shift()!.then
  }

  get size(): number {
    return this.#statements?.size ?? 0
  }

  get(name: string): Statement | undefined {
    return this.#statements?.get(name)
  }

  /** It has a name. */
  has(statement: Statement): boolean {
    return this.#mine?.has(statement.name) ?? false
  }

  /** @returns what takes it back */
  set(name: string, statement: Statement): () => void {
    this.#statements ??= new Map()
    this.#statements.set(name, statement)
    this.#mine ??= new Map()
    this.#mine.set(statement.name, name)
    return () => {
      if (this.#statements?.get(name) === statement) this.#remove(name, statement)
    }
  }

  /** Another statement that means the same. */
  replace(name: string, statement: Statement, same: Statement): void {
    if (this.#statements?.get(name) !== statement) return
    this.#remove(name, statement)
    this.set(name, same)
  }

  /** @returns what takes it back */
  delete(name: string): () => void {
    const statement = this.#statements?.get(name)
    if (!statement) return () => {}
    this.#remove(name, statement)
    return () => {
      this.set(name, statement)
    }
  }

  #remove(name: string, statement: Statement): void {
    this.#statements?.delete(name)
    this.#mine?.delete(statement.name)
    this.#leaving ??= new Map()
    this.#leaving.set(statement.name, name)
  }

  /** Nothing is in flight. */
  settle(): void {
    this.#leaving = null
  }

  clear(): void {
    this.#statements = null
    this.#leaving = this.#mine
    this.#mine = null
  }

  /** A text of the server's with the client's names in place of ours; null if none of ours is in it. */
  inClientsWords(text: string): string | null {
    if (!text.includes(namePrefix)) return null
    return text.replace(ourNames, name => this.#mine?.get(name) ?? this.#leaving?.get(name) ?? name)
  }

  [Symbol.iterator](): Iterator<[string, Statement]> {
    return (this.#statements ?? none)[Symbol.iterator]()
  }
}

const none: ReadonlyMap<string, Statement> = new Map()
const ourNames = new RegExp(`${namePrefix}\\d+`, 'g')
