/** A client of PostgreSQL itself, which knows by a ledger where to wait, and how to end what it holds. */
import { Ledger } from './ledger.ts'
import { Line, Stuck } from './line.ts'
import { encode, type Said } from './program.ts'
import { type Step, told } from './script.ts'

const flushes: readonly Said['say'][] = ['Query', 'FunctionCall', 'Sync', 'Flush', 'Terminate']

/** PostgreSQL itself is never stuck: then the ledger has it wrong. */
const patienceMs = 10_000

export class Speaker {
  readonly client: number
  readonly line = new Line()
  readonly #start: Record<string, string>
  readonly #url: string
  #ledger = new Ledger()
  /** Since it was closed last. */
  #spoke = false
  /** What ends the pins that its texts may have set, now or when they are executed. */
  readonly #ends = new Set<string>()

  constructor(client: number, start: Record<string, string>, url: string) {
    this.client = client
    this.#start = start
    this.#url = url
  }

  async logIn(): Promise<Step[]> {
    const ledger = new Ledger()
    this.#ledger = ledger
    await this.line.open(this.#url, this.#start)
    this.line.onWord = word => ledger.heard(word)
    return [this.#step(null)]
  }

  async speak(all: readonly Said[]): Promise<Step[]> {
    const { line } = this
    const steps: Step[] = []
    const says = survived(all, this.#ledger.status)
    if (says.length === 0) return steps
    const copies = says.some(({ say }) => say === 'CopyData')
    const syncs = says.some(({ say }) => say === 'Sync')
    if (this.#ledger.mode === 'copying' && (says[0]?.say === 'Terminate' || (copies && syncs)))
      steps.push(...(await this.speak([{ say: 'CopyFail' }])))
    if (line.closed) steps.push(...(await this.logIn()))
    // PostgreSQL says nothing before it is asked to.
    const last = says.at(-1)!.say
    const whole = flushes.includes(last) ? [...says] : [...says, { say: 'Flush' } as const]
    // Whether a Sync behind data is part of a COPY nobody can tell: the data may be no good.
    if (copies && whole.findLast(({ say }) => say.startsWith('Copy'))?.say === 'CopyData')
      whole.splice(whole.findLastIndex(({ say }) => say === 'CopyData') + 1, 0, { say: 'CopyDone' })
    for (const said of whole) {
      this.#ledger.said(said.say)
      if ('sql' in said) for (const [cause, end] of pinEnds) if (cause.test(said.sql)) this.#ends.add(end)
    }
    const leaves = whole.some(({ say }) => say === 'Terminate')
    line.send(Buffer.concat(whole.map(said => encode(said, this.client))))
    this.#spoke = true
    steps.push(this.#step(whole))
    await line
      .until(() => line.closed || (!leaves && this.#ledger.settled), patienceMs)
      .catch(error => {
        throw new Stuck(
          `${told([[steps]])}\n${line.heard.lines().join('\n')}\nis owed ${this.#ledger.mode} ${this.#ledger.owed}`,
          { cause: error },
        )
      })
    steps[steps.length - 1] = this.#step(whole)
    return steps
  }

  /**
   * False where the gateway is known to differ, as docs/pooling.md says: to a client with startup parameters that resets
   * them in the middle of a transaction or of several statements.
   */
  mayReset(says: readonly Said[]): boolean {
    if (Object.keys(this.#start).length === 0) return true
    const resets = (said: Said) => 'sql' in said && /reset|discard all|to default/.test(said.sql)
    const [only] = says
    if (says.length === 1 && only?.say === 'Query' && !only.sql.includes(';') && !this.#ledger.holds)
      return true
    return !says.some(resets)
  }

  /** Ends what it holds. */
  async close(): Promise<Step[]> {
    const steps: Step[] = []
    if (this.line.closed || !this.#spoke) return steps
    const speak = async (said: Said) => {
      if (!this.line.closed) steps.push(...(await this.speak([said])))
    }
    if (this.#ledger.mode === 'copying') await speak({ say: 'CopyFail' })
    if (this.#ledger.open || this.#ledger.mode !== 'normal') await speak({ say: 'Sync' })
    if (this.#ledger.holds) await speak({ say: 'Query', sql: 'rollback' })
    for (const sql of this.#ends) await speak({ say: 'Query', sql })
    this.#spoke = false
    return steps
  }

  #step(says: readonly Said[] | null): Step {
    const { words, notifications } = this.line.heard
    return { client: this.client, says, words: words.length, notifications: notifications.length }
  }
}

/**
 * Without what PostgreSQL 18.4 does not survive: after a Query that failed in a transaction, the Execute of the unnamed
 * portal that it left behind is a segmentation fault.
 */
function survived(says: readonly Said[], status: string): readonly Said[] {
  let failed = status === 'E'
  return says.filter(said => {
    if (said.say === 'Query') failed = true
    else if (said.say === 'Bind' && said.portal === '' && status !== 'E') failed = false
    return !(failed && said.say === 'Execute' && said.portal === '')
  })
}

const pinEnds: readonly (readonly [RegExp, string])[] = [
  [/with hold/, 'close all'],
  [/advisory_lock/, 'select pg_advisory_unlock_all()'],
  [/temp/, 'discard temp'],
  [/prepare q/, 'deallocate q'],
  [/prepare s0/, 'deallocate s0'],
  [/prepare s1 \(/, 'deallocate s1'],
  [/pool_mode = session/, 'set sluice.pool_mode = transaction'],
]
