/**
 * The prepared statements of one client, under the client's names: a table of what PostgreSQL would have on a
 * connection of its own.
 *
 * A name is entered when its Parse is sent and taken back if the Parse is not answered by ParseComplete. The unnamed
 * statement is one more; it ends with the next simple Query.
 */
import { namePrefix, type Statement } from '../origin/statement.ts'
import type { StatementPlan } from '../sql/plan.ts'

/** An unnamed statement: it is on a connection if that connection's `unnamed` is this object. */
export interface Unnamed {
  /** The whole Parse message. */
  readonly parse: Uint8Array
  readonly plan: StatementPlan
}

export class Names {
  /** Null as long as there is none: most clients have none. */
  #statements: Map<string, Statement> | null = null
  unnamed: Unnamed | null = null

  get size(): number {
    return this.#statements?.size ?? 0
  }

  get(name: string): Statement | undefined {
    return this.#statements?.get(name)
  }

  /** @returns what takes it back */
  set(name: string, statement: Statement): () => void {
    this.#statements ??= new Map()
    this.#statements.set(name, statement)
    return () => {
      if (this.#statements?.get(name) === statement) this.#statements.delete(name)
    }
  }

  /** Another statement that means the same. */
  replace(name: string, statement: Statement, same: Statement): void {
    if (this.#statements?.get(name) === statement) this.#statements.set(name, same)
  }

  /** @returns what takes it back */
  delete(name: string): () => void {
    const statement = this.#statements?.get(name)
    this.#statements?.delete(name)
    return () => {
      if (statement) this.set(name, statement)
    }
  }

  clear(): void {
    this.#statements = null
  }

  /** A text of the server's with the client's names in place of ours; null if none of ours is in it. */
  inClientsWords(text: string): string | null {
    if (!text.includes(namePrefix)) return null
    const mine = new Map([...this].map(([name, statement]) => [statement.name, name]))
    return text.replace(ourNames, name => mine.get(name) ?? name)
  }

  [Symbol.iterator](): Iterator<[string, Statement]> {
    return (this.#statements ?? none)[Symbol.iterator]()
  }
}

const none: ReadonlyMap<string, Statement> = new Map()
const ourNames = new RegExp(`${namePrefix}\\d+`, 'g')
