/**
 * The cache as the sessions of one database use it: answers that are kept (cache/), what statements read and write
 * (sql/), and what is known of the database.
 */
import { randomInt } from 'node:crypto'
import { type Answers, Cache } from './cache/cache.ts'
import type { Entry } from './cache/entry.ts'
import type { Fill, Form } from './cache/fills.ts'
import type { Freshness } from './cache/freshness.ts'
import type { Key } from './cache/key.ts'
import type { Asked, Stamps } from './cache/stamps.ts'
import { CachedDatabase, type Context } from './cached-database.ts'
import type { Query } from './catalogue/index.ts'
import type { Asking } from './session/asking.ts'
import type { ReadCache } from './session/cached-reads.ts'
import type { Parser } from './sql/parser.ts'
import { Readings } from './sql/reading/index.ts'
import { type WriteSet, Writings } from './sql/writing/index.ts'

/** What all databases of a gateway have in common. */
export class SharedCache {
  readonly cache: Cache
  readonly readings: Readings
  readonly writings: Writings

  /** Sizes in bytes: of all, and of one answer. */
  constructor(parser: Parser, sizes: { readonly mostBytes: number; readonly maxResultBytes: number }) {
    this.cache = new Cache({ ...sizes, seed: randomInt(2 ** 32) })
    this.readings = new Readings(parser)
    this.writings = new Writings(parser)
  }
}

export interface DatabaseReadsOptions {
  readonly shared: SharedCache
  readonly origin: string
  readonly database: string
  readonly query: Query
  readonly refreshMs: number
  readonly stable: boolean
  readonly freshness: Freshness
  readonly time: () => number
}

export class DatabaseReads implements ReadCache {
  readonly #options: DatabaseReadsOptions
  readonly #answers: Answers
  readonly #database: CachedDatabase

  constructor(options: DatabaseReadsOptions) {
    const { cache } = options.shared
    this.#options = options
    this.#answers = cache.database(JSON.stringify([options.origin, options.database]))
    this.#database = new CachedDatabase({
      ...options,
      stamps: this.#answers.stamps,
      contexts: cache.contexts,
      onOpaque: () => {},
    })
  }

  get readings(): Readings {
    return this.#options.shared.readings
  }

  get writings(): Writings {
    return this.#options.shared.writings
  }

  get stamps(): Stamps {
    return this.#answers.stamps
  }

  get key(): Key {
    return this.#options.shared.cache.key
  }

  get now(): number {
    return this.#options.time()
  }

  contextOf(asking: Asking): Context | null {
    return this.#database.contextOf(asking, this.now)
  }

  find(describes: boolean): Entry | Fill | null {
    return this.#answers.find(describes, this.#options.freshness, this.now)
  }

  begin(form: Form, asked: Asked): Fill {
    return this.#answers.begin(form, asked)
  }

  commit(writes: WriteSet): void {
    this.#database.commit(writes)
  }

  commitOpaque(): void {
    this.#database.commitOpaque()
  }

  sweep(now: number): void {
    this.#database.sweep(now)
  }
}
