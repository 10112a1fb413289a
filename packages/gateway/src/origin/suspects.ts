/**
 * What of one database may change the session of who uses it: functions, and what runs such a function without saying
 * so (a table by its trigger, a view, a domain, an operator). Which these are is asked of the database (unseen.ts).
 *
 * A statement that mentions one is followed by the question what the session is like; all others are not. They are read
 * again from time to time, after DDL that the gateway saw, and when a function is called that is not known. A function
 * that is not known is one; so is everything while nothing is known.
 *
 * Their text also tells which parameters of an application's own (app.tenant) they set: PostgreSQL lists no such
 * values when asked. A name that a function puts together is not found.
 */
import type { StatementPlan } from '../sql/plan.ts'
import { Refused } from './control.ts'
import { LoginRefused } from './pool.ts'
import type { Rows } from './unseen.ts'

/** What an origin tells may be anything. */
const parameterName = /^[a-z_][\w$]*(\.[a-z_][\w$]*)+$/

/** SQLSTATE classes: who asks may not log in, or may not read the catalogues. */
const notAllowed = /^(28|42)/

const refreshMs = 60_000
/** After a failure, or a change that is not sure to be one. */
const againMs = 1_000

/** What was read. */
interface Known {
  /** Functions by their names: true for a suspect. */
  readonly functions: Map<string, boolean>
  /** Names of relations, types and operators that are suspects. */
  readonly objects: ReadonlySet<string>
  /** Every statement is suspect. */
  readonly everything: boolean
}

export class Suspects {
  readonly #ask: () => Promise<Rows>
  #now = 0
  #known: Known | null = null
  /** The database does not let itself be asked: what tables do is not known, nor will be. */
  #denied = false
  /** Called and not known. Those that do not exist are not looked for each time. */
  readonly #missed = new Set<string>()
  #parameters: ReadonlySet<string> | null = null
  /** When it is time to read. */
  #dueAt = -Infinity
  /** How many changes were told of; what is known was read after so many; what was read before that many is wrong. */
  #changes = 0
  #readAfter = 0
  #wrongBefore = 0
  #reading: Promise<void> | null = null

  /** @param ask unseen.ts */
  constructor(ask: () => Promise<Rows>) {
    this.#ask = ask
  }

  /** To be called now and then: to ask a clock for each statement would cost more than all the rest. */
  tick(now: number): void {
    this.#now = now
  }

  /**
   * True if a statement may change the session by what it calls or mentions.
   *
   * @param after what {@link change} gave to who asks: what was read before is not enough for them
   */
  has({ functions, mentions }: Pick<StatementPlan, 'functions' | 'mentions'>, after: number = 0): boolean {
    if (functions.length === 0 && mentions?.length === 0) return false
    if (this.#now >= this.#dueAt) void this.#read()
    const known = this.#known
    if (known === null) return functions.length > 0 || !this.#denied
    const { objects, everything } = known
    const isOne = (name: string) => objects.has(name)
    let has = everything || after > this.#readAfter
    if (objects.size > 0) has ||= mentions === null || mentions.some(isOne)
    for (const written of functions) {
      const name = written.slice(written.lastIndexOf('.') + 1)
      if (known.functions.get(name) !== false) has = true
      if (known.functions.has(name)) continue
      this.#missed.add(name)
      this.change('yes')
    }
    return has
  }

  /**
   * The names with a dot of the parameters that they may set: of all of them, for they call each other. Null if they
   * can't be read.
   *
   * @param after as for {@link has}
   */
  async parameters(after: number = 0): Promise<ReadonlySet<string> | null> {
    // What is being read may be out of date already.
    for (let tries = 0; tries < 2 && (this.#known === null || after > this.#readAfter); tries++)
      await this.#read()
    return this.#parameters
  }

  /**
   * A statement of this kind has been sent, or has committed. If it makes code, nothing is known until it has been read
   * again; if perhaps, that holds for who sent it, and others wait for no one.
   *
   * @returns for `has` and `parameters`
   */
  change(makesCode: StatementPlan['makesCode']): number {
    if (makesCode === 'no') return 0
    this.#changes++
    if (makesCode === 'yes') {
      this.#known = null
      this.#wrongBefore = this.#changes
      this.#dueAt = -Infinity
    } else this.#dueAt = Math.min(this.#dueAt, this.#now + againMs)
    return this.#changes
  }

  #read(): Promise<void> {
    this.#dueAt = this.#now + refreshMs
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null
    })
    return this.#reading
  }

  async #readAll(): Promise<void> {
    const after = this.#changes
    try {
      const rows = await this.#ask()
      this.#denied = false
      if (after < this.#wrongBefore) {
        this.#dueAt = -Infinity
        return
      }
      this.#readAfter = after
      this.#learn(rows)
    } catch (error) {
      // What is known stays known: a connection may be lost at any time.
      this.#dueAt = this.#now + againMs
      this.#denied = isDenied(error)
      if (this.#known === null) this.#parameters = null
    }
  }

  #learn(rows: Rows): void {
    const functions = new Map<string, boolean>()
    const objects = new Set<string>()
    const parameters = new Set<string>()
    let everything = false
    for (const [kind, name, suspect] of rows) {
      if (kind === 'everything') everything = true
      else if (name == null) continue
      else if (kind === 'function') functions.set(name, suspect === 't')
      else if (kind !== 'parameter') objects.add(name)
      else if (parameterName.test(name)) parameters.add(name)
    }
    for (const name of this.#missed) if (!functions.has(name)) functions.set(name, true)
    this.#missed.clear()
    this.#known = { functions, objects, everything }
    this.#parameters = parameters
  }
}

function isDenied(error: unknown): boolean {
  if (error instanceof Refused) return notAllowed.test(error.code)
  return error instanceof LoginRefused && notAllowed.test(error.fields.code)
}
