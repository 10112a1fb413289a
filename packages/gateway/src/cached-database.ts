/**
 * One database of an origin as the cache sees it: in which context its clients ask, and what has changed.
 *
 *     user, role, settings ──▶ context: in which names a client reads and writes, and its number in keys
 *     a commit of its own  ──▶ bumps, before the client hears of it
 *     DDL, whoever saw it  ──▶ the schema is bumped and the catalogue read anew
 *
 * What has to be asked of the origin is asked on the gateway's own connection. A client that comes before the answer
 * is there has no context: it asks the origin as if there were no cache.
 * Not here: answers (cache/), the stream (invalidation/), a client's units (session/).
 */
import type { Contexts } from './cache/contexts.ts'
import type { Stamps } from './cache/stamps.ts'
import { type Catalogue, LatestCatalogue, namedBy, type Query, resolveSearchPath } from './catalogue/index.ts'
import type { Asking } from './session/asking.ts'
import { type ReadAs, readAs } from './sql/reading/index.ts'
import { definitionsChanged, type WriteAs, type WriteSet } from './sql/writing/index.ts'

export interface CachedDatabaseOptions {
  /** What tells it from the database of the same name at another origin. */
  readonly origin: string
  readonly database: string
  readonly query: Query
  /** `catalog_refresh` and `cache_stable`. */
  readonly refreshMs: () => number
  readonly stable: () => boolean
  readonly stamps: Stamps
  /** Of all databases. */
  readonly contexts: Contexts
  /** An opaque commit has this number: to be told when it has passed. @param again it had one before */
  onOpaque(number: number, cause: string, again: boolean): void
  /** Server connections start with other settings by now. */
  onRoleSettings(): void
}

/** How a client reads and writes. */
export interface Context {
  readonly names: ReadAs
  /** Of what stands in keys for its user, role and settings. */
  readonly number: number
}

/** Of more contexts than these, all are made anew. */
const mostContexts = 10_000

export class CachedDatabase {
  readonly #options: CachedDatabaseOptions
  readonly #catalogue: LatestCatalogue
  /** By who asks, for this catalogue. */
  readonly #contexts = new Map<string, Context>()
  /** Schemas by role and search_path; null while it is asked which. */
  readonly #paths = new Map<string, readonly string[] | null>()
  #contextsOf: Catalogue | null = null

  constructor(options: CachedDatabaseOptions) {
    this.#options = options
    this.#catalogue = new LatestCatalogue({
      query: options.query,
      refreshMs: options.refreshMs,
      onChange: () => options.stamps.bumpSchema(),
      onRoleSettings: () => options.onRoleSettings(),
    })
  }

  /** Null as long as it is not known what names mean for this client. */
  contextOf(asking: Asking, now: number): Context | null {
    const catalogue = this.#get(now)
    if (catalogue === null || asking.refused !== null || asking.path === null) return null
    return this.#contexts.get(asking.key) ?? this.#make(asking, catalogue, asking.path)
  }

  /**
   * In which names a client writes; null while nothing is known of the database.
   *
   * A write does not wait for what has to be asked. Which schemas of its path are there for this role is not known at
   * first: then a name stands for what it means in each of them, which says too much, never too little. Whether the
   * catalogue is still the newest need not be known either. If another one is known when the transaction is committed,
   * it counts as opaque (`commit`). If none is, and yet something was changed, that is noticed later, and all ends that
   * was kept until then; what is kept after that was asked for behind the commit.
   *
   * @param mayDoubt nobody else answers from what is kept while this catalogue is in doubt
   */
  namesOf(asking: Asking, now: number, mayDoubt: boolean): WriteAs | null {
    const { key, path, refused, role } = asking
    const sure = this.#get(now)
    const catalogue = sure ?? (mayDoubt ? this.#catalogue.last : null)
    if (catalogue === null || refused !== null || path === null) return null
    const known = sure && this.#contexts.get(key)
    if (known) return known.names
    const schemas = sure && this.#schemasOf(path, role, sure)
    if (schemas) return { catalogue, searchPath: schemas, key: schemas.join('\0') }
    const named = namedBy(path, role)
    return named && { catalogue, searchPath: named, maySkip: true, key: ['?', ...named].join('\0') }
  }

  /**
   * For what others change: null while it is not known. One in doubt will do: if it is another one by now, all that was
   * kept is dropped when that is found out, and nothing is served before.
   */
  catalogue(now: number): Catalogue | null {
    return this.#catalogue.get(now) ?? this.#catalogue.last
  }

  /** Somebody is about to ask: what names mean is read meanwhile. */
  warm(now: number): void {
    this.#catalogue.get(now)
  }

  /** Why nothing is known of it; null if it is being read. */
  get unreadable(): string | null {
    return this.#catalogue.failure
  }

  /** Called before a client can know that it has committed this: what it has changed is bumped. */
  commit(writes: WriteSet): void {
    const { stamps } = this.#options
    for (const relation of writes.tables) stamps.change(relation, 'any')
    for (const relation of writes.inserts) stamps.change(relation, 'any')
    for (const [relation, keys] of writes.rows) stamps.change(relation, keys)
    // What was judged by another catalogue, DDL ends as well.
    const isAsJudged = writes.ddl || writes.catalogue === null || writes.catalogue === this.#catalogue.last
    const cause = writes.opaque ?? (isAsJudged ? null : definitionsChanged)
    if (cause !== null) this.commitOpaque(cause, writes.told)
    if (!writes.ddl) return
    // Of a text that can't be read it is not known whether it is DDL: most are mistakes, which must not end all that is
    // kept. What else it may have changed is the opaque commit's.
    if (writes.opaque === null) this.#catalogue.forget()
    else this.#catalogue.doubt()
  }

  /** A commit of which nobody can tell what it changed. */
  commitOpaque(cause: string, again: boolean = false): void {
    this.#options.onOpaque(this.#options.stamps.commitOpaque(), cause, again)
  }

  /** Somebody has seen DDL. */
  forgetSchema(): void {
    this.#catalogue.forget()
  }

  /** It may have been seen. */
  doubtSchema(): void {
    this.#catalogue.doubt()
  }

  sweep(now: number): void {
    this.#catalogue.sweep(now)
  }

  /** What is known by another catalogue is forgotten. */
  #get(now: number): Catalogue | null {
    const catalogue = this.#catalogue.get(now)
    const isFull = Math.max(this.#contexts.size, this.#paths.size) >= mostContexts
    if (catalogue && (catalogue !== this.#contextsOf || isFull)) {
      this.#contexts.clear()
      this.#paths.clear()
      this.#contextsOf = catalogue
    }
    return catalogue
  }

  #make({ key, role, sessionUser, settings }: Asking, catalogue: Catalogue, path: string): Context | null {
    const { contexts, database, origin, stable } = this.#options
    const searchPath = this.#schemasOf(path, role, catalogue)
    if (searchPath === null) return null
    const named = [...settings, ['role', role], ['search_path', searchPath.join('\0')]] as const
    const context: Context = {
      names: readAs({ catalogue, searchPath, role, stable: stable() }),
      number: contexts.numberOf({ origin, database, sessionUser, settings: named }),
    }
    this.#contexts.set(key, context)
    return context
  }

  #schemasOf(path: string, role: string, catalogue: Catalogue): readonly string[] | null {
    const key = JSON.stringify([role, path])
    const known = this.#paths.get(key)
    if (known !== undefined) return known
    this.#paths.set(key, null)
    resolveSearchPath(this.#options.query, path, role)
      .catch(() => null)
      .then(schemas => {
        if (this.#contextsOf !== catalogue) return
        // What PostgreSQL does not take as a path, or can't be asked now, is asked for again.
        if (schemas) this.#paths.set(key, schemas)
        else this.#paths.delete(key)
      })
    return null
  }
}
