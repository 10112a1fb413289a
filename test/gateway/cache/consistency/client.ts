/** One client of the consistency check: it reads or writes, through a gateway or directly, and tells the history. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { query } from '@sluice/wire'
import { type RawClient, rawClient } from '../../../support/raw-client.ts'
import { below, oneOf } from '../../fuzz/mutate.ts'
import type { History, Versions, Way } from './history.ts'
import {
  accounts,
  define,
  move,
  overall,
  preparing,
  type Question,
  questionsAbout,
  rowsOf,
  touch,
  touchAndNotify,
  touchByRequest,
  touchByValue,
  touchSomehow,
} from './questions.ts'

/** Commits wait for the standby, for the disk, or for nothing. */
export type Commits = 'on' | 'local' | 'off'

export interface ClientOptions {
  readonly way: Way
  readonly url: string
  readonly random: () => number
  readonly history: History
  /** Of each error or end of a connection how many there were. */
  readonly failures: Map<string, number>
  /** What the gateway on its way says of its bound, for a read that is sent now. */
  boundMs(through: number): number | null
  readonly commits: Commits
  /** The share of writes whose statements do not say what they write, or that others are notified of. */
  readonly hidden: number
  /** The number of the newest definition, of all clients. */
  readonly definitions: { last: number }
}

/** An error, or the end of the connection: what was asked has failed, and nothing is known of a commit. */
class Failed extends Error {}

const nothing: Versions = new Map()

export class Client {
  readonly #options: ClientOptions
  #client: RawClient | null = null

  constructor(options: ClientOptions) {
    this.#options = options
  }

  read(): Promise<void> {
    const { random } = this.#options
    const question =
      random() < 0.1 ? oneOf(random, overall) : oneOf(random, questionsAbout(1 + below(random, accounts)))
    return this.#try(async client => {
      await this.#ask(client, [], question)
    })
  }

  /** Writes after a while, and looks at what it has written. */
  async write(): Promise<void> {
    const { random } = this.#options
    await pause(below(random, 30))
    const kind = oneOf(random, this.#kinds)
    return this.#try(async client => {
      for (const id of (await kind.call(this, client)).keys())
        await this.#ask(client, [], oneOf(random, questionsAbout(id)))
    })
  }

  end(): void {
    this.#client?.destroy()
    this.#client = null
  }

  get #kinds() {
    const { hidden, random } = this.#options
    // A definition ends all that is kept.
    if (random() < 0.02) return [this.#define]
    if (random() < hidden) return [this.#touchByText]
    return [
      ...[this.#transfer, this.#transferAtOnce, this.#transferAndGoOn, this.#transferInTwoPhases],
      ...[this.#touch, this.#touch, this.#touchAndRead, this.#touchAndRead],
    ]
  }

  async #transfer(client: RawClient): Promise<Versions> {
    const [one, other] = this.#move()
    await this.#heard(client, [query('begin')])
    const versions = [
      ...rowsOf(await this.#heard(client, [query(one!)])),
      ...rowsOf(await this.#heard(client, [query(other!)])),
    ]
    const isKept = this.#options.random() < 0.9
    await this.#heard(client, [query(isKept ? 'commit' : 'rollback')])
    return isKept ? this.#acknowledged(versions) : nothing
  }

  async #transferAtOnce(client: RawClient): Promise<Versions> {
    const sql = ['begin', ...this.#move(), 'commit'].join('; ')
    return this.#acknowledged(rowsOf(await this.#heard(client, [query(sql)])))
  }

  /** The client hears of the commit long before its Query is over. */
  async #transferAndGoOn(client: RawClient): Promise<Versions> {
    const isCommitted = () => client.heard.includes('C(COMMIT)')
    const sql = ['begin', ...this.#move(), 'commit', `select repeat('x', 10000)`, 'select pg_sleep(0.02)']
    client.send(query(sql.join('; ')))
    await client.until(() => isCommitted() || client.heard.some(word => /^[EZ] /.test(word)))
    const versions = isCommitted() ? this.#acknowledged(rowsOf(client.heard).slice(0, 2)) : nothing
    await this.#answer(client)
    return versions
  }

  async #transferInTwoPhases(client: RawClient): Promise<Versions> {
    const name = `'${randomUUID()}'`
    const sql = ['begin', ...this.#move(), `prepare transaction ${name}`].join('; ')
    const rows = rowsOf(await this.#heard(client, [query(sql)]))
    const isKept = this.#options.random() < 0.9
    await this.#heard(client, [query(`${isKept ? 'commit' : 'rollback'} prepared ${name}`)])
    return isKept ? this.#acknowledged(rows) : nothing
  }

  /** One at a time, so that their numbers grow. */
  async #define(client: RawClient): Promise<Versions> {
    const { definitions } = this.#options
    await this.#heard(client, [query('begin; select pg_advisory_xact_lock(1)')])
    const definition = ++definitions.last
    await this.#heard(client, [query(define(definition))])
    await this.#heard(client, [query('commit')])
    return this.#acknowledged([[0, definition]])
  }

  async #touch(client: RawClient): Promise<Versions> {
    return this.#acknowledged(rowsOf(await this.#heard(client, touchByValue(this.#account()))))
  }

  async #touchByText(client: RawClient): Promise<Versions> {
    const text = oneOf(this.#options.random, [touch, touchSomehow, touchByRequest, touchAndNotify])
    return this.#acknowledged(rowsOf(await this.#heard(client, [query(text(this.#account()))])))
  }

  /** In one segment: the read has to see the write before it. */
  async #touchAndRead(client: RawClient): Promise<Versions> {
    const id = this.#account()
    return this.#ask(client, touchByValue(id), oneOf(this.#options.random, questionsAbout(id)))
  }

  /** @param before a statement that is sent in the same segment, and writes */
  async #ask(client: RawClient, before: readonly Uint8Array[], question: Question): Promise<Versions> {
    const { way, history } = this.#options
    const sentAt = performance.now()
    const boundMs = way === null ? null : this.#options.boundMs(way)
    client.send(...before, ...question.messages)
    let wrote = nothing
    if (before.length > 0) wrote = this.#acknowledged(rowsOf(await this.#answer(client)))
    const words = question.read(rowsOf(await this.#answer(client)))
    if (way !== null) history.answered({ through: way, sentAt, boundMs, wrote }, words)
    return wrote
  }

  #heard(client: RawClient, messages: readonly Uint8Array[]): Promise<string[]> {
    client.send(...messages)
    return this.#answer(client)
  }

  async #answer(client: RawClient): Promise<string[]> {
    const heard = await client.ready()
    const error = heard.find(word => word.startsWith('E ')) ?? heard.find(word => word === 'closed')
    if (error !== undefined) throw new Failed(error)
    return heard
  }

  #acknowledged(rows: readonly (readonly number[])[]): Versions {
    const versions = new Map(rows.map(([row, version]) => [row!, version!]))
    this.#options.history.acknowledged(this.#options.way, versions, performance.now())
    return versions
  }

  async #try(act: (client: RawClient) => Promise<void>): Promise<void> {
    const { failures } = this.#options
    try {
      this.#client ??= await this.#connect()
      await act(this.#client)
    } catch (error) {
      this.end()
      const { code, message } = error as Error & { code?: string }
      const why = error instanceof Failed ? message : (code ?? message)
      failures.set(why, (failures.get(why) ?? 0) + 1)
    }
  }

  async #connect(): Promise<RawClient> {
    const { url, commits } = this.#options
    const client = await rawClient(url)
    // A transaction that is prepared, and whose client is gone, holds its rows until the round is over.
    await this.#heard(client, [query(`set synchronous_commit = ${commits}; set lock_timeout = '1s'`)])
    await this.#heard(client, preparing)
    return client
  }

  /** Some are written to more than others. */
  #account(): number {
    const { random } = this.#options
    return 1 + below(random, 1 + below(random, accounts))
  }

  #move(): string[] {
    const { random } = this.#options
    const from = this.#account()
    const to = 1 + ((from + below(random, accounts - 1)) % accounts)
    return move(from, to, 1 + below(random, 10))
  }
}
