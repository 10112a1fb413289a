/**
 * One client of a crowd under chaos: what it asks, and whether what it hears can be its own answer.
 *
 *     number ──▶ work ──▶ messages ──▶ heard ──judge──▶ answered │ failed with a SQLSTATE │ wrong
 *
 * Every query returns a number that no other query returns, so that an answer which is somebody else's is seen as such.
 * Of each write it is kept what the client was told, so that the table can be compared with it afterwards.
 */
import { connect } from 'node:net'
import * as wire from '@sluice/wire'
import { type RawClient, rawClient } from '../support/raw-client.ts'

/** What a client was told of the rows that it wrote. */
export type Fate =
  /** CommandComplete of what commits: the row is there, once. */
  | 'acknowledged'
  /** Refused before anything was sent, rolled back, or never committed: it is not there. */
  | 'undone'
  /** The connection was lost in between: it is there once, or not. */
  | 'unknown'

export interface Tally {
  readonly fates: Map<number, Fate>
  /** How many exchanges were answered as asked. */
  answered: number
  /** How many failed, by SQLSTATE; `killed` by the client itself. */
  readonly failed: Map<string, number>
  /** What must never be: an answer that is not the question's. */
  readonly wrong: string[]
}

export const newTally = (): Tally => ({ fates: new Map(), answered: 0, failed: new Map(), wrong: [] })

/** Cancelled; the server connection terminated; the origin down or starting; its connection lost; no one free in time. */
const expectedErrors = ['57014', '57P01', '57P02', '57P03', '08006', '53300']

/** One part of a work, up to a ReadyForQuery, and the answer to it. */
interface Part {
  readonly messages: readonly Uint8Array[]
  readonly expected: readonly string[]
}

interface Work {
  readonly parts: readonly Part[]
  /** Written, if the last part is answered. */
  readonly writes?: number
}

const simple = (sql: string, ...expected: string[]): Part => ({ messages: [wire.query(sql)], expected })

const series = (name: string, n: number): Part => ({
  messages: [wire.bind('', name, String(n)), wire.execute(), wire.sync()],
  expected: ['2', `D(${n})`, 'C(SELECT 1)', 'Z I'],
})

const unnamed = (n: number): Part => ({
  messages: [wire.parse('', 'select $1::int8'), ...series('', n).messages],
  expected: ['1', ...series('', n).expected],
})

const insert = (n: number) => simple(`insert into writes values (${n})`, 'C(INSERT 0 1)', 'Z I')
// In one Query: if it is refused, no INSERT of it is left to run without its BEGIN.
const begin = (n: number) =>
  simple(`begin; insert into writes values (${n})`, 'C(BEGIN)', 'C(INSERT 0 1)', 'Z T')
const commit = simple('commit', 'C(COMMIT)', 'Z I')
const select = (n: number, status: 'I' | 'T') =>
  simple(`select ${n} as n`, 'T(n)', `D(${n})`, 'C(SELECT 1)', `Z ${status}`)

/** More than a socket takes at once, and more than a gateway waits for before it sends on what has come. */
const wide = 'x'.repeat(300_000)

const wideAnswer = (n: number) =>
  simple(
    `select ${n} as n, repeat('x', ${wide.length}) as x`,
    'T(n,x)',
    `D(${n},${wide})`,
    'C(SELECT 1)',
    'Z I',
  )

const wideQuestion = (n: number): Part => ({
  messages: [
    wire.parse('', 'select $1::int8, length($2)'),
    wire.bind('', '', String(n), wide),
    wire.execute(),
    wire.sync(),
  ],
  expected: ['1', '2', `D(${n},${wide.length})`, 'C(SELECT 1)', 'Z I'],
})

export class Member {
  readonly #url: string
  readonly #tally: Tally
  readonly #nextNumber: () => number
  #client: RawClient | null = null
  /** What this client has set and prepared, which must be there on whatever server connection it is. */
  #setTo = 0
  #prepared = false

  constructor(url: string, tally: Tally, nextNumber: () => number) {
    this.#url = url
    this.#tally = tally
    this.#nextNumber = nextNumber
  }

  /** The key with which what it runs can be cancelled. */
  get key(): RawClient['key'] {
    return this.#client?.key ?? null
  }

  /** Connects if it must, and does one work. */
  async step(): Promise<void> {
    this.#client ??= await this.#connect()
    if (this.#client) await this.#do(this.#client, this.#choose())
  }

  async end(): Promise<void> {
    await this.#client?.end()
  }

  async #connect(): Promise<RawClient | null> {
    this.#setTo = 0
    this.#prepared = false
    try {
      return await rawClient(this.#url)
    } catch (error) {
      const { code = String(error) } = error as { code?: string }
      if (!expectedErrors.includes(code)) this.#tally.wrong.push(`at login ${code}`)
      this.#fail('at login')
      return null
    }
  }

  #choose(): Work {
    const n = this.#nextNumber()
    const chance = Math.random()
    if (chance < 0.3) return { parts: [select(n, 'I')] }
    if (chance < 0.45) return { parts: [unnamed(n)] }
    if (chance < 0.6) return { parts: [this.#named(n)] }
    if (chance < 0.7)
      return { parts: [unnamed(n), select(this.#nextNumber(), 'I'), unnamed(this.#nextNumber())] }
    if (chance < 0.8) return { parts: [insert(n)], writes: n }
    if (chance < 0.88) return { parts: [begin(n), select(this.#nextNumber(), 'T'), commit], writes: n }
    if (chance < 0.92) {
      const copy = [
        wire.query('copy writes from stdin'),
        wire.copyData(Buffer.from(`${n}\n`)),
        wire.copyDone(),
      ]
      return { parts: [{ messages: copy, expected: ['G', 'C(COPY 1)', 'Z I'] }], writes: n }
    }
    if (chance < 0.96) return { parts: [this.#setting(n)] }
    return { parts: [chance < 0.98 ? wideAnswer(n) : wideQuestion(n)] }
  }

  /** Of a statement that is prepared once by each client, and by all under the same name. */
  #named(n: number): Part {
    const part = series('mine', n)
    if (this.#prepared) return part
    return {
      messages: [wire.parse('mine', 'select $1::int8 as mine'), ...part.messages],
      expected: ['1', ...part.expected],
    }
  }

  /** Sets a parameter, or tells what it was set to. */
  #setting(n: number): Part {
    if (this.#setTo === 0) return simple(`set chaos.number = '${n}'`, 'C(SET)', 'Z I')
    return simple('show chaos.number', 'T(chaos.number)', `D(${this.#setTo})`, 'C(SHOW)', 'Z I')
  }

  async #do(client: RawClient, work: Work): Promise<void> {
    if (Math.random() < 0.01) return this.#vanish(client, work)
    const together = Math.random() < 0.5
    if (together) client.send(...work.parts.flatMap(({ messages }) => messages))
    for (const [at, part] of work.parts.entries()) {
      if (!together) client.send(...part.messages)
      const heard = await client.ready()
      const last = at === work.parts.length - 1
      const code = this.#judge(part, heard)
      if (code === null) {
        if (last && work.writes !== undefined) this.#tally.fates.set(work.writes, 'acknowledged')
        this.#learn(part)
        continue
      }
      if (work.writes !== undefined) this.#tally.fates.set(work.writes, fateAfter(code, heard, last))
      if (heard.at(-1) === 'closed') {
        client.destroy()
        this.#client = null
        return
      }
      await this.#recover(client, { left: together ? work.parts.length - 1 - at : 0, status: heard.at(-1)! })
      return
    }
  }

  /** After an error: what was sent behind it is heard out, and its transaction ended. */
  async #recover(client: RawClient, { left, status }: { left: number; status: string }): Promise<void> {
    for (; left > 0; left--) status = (await client.ready()).at(-1)!
    if (status === 'Z E' || status === 'Z T') status = (await client.query('rollback')).at(-1)!
    if (status === 'Z I') return
    client.destroy()
    this.#client = null
  }

  /** It is killed: after a whole message, or in the middle of one. */
  async #vanish(client: RawClient, work: Work): Promise<void> {
    const cut = Math.floor(Math.random() * work.parts.length)
    const sent = Buffer.concat(work.parts.slice(0, cut + 1).flatMap(({ messages }) => messages))
    const whole = Math.random() < 0.5
    const bytes = whole ? sent : sent.subarray(0, Math.floor(Math.random() * sent.length))
    await new Promise<void>(resolve => client.socket.write(bytes, () => resolve()))
    if (Math.random() < 0.5) client.socket.resetAndDestroy()
    else client.destroy()
    this.#client = null
    this.#fail('killed')
    // The COMMIT was sent, or the one statement, or it was not.
    const may = whole && cut === work.parts.length - 1
    if (work.writes !== undefined) this.#tally.fates.set(work.writes, may ? 'unknown' : 'undone')
  }

  /** The SQLSTATE of the error that came instead of the answer, or null. */
  #judge({ expected }: Part, heard: readonly string[]): string | null {
    const { wrong } = this.#tally
    const errorAt = heard.findIndex(word => word.startsWith('E '))
    if (errorAt === -1) {
      if (heard.length === expected.length && heard.every((word, at) => word === expected[at])) {
        this.#tally.answered++
        return null
      }
      wrong.push(`expected ${shown(expected)}, heard ${shown(heard)}`)
      return 'wrong'
    }
    const code = heard[errorAt]!.slice(2)
    const before = heard.slice(0, errorAt)
    const after = heard.slice(errorAt + 1)
    if (
      !expectedErrors.includes(code) ||
      before.some((word, at) => word !== expected[at]) ||
      after.length !== 1 ||
      !/^(Z [IE]|closed)$/.test(after[0]!)
    )
      wrong.push(`expected ${shown(expected)}, heard ${shown(heard)}`)
    this.#fail(code)
    return code
  }

  #learn({ expected, messages }: Part): void {
    if (messages[0]![0] === wire.Parse && messages[0]![5] !== 0) this.#prepared = true
    if (expected[0] === 'C(SET)')
      this.#setTo = Number(/'(\d+)'/.exec(Buffer.from(messages[0]!).toString())![1])
  }

  #fail(why: string): void {
    const { failed } = this.#tally
    failed.set(why, (failed.get(why) ?? 0) + 1)
  }
}

function fateAfter(code: string, heard: readonly string[], last: boolean): Fate {
  // Nothing of it was sent, or PostgreSQL has rolled it back; and what stands before a COMMIT does not last.
  if (code === '53300' || code === '57014' || !last) return 'undone'
  return heard.at(-1) === 'closed' ? 'unknown' : 'undone'
}

const shown = (words: readonly string[]) => words.map(word => word.slice(0, 40)).join(' ')

/** A CancelRequest on a connection of its own; ends when that has closed. */
export function cancel(url: string, { processId, secretKey }: NonNullable<RawClient['key']>): Promise<void> {
  const { hostname, port } = new URL(url)
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(wire.cancelRequest(processId, secretKey)),
    )
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.resume()
  })
}
