/**
 * The invalidation of one database, run against a real PostgreSQL, and what it tells.
 *
 *     await using at = await labOf('create table orders …')
 *     await at.lab.covers('orders')
 *     await at.query('insert into orders …')
 *     expect(await at.lab.told()).toEqual(['orders 7'])
 */
import pg from 'pg'
import { type Catalogue, readCatalogue } from '../../packages/gateway/src/catalogue/index.ts'
import {
  controlParameters,
  type Reach,
  streamParameters,
} from '../../packages/gateway/src/invalidation/connections.ts'
import {
  Invalidation,
  type InvalidationOptions,
} from '../../packages/gateway/src/invalidation/invalidation.ts'
import type { Change, InvalidationSink, SchemaObject } from '../../packages/gateway/src/invalidation/sink.ts'
import type { InvalidationPhase, Running } from '../../packages/gateway/src/invalidation/status.ts'
import { dial, dialWith } from '../../packages/gateway/src/origin/dial.ts'
import { systemClock } from '../../packages/gateway/src/transport/clock.ts'
import { nodeTransport } from '../../packages/gateway/src/transport/node.ts'
import type { Transport } from '../../packages/gateway/src/transport/transport.ts'
import { createDatabase, type TestDatabase } from './postgres.ts'

export interface LabOptions extends Partial<Omit<InvalidationOptions, 'sink' | 'reach'>> {
  readonly transport?: Transport
}

const patienceMs = 20_000

export class InvalidationLab implements InvalidationSink, AsyncDisposable {
  readonly url: string
  readonly invalidation: Invalidation
  covered: ReadonlySet<number> = new Set()
  epochs = 0
  passed = 0
  /** Hears each change at once, in the words of `told`. */
  onTold: (word: string) => void = () => {}
  /** Of schemas, in the order told. */
  readonly schema: (readonly SchemaObject[] | 'any')[] = []
  #catalogue: Catalogue
  #opaque = 0
  #told: string[] = []
  #wake: () => void = () => {}

  private constructor(url: string, catalogue: Catalogue, options: LabOptions) {
    this.url = url
    this.#catalogue = catalogue
    this.invalidation = new Invalidation({
      ...{ reach: reachOf(url, options.transport), clock: systemClock, random: Math.random },
      ...{ publication: 'sluice', mayChange: true },
      ...{ heartbeatMs: 200, silenceMs: 5_000, refreshMs: 100, idleMs: 0 },
      known: {
        keyOf: oid => this.#catalogue.relation(oid)?.primaryKey ?? null,
        ancestorsOf: oid => this.#catalogue.ancestors(oid),
      },
      onChange: () => this.#wake(),
      ...options,
      sink: this,
    })
  }

  static async start(url: string, options: LabOptions = {}): Promise<InvalidationLab> {
    const lab = new InvalidationLab(url, await readCatalogue(queryOf(url)), options)
    lab.invalidation.clients = 1
    return lab
  }

  /** Waits until changes of these tables are told. */
  async covers(...tables: string[]): Promise<void> {
    await this.learn()
    await this.until(() => tables.every(table => this.covered.has(this.oidOf(table))))
    await this.told()
  }

  /** Reads the catalogue anew. */
  async learn(): Promise<void> {
    this.#catalogue = await readCatalogue(queryOf(this.url))
  }

  oidOf(table: string): number {
    for (const { name, oid } of this.#catalogue.relations.values()) if (name === table) return oid
    throw new Error(`there is no table ${table}`)
  }

  /** What was told of all that was committed so far, once each, sorted: a table's name, and a key or `any`. */
  async told(): Promise<string[]> {
    const number = ++this.#opaque
    this.invalidation.opaque(number)
    await this.until(() => this.passed >= number)
    return [...new Set(this.#told.splice(0))].sort()
  }

  /** What was told so far, as often as it was. */
  toldNow(): readonly string[] {
    return this.#told
  }

  get phase(): InvalidationPhase {
    return this.invalidation.status.phase
  }

  async running(holds: (running: Running) => boolean = () => true): Promise<Running> {
    let found: Running | undefined
    await this.until(() => {
      const { phase } = this
      if (phase.at === 'running' && holds(phase)) found = phase
      return found !== undefined
    })
    return found!
  }

  /** Waits until something is true; looked at whenever something was told, and from time to time. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs
    while (!holds()) {
      if (performance.now() > deadline)
        throw new Error(`it did not come to that: ${JSON.stringify(this.invalidation.status)}`)
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, 50)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.invalidation.close()
  }

  // InvalidationSink

  onChanges(changes: readonly Change[]): void {
    for (const { relation, rows } of changes) {
      const name = this.#catalogue.relation(relation)?.name ?? String(relation)
      const words = rows === 'any' ? [`${name} any`] : rows.map(key => `${name} ${key.join(',')}`)
      for (const word of words) {
        this.#told.push(word)
        this.onTold(word)
      }
    }
    this.#wake()
  }

  onSchema(objects: readonly SchemaObject[] | 'any'): void {
    this.schema.push(objects)
    this.#wake()
  }

  onPassed(number: number): void {
    this.passed = number
    this.#wake()
  }

  onCovered(tables: ReadonlySet<number>): void {
    this.covered = tables
    this.#wake()
  }

  onEpoch(): void {
    this.epochs++
    this.#wake()
  }
}

/** A database of the run's PostgreSQL, or of another one, with this schema, and its invalidation. */
export async function labOf(
  schema: string,
  options: LabOptions = {},
  server?: string,
): Promise<TestDatabase & { readonly lab: InvalidationLab }> {
  const database = await createDatabase(server)
  await database.query(schema)
  const lab = await InvalidationLab.start(database.url, options)
  const dispose = async () => {
    lab.invalidation.close()
    await database.drop()
  }
  return { ...database, lab, [Symbol.asyncDispose]: dispose }
}

/** As the catalogue asks: rows of all statements, everything as text. */
const queryOf = (url: string) => async (sql: string) => {
  const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => String } })
  await client.connect()
  try {
    const results = await client.query({ text: sql, rowMode: 'array' })
    return [results].flat().flatMap(({ rows }) => rows as (string | null)[][])
  } finally {
    await client.end()
  }
}

function reachOf(url: string, transport: Transport = nodeTransport): Reach {
  const { hostname, port, username, password, pathname } = new URL(url)
  const options = {
    origin: { addresses: [{ host: hostname, port: Number(port) }], sslmode: 'disable' },
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
    secret: { password: new TextEncoder().encode(decodeURIComponent(password)) },
    ...{ transport, clock: systemClock, timeoutMs: 5_000 },
  } as const
  return {
    stream: (begin, signal) => dialWith({ ...options, parameters: streamParameters }, signal, begin),
    control: (keeper, signal) => dial({ ...options, parameters: controlParameters }, keeper, signal),
  }
}
