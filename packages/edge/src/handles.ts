/**
 * What a manager keeps of its handles: one set for each URL and for each env's ways, made when it is first asked for.
 *
 * They are light and hold no connection; the Maps are bounded, and a handle that falls out of one goes on working.
 */
import { type Drizzle, makeDrizzle, type Schema } from './drizzle.ts'
import { HandleExecutor, type RoutesFor } from './executor.ts'
import { makeSql, type Sql } from './sql.ts'
import { beginTransaction } from './transaction.ts'

export interface HandleOptions {
  /**
   * No cache may answer what runs on this handle: see `fresh` of a query's options, which goes before it. A handle of
   * its own is kept for it.
   */
  fresh?: boolean | undefined
}

export interface DrizzleOptions<TSchema extends Schema> extends HandleOptions {
  schema?: TSchema
}

/** Handles of one URL or env. */
export interface Handles {
  readonly routes: RoutesFor
  readonly usual: Handle
  readonly fresh: Handle
}

/** `sql`, and Drizzle by schema. */
interface Handle {
  readonly executor: HandleExecutor
  sql: Sql | undefined
  readonly drizzles: Recent<Schema | undefined, Drizzle<Schema>>
}

export function handlesOn(routes: RoutesFor): Handles {
  const handle = (fresh: boolean): Handle => ({
    executor: new HandleExecutor(routes, beginTransaction, { fresh }),
    sql: undefined,
    drizzles: new Recent(maxHandles),
  })
  return { routes, usual: handle(false), fresh: handle(true) }
}

const handleOf = (handles: Handles, { fresh }: HandleOptions) => (fresh ? handles.fresh : handles.usual)

export function sqlOf(handles: Handles, options: HandleOptions = {}): Sql {
  const handle = handleOf(handles, options)
  handle.sql ??= makeSql(handle.executor)
  return handle.sql
}

export function drizzleOf<TSchema extends Schema>(
  handles: Handles,
  options: DrizzleOptions<TSchema> = {},
): Drizzle<TSchema> {
  const { executor, drizzles } = handleOf(handles, options)
  const schema: Schema | undefined = options.schema
  const drizzle = drizzles.get(schema, () => makeDrizzle(executor, schema))
  return drizzle as unknown as Drizzle<TSchema>
}

/** A Map that forgets what was used longest ago: URLs may come from users, and must not grow without end. */
export class Recent<Key, Value> {
  readonly entries = new Map<Key, Value>()
  readonly #limit: number
  readonly #forget: ((value: Value) => void) | undefined

  constructor(limit: number, forget?: (value: Value) => void) {
    this.#limit = limit
    this.#forget = forget
  }

  get(key: Key, make: () => Value): Value {
    let value = this.entries.get(key)
    if (value === undefined) value = make()
    else this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size > this.#limit) {
      const [oldest] = this.entries
      this.entries.delete(oldest![0])
      this.#forget?.(oldest![1])
    }
    return value
  }
}

export const maxHandles = 100

const ids = new WeakMap<object, number>()
let lastId = 0

/** A number for each object, by which several of them can be one key. */
export function idOf(object: object | undefined): number | undefined {
  if (!object) return undefined
  let id = ids.get(object)
  if (id === undefined) {
    id = ++lastId
    ids.set(object, id)
  }
  return id
}
